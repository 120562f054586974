import { z } from 'zod';
import { usageNames } from '../dialects/usage.ts';
import type { CachedAnswer } from './cache.ts';

const head = z.object({
  status: z.int(),
  contentType: z.string(),
  storedAt: z.number(),
  model: z.string().nullable(),
  responseId: z.string().nullable(),
  finishReason: z.string().nullable(),
  usage: z.record(z.enum(usageNames), z.number().nullable()),
  usageSource: z.enum(['provider', 'counted', 'estimated']).nullable(),
  costUsd: z.string().nullable(),
});

/** Changes with the form: an entry of another form is a miss. */
const version = 2;

/** An answer as Redis keeps it: version, length of the head, head in JSON, body as it is. */
export function encodeEntry({ body, ...rest }: CachedAnswer): Buffer {
  const json = Buffer.from(JSON.stringify(rest));
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(version, 0);
  prefix.writeUInt32LE(json.length, 1);
  return Buffer.concat([prefix, json, body]);
}

/** null: no entry of this form. */
export function decodeEntry(bytes: Buffer): CachedAnswer | null {
  if (bytes.length < 5 || bytes.readUInt8(0) !== version) return null;
  const end = 5 + bytes.readUInt32LE(1);
  if (end > bytes.length) return null;
  try {
    const parsed = head.safeParse(JSON.parse(bytes.toString('utf8', 5, end)));
    return parsed.success ? { ...parsed.data, body: bytes.subarray(end) } : null;
  } catch {
    return null;
  }
}
