import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { processStart } from '../config/process.ts';

const process_ = z.object({ name: z.string(), pid: z.int(), start: z.string() });
/** A process that cannot be taken for a later one with the same pid. */
export type RunningProcess = z.output<typeof process_>;
const list = z.array(process_);

/** How long a leftover has to end by itself before it is killed. */
const graceMs = 5_000;

/** What runs on a data directory, written down at each start of a child. */
export class RunFile {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** Claims the directory for this process. Throws when another weir that lives has it. */
  claim(): void {
    const [owner] = read(this.#file('owner.json'));
    if (owner && owner.pid !== process.pid && isAlive(owner)) {
      throw new Error(
        `another weir (process ${owner.pid}) runs on this data directory: stop it, or choose another --data`,
      );
    }
    write(this.#file('owner.json'), [
      { name: 'weir', pid: process.pid, start: processStart(process.pid) ?? '' },
    ]);
  }

  release(): void {
    rmSync(this.#file('owner.json'), { force: true });
  }

  record(children: RunningProcess[]): void {
    write(this.#file('children.json'), children);
  }

  /** Ends the children that a killed weir left, each with its process group. Returns their names. */
  async stopLeftovers(): Promise<string[]> {
    const left = read(this.#file('children.json')).filter(isAlive);
    for (const { pid } of left) signal(pid, 'SIGTERM');
    const deadline = Date.now() + graceMs;
    while (left.some(isAlive) && Date.now() < deadline) await delay(50);
    for (const each of left) if (isAlive(each)) signal(each.pid, 'SIGKILL');
    while (left.some(isAlive)) await delay(50);
    this.record([]);
    return left.map(({ name }) => name);
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }
}

export function isAlive({ pid, start }: RunningProcess): boolean {
  return processStart(pid) === start;
}

/** Signals a process group; one that is gone is no error. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(-pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

function read(file: string): RunningProcess[] {
  if (!existsSync(file)) return [];
  try {
    return list.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return [];
  }
}

function write(file: string, processes: RunningProcess[]): void {
  writeFileSync(`${file}.new`, JSON.stringify(processes), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
