import { rmSync } from 'node:fs';
import type { Logger } from 'pino';
import { readSegment } from './recover.ts';
import { type SegmentWriter, segmentFile } from './writer.ts';

/** A call that was opened so many segments ago is opened anew, so that its segment can go. */
const longSegments = 4;

/** Knows which segments are still needed: those with a call that runs, or that an endpoint has not got. */
export class Retention {
  readonly #directory: string;
  readonly #writer: SegmentWriter;
  readonly #log: Logger;
  /** The segment in which each running call was opened. */
  readonly #opened = new Map<string, number>();
  #oldest = 1;
  #moving: Promise<void> | null = null;

  constructor(options: { directory: string; writer: SegmentWriter; log: Logger }) {
    this.#directory = options.directory;
    this.#writer = options.writer;
    this.#log = options.log;
  }

  open(spanId: string, segment: number): void {
    this.#opened.set(spanId, segment);
  }

  close(spanId: string): void {
    this.#opened.delete(spanId);
  }

  isOpen(spanId: string): boolean {
    return this.#opened.has(spanId);
  }

  get openCalls(): number {
    return this.#opened.size;
  }

  /** Deletes what is before segment `shipped` and not needed. */
  release(shipped: number): void {
    let needed = shipped;
    for (const segment of this.#opened.values()) needed = Math.min(needed, segment);
    for (; this.#oldest < needed; this.#oldest++)
      rmSync(segmentFile(this.#directory, this.#oldest), { force: true });
    if (this.#oldest === shipped || this.#writer.end.segment - this.#oldest < longSegments) return;
    this.#moving ??= this.#openAnew(this.#oldest).finally(() => {
      this.#moving = null;
    });
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#moving;
  }

  /** Writes the open lines of a segment again, of calls that still run. */
  async #openAnew(segment: number): Promise<void> {
    try {
      for (const frame of await readSegment(segmentFile(this.#directory, segment), this.#log)) {
        if (frame.kind !== 'open' || this.#opened.get(frame.spanId) !== segment) continue;
        const at = await this.#writer.append(frame);
        if (this.#opened.has(frame.spanId)) this.#opened.set(frame.spanId, at.segment);
      }
    } catch (error) {
      this.#log.error({ err: error, segment }, 'a segment of the journal cannot be let go');
    }
  }
}
