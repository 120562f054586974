import type { BudgetConfig } from '../../config/policy/budgets.ts';
import type { Amount } from '../limits.ts';
import { type Budget, budgetOf, currentWindow, placeKey } from './budget.ts';
import type { SpendingLedger } from './ledger.ts';
import type { Window } from './periods.ts';
import type { Truth } from './truth.ts';

/** Places that are looked up at a time. */
const batch = 100;

/** How a budget stands for one subject. */
export interface BudgetReport {
  budget: Budget;
  window: Window;
  subject: string | null;
  /** By the ledger. */
  spent: Amount;
  /** By what processes count; null: each counts in its own memory, or it is being summed up. */
  counted: Amount | null;
  /** Lent to processes and reserved for running calls; null as above. */
  reserved: Amount | null;
  /** Never below 0. */
  remaining: Amount;
}

/** How the budgets of an organization stand, a report for each subject that has spent something. */
export async function reportBudgets(
  organization: string,
  configs: readonly BudgetConfig[],
  options: { ledger: SpendingLedger; truth: Pick<Truth, 'read'> | null; now: () => number },
): Promise<BudgetReport[]> {
  const reports = [];
  for (const config of configs) reports.push(...(await report(budgetOf(config, organization), options)));
  return reports;
}

async function report(
  budget: Budget,
  { ledger, truth, now }: Parameters<typeof reportBudgets>[2],
): Promise<BudgetReport[]> {
  const window = currentWindow(budget.config, now());
  const spent = new Map<string | null, Amount>();
  // A budget of the whole organization is there before it has spent anything.
  if (budget.config.per === 'organization') spent.set(budget.organization, 0n);
  for (const { subject, amount } of await ledger.sum(budget, window, []))
    spent.set(subject, (spent.get(subject) ?? 0n) + amount);

  const subjects = [...spent];
  const reports: BudgetReport[] = [];
  for (let at = 0; at < subjects.length; at += batch) {
    const some = subjects.slice(at, at + batch);
    const keys = some.map(([subject]) => placeKey(budget, window, subject));
    const places = await truth?.read(keys, window.firstBucket);
    for (const [index, [subject, byLedger]] of some.entries()) {
      const place = places?.[index] ?? null;
      const counted = place?.spent ?? null;
      const most = counted !== null && counted > byLedger ? counted : byLedger;
      const left = budget.limit - most - (place?.lent ?? 0n);
      reports.push({
        budget,
        window,
        subject,
        spent: byLedger,
        counted,
        reserved: place?.lent ?? null,
        remaining: left > 0n ? left : 0n,
      });
    }
  }
  return reports;
}
