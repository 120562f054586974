import { Child, type ChildEvents, type ChildSpec } from './child.ts';
import type { RunFile } from './leftovers.ts';

/** Keeps children running: starts them in order, each when the one before is ready. */
export class Supervisor {
  readonly #children: Child[] = [];
  readonly #runFile: RunFile;
  readonly #events: Omit<ChildEvents, 'changed'>;

  constructor(runFile: RunFile, events: Omit<ChildEvents, 'changed'>) {
    this.#runFile = runFile;
    this.#events = events;
  }

  /** Starts one more child. Rejects with its last words when it does not become ready. */
  async start(spec: ChildSpec): Promise<void> {
    const child = new Child(spec, { ...this.#events, changed: () => this.#record() });
    this.#children.push(child);
    await child.start();
  }

  /** Stops the children of these names together, and waits for them. */
  async stop(...names: string[]): Promise<void> {
    await Promise.all(
      this.#children.filter(({ spec }) => names.includes(spec.name)).map((child) => child.stop()),
    );
    this.#record();
  }

  /** Stops all, the last started first. */
  async stopAll(): Promise<void> {
    for (const child of this.#children.toReversed()) await child.stop();
    this.#record();
  }

  #record(): void {
    this.#runFile.record(this.#children.flatMap(({ running }) => running ?? []));
  }
}
