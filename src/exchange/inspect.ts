import type { StreamFilter } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { readWish } from './cache-control.ts';
import { targetFields } from './draft.ts';
import { Lookup } from './lookup.ts';
import type { RequestHead } from './messages.ts';
import { asksUsage } from './outgoing.ts';
import { type Routed, routeCall } from './routing.ts';
import type { Served } from './serve.ts';
import { type Servers, serversFor } from './servers.ts';
import type { Services } from './services.ts';
import { send, type TranslatedReply } from './translation.ts';

/** What a request asks, who answers it, and what of it concerns the cache. */
export interface Inspection {
  kind: 'inspected';
  routed: Routed;
  served: Served;
  /** All who may serve it; the first is `served`. */
  servers: Servers & { kind: 'served' };
  lookup: Lookup;
  /** The body with usage asked for, and what takes that out of a stream again; null: it is not asked for. */
  asking: AskingUsage | null;
  fields: Partial<UsageRecord>;
}

interface AskingUsage {
  body: Buffer;
  filter: () => StreamFilter;
}

interface Refused {
  kind: 'refused';
  refusal: Refusal;
  fields: Partial<UsageRecord>;
}

const notJson: Refusal = {
  code: 'invalid_json',
  message: 'We could not parse the JSON body of your request: the provider expects a JSON object.',
};

/** Reads a request, and chooses who answers it. */
export async function inspect(
  call: { head: RequestHead; arrival: Arrival; body: Buffer },
  services: Services,
): Promise<Inspection | Refused> {
  const { head, arrival, body } = call;
  const { dialect, target } = arrival;
  if (!dialect) throw new Error('a body came for a call whose body was not asked for');
  const refuse = (refusal: Refusal, fields = {}): Refused => ({ kind: 'refused', refusal, fields });
  const { wrong } = readWish(head.headers);
  if (wrong !== null) return refuse({ code: 'invalid_header', message: `${wrong}.` });
  const read = await services.reader.request(dialect, body, target.endpoint);
  if (!read) return refuse(notJson);
  const asked = { head, arrival, facts: read, bytes: body };
  const routed = await routeCall(asked, services);
  const fields = { requestedModel: read.model, ...routed.fields };
  if (routed.refusal) return refuse(routed.refusal, fields);
  const servers = await serversFor({ ...asked, ...routed }, services);
  if (servers.kind === 'refused') return refuse(servers.refusal, fields);
  const [served] = servers.servers;
  const asking = askUsage(served, routed.bytes);
  const { kept } = servers;
  const filter = (kept === served ? asking : askUsage(kept, routed.bytes))?.filter ?? null;
  return {
    kind: 'inspected',
    routed,
    served,
    servers,
    lookup: new Lookup({ head, asking: routed, served: kept, filter }, services),
    asking,
    fields: {
      ...fields,
      ...(served.arrival !== arrival && targetFields(served.arrival, services.fingerprint)),
    },
  };
}

/** For streams of providers that tell their usage when they are asked, to callers who do not ask. */
function askUsage({ arrival, facts }: Served, body: Buffer): AskingUsage | null {
  const asks = facts.hidesUsage && asksUsage(arrival.provider);
  return (asks && arrival.dialect?.askUsage?.(body)) || null;
}

/** A request as the provider gets it. */
export interface Outgoing {
  kind: 'outgoing';
  /** As it came, if nothing is changed. */
  body: Buffer;
  /** Makes of a stream what the caller gets; null: it gets it as it comes. */
  filter: StreamFilter | null;
  /** Set where the provider speaks another dialect than the caller. */
  reply: TranslatedReply | null;
}

/** Writes a request for the provider that serves it. */
export async function writeOut(
  { routed, served, asking }: Pick<Inspection, 'routed' | 'served' | 'asking'>,
  id: string,
  services: Services,
): Promise<Outgoing | Refused> {
  return write({ bytes: routed.bytes, asking: routed.arrival, served, usage: asking }, id, services);
}

/** The same for one of several, of the request as it came from routing. */
export async function writeFor(
  call: { bytes: Buffer; asking: Arrival; served: Served },
  id: string,
  services: Services,
): Promise<Outgoing | Refused> {
  return write({ ...call, usage: askUsage(call.served, call.bytes) }, id, services);
}

async function write(
  call: { bytes: Buffer; asking: Arrival; served: Served; usage: AskingUsage | null },
  id: string,
  services: Services,
): Promise<Outgoing | Refused> {
  const { bytes, asking, served } = call;
  const sent = await send(bytes, served, { id, asking }, services);
  if (sent.kind === 'refused') return { ...sent, fields: {} };
  const { reply } = sent;
  const usage = sent.body ? askUsage(served, sent.body) : call.usage;
  const body = usage?.body ?? sent.body ?? bytes;
  return { kind: 'outgoing', body, filter: reply ?? usage?.filter() ?? null, reply };
}
