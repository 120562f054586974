import type { Policy } from '../config/policy/policy.ts';
import type { Estimates } from './estimates.ts';

/** A call as limits and budgets see it. */
export interface LimitedCall {
  /** The exchange. */
  id: string;
  /** Epoch milliseconds: the period that it is counted in. */
  startedAt: number;
  organization: string;
  ip: string;
  apiKey: string | null;
  user: string | null;
  /** `cluster/namespace/service-account`. */
  workload: string | null;
  /** The model that is asked for. */
  model: string | null;
  provider: string;
  tags: Record<string, string>;
  /** null: weir does not look into it, and only its request is counted. */
  asks: Asked | null;
  /** It may cost something, known before it or not: a hard budget of which nothing is left refuses it. */
  mayCost: boolean;
}

/** What a call asks for, and what it may use of tokens and money: reserved before it, corrected after it. */
export interface Asked {
  bytes: number;
  /** null: the request names no maximum; undefined: it makes no text. */
  maxOutputTokens: number | null | undefined;
  tokens: number;
  /** null: the model has no price. */
  usd: Amount | null;
}

/** Tokens, or 10^-12 USD. */
export type Amount = bigint;

/** What a call has used in the end. */
export interface Used {
  tokens: number;
  usd: Amount;
}

/** A limit as it stands after a request. */
export interface LimitState {
  name: string;
  kind: 'requests' | 'tokens' | 'concurrent';
  per: string;
  limit: number;
  remaining: number;
  /** Milliseconds until the window starts anew; of concurrent calls: until it is worth another try. */
  resetMs: number;
}

/** A budget as it stands, as far as this process knows. */
export interface BudgetState {
  name: string;
  per: string;
  unit: 'usd' | 'tokens';
  limit: Amount;
  /** Neither spent nor reserved; never below 0. */
  remaining: Amount;
  /** Epoch milliseconds at which more of it is there. */
  resetsAt: number;
}

/** Where a call stands: the limit and the budget that are nearest to their end. */
export interface Standing {
  limit: LimitState | null;
  budget: BudgetState | null;
  /** Limits in shadow and soft budgets that are exceeded. */
  exceeded: string[];
}

/** Why a call is refused. */
export type Denial =
  | {
      kind: 'limit';
      state: LimitState /** It alone is more than the limit: it never passes. */;
      never: boolean;
    }
  | { kind: 'request_bytes' | 'output_tokens'; name: string; limit: number; asked: number | null }
  | { kind: 'budget'; state: BudgetState /** It alone is more than the budget. */; never: boolean }
  /** What is left of the budget cannot be known at the moment. */
  | { kind: 'budget_unavailable'; name: string }
  | { kind: 'unpriced'; name: string };

/** What was decided of a call. */
export interface Admission {
  /** null: it may go on. */
  denial: Denial | null;
  /** A kept answer may be given all the same: it takes nothing of what is lacking. */
  passesHits: boolean;
  standing: Standing;
  /**
   * The call is over. `refused`: nobody answered it, and it counts against no limit; `free`: weir answered it
   * itself; else what it has used. Only the first time counts.
   */
  close(how: 'refused' | 'free' | Used): void;
}

/** Limits and budgets. */
export interface Limits {
  /** This process among all that count together; also in the ledger. */
  readonly process: string;
  /** What calls will use, learned from those before. */
  readonly estimates: Estimates;
  /**
   * Counts a call against all limits, and reserves what it may use. Never rejects: without its store each
   * process enforces its share. All that is asked of the store begins in this tick.
   */
  admit(policy: Pick<Policy, 'limits' | 'budgets'>, call: LimitedCall): Promise<Admission>;
}
