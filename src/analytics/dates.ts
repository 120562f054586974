/** A range of time: from `start`, up to but not including `end`. */
export interface TimeRange {
  start: Date;
  end: Date;
}

const dayMs = 86_400_000;
const defaultDays = 30;

/**
 * Reads dates as people mean them: a day (`2026-11-23`) as an end is meant with all its hours, an
 * instant (`2026-11-23T10:00:00Z`) is meant to the point. Defaults: the last 30 days until now. UTC.
 */
export function readRange(
  given: { start?: string | undefined; end?: string | undefined },
  now: number,
): TimeRange {
  const end = given.end === undefined ? new Date(now + 1) : parse(given.end, dayMs);
  const start =
    given.start === undefined ? new Date(end.getTime() - defaultDays * dayMs) : parse(given.start, 0);
  return { start, end };
}

/** Whether a text is a day or an instant that exists. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return false;
  const parsed = parse(text, 0);
  if (Number.isNaN(parsed.getTime())) return false;
  // JavaScript takes 30 February for 2 March.
  const [year, month, day] = text.slice(0, 10).split('-').map(Number);
  return (
    new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day)).toISOString().slice(0, 10) === text.slice(0, 10)
  );
}

function parse(text: string, wholeDayMs: number): Date {
  if (text.length === 10) return new Date(Date.parse(`${text}T00:00:00Z`) + wholeDayMs);
  return new Date(/(Z|[+-]\d{2}:\d{2})$/.test(text) ? text : `${text}Z`);
}
