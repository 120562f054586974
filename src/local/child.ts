import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { processStart } from '../config/process.ts';
import { type RunningProcess, signal } from './leftovers.ts';

/** A program that `up` keeps running. */
export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  cwd?: string | undefined;
  env?: Record<string, string | undefined>;
  uid?: number | undefined;
  gid?: number | undefined;
  /** Resolves when it serves; called again after a restart. `messages`: it says so by IPC. */
  ready: 'messages' | (() => Promise<void>);
  readyTimeoutMs: number;
  stopSignal: NodeJS.Signals;
  stopTimeoutMs: number;
}

const minBackoffMs = 200;
const maxBackoffMs = 10_000;
/** After this long a child counts as well again. */
const healthyMs = 60_000;
const keptLines = 20;

export interface ChildEvents {
  /** A line that it said. */
  line(name: string, text: string): void;
  /** It runs, or runs no more. */
  changed(): void;
  /** It ended by itself; it is started again after `waitMs`. */
  died(name: string, how: string, waitMs: number): void;
}

/** One child: started, restarted when it dies, stopped with its process group. */
export class Child {
  readonly spec: ChildSpec;
  readonly #events: ChildEvents;
  #process: ChildProcess | null = null;
  #identity: RunningProcess | null = null;
  #stopping = false;
  #backoffMs = minBackoffMs;
  readonly #last: string[] = [];

  constructor(spec: ChildSpec, events: ChildEvents) {
    this.spec = spec;
    this.#events = events;
  }

  get running(): RunningProcess | null {
    return this.#identity;
  }

  /** Resolves when it is ready; rejects, with its last words, when it ends or takes too long before. */
  async start(): Promise<void> {
    const child = this.#spawn();
    const limit = new AbortController();
    const died = once(child, 'exit', { signal: limit.signal }).then(([code, name]) => {
      throw new Error(`it ended (${name ?? `exit code ${code}`})`);
    });
    const late = delay(this.spec.readyTimeoutMs, undefined, { signal: limit.signal }).then(() => {
      throw new Error(`it was not ready after ${this.spec.readyTimeoutMs / 1000} s`);
    });
    try {
      await Promise.race([this.#ready(child, limit.signal), died, late]);
    } catch (error) {
      this.#stopping = true;
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error([`${this.spec.name} did not start: ${reason}`, ...this.#last].join('\n  '));
    } finally {
      limit.abort();
      await Promise.allSettled([died, late]);
    }
    child.once('exit', (code, name) => this.#restart(name ?? `exit code ${code}`, Date.now()));
  }

  /** Ends it and its group; kills what has not ended in time. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#process;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    // The child alone is asked: it knows its own children. What is left of the group is killed.
    child.kill(this.spec.stopSignal);
    const inTime = await Promise.race([
      exited.then(() => true),
      delay(this.spec.stopTimeoutMs, false, { ref: false }),
    ]);
    signal(child.pid, 'SIGKILL');
    if (!inTime) await exited;
    this.#identity = null;
  }

  #ready(child: ChildProcess, stop: AbortSignal): Promise<unknown> {
    return this.spec.ready === 'messages' ? once(child, 'message', { signal: stop }) : this.spec.ready();
  }

  #spawn(): ChildProcess {
    const { command, args, cwd, env, uid, gid, ready, name } = this.spec;
    const child = spawn(command, args, {
      // A group of its own: Ctrl-C in the terminal reaches the supervisor alone.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', ...(ready === 'messages' ? (['ipc'] as const) : [])],
      ...(cwd !== undefined && { cwd }),
      ...(env !== undefined && { env }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#last.push(line);
        if (this.#last.length > keptLines) this.#last.shift();
        this.#events.line(name, line);
      });
    }
    child.on('error', (error) => this.#last.push(error.message));
    const start = child.pid === undefined ? null : processStart(child.pid);
    this.#identity = child.pid !== undefined && start !== null ? { name, pid: child.pid, start } : null;
    this.#events.changed();
    return child;
  }

  #restart(how: string, startedAt: number): void {
    if (this.#stopping) return;
    const wait = this.#backoffMs * (0.75 + Math.random() / 2);
    this.#events.died(this.spec.name, how, wait);
    this.#backoffMs =
      Date.now() - startedAt > healthyMs ? minBackoffMs : Math.min(this.#backoffMs * 2, maxBackoffMs);
    setTimeout(() => {
      if (this.#stopping) return;
      const again = Date.now();
      this.#spawn().once('exit', (code, name) => this.#restart(name ?? `exit code ${code}`, again));
    }, wait);
  }
}
