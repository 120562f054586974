import { instantOf } from './zone.ts';

/** A range of time: from `start`, up to but not including `end`. */
export interface TimeRange {
  start: Date;
  end: Date;
}

const dayMs = 86_400_000;
const defaultDays = 30;

/**
 * Reads dates as people mean them: a day (`2026-11-23`) as an end is meant with all its hours in the time
 * zone, an instant (`2026-11-23T10:00:00Z`) is meant to the point; without an offset it is of the zone.
 * Defaults: the last 30 days until now.
 */
export function readRange(
  given: { start?: string | undefined; end?: string | undefined },
  now: number,
  zone = 'UTC',
): TimeRange {
  const end = given.end === undefined ? new Date(now + 1) : parse(given.end, 1, zone);
  const start =
    given.start === undefined ? new Date(end.getTime() - defaultDays * dayMs) : parse(given.start, 0, zone);
  return { start, end };
}

/** The range of the same length before. */
export function rangeBefore({ start, end }: TimeRange): TimeRange {
  return { start: new Date(2 * start.getTime() - end.getTime()), end: start };
}

/** Whether a text is a day or an instant that exists. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return false;
  const parsed = parse(text, 0, 'UTC');
  if (Number.isNaN(parsed.getTime())) return false;
  // JavaScript takes 30 February for 2 March.
  const [year, month, day] = text.slice(0, 10).split('-').map(Number);
  return (
    new Date(Date.UTC(year ?? 0, (month ?? 1) - 1, day)).toISOString().slice(0, 10) === text.slice(0, 10)
  );
}

function parse(text: string, moreDays: number, zone: string): Date {
  if (text.length === 10) {
    const wall = Date.parse(`${text}T00:00:00Z`) + moreDays * dayMs;
    return new Date(Number.isNaN(wall) ? wall : instantOf(wall, zone));
  }
  if (/(Z|[+-]\d{2}:\d{2})$/.test(text)) return new Date(text);
  const wall = Date.parse(`${text}Z`);
  return new Date(Number.isNaN(wall) ? wall : instantOf(wall, zone));
}
