import { amountText } from '../limits/budgets/amounts.ts';
import type { BudgetReport } from '../limits/budgets/report.ts';
import type { Alert, Finding } from './alert.ts';

/** How the budgets of an organization stand. */
export type ReportBudgets = (organization: string) => Promise<BudgetReport[]>;

/** What percentages of its budgets an organization has reached: the threshold, and from there on those of `alert_at`. */
export async function reachedBudgets(alert: Alert, report: ReportBudgets): Promise<Finding[]> {
  const reports = await report(alert.organization);
  const wanted = reports.filter(
    ({ budget }) => (alert.filters.budget ?? budget.config.name) === budget.config.name,
  );
  return wanted.flatMap((each) => reached(alert, each));
}

function reached(alert: Alert, { budget, window, subject, spent, counted }: BudgetReport): Finding[] {
  const { name, per, mode, alert_at } = budget.config;
  // Processors may have counted what has not come to the ledger yet.
  const most = counted !== null && counted > spent ? counted : spent;
  const threshold = Number(alert.threshold_value);
  const percents = [...new Set([threshold, ...alert_at.filter((percent) => percent >= threshold)])];
  const text = (amount: bigint) => amountText(amount, budget.unit);
  const told = {
    name,
    mode,
    unit: budget.unit,
    subject: per === 'organization' ? null : `${per} ${subject ?? '(none)'}`,
    spent: text(most),
    limit: text(budget.limit),
    resets_at: new Date(window.resetsAt).toISOString(),
  };
  // A rolling budget has one period: it is over when less is spent.
  const since = budget.config.rolling === undefined ? new Date(window.from).toISOString() : 'rolling';
  return percents
    .toSorted((a, b) => a - b)
    .filter((percent) => most * 1_000_000n >= budget.limit * BigInt(Math.round(percent * 10_000)))
    .map((percent) => ({
      firing: true,
      value: String(percent),
      period: `${JSON.stringify([name, subject, since])}#${percent}`,
      top: [],
      budget: told,
    }));
}
