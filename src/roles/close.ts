import { closePeriod } from '../collector/closed-periods.ts';
import { readDate, withDatabase } from './database.ts';
import type { Role } from './run.ts';

/** `weir close`: what lies before a day keeps its sums; what changes them later is booked when it is found. */
export const close: Role = async ({ settings, log, options }) => {
  const until = readDate('until', options.until);
  await withDatabase(settings, log, async (pool) => {
    const { calls, cost_usd, unpriced } = await closePeriod(pool, until, Date.now());
    process.stdout.write(
      `closed until ${until}: ${calls} calls, ${cost_usd ?? '0'} USD; unpriced: ${unpriced}\n`,
    );
  });
  return undefined;
};
