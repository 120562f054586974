import type { Pace } from './candidates.ts';

/** Weight of the newest call. */
const newest = 0.2;

/**
 * What calls of one model showed. Sums in which each call weighs a fifth and the one before it a fifth of what is left:
 * so two of them can be put one behind the other, in whatever process they were gathered.
 */
export interface Seen {
  firstMs: number;
  tokensPerSecond: number;
  outputTokens: number;
  /** The weight that is left to what came before; 1: nothing was measured. */
  older: number;
  /** Calls that were measured. */
  calls: number;
  /** Failures in a row, at the end. */
  failures: number;
  /** A call among these went well: failures before them do not count. */
  recovered: boolean;
  /** Epoch milliseconds of the last call, and of the last failure. */
  at: number;
  failedAt: number;
  /** Until when its provider asked to be left alone; 0: it did not. */
  restsUntil: number;
}

const nothing = { firstMs: 0, tokensPerSecond: 0, outputTokens: 0, older: 1, calls: 0, restsUntil: 0 };

export function failure(at: number): Seen {
  return { ...nothing, failures: 1, recovered: false, at, failedAt: at };
}

/** Its provider asks to be left alone, which is neither a failure nor a success. */
export function resting(at: number, ms: number): Seen {
  return { ...nothing, failures: 0, recovered: false, at, failedAt: 0, restsUntil: at + ms };
}

/** A call that went well. A plain answer tells when all of it was there: of that the time to the first token is taken to be as it was. */
export function success(
  call: { stream: boolean; firstMs: number; durationMs: number; outputTokens: number },
  before: Pace | null,
  at: number,
): Seen {
  const well = { failures: 0, recovered: true, at, failedAt: 0 };
  if (call.outputTokens <= 0) return { ...nothing, ...well };
  const firstMs = call.stream ? call.firstMs : (before?.firstMs ?? call.durationMs / 2);
  const restMs = Math.max(1, call.durationMs - Math.min(firstMs, call.durationMs * 0.9));
  return {
    firstMs: newest * firstMs,
    tokensPerSecond: newest * Math.min(10_000, (1000 * call.outputTokens) / restMs),
    outputTokens: newest * call.outputTokens,
    older: 1 - newest,
    calls: 1,
    restsUntil: 0,
    ...well,
  };
}

/** The same as in Redis (sharing.ts). */
export function followed(before: Seen | undefined, after: Seen): Seen;
export function followed(before: Seen, after: Seen | undefined): Seen;
export function followed(before: Seen | undefined, after: Seen | undefined): Seen | undefined {
  if (!before || !after) return before ?? after;
  return {
    firstMs: before.firstMs * after.older + after.firstMs,
    tokensPerSecond: before.tokensPerSecond * after.older + after.tokensPerSecond,
    outputTokens: before.outputTokens * after.older + after.outputTokens,
    older: before.older * after.older,
    calls: before.calls + after.calls,
    failures: (after.recovered ? 0 : before.failures) + after.failures,
    recovered: before.recovered || after.recovered,
    at: Math.max(before.at, after.at),
    failedAt: Math.max(before.failedAt, after.failedAt),
    restsUntil: Math.max(before.restsUntil, after.restsUntil),
  };
}

/** null: nothing was measured. */
export function paceOf({ firstMs, tokensPerSecond, outputTokens, older, calls }: Seen): Pace | null {
  if (calls === 0) return null;
  const weight = 1 - older;
  return {
    firstMs: firstMs / weight,
    tokensPerSecond: tokensPerSecond / weight,
    outputTokens: outputTokens / weight,
    calls,
  };
}
