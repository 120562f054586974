import type { LimitConfig } from '../config/policy/limits.ts';

/** Who is asked for: the values that limits can be kept per. */
export interface LimitSubject {
  ip: string;
  organization: string;
}

/** The state of the limit that is nearest to its end, after this request. */
export interface LimitState {
  name: string;
  per: LimitConfig['per'];
  limit: number;
  remaining: number;
  /** Milliseconds until the window starts anew. */
  resetMs: number;
}

export type LimitVerdict =
  | { kind: 'allowed'; state: LimitState | null }
  | { kind: 'limited'; state: LimitState };

/** Counts one request against every limit. Never throws: without its store each process counts alone. */
export interface Limits {
  consume(subject: LimitSubject): Promise<LimitVerdict>;
}
