import type { RequestFacts, StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import { modelRefusal } from './allowed.ts';
import type { Arrival } from './arrival.ts';
import { readWish } from './cache-control.ts';
import { Lookup } from './lookup.ts';
import type { RequestHead } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import type { Services } from './services.ts';

/** What a request asks, and what of it concerns the cache. */
export interface Inspection {
  kind: 'inspected';
  facts: RequestFacts;
  lookup: Lookup;
  /** In place of the caller's body; undefined: that goes on as it came. */
  body: Buffer | undefined;
  /** Set where weir asks for usage that the caller does not ask for. */
  filter: StreamFilter | null;
}

/** Reads a request. */
export async function inspect(
  call: { head: RequestHead; arrival: Arrival; body: Buffer },
  services: Services,
): Promise<Inspection | { kind: 'refused'; refusal: Refusal; model: string | null }> {
  const { head, arrival, body } = call;
  const { dialect } = arrival;
  if (!dialect) throw new Error('a body came for a call whose body was not asked for');
  const { wrong } = readWish(head.headers);
  const refuse = (refusal: Refusal, model: string | null = null) =>
    ({ kind: 'refused', refusal, model }) as const;
  if (wrong !== null) return refuse({ code: 'invalid_header', message: `${wrong}.` });
  const facts = await services.reader.request(dialect, body, arrival.target.endpoint);
  if (!facts)
    return refuse({
      code: 'invalid_json',
      message: 'We could not parse the JSON body of your request: the provider expects a JSON object.',
    });
  const forbidden = modelRefusal(arrival, facts.model);
  if (forbidden) return refuse(forbidden, facts.model);
  const asking = facts.hidesUsage && asksUsage(arrival.provider) ? dialect.askUsage?.(body) : undefined;
  const lookup = new Lookup({ head, arrival, facts, filter: asking?.filter ?? null }, services);
  return { kind: 'inspected', facts, lookup, body: asking?.body, filter: asking?.filter() ?? null };
}
