import { maxNameChars, shortName } from '../dialects/text.ts';
import type { UsageRecord } from './record.ts';

const maxPathChars = 4_096;
const maxParts = 256;

/**
 * A record of a size that a line of the journal, a span and an index can hold: names, ids and headers come
 * from outside, and may be as long as whoever sends them likes.
 */
export function bounded(record: UsageRecord): UsageRecord {
  return isBounded(record) ? record : cut(record);
}

/** Nearly all are: they cost no copy. */
function isBounded(record: UsageRecord): boolean {
  const isShort = (value: unknown) => typeof value !== 'string' || value.length <= maxNameChars;
  const { tags, terms, parts } = record;
  return [record, tags, terms].every((each) => Object.values(each).every(isShort)) && parts.length === 0;
}

function cut(record: UsageRecord): UsageRecord {
  const texts = Object.entries(record).flatMap(([name, value]) =>
    typeof value === 'string' && name !== 'path' ? [[name, shortName(value)]] : [],
  );
  return {
    ...record,
    ...Object.fromEntries(texts),
    path: record.path.slice(0, maxPathChars),
    tags: shortNames(record.tags),
    terms: shortNames(record.terms),
    parts: record.parts.slice(0, maxParts).map(({ model, usage }) => ({ model: shortName(model), usage })),
  };
}

function shortNames(values: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, shortName(value) ?? '']));
}
