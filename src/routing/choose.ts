import type { OptimizeFor, RoutingTable } from '../config/policy/routing.ts';
import { noUsage } from '../dialects/usage.ts';
import {
  type Call,
  type Candidate,
  candidateOf,
  placeOf,
  type Surroundings,
  usualOutput,
} from './candidates.ts';
import type { Complexity } from './complexity.ts';
import { goodEnough } from './profiles.ts';

/** What a conversation has in the prompt cache of the model that took its last call. */
export interface Kept {
  provider: string;
  model: string;
  cachedTokens: number;
}

/** Two ways to go on with a conversation, in USD. */
export interface Stay {
  model: string;
  cachedTokens: number;
  stayUsd: number;
  switchUsd: number;
  stays: boolean;
}

export interface Choice {
  /** null: none is able. */
  chosen: Candidate | null;
  reason: string;
  candidates: Candidate[];
  stay: Stay | null;
}

/** Chooses the model of a table for a call; the reason is meant for people. */
export function choose(
  call: Call,
  by: {
    table: RoutingTable;
    complexity: Complexity;
    optimizeFor: OptimizeFor;
    kept: Kept | null;
    /** The model that the call names; null: it leaves the choice to weir. */
    asked: Candidate | null;
  },
  around: Surroundings,
): Choice {
  const { complexity, optimizeFor } = by;
  const { models, chosen } = goodEnough(by.table, complexity, optimizeFor);
  const candidates = models.map((entry) => candidateOf(entry, call, around));
  const what = `${complexity} call, best ${optimizeFor}`;
  const first = best(candidates.slice(0, chosen).filter(isAble), optimizeFor);
  const pick = first ?? best(candidates.slice(chosen).filter(isAble), optimizeFor);
  if (!pick)
    return { chosen: null, reason: `${what}: no model of the profile is able`, candidates, stay: null };
  const instead = candidates[0];
  const reason =
    first || !instead
      ? `${what}: ${pick.model}`
      : `${what}: ${pick.model}, since ${instead.model} cannot (${instead.whyNot.join('; ')})`;
  // Not good enough for this turn, or not able to take it; the model that was asked for is.
  const same = [...candidates.filter(isAble), ...(by.asked ? [by.asked] : [])].find(
    ({ model, provider }) => model === by.kept?.model && provider === by.kept.provider,
  );
  const stay = same && by.kept && optimizeFor === 'cost' ? stayOf(call, pick, by.kept, around) : null;
  if (!stay?.stays || !same) return { chosen: pick, reason, candidates, stay };
  const gain = (stay.switchUsd - stay.stayUsd).toFixed(6);
  const because = `${complexity} call: stays with ${same.model}, whose prompt cache holds ${stay.cachedTokens} tokens of this conversation; ${pick.model} would cost $${gain} more`;
  return { chosen: same, reason: because, candidates, stay };
}

function isAble({ whyNot }: Candidate): boolean {
  return whyNot.length === 0;
}

/** Candidates come in the order in which they are liked, which decides where nothing else does. */
function best(able: Candidate[], optimizeFor: OptimizeFor): Candidate | undefined {
  if (optimizeFor === 'quality') return able[0];
  const worth = ({ estimatedUsd, expectedMs }: Candidate) =>
    optimizeFor === 'latency' ? expectedMs : (estimatedUsd ?? Number.POSITIVE_INFINITY);
  return able.toSorted((a, b) => compare(worth(a), worth(b)))[0];
}

function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** What it costs to stay with the model that has the conversation cached, and to go to another that has not. */
function stayOf(call: Call, pick: Candidate, kept: Kept, around: Surroundings): Stay | null {
  if ((kept.model === pick.model && kept.provider === pick.provider) || pick.provider === null) return null;
  const usage = { ...noUsage, input: call.inputTokens, output: usualOutput(call) };
  const cacheRead = Math.min(kept.cachedTokens, call.inputTokens);
  const stay = around.price(kept.provider, kept.model, { ...usage, cacheRead });
  const leave = around.price(pick.provider, pick.model, usage);
  if (!stay || !leave) return null;
  return {
    model: kept.model,
    cachedTokens: cacheRead,
    stayUsd: stay.usd,
    switchUsd: leave.usd,
    stays: stay.usd <= leave.usd,
  };
}

/** Whether a call that named a model keeps it, and why; null: it goes to the one that was chosen. */
export function keepReason(
  call: Call,
  own: Candidate,
  choice: Choice,
  optimizeFor: OptimizeFor,
): string | null {
  if (call.conversation.bound)
    return 'kept: it goes on from what its provider keeps, or uses the provider’s own tools';
  const { chosen } = choice;
  if (!chosen) return `kept: ${choice.reason}`;
  if (chosen.model === own.model && chosen.provider === own.provider) return `kept: ${choice.reason}`;
  if (own.estimatedUsd === null) return `kept: ${own.model} has no listed price to compare with`;
  if (optimizeFor === 'cost' && (chosen.estimatedUsd === null || chosen.estimatedUsd >= own.estimatedUsd))
    return `kept: ${own.model} costs no more than ${chosen.model}`;
  if (optimizeFor === 'latency' && chosen.expectedMs >= own.expectedMs)
    return `kept: ${own.model} is no slower than ${chosen.model}`;
  return null;
}

/** The model that calls for `auto` are compared with. */
export function baselineOf(table: RoutingTable, configured: string | undefined, around: Surroundings) {
  return placeOf(configured ?? table.complex.quality[0] ?? '', around);
}
