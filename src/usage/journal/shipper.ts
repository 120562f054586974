import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { decodeFrames, type Frame, maxFrameBytes } from './frame.ts';
import type { Send } from './otlp-client.ts';
import { type Position, segmentFile } from './writer.ts';

const maxBatchSpans = 512;
const readBytes = 1024 * 1024;
/** How long the first span of a batch waits for others. */
const gatherMs = 100;
const minBackoffMs = 100;
const maxBackoffMs = 10_000;

/**
 * Sends the closed lines of a journal to one endpoint, in order, and remembers how far it has come.
 * It reads from the files, so that being behind costs no memory.
 */
export class Shipper {
  readonly #directory: string;
  readonly #send: Send;
  readonly #log: Logger;
  readonly #random: () => number;
  readonly #onAcknowledged: () => void;
  #position: Position = { segment: 1, offset: 0 };
  #end: Position = { segment: 1, offset: 0 };
  #wake: (() => void) | null = null;
  #hurry = false;
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: {
    directory: string;
    send: Send;
    log: Logger;
    random: () => number;
    onAcknowledged: () => void;
  }) {
    this.#directory = options.directory;
    this.#send = options.send;
    this.#log = options.log;
    this.#random = options.random;
    this.#onAcknowledged = options.onAcknowledged;
  }

  /** Everything before is acknowledged. */
  get position(): Position {
    return this.#position;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** There is something new before `end`. */
  notify(end: Position): void {
    this.#end = end;
    this.#wake?.();
  }

  /** Gives up everything before `position`. */
  skip(position: Position): void {
    if (isBefore(this.#position, position)) this.#position = position;
  }

  /** Do not wait for more to gather: somebody waits for the end. */
  hurry(): void {
    this.#hurry = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      if (isBefore(this.#position, this.#end)) {
        if (!this.#hurry) await delay(gatherMs, undefined, { signal }).catch(() => {});
        await this.#shipSome().catch((error: unknown) => {
          this.#log.error({ err: error }, 'the journal cannot be read');
          return delay(maxBackoffMs, undefined, { signal }).catch(() => {});
        });
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = null;
      }
    }
  }

  async #shipSome(): Promise<void> {
    const { frames, next } = await this.#read();
    const closed = frames.filter(({ kind }) => kind === 'close').map(({ payload }) => payload);
    if (!(await this.#deliver(closed))) return;
    this.skip(next);
    this.#onAcknowledged();
  }

  /** The next frames, and the position behind them. */
  async #read(bytes = readBytes): Promise<{ frames: Frame[]; next: Position }> {
    const { segment, offset } = this.#position;
    const nextSegment = { segment: segment + 1, offset: 0 };
    const file = await open(segmentFile(this.#directory, segment)).catch(() => null);
    if (!file) return { frames: [], next: segment < this.#end.segment ? nextSegment : this.#end };
    try {
      const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(bytes), position: offset });
      const found = decodeFrames(buffer.subarray(0, bytesRead));
      const frames = found.frames.slice(0, maxBatchSpans);
      const taken = frames.length === found.frames.length ? found.bytes : sizeOf(frames);
      if (frames.length > 0) return { frames, next: { segment, offset: offset + taken } };
      if (bytesRead === bytes && !found.damaged && bytes < maxFrameBytes)
        return await this.#read(maxFrameBytes);
      // The end of this segment, or a torn tail that nothing follows.
      if (segment < this.#end.segment) return { frames: [], next: nextSegment };
      return { frames: [], next: { segment, offset: Math.max(offset, this.#end.offset) } };
    } finally {
      await file.close();
    }
  }

  /** True when the endpoint has them, or will never take them; false when stopped before. */
  async #deliver(spans: Buffer[]): Promise<boolean> {
    let backoff = minBackoffMs;
    while (spans.length > 0) {
      const result = await this.#send(spans, this.#stop.signal);
      if (result.kind === 'taken') {
        if (result.partial)
          this.#log.warn({ spans: spans.length }, 'an endpoint refused part of a batch for good');
        return true;
      }
      if (result.kind === 'refused') {
        if (spans.length === 1) {
          this.#log.error({ reason: result.reason }, 'a usage record was refused for good');
          return true;
        }
        // One bad span must not cost the others.
        const middle = spans.length >> 1;
        return (await this.#deliver(spans.slice(0, middle))) && (await this.#deliver(spans.slice(middle)));
      }
      if (this.#stop.signal.aborted) return false;
      if (backoff === minBackoffMs)
        this.#log.warn({ reason: result.reason }, 'usage records wait: the endpoint does not take them');
      const wait = Math.max(result.retryAfterMs, backoff * (0.5 + this.#random()));
      await delay(wait, undefined, { signal: this.#stop.signal }).catch(() => {});
      if (this.#stop.signal.aborted) return false;
      backoff = Math.min(backoff * 2, maxBackoffMs);
    }
    return true;
  }
}

export function isBefore(a: Position, b: Position): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset);
}

function sizeOf(frames: Frame[]): number {
  return frames.reduce((sum, { payload }) => sum + payload.length + 17, 0);
}
