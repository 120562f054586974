import type { ProviderConfig } from '../config/schema.ts';
import type { ErrorCode, Refusal } from '../dialects/errors.ts';
import { rateLimitHeaders, retryHeaders, span } from '../dialects/rate-limits.ts';
import { amountText } from '../limits/budgets/amounts.ts';
import type { BudgetState, Denial, LimitState, Standing } from '../limits/limits.ts';

type Api = ProviderConfig['api'];

/** When a budget that could not be looked at is worth another try. */
const unavailableMs = 1_000;

/** weir's own limits and budgets, on every reply that it can say something of. */
export function standingHeaders({ limit, budget, exceeded }: Standing, now: number): Record<string, string> {
  return {
    ...(limit && {
      'x-weir-ratelimit-limit': String(limit.limit),
      'x-weir-ratelimit-remaining': String(limit.remaining),
      'x-weir-ratelimit-reset': String(Math.ceil(limit.resetMs / 1000)),
    }),
    ...(budget && {
      'x-weir-budget-name': budget.name,
      'x-weir-budget-limit': amountText(budget.limit, budget.unit),
      'x-weir-budget-remaining': amountText(budget.remaining, budget.unit),
      'x-weir-budget-reset': String(Math.max(0, Math.ceil((budget.resetsAt - now) / 1000))),
    }),
    ...(exceeded.length > 0 && { 'x-weir-limit-exceeded': exceeded.join(', ') }),
  };
}

/** The limit or budget that refuses. */
export function denialName(denial: Denial): string {
  return denial.kind === 'limit' || denial.kind === 'budget' ? denial.state.name : denial.name;
}

/** A refusal by a limit or a budget, with the headers that SDKs read. `now`: epoch milliseconds. */
export function denialRefusal(denial: Denial, standing: Standing, api: Api, now: number): Refusal {
  const refusal = refusalOf(denial, api, now);
  return { ...refusal, headers: { ...refusal.headers, ...standingHeaders(standing, now) } };
}

function refusalOf(denial: Denial, api: Api, now: number): Refusal {
  switch (denial.kind) {
    case 'limit':
      return limitRefusal(denial.state, denial.never, api, now);
    case 'budget':
      return budgetRefusal(denial.state, denial.never, api, now);
    case 'budget_unavailable':
      return {
        code: 'budget_unavailable',
        message: `What is left of the budget ${denial.name} cannot be known at the moment, and it may not be exceeded. Please try again in ${span(unavailableMs)}.`,
        retryAfterMs: unavailableMs,
        headers: retryHeaders(unavailableMs, false),
      };
    case 'unpriced':
      return {
        code: 'model_unpriced',
        message: `This model has no price, so the budget ${denial.name} cannot count it: set models.<name>.price in weir.yaml, or \`unpriced: allow\` on the budget.`,
      };
    case 'request_bytes':
      return {
        code: 'request_too_large',
        message: `The request has ${denial.asked} bytes; the limit ${denial.name} allows ${denial.limit}.`,
      };
    case 'output_tokens': {
      const asked = denial.asked === null ? 'no maximum' : `up to ${denial.asked}`;
      return {
        code: 'max_output_tokens_exceeded',
        message: `The request asks for ${asked} output tokens; the limit ${denial.name} allows ${denial.limit}: set the maximum of the request (max_tokens, max_completion_tokens, max_output_tokens or maxOutputTokens) to that at most.`,
      };
    }
  }
}

const codes: Record<LimitState['kind'], ErrorCode> = {
  requests: 'rate_limit_exceeded',
  tokens: 'token_limit_exceeded',
  concurrent: 'concurrency_limit_exceeded',
};

function limitRefusal(state: LimitState, never: boolean, api: Api, now: number): Refusal {
  const { name, kind, limit, resetMs } = state;
  const what = kind === 'concurrent' ? 'calls at a time' : `${kind} a window`;
  const wayOut = never
    ? 'This request alone may use more: make it smaller, or ask for fewer output tokens.'
    : `Please try again in ${span(resetMs)}.`;
  return {
    code: codes[kind],
    message: `Rate limit reached for ${whose(state.per)} (${name}): ${limit} ${what}. ${wayOut}`,
    retryAfterMs: resetMs,
    quota: { name, limit: String(limit) },
    headers: {
      ...retryHeaders(resetMs, never),
      ...(kind !== 'concurrent' && rateLimitHeaders(api, { ...state, unit: kind }, now)),
    },
  };
}

function budgetRefusal(state: BudgetState, never: boolean, api: Api, now: number): Refusal {
  const waitMs = Math.max(0, state.resetsAt - now);
  const limit = `${amountText(state.limit, state.unit)} ${state.unit === 'usd' ? 'USD' : 'tokens'}`;
  const budget = `the budget ${state.name} of ${whose(state.per)}, ${limit}`;
  // Anthropic's own words for a spend limit that was reached: tools look for them.
  const reached =
    api === 'anthropic'
      ? `You have reached your specified API usage limits (${budget}). You will regain access on ${day(state.resetsAt)}.`
      : `You exceeded your current quota: what is left of ${budget}, does not cover this request. There is more on ${day(state.resetsAt)}.`;
  const alone = never ? ' This request alone may cost more: ask for fewer output tokens.' : '';
  return {
    code: 'insufficient_quota',
    message: reached + alone,
    retryAfterMs: waitMs,
    quota: { name: state.name, limit },
    headers: retryHeaders(waitMs, never),
  };
}

function whose(per: string): string {
  if (per === 'ip') return 'this address';
  return `this ${per.replace(/^tag:/, '').replaceAll('_', ' ')}`;
}

/** `2026-04-01 at 00:00 UTC` */
function day(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace('T', ' at ')} UTC`;
}
