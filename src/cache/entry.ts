import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import { z } from 'zod';
import type { Keyring } from '../config/keyring.ts';
import { usageNames } from '../dialects/usage.ts';
import type { KeptAnswer, Place } from './cache.ts';
import { cutPieces, joinPieces } from './pieces.ts';

/** Changes with the form: an entry of another form is a miss. */
const version = 3;
const compressed = 1;
/** Less is not made smaller by compressing. */
const compressBytes = 1024;
/** More is left to a thread: it would take this one more than half a millisecond. */
const inlineBytes = 16 * 1024;
/** The most that an entry may say it is, unpacked: no keeper keeps more. */
const maxBytes = 64 * 1024 * 1024;
const level = { level: 1 };

const deflateAside = promisify(deflateRaw);
const inflateAside = promisify(inflateRaw);

const label = z.object({
  generation: z.int(),
  storedAt: z.number(),
  expiresAt: z.number(),
  requestedModel: z.string().nullable(),
  model: z.string().nullable(),
  shadow: z.boolean(),
});

const head = z.object({
  status: z.int(),
  contentType: z.string(),
  streamed: z.boolean(),
  path: z.string(),
  provider: z.string(),
  responseId: z.string().nullable(),
  finishReason: z.string().nullable(),
  usage: z.record(z.enum(usageNames), z.number().nullable()),
  usageSource: z.enum(['provider', 'counted', 'estimated']).nullable(),
  costUsd: z.string().nullable(),
  lengths: z.array(z.int().min(0)),
});

/** What an entry tells without a key: when it was made and by which model. */
export type EntryLabel = z.output<typeof label>;

/**
 * An answer as Redis and PostgreSQL keep it: version, flags, length of the label, the label in JSON, and the
 * rest sealed: length of the head, head in JSON, the bytes. The seal holds for this place and this label only.
 */
export async function sealEntry(place: Place, answer: KeptAnswer, keyring: Keyring): Promise<Buffer> {
  const { pieces, generation, storedAt, expiresAt, requestedModel, model, shadow, ...facts } = answer;
  const { whole, lengths } = joinPieces(pieces);
  const json = Buffer.from(JSON.stringify({ ...facts, lengths: [...lengths] }));
  const plain = Buffer.concat([lengthOf(json), json, whole]);
  const packs = plain.length > compressBytes;
  const body = packs
    ? Buffer.concat([
        lengthOf(plain),
        plain.length > inlineBytes ? await deflateAside(plain, level) : deflateRawSync(plain, level),
      ])
    : plain;
  const text = Buffer.from(
    JSON.stringify({ generation, storedAt, expiresAt, requestedModel, model, shadow } satisfies EntryLabel),
  );
  const open = Buffer.concat([Buffer.from([version, packs ? compressed : 0]), lengthOf(text), text]);
  return Buffer.concat([open, keyring.seal(body, contextOf(place, open))]);
}

/** null: no entry of this form, or not sealed for this place with a key that is here. */
export async function openEntry(place: Place, bytes: Buffer, keyring: Keyring): Promise<KeptAnswer | null> {
  const labelled = readLabel(bytes);
  if (!labelled) return null;
  const { end, ...told } = labelled;
  const body = keyring.open(bytes.subarray(end), contextOf(place, bytes.subarray(0, end)));
  if (!body) return null;
  try {
    const plain = bytes[1] === compressed ? await unpack(body) : body;
    const headEnd = 4 + plain.readUInt32LE(0);
    const { lengths, ...facts } = head.parse(JSON.parse(plain.toString('utf8', 4, headEnd)));
    return { ...told, ...facts, pieces: cutPieces({ whole: plain.subarray(headEnd), lengths }) };
  } catch {
    return null;
  }
}

/** The label of an entry, and where it ends. */
export function readLabel(bytes: Buffer): (EntryLabel & { end: number }) | null {
  if (bytes.length < 6 || bytes[0] !== version) return null;
  const end = 6 + bytes.readUInt32LE(2);
  if (end > bytes.length) return null;
  try {
    return { ...label.parse(JSON.parse(bytes.toString('utf8', 6, end))), end };
  } catch {
    return null;
  }
}

async function unpack(body: Buffer): Promise<Buffer> {
  const length = body.readUInt32LE(0);
  if (length > maxBytes) throw new Error(`an entry of ${length} bytes`);
  const options = { maxOutputLength: Math.max(1, length) };
  const packed = body.subarray(4);
  return length > inlineBytes * 4 ? inflateAside(packed, options) : inflateRawSync(packed, options);
}

function contextOf({ organization, key }: Place, open: Buffer): string {
  return JSON.stringify(['answer', organization, key, open.toString('latin1')]);
}

function lengthOf(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return length;
}
