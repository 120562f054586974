import { readdirSync, renameSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { decodeFrames, type Frame } from './frame.ts';
import { isDead, readOwner } from './owner.ts';

export const ownerFile = 'owner.json';

/**
 * Takes over the journals that dead processes left under `root`, by moving them into `own`: what is
 * moved twice would be found again by whoever recovers this process.
 */
export function adoptDead(root: string, own: string, log: Logger): string[] {
  const adopted: string[] = [];
  for (const name of readdirSync(root)) {
    const directory = join(root, name);
    const owner = readOwner(join(directory, ownerFile));
    if (directory === own || !owner || !isDead(owner)) continue;
    const target = join(own, `adopted-${name}`);
    try {
      renameSync(directory, target);
    } catch {
      continue; // Somebody else was quicker.
    }
    log.info({ journal: name }, 'taking over the journal of a process that died');
    adopted.push(target);
  }
  return adopted;
}

/** The segments of a journal that was left, in order; first those of journals that it had itself taken over. */
export function segmentsLeft(directory: string): string[] {
  const names = readdirSync(directory).sort();
  return [
    ...names
      .filter((name) => name.startsWith('adopted-'))
      .flatMap((name) => segmentsLeft(join(directory, name))),
    ...names.filter((name) => /^\d{8}\.log$/.test(name)).map((name) => join(directory, name)),
  ];
}

/** The lines of a segment, up to the first that is damaged. */
export async function readSegment(file: string, log: Logger): Promise<Frame[]> {
  const bytes = await readFile(file);
  const { frames, damaged, bytes: good } = decodeFrames(bytes);
  if (damaged) log.error({ file, lost: bytes.length - good }, 'a segment is damaged: what follows is lost');
  return frames;
}

export function removeJournal(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}
