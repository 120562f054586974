import {
  builtinProfiles,
  type OptimizeFor,
  type RoutingPolicy,
  type RoutingTable,
} from '../config/policy/routing.ts';
import { type Complexity, levels } from './complexity.ts';

const row = (cost: string, latency: string, quality: string) => ({
  cost: [cost],
  latency: [latency],
  quality: [quality],
});

/** Models of three tiers of price, each of the vendors' own naming. Which is good enough for what was not measured here. */
const small = ['gpt-6-luna', 'claude-haiku-5-5', 'gemini-3.1-flash-lite'];
const middle = ['gpt-6.1-terra', 'claude-sonnet-5-5', 'gemini-3.8-flash'];
const large = ['gpt-6.1-sol', 'claude-opus-5-5', 'gemini-4-argon'];
const largest = ['gpt-6-astra', 'claude-fable-5-2', 'gemini-4-argon'];

const builtin: Record<(typeof builtinProfiles)[number], RoutingTable> = {
  default: {
    simple: row('gpt-3.5-turbo', 'gpt-3.5-turbo', 'gpt-4-turbo'),
    medium: row('gpt-3.5-turbo', 'claude-3-haiku', 'gpt-4-turbo'),
    complex: row('gpt-4-turbo', 'claude-3-sonnet', 'gpt-4'),
  },
  // The price table of November 2026.
  current: {
    simple: { cost: small, latency: small, quality: middle },
    medium: { cost: middle, latency: middle, quality: large },
    complex: { cost: large, latency: large, quality: largest },
  },
};

/** The table of a profile; undefined: there is none of this name. */
export function profileTable(
  name: string,
  { tables }: Pick<RoutingPolicy, 'tables'>,
): RoutingTable | undefined {
  return new Map([...Object.entries(builtin), ...Object.entries(tables)]).get(name);
}

export function profileNames({ tables }: Pick<RoutingPolicy, 'tables'>): string[] {
  return [...new Set([...builtinProfiles, ...Object.keys(tables)])];
}

/**
 * The models that are good enough for a call, the table's choice first. Others of the row follow, then those of
 * harder rows: what is good enough for a harder call is for an easier one. `chosen`: how many are the table's choice.
 */
export function goodEnough(
  table: RoutingTable,
  complexity: Complexity,
  optimizeFor: OptimizeFor,
): { models: string[]; chosen: number } {
  const cell = [...new Set(table[complexity][optimizeFor])];
  const harder = levels.slice(levels.indexOf(complexity)).map((level) => table[level]);
  // For quality the best of the hardest row comes next.
  const rows = optimizeFor === 'quality' ? harder.toReversed() : harder;
  const rest = rows.flatMap(({ cost, latency, quality }) =>
    optimizeFor === 'quality' ? quality : [...cost, ...latency, ...quality],
  );
  return { models: [...new Set([...cell, ...rest])], chosen: cell.length };
}
