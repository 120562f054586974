import type { RequestFacts } from '../dialects/dialect.ts';
import type { Refusal } from '../dialects/errors.ts';
import type { MemberEdits } from '../dialects/openai/edit-members.ts';
import { queryOf } from '../dialects/target.ts';
import { placeTag } from '../identity/own-calls.ts';
import { chatEndpoints } from '../routing/chat-endpoints.ts';
import type { Assessment, Decision, Place } from '../routing/router.ts';
import type { UsageRecord } from '../usage/record.ts';
import { modelRefusal } from './allowed.ts';
import type { Arrival } from './arrival.ts';
import { type Asked, type Plan, planCall } from './plan.ts';
import { readdress } from './redirect.ts';
import type { Services } from './services.ts';

/** A call as it goes on, and what the ledger and the caller are told of the choice. */
export interface Routed {
  /** As if the caller had asked for the model itself. */
  arrival: Arrival;
  facts: RequestFacts;
  bytes: Buffer;
  /** null: as it came. */
  body: Buffer | null;
  /** Where it goes; null: where the config says. */
  place: Place | null;
  fields: Partial<UsageRecord>;
  headers: Record<string, string>;
  refusal: Refusal | null;
}

/** Scores a chat, and where its policy or the call itself says so, gives it to the model that fits. */
export async function routeCall(call: Asked & { bytes: Buffer }, services: Services): Promise<Routed> {
  const { head, arrival, facts, bytes } = call;
  const plan = await planCall(call, services);
  const same = {
    arrival,
    facts,
    bytes,
    body: null,
    place: null,
    headers: {},
    refusal: null,
  };
  const forbidden = plan?.isOpen ? null : modelRefusal(arrival, facts.model);
  if (!plan || forbidden)
    return { ...same, fields: {}, place: ownPlace(arrival.caller.tags), refusal: forbidden };
  const { mode, assessment, decision, refusal } = plan;
  const fields: Partial<UsageRecord> = {
    complexity: assessment.complexity,
    complexityScore: assessment.score,
    routingMode: mode,
    ...(decision && fieldsOf(decision, mode)),
  };
  const to = decision?.kind === 'go' ? decision.to : null;
  if (refusal) return { ...same, fields, refusal };
  if (!decision || mode !== 'on') return { ...same, fields };

  const headers = headersOf(decision, assessment, facts.model);
  const { dialect, target } = arrival;
  const endpoint = to && chatEndpoints[dialect?.name ?? '']?.(to.model, target.endpoint);
  if (!to || !dialect || !endpoint) return { ...same, fields, headers };
  const edits = editsOf(plan, facts, to.model, dialect.name);
  const body = Object.keys(edits).length === 0 ? null : await services.reader.edit(bytes, edits);
  const changed = body ?? bytes;
  const path = endpoint + queryOf(target.path);
  const here = { name: target.provider, provider: arrival.provider, endpoint: path, dialect };
  return {
    arrival: endpoint === target.endpoint ? arrival : readdress(arrival, head, here),
    // Its hash is that of what is sent: a kept answer is given to all who ask this model the same.
    facts: (await services.reader.request(dialect, changed, endpoint)) ?? facts,
    bytes: changed,
    body,
    place: to,
    headers,
    fields,
    refusal: null,
  };
}

/** A call of weir's own says itself whom it is for. */
function ownPlace({ [placeTag]: place }: Record<string, string>): Place | null {
  const [, provider = '', model = ''] = /^([^/]+)\/(.+)$/s.exec(place ?? '') ?? [];
  return place === undefined ? null : { provider, model };
}

/** Another model, unless it stands in the path, and nothing that is for weir alone: a provider refuses what it does not know. */
function editsOf({ own }: Plan, { model }: RequestFacts, to: string, dialect: string): MemberEdits {
  return {
    ...(dialect !== 'gemini-generate' && to !== model && { model: JSON.stringify(to) }),
    ...Object.fromEntries(own.map((name) => [name, null])),
  };
}

function fieldsOf(decision: Decision, mode: Plan['mode']): Partial<UsageRecord> {
  const baseline = decision.kind === 'go' && mode === 'on' ? decision.baseline : null;
  return {
    routingReason: decision.reason,
    routingModel: decision.kind === 'go' ? decision.to.model : null,
    routingProvider: decision.kind === 'go' ? decision.to.provider : null,
    baselineModel: baseline?.model ?? null,
    baselineProvider: baseline?.provider ?? null,
  };
}

function headersOf(
  decision: Decision,
  { complexity }: Assessment,
  asked: string | null,
): Record<string, string> {
  return {
    'x-weir-complexity': complexity,
    'x-weir-routing-reason': ascii(decision.reason),
    ...(asked !== null && { 'x-weir-requested-model': ascii(asked) }),
  };
}

/** A header's value holds no other characters. */
function ascii(text: string): string {
  return text
    .replaceAll('’', "'")
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 500);
}
