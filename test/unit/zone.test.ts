import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readRange } from '../../src/analytics/dates.ts';
import { instantOf, isOffByHours, isTimeZone } from '../../src/analytics/zone.ts';

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Asia/Beirut',
];
const hour = 3_600_000;

test('what a clock shows at the instant of a time is that time', () => {
  const shown = (instant: number, zone: string) =>
    Date.parse(`${new Date(instant).toLocaleString('sv-SE', { timeZone: zone }).replace(' ', 'T')}Z`);
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(2015, 0), max: Date.UTC(2030, 0) }).map((ms) => ms - (ms % 60_000)),
      fc.constantFrom(...zones),
      (wall, zone) => {
        const instant = instantOf(wall, zone);
        const now = shown(instant, zone);
        // A time that was skipped: the instant of the skip, which shows a later one, and no other shows it.
        if (now === wall) return;
        assert(now > wall && now - wall <= hour, `${zone} ${new Date(wall).toISOString()}`);
        assert(shown(instant - 60_000, zone) < wall);
      },
    ),
  );
});

test('a day is as long as it is where people are', () => {
  const length = (day: string, zone: string) => {
    const { start, end } = readRange({ start: day, end: day }, 0, zone);
    return (end.getTime() - start.getTime()) / hour;
  };
  assert.equal(length('2026-03-29', 'Europe/Berlin'), 23);
  assert.equal(length('2026-10-25', 'Europe/Berlin'), 25);
  assert.equal(length('2026-10-25', 'UTC'), 24);
  // Where midnight itself is skipped the day begins an hour later.
  assert.equal(length('2026-03-29', 'Asia/Beirut'), 23);
  const { start } = readRange({ start: '2026-11-01T00:00:00' }, 0, 'Asia/Kolkata');
  assert.equal(start.toISOString(), '2026-10-31T18:30:00.000Z');
});

test('a time zone is a name that is known', () => {
  assert.deepEqual(['Europe/Berlin', 'Mars/Olympus', '+01:00', ''].map(isTimeZone), [
    true,
    false,
    false,
    false,
  ]);
});

test('clocks that are off by parts of an hour are known, also where it changes in the range', () => {
  const at = (day: string) => Date.parse(`${day}T00:00:00Z`);
  const isOff = (zone: string, start = '2026-01-01', end = '2027-01-01') =>
    isOffByHours(zone, at(start), at(end));
  for (const zone of ['UTC', 'Europe/Berlin', 'America/New_York', 'Africa/Casablanca'])
    assert(isOff(zone), zone);
  for (const zone of ['Asia/Kolkata', 'Asia/Kathmandu', 'America/St_Johns', 'Australia/Lord_Howe'])
    assert(!isOff(zone), zone);
  // On Lord Howe Island it is 11 hours in summer, and ten and a half in winter.
  assert(isOff('Australia/Lord_Howe', '2026-01-01', '2026-02-01'));
  assert(!isOff('Australia/Lord_Howe', '2026-06-01', '2026-07-01'));
});
