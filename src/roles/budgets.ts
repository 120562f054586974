import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { createPool, type Pool } from '../db/pool.ts';
import { readPolicy } from '../identity/policy-of.ts';
import { createAsker } from '../limits/asker.ts';
import { amountText, usdAmount } from '../limits/budgets/amounts.ts';
import { createSpendingLedger } from '../limits/budgets/ledger.ts';
import { createRedisTruth } from '../limits/budgets/redis.ts';
import { type BudgetReport, reportBudgets } from '../limits/budgets/report.ts';
import type { Truth } from '../limits/budgets/truth.ts';
import { embeddedUrl } from '../local/postgres.ts';
import { connectRedis, type RedisConnection } from '../redis/connection.ts';
import type { Role } from './run.ts';

const connectMs = 5_000;
const againMs = 500;
const cent = usdAmount('0.01');

/**
 * `weir budgets verify`: whether what processors count agrees with the ledger, to the cent and the token. The
 * exit code is 1 when it does not.
 */
export const verifyBudgets: Role = async ({ settings, log, options }) => {
  const { config, paths } = settings;
  const { url } = config.postgres;
  const pool = createPool(url === 'embedded' ? embeddedUrl(paths.postgres) : url, { log, max: 2 });
  const redis = config.redis.url === 'memory' ? null : connectRedis(config.redis.url, log);
  try {
    if (redis) await connected(redis);
    const report = createReport(pool, redis && createRedisTruth(createAsker(redis)), config);
    const until = Date.now() + Number(options.wait) * 1_000;
    let reports = await reportAll(pool, report);
    while (reports.some(differs) && Date.now() < until) {
      await delay(againMs);
      reports = await reportAll(pool, report);
    }
    for (const each of reports) process.stdout.write(`${line(each)}\n`);
    const wrong = reports.filter(differs).length;
    process.stdout.write(summary(reports.length, wrong, redis !== null));
    if (wrong > 0) process.exitCode = 1;
  } finally {
    await redis?.close();
    await pool.end();
  }
  return undefined;
};

async function connected({ client }: RedisConnection): Promise<void> {
  if (client.status === 'ready') return;
  await once(client, 'ready', { signal: AbortSignal.timeout(connectMs) }).catch(() => {
    throw new Error('Redis cannot be reached');
  });
}

/** How the budgets of an organization stand, for people: while Redis is away what is reserved is not known. */
export function createBudgetReports(
  pool: Pool,
  redis: RedisConnection | null,
  config: Pick<Config, 'defaults'>,
): Report {
  const truth = redis && createRedisTruth(createAsker(redis));
  const read: Truth['read'] = async (keys, firstBucket) =>
    truth?.read(keys, firstBucket).catch(() => []) ?? [];
  return createReport(pool, { read }, config);
}

type Report = (organization: string) => Promise<BudgetReport[]>;

function createReport(
  pool: Pool,
  truth: Pick<Truth, 'read'> | null,
  { defaults }: Pick<Config, 'defaults'>,
): Report {
  const ledger = createSpendingLedger(pool);
  return async (organization) => {
    const { budgets } = await readPolicy(pool, defaults, organization);
    return reportBudgets(organization, budgets, { ledger, truth, now: Date.now });
  };
}

async function reportAll(pool: Pool, report: Report): Promise<BudgetReport[]> {
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM organizations ORDER BY id');
  const reports = [];
  for (const { id } of rows) reports.push(...(await report(id)));
  return reports;
}

function differs({ budget, spent, counted }: BudgetReport): boolean {
  if (counted === null) return false;
  const difference = counted > spent ? counted - spent : spent - counted;
  return difference >= (budget.unit === 'usd' ? cent : 1n);
}

function line(report: BudgetReport): string {
  const { budget, subject, spent, counted } = report;
  const text = (amount: bigint) => amountText(amount, budget.unit);
  const of = [budget.organization, budget.config.name, subject ?? '(none)'].join(' / ');
  const said = counted === null ? 'not counted' : `counted ${text(counted)}`;
  const verdict = differs(report) ? '  DIFFERS' : '';
  return `${of}: ledger ${text(spent)}, ${said}, limit ${text(budget.limit)} ${budget.unit}${verdict}`;
}

function summary(all: number, wrong: number, isShared: boolean): string {
  if (!isShared)
    return 'redis.url is memory: the processor counts by itself, and begins with the sums of the ledger.\n';
  return `${all} budgets, ${wrong} of them differ from the ledger\n`;
}
