import { createHash } from 'node:crypto';
import type { PoolClient } from 'pg';
import type { TimeRange } from '../analytics/dates.ts';
import type { Policy } from '../config/policy/policy.ts';
import type { Config } from '../config/schema.ts';
import type { Pricer } from '../usage/price.ts';
import type { Amount } from '../usage/prices/decimal.ts';

/** What is recommended, and below how many USD in the period it is not worth telling. */
export const thresholds = {
  cache: 10,
  model_downgrade: 20,
  max_tokens: 5,
  prompt_cache: 5,
  retries: 5,
  batch: 20,
  reasoning_effort: 5,
  spend_anomaly: 20,
} as const;
export type RecommendationType = keyof typeof thresholds;
export const recommendationTypes = Object.keys(thresholds) as [RecommendationType, ...RecommendationType[]];

export type Fact = string | number | boolean | null;

/** What a finder has found; what it saves is in the claims that it made under `claim`. */
export interface Draft {
  /** Names it among all: the same for the same findings. */
  claim: string;
  type: RecommendationType;
  /** One sentence for people. */
  title: string;
  /** What it rests on, as far as single figures tell it. Money in decimal strings of USD. */
  evidence: Record<string, Fact>;
  /** The greatest parts of it. */
  groups: Record<string, Fact>[];
  /** A JSON merge patch of the policy that does it; null: no policy can, `advice` tells who can. */
  patch: Record<string, unknown> | null;
  advice: string;
}

/** The organization and the period that are looked at. */
export interface Context {
  /** In a transaction that has the tables of calls.ts and claims.ts. */
  client: PoolClient;
  organization: string;
  range: TimeRange;
  /** Whose days and nights are meant. */
  zone: string;
  /** In force. */
  policy: Policy;
  /** The same as one would write it: what a patch of a list must repeat. */
  document: Record<string, unknown>;
  providers: Config['providers'];
  models: Config['models'];
  pricer: Pricer;
  hasKey(provider: string): boolean;
}

export type Finder = (context: Context) => Promise<Draft[]>;

/** The condition for `calls` that were paid for. */
export const paid = "cache NOT IN ('hit', 'coalesced') AND cost_usd > 0";

/** The greatest; of none, nothing. */
export function mostOf(amounts: Iterable<Amount>): Amount {
  let most = 0n;
  for (const amount of amounts) if (amount > most) most = amount;
  return most;
}

/** A name as policies take it, for a limit or a budget about `subject`; each subject has its own. */
export function nameOf(prefix: string, subject: string): string {
  const plain = subject
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  const hash = createHash('sha256').update(subject).digest('hex').slice(0, 6);
  return `${`${prefix}-${plain}`.slice(0, 56).replace(/-$/, '')}-${hash}`;
}

type List = 'limits' | 'budgets';

function entriesOf({ document }: Pick<Context, 'document'>, list: List): unknown[] {
  const entries = document[list];
  return Array.isArray(entries) ? entries : [];
}

/** Whether a list of the policy has what was recommended under this name. */
export function hasEntry(context: Pick<Context, 'document'>, list: List, name: string): boolean {
  return entriesOf(context, list).some((each) => Object(each).name === name);
}

/** A list of the policy with one entry more, as a patch: a merge patch replaces lists whole. */
export function withEntry(
  context: Pick<Context, 'document'>,
  list: List,
  entry: { name: string },
): Record<string, unknown> {
  return { [list]: [...entriesOf(context, list), entry] };
}
