import { createHash } from 'node:crypto';
import type { BudgetConfig } from '../../config/policy/budgets.ts';
import type { Amount, LimitedCall } from '../limits.ts';
import { hashTag, subjectHash, subjectOf } from '../subject.ts';
import { usdAmount } from './amounts.ts';
import { bucketMs, bucketOf, type Window, windowAt } from './periods.ts';

/** A budget of an organization, ready to count by. */
export interface Budget {
  config: BudgetConfig;
  organization: string;
  unit: 'usd' | 'tokens';
  limit: Amount;
  /** Where the store keeps what concerns the whole of it. */
  key: string;
}

/** A part of a budget that is kept apart: of one subject, in one period. */
export interface Place {
  key: string;
  window: Window;
  /** Where in the window a call is counted. */
  bucket: number;
}

const known = new WeakMap<BudgetConfig, Map<string, Budget>>();

/**
 * Two budgets of one name are one as long as they count the same: what was spent counts on when the limit
 * or the mode changes; else it is summed up anew from the ledger.
 */
export function budgetOf(config: BudgetConfig, organization: string): Budget {
  const budgets = known.get(config) ?? new Map<string, Budget>();
  known.set(config, budgets);
  let budget = budgets.get(organization);
  if (!budget) {
    const { name, per, period, rolling, timezone, match } = config;
    const unit = config.usd === undefined ? 'tokens' : 'usd';
    const counts = JSON.stringify([per, unit, period, rolling, timezone, match]);
    const version = createHash('sha256').update(counts).digest('base64url').slice(0, 8);
    budget = {
      config,
      organization,
      unit,
      limit: config.usd === undefined ? BigInt(config.tokens ?? 0) : usdAmount(config.usd),
      key: `weir:budget:${hashTag(organization)}:${name}:${version}`,
    };
    budgets.set(organization, budget);
  }
  return budget;
}

/** Where a call counts. */
export function placeOf(budget: Budget, call: LimitedCall): Place {
  const at = toMicrosecond(call.startedAt);
  const window = currentWindow(budget.config, at);
  const subject = subjectOf(budget.config.per, call);
  return {
    key: placeKey(budget, window, subject),
    window,
    bucket: bucketOf(budget.config, at),
  };
}

export function placeKey(budget: Budget, window: Window, subject: string | null): string {
  return `${budget.key}:${window.period}:${subjectHash(budget.config.per, subject)}`;
}

/** So long after its last use the store forgets a place, milliseconds. */
export function keptMs(budget: Budget, window: Window, now: number): number {
  const step = bucketMs(budget.config);
  const ends = step === null ? window.resetsAt : window.resetsAt + (window.resetsAt - window.from);
  return Math.max(0, Math.ceil(ends - now)) + lateMs;
}
/** Calls that began in a period may end after it. */
const lateMs = 24 * 3_600_000;

/** Of a budget, lent in advance to all processes together at most: a hundredth. */
const lentShare = 100n;

/** What of a budget is lent in advance to one of so many processes. */
export function mostLent({ limit }: Budget, processes: number): Amount {
  return limit / (lentShare * BigInt(processes));
}

const windows = new WeakMap<BudgetConfig, Window>();

/** Time zones are slow to reckon with: the last window is remembered. */
export function currentWindow(config: BudgetConfig, at: number): Window {
  const last = windows.get(config);
  if (last && config.rolling === undefined && at >= last.from && at < last.resetsAt) return last;
  const window = windowAt(config, at);
  windows.set(config, window);
  return window;
}

/** As the ledger keeps times. */
function toMicrosecond(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
