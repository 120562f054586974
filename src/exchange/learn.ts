import { noFacts } from '../dialects/dialect.ts';
import { cachedTokensOf } from '../routing/conversations.ts';
import { sentModel, type UsageRecord } from '../usage/record.ts';
import type { Arrival } from './arrival.ts';
import type { Observation } from './observation.ts';
import type { Routing } from './plan.ts';
import type { Routed } from './routing.ts';
import type { Services } from './services.ts';

/** What a call that has ended teaches: how fast its model is, whether it answers, and what lies in its prompt cache. */
export function learnFrom(record: UsageRecord, call: Ended, { routing }: Pick<Services, 'routing'>): void {
  const { routed, arrival } = call;
  const model = sentModel(record);
  const conversation = routed?.facts.conversation;
  if (!routing || !conversation || model === null) return;
  const { provider, status, outcome, usage, startedAt, endedAt } = record;
  const isAway = outcome === 'upstream_error' && (status === null || status === 429 || status >= 500);
  if (isAway || outcome === 'completed') {
    const measured = {
      provider,
      stream: record.stream,
      good: !isAway,
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
  routing.conversations.keep(record.organization, conversation.opening, { provider, model, cachedTokens });
  if (routing.random() * 100 < arrival.policy.routing.replay_percent) replayOf(record, call, routing);
}

/** What is left of a call when it has ended. */
interface Ended {
  /** Its name at who served it. */
  model: string | null;
  routed: Pick<Routed, 'facts' | 'baseline' | 'shadow'> | null;
  arrival: Arrival;
  requestBody: Buffer | null;
  observation: Observation | null;
}

/** Only whole answers of text are compared, of calls whose key weir put in: it has no other. */
function replayOf(
  record: UsageRecord,
  { routed, arrival, requestBody, observation }: Ended,
  { replay }: Routing,
): void {
  const { texts, chars } = observation?.facts().text ?? noFacts.text;
  const answer = texts.join('');
  if (!routed?.baseline || !requestBody || !arrival.putsKeyIn || chars === 0 || answer.length < chars) return;
  replay({
    exchange: record.id,
    organization: record.organization,
    apiKey: record.apiKey,
    complexity: record.complexity,
    routed: record.routingModel ?? '',
    baseline: routed.baseline,
    dialect: arrival.dialect?.name ?? '',
    body: requestBody,
    answer,
    judgeModel: arrival.policy.routing.judge_model,
  });
}
