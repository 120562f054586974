import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeFrame, type Frame } from './frame.ts';

/** A new segment is begun after this many bytes. */
export const segmentBytes = 8 * 1024 * 1024;

/** A place in the journal: behind `offset` bytes of segment number `segment`. */
export interface Position {
  segment: number;
  offset: number;
}

export function segmentFile(directory: string, segment: number): string {
  return join(directory, `${String(segment).padStart(8, '0')}.log`);
}

/** Appends frames to segments; all that comes while one write is under way goes with the next. */
export class SegmentWriter {
  readonly #directory: string;
  readonly #onWritten: (end: Position) => void;
  #file: FileHandle | null = null;
  #end: Position = { segment: 1, offset: 0 };
  #synced: Position | null = null;
  #waiting: { bytes: Buffer; done: (at: Position) => void; failed: (error: unknown) => void }[] = [];
  #writing: Promise<void> | null = null;

  constructor(directory: string, onWritten: (end: Position) => void) {
    this.#directory = directory;
    this.#onWritten = onWritten;
  }

  /** Resolves with the segment that has it when the write(2) is done; rejects when it failed. */
  append(frame: Frame): Promise<Position> {
    return new Promise((done, failed) => {
      this.#waiting.push({ bytes: encodeFrame(frame), done, failed });
      this.#writing ??= this.#write().finally(() => {
        this.#writing = null;
      });
    });
  }

  get end(): Position {
    return this.#end;
  }

  async #write(): Promise<void> {
    // Lets the whole tick gather before the first write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        const at = await this.#writeGroup(group.map(({ bytes }) => bytes));
        for (const { done } of group) done(at);
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
  }

  async #writeGroup(frames: Buffer[]): Promise<Position> {
    if (!this.#file || this.#end.offset >= segmentBytes) {
      if (this.#synced) await this.#file?.datasync();
      await this.#file?.close();
      const segment = this.#file ? this.#end.segment + 1 : this.#end.segment;
      this.#file = await open(segmentFile(this.#directory, segment), 'a', 0o600);
      this.#end = { segment, offset: 0 };
    }
    const bytes = Buffer.concat(frames);
    const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length, this.#end.offset);
    if (bytesWritten < bytes.length) {
      // What is half there would hide all that follows: go on in a new segment.
      await this.#file.close();
      this.#file = null;
      this.#end = { segment: this.#end.segment + 1, offset: 0 };
      throw new Error('the journal could not be written: the disk is full?');
    }
    this.#end = { segment: this.#end.segment, offset: this.#end.offset + bytes.length };
    this.#onWritten(this.#end);
    return this.#end;
  }

  /** Resolves when all that was appended is written. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Forces what is written to the disk. */
  async sync(): Promise<void> {
    if (this.#synced === this.#end) return;
    const end = this.#end;
    await this.#file?.datasync();
    this.#synced = end;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#file?.close();
    this.#file = null;
  }
}
