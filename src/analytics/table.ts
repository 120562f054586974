import type { BreakdownRow } from './breakdown.ts';

/** A cell that a spreadsheet reads as text, not as a formula (OWASP, "CSV Injection"), and quoted where it must be (RFC 4180). */
function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = value instanceof Date ? value.toISOString() : String(value);
  const safe = typeof value === 'string' && /^[=+@\t\r]|^-(?![\d.]+$)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** CSV with a head (RFC 4180). */
export function toCsv(rows: Record<string, unknown>[], columns: string[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((name) => row[name]))];
  return `${lines.map((line) => line.map(cell).join(',')).join('\r\n')}\r\n`;
}

const measures = [
  'calls',
  'hits',
  'coalesced',
  'errors',
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cost_usd',
  'tool_usd',
  'saved_usd',
  'baseline_usd',
  'unpriced',
  'p50_ms',
  'p95_ms',
];

/** A breakdown as CSV: a column a group, then time, then the sums. */
export function breakdownCsv(rows: BreakdownRow[], groupBy: string[], isSeries: boolean): string {
  const flat = rows.map(({ group, ...rest }) => ({ ...rest, ...group }));
  return toCsv(flat, [...groupBy, ...(isSeries ? ['time'] : []), ...measures]);
}
