import { Cluster } from 'ioredis';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Keyring } from '../../config/keyring.ts';
import { usageNames } from '../../dialects/usage.ts';
import type { RedisConnection } from '../../redis/connection.ts';
import { cutPieces, joinPieces } from '../pieces.ts';

const token = z.string();
const facts = z.object({
  status: z.int(),
  contentType: z.string(),
  streamed: z.boolean(),
  path: z.string(),
  provider: z.string(),
  requestedModel: z.string().nullable(),
  model: z.string().nullable(),
  responseId: z.string().nullable(),
  finishReason: z.string().nullable(),
  usage: z.record(z.enum(usageNames), z.number().nullable()),
  usageSource: z.enum(['provider', 'counted', 'estimated']).nullable(),
  costUsd: z.string().nullable(),
});
const kept = facts.extend({
  storedAt: z.number(),
  expiresAt: z.number(),
  generation: z.int(),
  shadow: z.boolean(),
});

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
    ...facts.pick({ status: true, contentType: true, path: true }).shape,
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
      z.object({ kind: z.literal('answer'), answer: kept, withPieces: z.boolean() }),
      z.object({ kind: z.literal('unshared'), facts: facts.nullable() }),
      z.object({ kind: z.literal('gone') }),
    ]),
  }),
]);
export type Message = z.output<typeof message>;

const envelope = z.object({ from: z.string(), message, lengths: z.array(z.int().min(0)) });

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
      const { whole, lengths } = joinPieces(pieces);
      const head = Buffer.from(JSON.stringify({ from: me, message: content, lengths: [...lengths] }));
      const length = Buffer.alloc(4);
      length.writeUInt32LE(head.length);
      const sealed = keyring.seal(Buffer.concat([length, head, whole]), contextOf(to));
      const receivers = await redis.run(() => redis.client.publish(channelOf(to), sealed), channelOf(to));
      // A node of a Cluster counts its own listeners only.
      return receivers > 0 || redis.client instanceof Cluster;
    },
    receive(receiver) {
      listener.on('messageBuffer', (_channel: Buffer, bytes: Buffer) => {
        const open = keyring.open(bytes, contextOf(me));
        const read = open && readEnvelope(open);
        if (read) receiver(read.from, read.message, read.pieces);
        else log.warn('a message of another process cannot be read: do they have the same encryption.keys?');
      });
    },
  };
}

function contextOf(to: string): string {
  return JSON.stringify(['mail', to]);
}

function readEnvelope(bytes: Buffer): { from: string; message: Message; pieces: Buffer[] } | null {
  const end = 4 + bytes.readUInt32LE(0);
  const read = envelope.safeParse(JSON.parse(bytes.toString('utf8', 4, end)));
  if (!read.success) return null;
  const { from, message: content, lengths } = read.data;
  return { from, message: content, pieces: cutPieces({ whole: bytes.subarray(end), lengths }) };
}
