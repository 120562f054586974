import { z } from 'zod';
import { usageNames } from '../dialects/usage.ts';
import { cutPieces, joinPieces } from './pieces.ts';

/** What is known of an answer beside its bytes, as it is kept and told to other processes. */
export const answerFacts = z.object({
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

/** The same of one that is kept. */
export const keptFacts = answerFacts.extend({
  storedAt: z.number(),
  expiresAt: z.number(),
  generation: z.int(),
  shadow: z.boolean(),
});

/** Where pieces are cut that lie behind a head. */
const cuts = z.object({ lengths: z.array(z.int().min(0)) });

/** Pieces behind a head: its length, the head in JSON with the lengths of the pieces, the pieces. */
export function frame(head: object, pieces: readonly Buffer[]): Buffer {
  const { whole, lengths } = joinPieces(pieces);
  const json = Buffer.from(JSON.stringify({ ...head, lengths: [...lengths] }));
  return Buffer.concat([lengthOf(json), json, whole]);
}

/** The same read again; null: the head is none of this form. Throws when it is no JSON. */
export function unframe<T>(bytes: Buffer, form: z.ZodType<T>): { head: T; pieces: Buffer[] } | null {
  const end = 4 + bytes.readUInt32LE(0);
  const json: unknown = JSON.parse(bytes.toString('utf8', 4, end));
  const [head, cut] = [form.safeParse(json), cuts.safeParse(json)];
  if (!head.success || !cut.success) return null;
  return { head: head.data, pieces: cutPieces({ whole: bytes.subarray(end), ...cut.data }) };
}

/** A length in 4 bytes, the lowest first. */
export function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}
