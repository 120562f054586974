import { Cluster } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Keyring } from '../../config/keyring.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { answerFacts, frame, keptFacts, unframe } from '../form.ts';

const token = z.string();

/** What processes tell each other of the calls they make for one another. */
const message = z.discriminatedUnion('type', [
  /** Tell me of this call, from this piece on. */
  z.object({ type: z.literal('join'), token, position: z.int() }),
  z.object({ type: z.literal('leave'), token }),
  /** Are you there, and are these still under way? */
  z.object({ type: z.literal('ping'), tokens: z.array(token) }),
  /** Those of them that are, and the pieces that were sent of each. */
  z.object({ type: z.literal('pong'), sent: z.record(token, z.int()) }),
  z.object({
    type: z.literal('begin'),
    token,
    ...answerFacts.pick({ status: true, contentType: true, path: true }).shape,
    tellsUsage: z.boolean(),
    labels: z.string(),
  }),
  /** Pieces of the stream, the first of them at this position. */
  z.object({ type: z.literal('pieces'), token, position: z.int() }),
  z.object({
    type: z.literal('land'),
    token,
    ending: z.enum(['whole', 'broken']),
    /** Pieces of the stream, all in all. */
    length: z.int(),
    landing: z.discriminatedUnion('kind', [
      /** With the pieces, where they were not sent before. */
      z.object({ kind: z.literal('answer'), answer: keptFacts, withPieces: z.boolean() }),
      z.object({ kind: z.literal('unshared'), facts: answerFacts.nullable() }),
      z.object({ kind: z.literal('gone') }),
    ]),
  }),
]);
export type Message = z.output<typeof message>;

const envelope = z.object({ from: z.string(), message });

export interface Mail {
  /** Answers would arrive. */
  readonly isOpen: boolean;
  /** Resolves to false when it is certain that nobody got it; rejects when Redis is away. */
  send(to: string, message: Message, pieces?: readonly Buffer[]): Promise<boolean>;
  receive(receiver: (from: string, message: Message, pieces: Buffer[]) => void): void;
}

const channelOf = (process: string) => `weir:mail:${process}`;

/** Messages between processes over Redis: they may be lost, and come in order. Sealed. */
export function createMail(redis: RedisConnection, me: string, keyring: Keyring, log: Logger): Mail {
  const listener = redis.listener();
  let isOpen = false;
  const subscribe = () =>
    listener.subscribe(channelOf(me)).then(
      () => {
        isOpen = true;
      },
      (error: unknown) => log.debug({ err: error }, 'not subscribed'),
    );
  listener.on('ready', subscribe);
  if (listener.status === 'ready') void subscribe();
  listener.on('close', () => {
    isOpen = false;
  });

  return {
    get isOpen() {
      return isOpen;
    },
    async send(to, content, pieces = []) {
      const sealed = keyring.seal(frame({ from: me, message: content }, pieces), contextOf(to));
      const receivers = await redis.run(() => redis.client.publish(channelOf(to), sealed), channelOf(to));
      // A node of a Cluster counts its own listeners only.
      return receivers > 0 || redis.client instanceof Cluster;
    },
    receive(receiver) {
      listener.on('messageBuffer', (_channel: Buffer, bytes: Buffer) => {
        const open = keyring.open(bytes, contextOf(me));
        const read = open && unframe(open, envelope);
        if (read) receiver(read.head.from, read.head.message, read.pieces);
        else log.warn('a message of another process cannot be read: do they have the same encryption.keys?');
      });
    },
  };
}

function contextOf(to: string): string {
  return JSON.stringify(['mail', to]);
}
