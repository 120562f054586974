import type { BudgetConfig } from '../../config/policy/budgets.ts';
import type { Pool } from '../../db/pool.ts';
import { usedSql } from './amounts.ts';
import type { Budget } from './budget.ts';
import { bucketMs, type Window } from './periods.ts';
import type { LedgerSum } from './truth.ts';

/** What limits and budgets ask the ledger. */
export interface SpendingLedger {
  /**
   * What calls of a window have used, by subject, bucket and process. Processes that are not `kept`, and have
   * made no call for ten minutes, are put together as ''.
   */
  sum(budget: Budget, window: Window, kept: readonly string[]): Promise<SubjectSum[]>;
  /** The output tokens of the latest answers of an organization, as the provider counted them. */
  history(organization: string): Promise<{ provider: string; model: string | null; output: number }[]>;
}

/** The ledger in PostgreSQL. */
export function createSpendingLedger(pool: Pool): SpendingLedger {
  return {
    sum: (budget, window, kept) => sumLedger(pool, budget, window, kept),
    history: (organization) => readHistory(pool, organization),
  };
}

/** Without a database nothing is known of what was spent before. */
export const noSpendingLedger: SpendingLedger = { sum: async () => [], history: async () => [] };

/** What the ledger says of one subject of a budget. */
export interface SubjectSum extends LedgerSum {
  subject: string | null;
}

const subjects: Record<string, string> = {
  organization: 'organization',
  api_key: 'api_key',
  user: 'end_user',
  workload: 'workload',
  model: 'requested_model',
};

async function sumLedger(
  pool: Pool,
  budget: Budget,
  window: Window,
  kept: readonly string[],
): Promise<SubjectSum[]> {
  const values: unknown[] = [budget.organization, window.from, kept];
  const value = (each: unknown) => `$${values.push(each)}`;
  const { config, unit } = budget;
  const step = bucketMs(config);
  const started = 'extract(epoch FROM started_at) * 1000';
  const bucket = step === null ? '0' : `floor(${started} / ${value(step)}::numeric)`;
  const subject = subjects[config.per] ?? `tags->>${value(config.per.slice('tag:'.length))}`;
  const { rows } = await pool.query<{
    subject: string | null;
    bucket: string;
    process: string;
    amount: string;
  }>(
    `SELECT ${subject} AS subject, (${bucket})::text AS bucket,
            CASE WHEN processor = ANY ($3) OR processor IN (
              SELECT processor FROM usage
               WHERE organization = $1 AND started_at > now() - interval '10 minutes'
            ) THEN processor ELSE '' END AS process,
            sum(${usedSql[unit]})::numeric(40)::text AS amount
       FROM usage
      WHERE organization = $1 AND started_at >= to_timestamp($2::numeric / 1000)${about(config, value)}
      GROUP BY 1, 2, 3`,
    values,
  );
  return rows.map((row) => ({ ...row, bucket: Number(row.bucket), amount: BigInt(row.amount) }));
}

/** What a budget is about, as a condition on rows. */
function about({ match }: BudgetConfig, value: (each: unknown) => string): string {
  if (!match) return '';
  const { models, providers, workloads, users, tags } = match;
  const likes: [string, string[] | undefined][] = [
    ['requested_model', models],
    ['provider', providers],
    ['workload', workloads],
    ['end_user', users],
  ];
  const conditions = likes.flatMap(([column, globs]) =>
    globs ? [`${column} LIKE ANY (${value(globs.map(like))})`] : [],
  );
  for (const [name, globs] of Object.entries(tags ?? {}))
    conditions.push(`tags->>${value(name)} LIKE ANY (${value(globs.map(like))})`);
  return conditions.map((each) => ` AND ${each}`).join('');
}

/** A glob as a pattern of LIKE. */
function like(glob: string): string {
  return glob
    .replace(/[\\%_]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
}

async function readHistory(
  pool: Pool,
  organization: string,
): Promise<{ provider: string; model: string | null; output: number }[]> {
  const { rows } = await pool.query<{ provider: string; model: string | null; output: number }>(
    `SELECT provider, requested_model AS model, output_tokens AS output
       FROM usage
      WHERE organization = $1 AND started_at > now() - interval '7 days'
        AND usage_source = 'provider' AND cache NOT IN ('hit', 'coalesced') AND output_tokens IS NOT NULL
      ORDER BY started_at DESC, id DESC
      LIMIT 2000`,
    [organization],
  );
  return rows;
}
