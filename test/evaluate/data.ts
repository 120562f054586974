import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';

const row = z.object({
  prompt: z.string(),
  subject: z.string(),
  weak_correct: z.boolean(),
  strong_correct: z.boolean(),
});

/** A prompt, and what a stronger model gains on it: 1, 0, or -1 where only the weaker one was right. */
export interface Labelled {
  prompt: string;
  /** For comparison, and to even out labels that are learnt from: no scorer is told it. */
  subject: string;
  gain: number;
  /** The set it is from. */
  set: string;
}

const shared = process.env.WEIR_SHARED ?? fileURLToPath(new URL('../../../shared/', import.meta.url));
const fileOf = (set: string) => join(shared, 'corpus', `routing-${set}-dev.jsonl.gz`);

export const routingDataMissing: string | false = existsSync(fileOf('mmlu'))
  ? false
  : `the labelled prompts are not here (${fileOf('mmlu')}; set WEIR_SHARED)`;

export function labelled(set: 'mmlu' | 'gsm8k'): Labelled[] {
  const lines = gunzipSync(readFileSync(fileOf(set)))
    .toString('utf8')
    .trimEnd()
    .split('\n');
  return lines.map((line) => {
    const { prompt, subject, weak_correct, strong_correct } = row.parse(JSON.parse(line));
    return { prompt, subject, gain: Number(strong_correct) - Number(weak_correct), set };
  });
}

/** Which of `count` folds a prompt is in. Equal prompts, but for spacing and case, are in one: none is learnt and tested. */
export function foldOf(prompt: string, count: number, seed: number): number {
  const plain = prompt.toLowerCase().replace(/\W+/g, ' ');
  return createHash('sha256').update(`${seed}:${plain}`).digest().readUInt32BE(0) % count;
}
