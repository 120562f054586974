import { promisify } from 'node:util';
import { deflateRaw, deflateRawSync, inflateRaw, inflateRawSync } from 'node:zlib';
import type { z } from 'zod';
import type { Keyring } from '../config/keyring.ts';
import type { KeptAnswer, Place } from './cache.ts';
import { answerFacts, frame, keptFacts, lengthOf, unframe } from './form.ts';

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

const label = keptFacts.pick({
  generation: true,
  storedAt: true,
  expiresAt: true,
  requestedModel: true,
  model: true,
  shadow: true,
});
const head = answerFacts.omit({ requestedModel: true, model: true });

/** What an entry tells without a key: when it was made and by which model. */
export type EntryLabel = z.output<typeof label>;

/** What tiers make of answers, and answers of that. */
export interface Entries {
  seal(place: Place, answer: KeptAnswer): Promise<Buffer>;
  open(place: Place, entry: Buffer): Promise<KeptAnswer | null>;
}

/** Tiers that keep an answer at the same time have one entry of it: it is packed and sealed once. */
export function createEntries(keyring: Keyring): Entries {
  const sealing = new Map<KeptAnswer, Promise<Buffer>>();
  return {
    seal(place, answer) {
      const running = sealing.get(answer);
      if (running) return running;
      const entry = sealEntry(place, answer, keyring);
      sealing.set(answer, entry);
      const forget = () => sealing.delete(answer);
      entry.then(forget, forget);
      return entry;
    },
    open: (place, entry) => openEntry(place, entry, keyring),
  };
}

/**
 * An answer as Redis and PostgreSQL keep it: version, flags, length of the label, the label in JSON, and the
 * rest sealed: the pieces behind a head. The seal holds for this place and this label only.
 */
export async function sealEntry(place: Place, answer: KeptAnswer, keyring: Keyring): Promise<Buffer> {
  const { pieces, generation, storedAt, expiresAt, requestedModel, model, shadow, ...facts } = answer;
  const plain = frame(facts, pieces);
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
    const read = unframe(plain, head);
    return read && { ...told, ...read.head, pieces: read.pieces };
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
