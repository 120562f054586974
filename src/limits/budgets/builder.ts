import type { Logger } from 'pino';
import type { Processes } from '../processes.ts';
import { type Budget, currentWindow, keptMs, placeKey } from './budget.ts';
import type { SpendingLedger, SubjectSum } from './ledger.ts';
import type { Truth } from './truth.ts';

/** The ledger is looked at again after so long at least, */
const againMs = 15_000;
/** and so rarely that it does not take more than a fiftieth of a connection's time. */
const rarely = 50;

/** Sums a budget up from the ledger, into the truth. Never rejects. */
export type Build = (budget: Budget, epoch: string) => Promise<void>;

export function createBuilder(options: {
  truth: Truth;
  processes: Processes;
  ledger: SpendingLedger;
  now: () => number;
  log: Logger;
}): Build {
  const { truth, processes, ledger, now, log } = options;

  async function build(budget: Budget, epoch: string): Promise<void> {
    const startedAt = performance.now();
    const window = currentWindow(budget.config, now());
    const known = truth.isAlone ? [processes.id] : await processes.recent();
    const sums = await ledger.sum(budget, window, known);
    // Whom the store has not heard of yet the ledger may know: summed up with those that are gone, it would count twice.
    const kept = [...new Set([...known, ...sums.map(({ process }) => process)])].filter(
      (each) => each !== '',
    );
    for (const [subject, own] of bySubject(sums)) {
      const place = {
        key: placeKey(budget, window, subject),
        budgetKey: budget.key,
        epoch,
        keptMs: keptMs(budget, window, now()),
      };
      await truth.restore(place, kept, own);
    }
    await truth.built(budget.key, epoch, Math.max(againMs, rarely * (performance.now() - startedAt)));
  }

  return (budget, epoch) =>
    build(budget, epoch).catch((error: unknown) => {
      const { organization, config } = budget;
      log.warn({ err: error, organization, budget: config.name }, 'a budget could not be summed up');
    });
}

function bySubject(sums: readonly SubjectSum[]): Map<string | null, SubjectSum[]> {
  const subjects = new Map<string | null, SubjectSum[]>();
  for (const sum of sums) {
    const own = subjects.get(sum.subject);
    if (own) own.push(sum);
    else subjects.set(sum.subject, [sum]);
  }
  return subjects;
}
