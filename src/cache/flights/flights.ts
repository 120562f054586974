import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Keyring } from '../../config/keyring.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import type { ByteBudget } from '../byte-budget.ts';
import type { HotTier, Place } from '../cache.ts';
import type { Purges } from '../purges.ts';
import { Flight } from './flight.ts';
import { createMail, type Mail } from './mail.ts';
import { createRemoteFlights } from './remote.ts';
import { createTails } from './tails.ts';

/** Claims are held for longer this often. */
const renewMs = 20_000;

/** The calls to providers that others may wait for, of this process and, over Redis, of the others. */
export interface Flights {
  /** The one that is under way, or has just landed, as far as this process knows. */
  at(place: Place): Flight | undefined;
  /** A new one of this process, that has yet to claim its place. */
  prepare(place: Place, requestedModel: string | null): Flight;
  /** It has its place. */
  depart(flight: Flight): void;
  /** It is over, or has no place. */
  forget(flight: Flight): void;
  /** The one that holds a claim: `over`, nobody makes it; `unheard`, it is made where this process hears nothing of. */
  byToken(place: Place, token: string, requestedModel: string | null): Flight | 'over' | 'unheard';
  /** Those that purges are about are not joined any more. */
  purge(): void;
  stop(): void;
}

export function createFlights(options: {
  redis: RedisConnection | null;
  hot: HotTier;
  purges: Purges;
  keyring: Keyring;
  held: ByteBudget;
  log: Logger;
}): Flights {
  const { redis, hot, purges, keyring, held, log } = options;
  const me = `${process.pid}-${randomBytes(8).toString('hex')}`;
  const own = new Map<string, Flight>();
  const places = new Map<string, Flight>();
  let count = 0;

  const mail: Mail | null = redis && createMail(redis, me, keyring, log);
  const tails = mail && createTails(mail, (token) => own.get(token));
  const remote = mail && createRemoteFlights({ mail, held, now: () => performance.now() });
  mail?.receive((from, message, pieces) => {
    if (message.type === 'join') tails?.join(from, message.token, message.position);
    else if (message.type === 'leave') tails?.leave(from, message.token);
    else if (message.type === 'ping')
      mail.send(from, { type: 'pong', sent: tails?.sent(from, message.tokens) ?? {} }).catch(() => {});
    remote?.receive(from, message, pieces);
  });
  const renewing = setInterval(() => {
    for (const { plan } of own.values()) void hot.renew(plan.place, plan.token);
  }, renewMs).unref();

  function forget(flight: Flight): void {
    const { token, place } = flight.plan;
    own.delete(token);
    if (places.get(place.key) === flight) places.delete(place.key);
  }

  return {
    at: ({ key }) => places.get(key),
    prepare(place, requestedModel) {
      const token = `${me}.${++count}`;
      const flight = new Flight({ place, token, requestedModel, generation: purges.generation });
      // Others may ask for it before the word that it has its place is back.
      own.set(token, flight);
      return flight;
    },
    depart: (flight) => void places.set(flight.plan.place.key, flight),
    forget,
    byToken(place, token, requestedModel) {
      const known = own.get(token);
      if (known || token.startsWith(`${me}.`)) return known?.isOpen ? known : 'over';
      if (!mail?.isOpen || !remote) return 'unheard';
      const flight = remote.join({ place, token, requestedModel, generation: purges.generation });
      places.set(place.key, flight);
      void flight.landed.then(() => forget(flight));
      return flight;
    },
    purge() {
      for (const flight of [...own.values(), ...places.values()]) {
        const { place, token } = flight.plan;
        if (!purges.covers(place, flight.dated)) continue;
        if (own.has(token)) void hot.release(place, token);
        forget(flight);
      }
    },
    stop() {
      clearInterval(renewing);
      remote?.stop();
      for (const flight of own.values()) flight.land({ kind: 'gone' }, 'broken');
    },
  };
}
