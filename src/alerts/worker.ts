import { parseCronItems, type Runner, run, runMigrations, Logger as WorkerLogger } from 'graphile-worker';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Pool } from '../db/pool.ts';
import { alertTypeNames, costTypes } from './alert.ts';
import type { ReportBudgets } from './budgets.ts';
import { checkAlerts } from './check.ts';
import type { Deliverer } from './deliver.ts';
import { deliverTask } from './deliveries.ts';

const payload = z.object({ delivery: z.int() });

/** Which types are looked at when: those that cost money every minute, all others every hour. */
const checks = {
  weir_check_costs: { match: '* * * * *', types: costTypes },
  weir_check_alerts: {
    match: '0 * * * *',
    types: alertTypeNames.filter((type) => !costTypes.includes(type)),
  },
} as const;

// The queue itself gives a dead worker four hours. A delivery takes half a minute at most; what a worker has
// held for longer, it holds no more.
const unlock = `
  SELECT graphile_worker.force_unlock_workers(array_agg(DISTINCT locked_by))
    FROM graphile_worker.jobs
   WHERE locked_at < now() - CASE task_identifier WHEN '${deliverTask}' THEN interval '2 minutes' ELSE interval '10 minutes' END
  HAVING count(*) > 0`;

/** Makes the tables of the queue. */
export async function prepareQueue(pool: Pool): Promise<void> {
  await runMigrations({ pgPool: pool, logger: new WorkerLogger(() => () => {}) });
}

/** Runs the jobs of alerts; of several collectors each job runs in one. */
export async function startAlertWorker(options: {
  pool: Pool;
  deliverer: Deliverer;
  log: Logger;
  now: () => number;
  budgets: ReportBudgets;
}): Promise<{ stop(): Promise<void> }> {
  const { pool, deliverer, log, now, budgets } = options;
  const check = ([name, { types }]: [string, (typeof checks)[keyof typeof checks]]) => [
    name,
    async () => {
      await pool.query(unlock);
      await checkAlerts(pool, types, { now: now(), log, budgets });
    },
  ];
  const runner: Runner = await run({
    pgPool: pool,
    concurrency: 2,
    pollInterval: 2_000,
    noHandleSignals: true,
    logger: new WorkerLogger(() => (level, message) => {
      if (level === 'error' || level === 'warning') log.warn({ queue: message }, 'a job of alerts');
      else log.debug({ queue: message }, 'a job of alerts');
    }),
    parsedCronItems: parseCronItems(
      Object.entries(checks).map(([task, { match }]) => ({ task, match, options: { backfillPeriod: 0 } })),
    ),
    taskList: {
      ...Object.fromEntries(Object.entries(checks).map(check)),
      [deliverTask]: async (given: unknown, { job }: { job: { attempts: number; max_attempts: number } }) =>
        deliverer.deliver(payload.parse(given).delivery, job.attempts >= job.max_attempts),
    },
  });
  return { stop: () => runner.stop() };
}
