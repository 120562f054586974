import { setTimeout as delay } from 'node:timers/promises';
import { createPool, type Pool } from '../db/pool.ts';
import { readPolicy } from '../identity/policy-of.ts';
import { amountText, usdAmount } from '../limits/budgets/amounts.ts';
import { createSpendingLedger } from '../limits/budgets/ledger.ts';
import { createRedisTruth } from '../limits/budgets/redis.ts';
import { type BudgetReport, reportBudgets } from '../limits/budgets/report.ts';
import type { Truth } from '../limits/budgets/truth.ts';
import { embeddedUrl } from '../local/postgres.ts';
import { connectRedis } from '../redis/connection.ts';
import type { Role, RoleContext } from './run.ts';

/** What processes count and what the ledger has may lag behind each other by as much. */
const lagMs = 15_000;
const againMs = 500;
const cent = usdAmount('0.01');

/**
 * `weir budgets verify`: whether what processors count agrees with the ledger, to the cent and the token. The
 * exit code is 1 when it does not.
 */
export const verifyBudgets: Role = async ({ settings, log }) => {
  const { config, paths } = settings;
  const { url } = config.postgres;
  const pool = createPool(url === 'embedded' ? embeddedUrl(paths.postgres) : url, { log, max: 2 });
  const redis = config.redis.url === 'memory' ? null : connectRedis(config.redis.url, log);
  try {
    await redis?.ready();
    const truth = redis && createRedisTruth(redis);
    const until = Date.now() + lagMs;
    let reports = await reportAll(pool, config.defaults, truth);
    while (reports.some(differs) && Date.now() < until) {
      await delay(againMs);
      reports = await reportAll(pool, config.defaults, truth);
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

async function reportAll(
  pool: Pool,
  defaults: RoleContext['settings']['config']['defaults'],
  truth: Truth | null,
): Promise<BudgetReport[]> {
  const ledger = createSpendingLedger(pool);
  const { rows } = await pool.query<{ id: string }>('SELECT id FROM organizations ORDER BY id');
  const reports = [];
  for (const { id } of rows) {
    const { budgets } = await readPolicy(pool, defaults, id);
    reports.push(...(await reportBudgets(id, budgets, { ledger, truth, now: Date.now })));
  }
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
