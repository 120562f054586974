import type { BudgetConfig } from '../../config/policy/budgets.ts';
import { units } from '../../config/values.ts';

/** A rolling budget moves on in so many steps. */
const steps = 24;

type Timing = Pick<BudgetConfig, 'period' | 'rolling' | 'timezone'>;

/** What a budget's spending is looked at together. Times are epoch milliseconds. */
export interface Window {
  /** Tells two periods of one budget apart; empty where it rolls. */
  period: string;
  /** What begins before this has no part in it. */
  from: number;
  /** When more of the budget is there; the end of a calendar period. */
  resetsAt: number;
  /** The oldest bucket that counts. */
  firstBucket: number;
}

/** The window that a moment is in. */
export function windowAt(timing: Timing, at: number): Window {
  const { period, rolling, timezone } = timing;
  if (period === undefined) {
    const step = stepMs(rolling ?? 0);
    const now = Math.floor(at / step);
    // The step that has begun is not over: with it there are always at least as many as make the whole.
    const first = now - steps;
    return { period: '', from: first * step, resetsAt: (now + 1) * step, firstBucket: first };
  }
  const from = startOf(period, timezone, at);
  return {
    period: String(from),
    from,
    resetsAt: nextStart(period, timezone, from),
    firstBucket: 0,
  };
}

/** Where the spending of a moment is kept: rolling budgets have a bucket a step, others one. */
export function bucketOf({ rolling }: Timing, at: number): number {
  return rolling === undefined ? 0 : Math.floor(at / stepMs(rolling));
}

/** The length of a bucket; null: there is one. */
export function bucketMs({ rolling }: Timing): number | null {
  return rolling === undefined ? null : stepMs(rolling);
}

function stepMs(rolling: number): number {
  return Math.ceil(rolling / steps);
}

function startOf(period: 'hour' | 'day' | 'month', timezone: string, at: number): number {
  const local = at + offsetAt(timezone, at);
  if (period === 'hour') return at - (((local % units.h) + units.h) % units.h);
  const date = new Date(local);
  const day = period === 'month' ? 1 : date.getUTCDate();
  return midnight(timezone, date.getUTCFullYear(), date.getUTCMonth(), day);
}

function nextStart(period: 'hour' | 'day' | 'month', timezone: string, from: number): number {
  if (period === 'hour') return from + units.h;
  const date = new Date(from + offsetAt(timezone, from));
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return period === 'month'
    ? midnight(timezone, year, month + 1, 1)
    : midnight(timezone, year, month, day + 1);
}

/** The first instant of a local day. Clocks may be put forward or back at midnight itself. */
function midnight(timezone: string, year: number, month: number, day: number): number {
  const utc = Date.UTC(year, month, day);
  const candidates = [utc - units.d, utc + units.d].map((near) => utc - offsetAt(timezone, near));
  const exact = candidates.filter((each) => each + offsetAt(timezone, each) === utc);
  return exact.length > 0 ? Math.min(...exact) : Math.max(...candidates);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** Milliseconds that local time is ahead of UTC. */
function offsetAt(timezone: string, at: number): number {
  if (timezone === 'UTC') return 0;
  let format = formats.get(timezone);
  if (!format) {
    format = new Intl.DateTimeFormat('en', {
      timeZone: timezone,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(timezone, format);
  }
  const parts = format.formatToParts(at).map(({ type, value }) => [type, Number(value)] as const);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = Object.fromEntries(parts);
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
}
