import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { adoptLeft } from './adopt.ts';
import type { Frame } from './frame.ts';
import type { Send } from './otlp-client.ts';
import { type Owner, thisOwner } from './owner.ts';
import { ownerFile, removeJournal } from './recover.ts';
import { Retention } from './retention.ts';
import { isBefore, Shipper } from './shipper.ts';
import { type Position, SegmentWriter, segmentBytes } from './writer.ts';

export interface JournalOptions {
  /** Holds a directory for each process. */
  root: string;
  /** The first is the ledger's own; the others get what they can follow. */
  endpoints: [ledger: Send, ...others: Send[]];
  log: Logger;
  /** Beyond this much that the ledger has not taken, new lines are dropped: the oldest are kept. */
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
  readonly #retention: Retention;
  readonly #ledger: Shipper;
  readonly #others: Shipper[];
  readonly #log: Logger;
  readonly #maxBytes: number;
  readonly #root: string;
  #adopting: Promise<boolean> = Promise.resolve(true);
  #stopped = false;
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
    this.#retention = new Retention({ directory: this.#directory, writer: this.#writer, log: options.log });
    const shipper = (send: Send) =>
      new Shipper({
        directory: this.#directory,
        send,
        log: options.log,
        random: options.random ?? Math.random,
        onAcknowledged: () => this.#acknowledged(),
      });
    const [ledger, ...others] = options.endpoints;
    this.#ledger = shipper(ledger);
    this.#others = others.map(shipper);
  }

  get #shippers(): Shipper[] {
    return [this.#ledger, ...this.#others];
  }

  /** Begins to ship, and to take over what dead processes left; `interrupted` finishes their open lines. */
  start(interrupted: (open: Buffer) => Buffer): void {
    if (this.#syncMs !== undefined) this.#syncing = setInterval(() => void this.#sync(), this.#syncMs);
    for (const shipper of this.#shippers) shipper.start();
    this.#adopting = adoptLeft({
      root: this.#root,
      own: this.#directory,
      log: this.#log,
      interrupted,
      append: (frame) => this.append(frame),
      room: () => this.#room(),
    }).catch((error: unknown) => {
      this.#log.error({ err: error }, 'a journal that was left cannot be taken over: it stays');
      return false;
    });
  }

  /** Resolves when the line is written; a line that cannot be written is counted and logged, not thrown. */
  async append(frame: Frame): Promise<void> {
    // The end of a call that is opened always has room: there are no more of them than calls that run.
    const isExpected = frame.kind === 'close' && this.#retention.isOpen(frame.spanId);
    if (!isExpected && this.#behindBytes(this.#ledger) > this.#maxBytes) {
      this.#drop('the journal is full: the collector does not take records');
      return;
    }
    try {
      const { segment } = await this.#writer.append(frame);
      if (frame.kind === 'open') this.#retention.open(frame.spanId, segment);
      else this.#retention.close(frame.spanId);
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
    const deadline = Date.now() + timeoutMs;
    const remaining = () => Math.max(0, deadline - Date.now());
    for (const shipper of this.#shippers) shipper.hurry();
    let adopting = true;
    void this.#adopting.then(() => {
      adopting = false;
      this.#wake();
    });
    await this.#writer.flush();
    while ((adopting || this.#behind() > 0) && remaining() > 0) await this.#acknowledgement(remaining());
    return { left: this.#behind() };
  }

  /** What was not shipped stays for the next process. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#syncing);
    this.#wake();
    const [adopted] = await Promise.all([this.#adopting, this.#retention.settled()]);
    await this.#writer.close();
    await Promise.all(this.#shippers.map((shipper) => shipper.stop()));
    if (adopted && this.#behind() === 0 && this.#retention.openCalls === 0) removeJournal(this.#directory);
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

  #behindBytes({ position }: Shipper): number {
    const { segment, offset } = this.#writer.end;
    return (segment - position.segment) * segmentBytes + offset - position.offset;
  }

  /** Room for what dead processes left; that of this process goes before it. */
  async #room(): Promise<boolean> {
    while (!this.#stopped && this.#behindBytes(this.#ledger) > this.#maxBytes / 2)
      await this.#acknowledgement();
    return !this.#stopped;
  }

  /** Resolves at the next acknowledgement, or after `timeoutMs`. */
  #acknowledgement(timeoutMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = timeoutMs === undefined ? undefined : setTimeout(resolve, timeoutMs);
      this.#waiters.add(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wake(): void {
    for (const waiter of this.#waiters) waiter();
    this.#waiters.clear();
  }

  #acknowledged(): void {
    for (const shipper of this.#others) this.#keepUp(shipper);
    this.#retention.release(Math.min(...this.#shippers.map(({ position }) => position.segment)));
    this.#wake();
  }

  /** An endpoint that is away for long costs neither the ledger its records nor the disk its room. */
  #keepUp(shipper: Shipper): void {
    if (this.#behindBytes(shipper) <= this.#maxBytes) return;
    const next: Position = { segment: shipper.position.segment + 1, offset: 0 };
    shipper.skip(isBefore(this.#ledger.position, next) ? this.#ledger.position : next);
    this.#log.warn('an OTLP endpoint is too far behind: the oldest records are not sent to it');
  }

  #drop(reason: string): void {
    this.#dropped++;
    // The first of a thousand speaks for them.
    if (this.#dropped % 1000 === 1)
      this.#log.error({ dropped: this.#dropped, reason }, 'usage records were dropped');
  }
}
