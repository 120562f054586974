import { noFacts } from '../dialects/dialect.ts';
import { cachedTokensOf } from '../routing/conversations.ts';
import type { Measured } from '../routing/paces.ts';
import { sentModel, type UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import { baselineOf } from './baseline.ts';
import type { Observation } from './observation.ts';
import type { Routing } from './plan.ts';
import type { Routed } from './routing.ts';
import type { Services } from './services.ts';

/** No valid key, no credit, not allowed, no such model, too many calls. */
const refusals = [401, 402, 403, 404, 429];

/** What a call that has ended teaches: how fast its model is, whether it answers, and what lies in its prompt cache. */
export function learnFrom(record: UsageRecord, call: Ended, { routing }: Pick<Services, 'routing'>): void {
  const { routed, arrival } = call;
  const model = sentModel(record);
  const conversation = routed?.facts.conversation;
  if (!routing || !conversation || model === null) return;
  const { provider, outcome, usage, startedAt, endedAt } = record;
  const how = healthOf(record, arrival);
  if (how) {
    const measured = {
      provider,
      stream: record.stream,
      outcome: how,
      organization: record.organization,
      firstMs: record.firstChunkMs ?? endedAt - startedAt,
      durationMs: endedAt - startedAt,
      outputTokens: usage.output ?? 0,
    };
    // By the name that tables of models have, and by that of who serves it.
    for (const name of new Set([model, call.model ?? model]))
      routing.paces.learn({ ...measured, model: name });
  }
  if (outcome !== 'completed' || record.routingMode !== 'on') return;
  const cachedTokens = cachedTokensOf(arrival.provider.api, usage);
  if (cachedTokens > 0)
    routing.conversations.keep(record.organization, conversation.opening, { provider, model, cachedTokens });
  if (routing.random() * 100 < arrival.policy.routing.replay_percent) replayOf(record, call, routing);
}

/** null: the call says nothing of its model. What an application's own key is refused is its own affair. */
function healthOf({ outcome, status }: UsageRecord, { putsKeyIn }: Arrival): Measured['outcome'] | null {
  if (outcome === 'completed') return 'good';
  if (outcome !== 'upstream_error') return null;
  if (status === null || status >= 500) return 'away';
  return putsKeyIn && refusals.includes(status) ? 'refused' : null;
}

/** What is left of a call when it has ended. */
interface Ended {
  /** Its name at who served it. */
  model: string | null;
  routed: Pick<Routed, 'facts'> | null;
  arrival: Arrival;
  requestBody: Buffer | null;
  observation: Observation | null;
}

/** Only whole answers of text are compared, of calls whose key weir put in: it has no other. */
function replayOf(
  record: UsageRecord,
  { arrival, requestBody, observation }: Ended,
  { replay }: Routing,
): void {
  const { texts, chars } = observation?.facts().text ?? noFacts.text;
  const answer = texts.join('');
  const baseline = baselineOf(record);
  if (!baseline || !requestBody || !arrival.putsKeyIn || chars === 0 || answer.length < chars) return;
  replay({
    exchange: record.id,
    organization: record.organization,
    apiKey: record.apiKey,
    complexity: record.complexity,
    routed: { provider: record.provider, model: record.routingModel ?? '' },
    baseline,
    dialect: arrival.dialect?.name ?? '',
    body: requestBody,
    answer,
    judgeModel: arrival.policy.routing.judge_model,
  });
}
