import type { Amount } from '../limits.ts';

/** What a process holds counts for so long after it was last heard of. */
export const leaseMs = 60_000;

/** What a process tells the one truth of a place, and asks of it. Cumulative, so that told twice it counts once. */
export interface Sync {
  /** Of the place. */
  key: string;
  /** Of its budget. */
  budgetKey: string;
  process: string;
  /** Greater each time; what comes late and out of order is known by it. */
  sequence: number;
  /** The last one that was answered; 0: none. */
  acknowledged: number;
  /** The epoch that it was answered in; '': none. */
  epoch: string;
  /** What of its leases the process still has: reserved for running calls, or free. */
  held: Amount;
  /** What waiting calls need beyond that. */
  need: Amount;
  /** Whether it wants some in advance. */
  more: boolean;
  limit: Amount;
  /** The most that is lent in advance. */
  mostLent: Amount;
  /** Processes among which what is left is to last. */
  sharers: number;
  firstBucket: number;
  /** All that it has spent by bucket, of the buckets that have changed. */
  spent: ReadonlyMap<number, Amount>;
  keptMs: number;
}

export type SyncReply =
  | {
      kind: 'ok';
      epoch: string;
      /** Milliseconds until the budget opens; null: at present nothing is lent. */
      opensInMs: number | null;
      /** The caller is to sum it up from the ledger. */
      build: boolean;
      granted: Amount;
      /** Of all processes: spent, and lent or held. About 15 digits are right. */
      spent: Amount;
      lent: Amount;
      /** What this process is known to have spent by bucket; only in its first answer of an epoch. */
      own: Map<number, Amount>;
    }
  /** What was told and answered is not known any more, or something newer was told. */
  | { kind: 'lost' | 'stale' };

/** What the ledger says of a place: spent by bucket and process. '' stands for processes that are gone. */
export interface LedgerSum {
  bucket: number;
  process: string;
  amount: Amount;
}

/**
 * Where budgets are kept: what each process says it has spent, what the ledger says of it (the greater of the two
 * counts: both may lag), and what is lent to it. A budget of which nothing is known is closed until it is
 * summed up from the ledger.
 */
export interface Truth {
  /** Everything is known as soon as one process has it: there is no other. */
  readonly isAlone: boolean;
  /** Rejects when the store does not answer. The command is sent in this tick. */
  sync(sync: Sync): Promise<SyncReply>;
  /** How budgets are: their epoch ('' when nothing is known), and whether the caller is to sum it up (again). */
  watch(budgetKey: string): Promise<{ epoch: string; build: boolean }>;
  /** Takes the ledger's word for a place; processes that are not `kept` are forgotten. */
  restore(
    place: { key: string; budgetKey: string; epoch: string; keptMs: number },
    kept: readonly string[],
    sums: readonly LedgerSum[],
  ): Promise<void>;
  /** All places are summed up; to be done again after so long. */
  built(budgetKey: string, epoch: string, againInMs: number): Promise<void>;
  /** Forgets the whole budget: what is known does not fit together. */
  forget(budgetKey: string, epoch: string): Promise<void>;
  /** What is known of places, as it lies there; for people and for checks. */
  read(keys: readonly string[], firstBucket: number): Promise<(PlaceState | null)[]>;
  /** True for the first that tells. */
  tell(key: string, what: string): Promise<boolean>;
}

/** Exact. */
export interface PlaceState {
  spent: Amount;
  /** Lent to processes that live, or were alive a minute ago. */
  lent: Amount;
}
