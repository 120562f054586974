import type { LimitConfig } from '../config/policy/limits.ts';
import type { LimitState } from './limits.ts';

/** What a limit says of one call. */
export interface Counted {
  state: LimitState;
  exceeded: boolean;
  /** It alone is more than the limit. */
  never: boolean;
  /** Takes back what was counted, or as much of it as was not used. Never rejects. */
  correct(used: number): void;
}

/** What a process may let pass by itself while the store is away: its part of a limit, and at least one. */
export function shareOf(limit: number, processes: number): number {
  return Math.max(1, Math.floor(limit / processes));
}

export function stateOf(
  { name, per }: LimitConfig,
  kind: LimitState['kind'],
  numbers: { limit: number; remaining: number; resetMs: number },
): LimitState {
  return { name, per, kind, ...numbers, remaining: Math.max(0, numbers.remaining) };
}
