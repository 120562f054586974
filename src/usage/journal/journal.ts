import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Frame } from './frame.ts';
import type { Send } from './otlp-client.ts';
import { type Owner, thisOwner } from './owner.ts';
import { adoptDead, ownerFile, readLeft, removeJournal } from './recover.ts';
import { isBefore, Shipper } from './shipper.ts';
import { SegmentWriter, segmentBytes, segmentFile } from './writer.ts';

export interface JournalOptions {
  /** Holds a directory for each process. */
  root: string;
  endpoints: Send[];
  log: Logger;
  /** Beyond this much that no endpoint has taken, new lines are dropped: the oldest are kept. */
  maxBytes: number;
  syncMs: number | undefined;
  random?: () => number;
}

/**
 * An append-only journal of this process with a shipper for each endpoint. A segment is deleted when
 * every endpoint has it and no call that was opened in it still runs.
 */
export class Journal {
  readonly #directory: string;
  readonly #writer: SegmentWriter;
  readonly #shippers: Shipper[];
  readonly #log: Logger;
  readonly #maxBytes: number;
  readonly #root: string;
  /** The segment in which each running call was opened. */
  readonly #opened = new Map<string, number>();
  #oldest = 1;
  #dropped = 0;
  readonly #waiters = new Set<() => void>();
  readonly #syncMs: number | undefined;
  #syncing: NodeJS.Timeout | undefined;

  constructor(options: JournalOptions) {
    const owner: Owner = thisOwner();
    this.#root = options.root;
    this.#log = options.log;
    this.#maxBytes = options.maxBytes;
    this.#syncMs = options.syncMs;
    this.#directory = join(options.root, `${owner.pid}-${owner.start}-${Date.now().toString(36)}`);
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.#directory, ownerFile), JSON.stringify(owner));
    this.#writer = new SegmentWriter(this.#directory, (end) => {
      for (const shipper of this.#shippers) shipper.notify(end);
    });
    this.#shippers = options.endpoints.map(
      (send) =>
        new Shipper({
          directory: this.#directory,
          send,
          log: options.log,
          random: options.random ?? Math.random,
          onAcknowledged: () => this.#acknowledged(),
        }),
    );
  }

  /**
   * Begins to ship, and takes over what dead processes left: their finished lines as they are, their
   * open ones as `interrupted` says.
   */
  async start(interrupted: (open: Buffer) => Buffer | null): Promise<void> {
    if (this.#syncMs !== undefined) this.#syncing = setInterval(() => void this.#sync(), this.#syncMs);
    for (const shipper of this.#shippers) shipper.start();
    for (const directory of adoptDead(this.#root, this.#directory, this.#log)) {
      const { closed, open } = readLeft(directory, this.#log);
      const ended = open.flatMap(({ spanId, payload }): Frame[] => {
        const span = interrupted(payload);
        return span ? [{ kind: 'close', spanId, payload: span }] : [];
      });
      await Promise.all([...closed, ...ended].map((frame) => this.#writer.append(frame)));
      removeJournal(directory);
      this.#log.info({ finished: closed.length, interrupted: ended.length }, 'took over a journal');
    }
  }

  /** Resolves when the line is written; a line that cannot be written is counted and logged, not thrown. */
  async append(frame: Frame): Promise<void> {
    if (this.#heldBytes() > this.#maxBytes) {
      this.#drop('the journal is full: an endpoint does not take records');
      return;
    }
    try {
      const at = await this.#writer.append(frame);
      if (frame.kind === 'open') this.#opened.set(frame.spanId, at.segment);
      else this.#opened.delete(frame.spanId);
    } catch (error) {
      this.#drop(error instanceof Error ? error.message : String(error));
    }
  }

  /** Lines that were dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Waits until every endpoint has everything, or `timeoutMs` are over. */
  async drain(timeoutMs: number): Promise<{ left: number }> {
    await this.#writer.flush();
    for (const shipper of this.#shippers) shipper.hurry();
    const deadline = Date.now() + timeoutMs;
    while (this.#behind() > 0 && Date.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - Date.now());
        this.#waiters.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return { left: this.#behind() };
  }

  /** What was not shipped stays for the next process. */
  async stop(): Promise<void> {
    clearInterval(this.#syncing);
    await this.#writer.close();
    await Promise.all(this.#shippers.map((shipper) => shipper.stop()));
    if (this.#behind() === 0 && this.#opened.size === 0) removeJournal(this.#directory);
  }

  async #sync(): Promise<void> {
    await this.#writer
      .sync()
      .catch((error: unknown) => this.#log.error({ err: error }, 'the journal was not synced'));
  }

  /** Endpoints that have not got everything. */
  #behind(): number {
    return this.#shippers.filter(({ position }) => isBefore(position, this.#writer.end)).length;
  }

  #acknowledged(): void {
    const oldestOpen = Math.min(...this.#opened.values(), this.#writer.end.segment);
    const shipped = Math.min(...this.#shippers.map(({ position }) => position.segment));
    for (; this.#oldest < Math.min(oldestOpen, shipped); this.#oldest++) {
      rmSync(segmentFile(this.#directory, this.#oldest), { force: true });
    }
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  #heldBytes(): number {
    const { segment, offset } = this.#writer.end;
    return (segment - this.#oldest) * segmentBytes + offset;
  }

  #drop(reason: string): void {
    this.#dropped++;
    // The first of a thousand speaks for them.
    if (this.#dropped % 1000 === 1)
      this.#log.error({ dropped: this.#dropped, reason }, 'usage records were dropped');
  }
}
