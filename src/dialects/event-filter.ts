import type { StreamFilter } from './dialect.ts';
import { HeldBytes } from './held-bytes.ts';
import type { JsonObject } from './json.ts';
import { parseObject } from './stream.ts';

const LF = 10;
const CR = 13;
/** An event that is larger passes as it is: 1 MiB. */
const maxHeldBytes = 1024 * 1024;
/** CR, LF, CR, LF. */
const blankLineBytes = 4;
const nothing = Buffer.alloc(0);

/**
 * Changes the events of a stream whose data has a member of this name; all others pass byte for byte, as
 * soon as their event is whole.
 */
export class EventFilter implements StreamFilter {
  readonly #mark: string;
  readonly #edit: (json: string, data: JsonObject) => string | null;
  readonly #held = new HeldBytes();

  /** `edit`: what the data becomes; null: the event is left out. */
  constructor(name: string, edit: (json: string, data: JsonObject) => string | null) {
    this.#mark = JSON.stringify(name);
    this.#edit = edit;
  }

  push(chunk: Buffer, ended: boolean): Buffer {
    const before = this.#held.length;
    if (before + chunk.length === 0) return chunk;
    if (before > 0) this.#held.append(chunk);
    const seen = before > 0 ? this.#held.view() : chunk;
    const end = ended ? seen.length : endOfEvents(seen, before - blankLineBytes);
    if (end === 0 && seen.length <= maxHeldBytes) {
      if (before === 0) this.#held.append(chunk);
      return nothing;
    }
    const bytes = before > 0 ? this.#held.take() : chunk;
    if (end === 0) return bytes;
    if (end < bytes.length) this.#held.append(bytes.subarray(end));
    const whole = end === bytes.length ? bytes : bytes.subarray(0, end);
    return whole.includes(this.#mark) ? this.#edited(whole) : whole;
  }

  #edited(events: Buffer): Buffer {
    // With the blank lines kept, so that what is left is as it was.
    const parts = events.toString('utf8').split(/((?:\r\n|\n|\r){2,})/);
    const kept: string[] = [];
    for (let at = 0; at < parts.length; at += 2) {
      const event = parts[at] ?? '';
      const rest = event.includes(this.#mark) ? this.#editedEvent(event) : event;
      if (rest !== null) kept.push(rest, parts[at + 1] ?? '');
    }
    return Buffer.from(kept.join(''));
  }

  #editedEvent(event: string): string | null {
    const found = /^([\s\S]*?data: ?)(\{[\s\S]*\})(\s*)$/.exec(event);
    const [, before = '', json = '', after = ''] = found ?? [];
    const data = found && parseObject(json);
    if (!data) return event;
    const rest = this.#edit(json, data);
    return rest === null ? null : before + rest + after;
  }
}

/** The position behind the last blank line, if it ends after `from`; else 0. Events before it are whole. */
function endOfEvents(bytes: Buffer, from: number): number {
  for (let at = bytes.length - 1; at > 0 && at >= from; at--) {
    if (bytes[at] !== LF && bytes[at] !== CR) continue;
    // Its LF may be still to come.
    if (bytes[at] === CR && at === bytes.length - 1) continue;
    const before = bytes[at] === LF && bytes[at - 1] === CR ? at - 2 : at - 1;
    if (bytes[before] === LF || bytes[before] === CR) return at + 1;
  }
  return 0;
}
