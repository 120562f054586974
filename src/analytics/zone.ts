const hourMs = 3_600_000;
const weekMs = 7 * 24 * hourMs;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
    formats.set(zone, format);
  }
  return format;
}

/** Whether a name is a time zone that is known here: `Europe/Berlin`, `UTC`. */
export function isTimeZone(name: string): boolean {
  try {
    // Offsets such as +01:00 are none that PostgreSQL reads the same way.
    return /^[A-Za-z]/.test(name) && formatOf(name) !== undefined;
  } catch {
    return false;
  }
}

/** What a clock in a zone shows at an instant, as if that were UTC; epoch milliseconds in, and out. */
export function wallTimeOf(instant: number, zone: string): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const part = (name: Intl.DateTimeFormatPartTypes) => parts.get(name) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

/**
 * The instant at which a clock in a zone shows this time (epoch milliseconds of the same time in UTC). Of
 * two, the first; a time that is skipped is the instant of the skip.
 */
export function instantOf(wall: number, zone: string): number {
  // The offsets before and after any change nearby.
  const offsets = [wall - 24 * hourMs, wall + 24 * hourMs].map((at) => wallTimeOf(at, zone) - at);
  const candidates = offsets.map((offset) => wall - offset).sort((a, b) => a - b);
  const exact = candidates.find((instant) => wallTimeOf(instant, zone) === wall);
  if (exact !== undefined) return exact;
  const [first = wall, last = wall] = candidates;
  // Skipped: the first instant that shows a later time, found to the minute.
  let low = first;
  let high = last;
  while (high - low > 60_000) {
    const middle = Math.floor((low + high) / 2 / 60_000) * 60_000;
    if (middle <= low) break;
    if (wallTimeOf(middle, zone) < wall) low = middle;
    else high = middle;
  }
  return high;
}

/** Whether a clock in a zone is off from UTC by whole hours between two instants (epoch milliseconds). */
export function isOffByHours(zone: string, start: number, end: number): boolean {
  // No rule holds for less than a week.
  for (let at = start; at < end + weekMs; at += weekMs) {
    const instant = Math.floor(Math.min(at, end) / 1_000) * 1_000;
    if ((wallTimeOf(instant, zone) - instant) % hourMs !== 0) return false;
  }
  return true;
}
