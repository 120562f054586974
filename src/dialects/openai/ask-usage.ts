import type { StreamFilter } from '../dialect.ts';
import { asArray, asObject, jsonText } from '../json.ts';
import { ownCopy } from '../own-copy.ts';
import { parseObject } from '../stream.ts';
import { withoutMember } from './without-member.ts';

const LF = 10;
const CR = 13;
/** An event that is larger passes as it is: 1 MiB. */
const maxHeldBytes = 1024 * 1024;
const option = '"stream_options":{"include_usage":true}';

/** Sets `stream_options.include_usage`, and leaves every other byte of the request as it is where it can. */
export function askUsage(body: Buffer): { body: Buffer; filter: () => StreamFilter } {
  return { body: withOption(body), filter: () => new UsageFilter() };
}

function withOption(body: Buffer): Buffer {
  const start = body.indexOf('{') + 1;
  if (!body.includes('"stream_options"')) {
    return Buffer.concat([body.subarray(0, start), Buffer.from(`${option},`), body.subarray(start)]);
  }
  const request = asObject(JSON.parse(body.toString('utf8'))) ?? {};
  const options = { ...asObject(request.stream_options), include_usage: true };
  const text = jsonText({ ...request, stream_options: options });
  return text === '' ? body : Buffer.from(text);
}

/**
 * Takes the usage out of a chat stream again: the chunk that was sent for it alone, and the member
 * `usage` of all others. What has none passes byte for byte, as soon as its event is whole.
 */
export class UsageFilter implements StreamFilter {
  #held: Buffer = Buffer.alloc(0);

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
    return whole.includes('"usage"') ? withoutUsage(whole) : whole;
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

function withoutUsage(events: Buffer): Buffer {
  // With the blank lines kept, so that what is left is as it was.
  const parts = events.toString('utf8').split(/((?:\r\n|\n|\r){2,})/);
  const kept: string[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const event = parts[at] ?? '';
    const rest = event.includes('"usage"') ? eventWithoutUsage(event) : event;
    if (rest !== null) kept.push(rest, parts[at + 1] ?? '');
  }
  return Buffer.from(kept.join(''));
}

/** null: the event was sent for the usage alone. */
function eventWithoutUsage(event: string): string | null {
  const found = /^([\s\S]*?data: ?)(\{[\s\S]*\})(\s*)$/.exec(event);
  const [, before = '', json = '', after = ''] = found ?? [];
  const chunk = found && parseObject(json);
  if (!chunk) return event;
  const alone = Array.isArray(chunk.choices) && asArray(chunk.choices).length === 0 && asObject(chunk.usage);
  return alone ? null : before + withoutMember(json, 'usage') + after;
}
