import type { StreamFilter } from './dialect.ts';
import type { JsonObject } from './json.ts';
import { ownCopy } from './own-copy.ts';
import { parseObject } from './stream.ts';

const LF = 10;
const CR = 13;
/** An event that is larger passes as it is: 1 MiB. */
const maxHeldBytes = 1024 * 1024;

/**
 * Changes the events of a stream whose data has a member of this name; all others pass byte for byte, as
 * soon as their event is whole.
 */
export class EventFilter implements StreamFilter {
  readonly #mark: string;
  readonly #edit: (json: string, data: JsonObject) => string | null;
  #held: Buffer = Buffer.alloc(0);

  /** `edit`: what the data becomes; null: the event is left out. */
  constructor(name: string, edit: (json: string, data: JsonObject) => string | null) {
    this.#mark = JSON.stringify(name);
    this.#edit = edit;
  }

  push(chunk: Buffer, ended: boolean): Buffer {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = ended ? bytes.length : endOfEvents(bytes);
    if (end === 0 && bytes.length > maxHeldBytes) {
      this.#held = Buffer.alloc(0);
      return bytes;
    }
    // The chunk's memory belongs to the caller.
    this.#held = ownCopy(bytes.subarray(end));
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

/** The position behind the last blank line: events before it are whole. */
function endOfEvents(bytes: Buffer): number {
  for (let at = bytes.length - 1; at > 0; at--) {
    if (bytes[at] !== LF && bytes[at] !== CR) continue;
    // Its LF may be still to come.
    if (bytes[at] === CR && at === bytes.length - 1) continue;
    const before = bytes[at] === LF && bytes[at - 1] === CR ? at - 2 : at - 1;
    if (bytes[before] === LF || bytes[before] === CR) return at + 1;
  }
  return 0;
}
