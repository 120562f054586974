import type { StreamFilter } from '../dialect.ts';
import { EventFilter } from '../event-filter.ts';
import { asArray, asObject, jsonText } from '../json.ts';
import { withoutMember } from './without-member.ts';

const option = '"stream_options":{"include_usage":true}';

/** Sets `stream_options.include_usage`, and leaves every other byte of the request as it is where it can. */
export function askUsage(body: Buffer): { body: Buffer; filter: () => StreamFilter } {
  return { body: withOption(body), filter: usageFilter };
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
 * `usage` of all others.
 */
export function usageFilter(): StreamFilter {
  return new EventFilter('usage', (json, { choices, usage }) => {
    const alone = Array.isArray(choices) && asArray(choices).length === 0 && asObject(usage);
    return alone ? null : withoutMember(json, 'usage');
  });
}
