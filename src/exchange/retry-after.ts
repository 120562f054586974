import type { Headers } from './messages.ts';

/** Nobody is left alone for longer: ten minutes. */
const maxMs = 600_000;

/** How long a provider asks to be left alone: `retry-after-ms`, else `retry-after` in seconds or as a date; null: it does not ask. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const ms = Number(headers.get('retry-after-ms') ?? Number.NaN);
  const text = headers.get('retry-after') ?? '';
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(text) ? 1_000 * Number(text) : Date.parse(text) - now;
  const found = Number.isFinite(ms) ? ms : seconds;
  return Number.isFinite(found) && found > 0 ? Math.min(found, maxMs) : null;
}
