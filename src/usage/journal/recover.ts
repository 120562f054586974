import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
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

/** The lines of a journal that was left: finished spans, and calls that never came to an end. */
export function readLeft(directory: string, log: Logger): { closed: Frame[]; open: Frame[] } {
  const closed: Frame[] = [];
  const open = new Map<string, Frame>();
  for (const inner of innerJournals(directory)) {
    const left = readLeft(inner, log);
    closed.push(...left.closed);
    for (const frame of left.open) open.set(frame.spanId, frame);
  }
  for (const file of segmentFiles(directory)) {
    const bytes = readFileSync(join(directory, file));
    const { frames, damaged, bytes: good } = decodeFrames(bytes);
    if (damaged)
      log.error(
        { journal: basename(directory), file, lost: bytes.length - good },
        'a segment is damaged: what follows is lost',
      );
    for (const frame of frames) {
      if (frame.kind === 'open') open.set(frame.spanId, frame);
      else closed.push(frame);
    }
  }
  for (const { spanId } of closed) open.delete(spanId);
  return { closed, open: [...open.values()] };
}

function innerJournals(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => name.startsWith('adopted-'))
    .map((name) => join(directory, name));
}

function segmentFiles(directory: string): string[] {
  return existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => /^\d{8}\.log$/.test(name))
        .sort()
    : [];
}

export function removeJournal(directory: string): void {
  rmSync(directory, { recursive: true, force: true });
}
