import type { StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { readWish } from './cache-control.ts';
import { Lookup } from './lookup.ts';
import type { RequestHead } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import { type Routed, routeCall } from './routing.ts';
import type { Services } from './services.ts';

/** What a request asks, and what of it concerns the cache. */
export interface Inspection {
  kind: 'inspected';
  /** The call as it goes on. */
  routed: Routed;
  lookup: Lookup;
  /** In place of the caller's body; undefined: that goes on as it came. */
  body: Buffer | undefined;
  /** Set where weir asks for usage that the caller does not ask for. */
  filter: StreamFilter | null;
  fields: Partial<UsageRecord>;
}

/** Reads a request, and chooses who answers it. */
export async function inspect(
  call: { head: RequestHead; arrival: Arrival; body: Buffer },
  services: Services,
): Promise<Inspection | { kind: 'refused'; refusal: Refusal; fields: Partial<UsageRecord> }> {
  const { head, arrival, body } = call;
  const { dialect } = arrival;
  if (!dialect) throw new Error('a body came for a call whose body was not asked for');
  const { wrong } = readWish(head.headers);
  const refuse = (refusal: Refusal, fields: Partial<UsageRecord> = {}) =>
    ({ kind: 'refused', refusal, fields }) as const;
  if (wrong !== null) return refuse({ code: 'invalid_header', message: `${wrong}.` });
  const read = await services.reader.request(dialect, body, arrival.target.endpoint);
  if (!read)
    return refuse({
      code: 'invalid_json',
      message: 'We could not parse the JSON body of your request: the provider expects a JSON object.',
    });
  const routed = await routeCall({ head, arrival, facts: read, bytes: body }, services);
  const { facts, bytes, refusal } = routed;
  const fields = { requestedModel: read.model, ...routed.fields };
  if (refusal) return refuse(refusal, fields);
  const asks = facts.hidesUsage && asksUsage(routed.arrival.provider);
  const asking = asks ? routed.arrival.dialect?.askUsage?.(bytes) : undefined;
  const lookup = new Lookup(
    { head, arrival: routed.arrival, facts, filter: asking?.filter ?? null },
    services,
  );
  return {
    kind: 'inspected',
    routed,
    lookup,
    body: asking?.body ?? routed.body ?? undefined,
    filter: asking?.filter() ?? null,
    fields,
  };
}
