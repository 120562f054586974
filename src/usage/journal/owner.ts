import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { processStart } from '../../config/process.ts';

const ownerSchema = z.object({ host: z.string(), boot: z.string(), pid: z.int(), start: z.string() });
/** Which process writes a journal: told apart from a later one with the same pid. */
export type Owner = z.output<typeof ownerSchema>;

/** This process. */
export function thisOwner(): Owner {
  return { host: hostname(), boot: bootId(), pid: process.pid, start: processStart(process.pid) ?? '' };
}

/** The owner in a file; null when it cannot be read. */
export function readOwner(file: string): Owner | null {
  try {
    return ownerSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Proved dead: it ran here and is no more. An owner on another host cannot be proved dead. */
export function isDead(owner: Owner): boolean {
  if (owner.host !== hostname()) return false;
  return owner.boot !== bootId() || processStart(owner.pid) !== owner.start;
}

function bootId(): string {
  const file = '/proc/sys/kernel/random/boot_id';
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : 'unknown';
}
