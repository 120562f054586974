import type { HotTier, KeptAnswer, Place } from './cache.ts';
import type { ColdTier } from './cold/tier.ts';
import type { Counts } from './counts.ts';
import type { Flight, Landing } from './flights/flight.ts';
import type { Flights } from './flights/flights.ts';
import type { Purges } from './purges.ts';
import type { Ending } from './recording.ts';

/** The hot tier has what the cold one has as well for so long: 24 hours. */
const hotMs = 24 * 3_600_000;
/** Flights that end while they are asked for, one after the other: then the call goes alone. */
const maxRounds = 4;

export interface Question extends Place {
  /** As asked for. */
  requestedModel: string | null;
  /** May be answered with what is kept. */
  read: boolean;
  /** May wait for an equal call that is under way, or be the one that others wait for. */
  share: boolean;
  /** This flight turned out to be gone. */
  instead: Flight | null;
}

/**
 * - `lead`: the call goes to the provider, and others may wait for it: it must be landed.
 * - `follow`: an equal call is under way.
 * - `none`: the call goes to the provider, and is nobody's business.
 */
export type Found =
  | { kind: 'answer'; answer: KeptAnswer; tier: 'hot' | 'cold' }
  | { kind: 'lead'; flight: Flight }
  | { kind: 'follow'; flight: Flight }
  | { kind: 'none' };

export interface Cache {
  /** The newest purge that is known: what is kept later says so of the time when its provider was asked. */
  generation(): number;
  /** Asks the hot tier in this tick. Never rejects. */
  ask(question: Question): Promise<Found>;
  /** Keeps an answer for so long, and gives it to who waits for this flight. Resolves when the hot tier has it. */
  keep(kept: { place: Place; dialect: string; answer: KeptAnswer; flight: Flight | null }): Promise<void>;
  /** The call is over without an answer to keep. `ending`: of its bytes, for who reads along. */
  land(flight: Flight, landing: Landing, ending: Ending): void;
  count: Counts['count'];
}

/** What is asked of the tiers, and of the calls that are under way. */
export function createAsking(options: {
  hot: HotTier;
  cold: ColdTier | null;
  /** How long answers stay in the cold tier at most. */
  coldMs: number;
  flights: Flights;
  purges: Purges;
  now: () => number;
}): Omit<Cache, 'count'> {
  const { hot, cold, coldMs, flights, purges, now } = options;
  /** Looks that are under way: equal ones at the same time are one. */
  const looking = new Map<string, Promise<Found>>();

  /** Kept, not purged, not expired; in the cold tier as well when the hot one does not have it. */
  async function findCold(place: Place): Promise<KeptAnswer | null> {
    const answer = await cold?.find(place);
    if (!answer || answer.expiresAt <= now() || purges.covers(place, answer)) return null;
    return answer;
  }

  function hotTtl({ storedAt, expiresAt }: KeptAnswer): number {
    const life = expiresAt - now();
    return expiresAt - storedAt <= coldMs ? Math.min(life, hotMs) : life;
  }

  async function look(place: Place): Promise<Found> {
    const { answer } = await hot.look(place, { read: true, token: null, instead: null });
    if (answer && !purges.covers(place, answer)) return { kind: 'answer', answer, tier: 'hot' };
    const colder = await findCold(place);
    if (!colder) return { kind: 'none' };
    void hot.put(place, colder, hotTtl(colder), null);
    return { kind: 'answer', answer: colder, tier: 'cold' };
  }

  async function lookAndClaim(question: Question): Promise<Found> {
    const { organization, key, requestedModel } = question;
    const place = { organization, key };
    let { read } = question;
    let instead = question.instead?.plan.token ?? null;
    for (let round = 0; round < maxRounds; round++) {
      const flight = flights.prepare(place, requestedModel);
      const { token } = flight.plan;
      const { answer, holder } = await hot.look(place, { read, token, instead });
      if (answer && !purges.covers(place, answer)) {
        flights.forget(flight);
        return { kind: 'answer', answer, tier: 'hot' };
      }
      if (answer) read = false;
      else if (holder === token) {
        flights.depart(flight);
        const colder = read ? await findCold(place) : null;
        if (!colder) return { kind: 'lead', flight };
        arrive(flight, place, colder);
        return { kind: 'answer', answer: colder, tier: 'cold' };
      }
      flights.forget(flight);
      if (holder === null) continue;
      const other = flights.byToken(place, holder, requestedModel);
      if (other === 'unheard') break;
      if (other !== 'over') return { kind: 'follow', flight: other };
      instead = holder;
    }
    return { kind: 'none' };
  }

  /** Those who wait have the answer before any tier does; who asks from now on finds it in the flight until then. */
  function arrive(flight: Flight | null, place: Place, answer: KeptAnswer): Promise<void> {
    flight?.land({ kind: 'answer', answer }, 'whole');
    const putting = purges.covers(place, answer)
      ? flight && hot.release(place, flight.plan.token)
      : hot.put(place, answer, hotTtl(answer), flight?.plan.token ?? null);
    return Promise.resolve(putting).then(() => {
      if (flight) flights.forget(flight);
    });
  }

  return {
    generation: () => purges.generation,
    async ask(question) {
      const { organization, key, read, share } = question;
      const place = { organization, key };
      if (!share) return read ? look(place) : { kind: 'none' };
      const flight = flights.at(place);
      const { landing = null } = flight ?? {};
      if (read && landing?.kind === 'answer') return { kind: 'answer', answer: landing.answer, tier: 'hot' };
      if (flight?.isOpen && flight !== question.instead) return { kind: 'follow', flight };
      const others = looking.get(key);
      if (others && read) {
        const found = await others;
        return found.kind === 'lead' ? { kind: 'follow', flight: found.flight } : found;
      }
      const found = lookAndClaim({ ...question, instead: question.instead ?? flight ?? null });
      looking.set(key, found);
      return found.finally(() => {
        if (looking.get(key) === found) looking.delete(key);
      });
    },
    async keep({ place, dialect, answer, flight }) {
      const arrived = arrive(flight, place, answer);
      if (!answer.shadow && !purges.covers(place, answer)) void cold?.put(place, dialect, answer);
      await arrived;
    },
    land(flight, landing, ending) {
      flight.land(landing, ending);
      flights.forget(flight);
      void hot.release(flight.plan.place, flight.plan.token);
    },
  };
}
