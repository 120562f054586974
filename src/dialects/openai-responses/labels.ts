import { isDeepStrictEqual } from 'node:util';
import type { KeptReply, WantedForm } from '../dialect.ts';
import { EventFilter } from '../event-filter.ts';
import { asObject, type JsonObject } from '../json.ts';
import { parseExact } from '../json-exact.ts';
import { asKept, type Given, textOf } from '../replay.ts';

/** A response that tells the labels of the request that it now answers; itself where it does so already. */
export function labelled(response: JsonObject, labels: WantedForm['labels']): JsonObject {
  const others = Object.entries(labels).filter(
    ([name, value]) => name in response && !isDeepStrictEqual(response[name], value),
  );
  return others.length === 0 ? response : { ...response, ...Object.fromEntries(others) };
}

/** An answer in the form in which it was kept, with the labels of the request; byte for byte but for those. */
export function relabelled(kept: KeptReply, wanted: WantedForm): Given | null {
  return kept.streamed ? relabelledStream(kept, wanted) : relabelledWhole(kept, wanted);
}

function relabelledWhole(kept: KeptReply, { labels }: WantedForm): Given | null {
  const response = asObject(parseExact(textOf(kept)));
  if (!response) return null;
  const own = labelled(response, labels);
  return own === response
    ? asKept(kept)
    : { contentType: kept.contentType, chunks: [Buffer.from(JSON.stringify(own))] };
}

function relabelledStream(kept: KeptReply, { labels }: WantedForm): Given {
  let changed = false;
  const filter = new EventFilter('response', (json) => {
    const event = asObject(parseExact(json));
    const response = asObject(event?.response);
    const own = response && labelled(response, labels);
    if (own === response) return json;
    changed = true;
    return JSON.stringify({ ...event, response: own });
  });
  const end = kept.chunks.length - 1;
  const chunks = kept.chunks.map((chunk, index) => filter.push(chunk, index === end));
  if (!changed) return asKept(kept);
  return { contentType: kept.contentType, chunks: chunks.filter(({ length }) => length > 0) };
}
