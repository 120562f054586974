import { readFileSync } from 'node:fs';

/** A condition on a name; texts are compared in lower case. */
export type Match =
  | { equals: string }
  | { starts_with: string }
  | { ends_with: string }
  | { contains: string }
  | { regex: string }
  | { or: Match[] }
  | { and: Match[] };

/** USD in decimal, for so many units as the unit says; dearer from a tier of input tokens on. */
export type UnitPrice = string | { base: string; tiers: { start: number; price: string }[] };

/** Prices by the price name of a unit: `input_mtok`. */
export type Prices = Record<string, UnitPrice>;

export type Constraint = { start_date: string } | { start_time: string; end_time: string };

export interface ModelPrices {
  id: string;
  match: Match;
  /** Tokens of prompt and answer together. */
  context_window?: number;
  /** The last whose constraint holds counts, else the first. */
  prices: Prices | { constraint?: Constraint; prices: Prices }[];
  /** Other prices for calls of a kind: a service tier. */
  price_variants?: { when: Record<string, string>; prices: Prices; constraint?: Constraint }[];
}

export interface ProviderPrices {
  id: string;
  /** A regular expression on the URL that is called. */
  api_pattern: string;
  provider_match?: Match;
  fallback_model_providers?: string[];
  models: ModelPrices[];
}

/** A thing that is counted; `is` says what: one whose `is` holds all of another's is a part of it. */
export interface Unit {
  /** Its name in Prices. */
  price: string;
  /** The price is for so many. */
  per: number;
  is: Record<string, string>;
}

export interface PriceTable {
  version: string;
  units: Record<string, Unit>;
  providers: ProviderPrices[];
}

/** The price table of this release (prices.json, made by renew.py). */
export function readPriceTable(): PriceTable {
  return JSON.parse(readFileSync(new URL('./prices.json', import.meta.url), 'utf8')) as PriceTable;
}

export function matches(match: Match, name: string): boolean {
  if ('or' in match) return match.or.some((each) => matches(each, name));
  if ('and' in match) return match.and.every((each) => matches(each, name));
  if ('equals' in match) return name === match.equals.toLowerCase();
  if ('starts_with' in match) return name.startsWith(match.starts_with.toLowerCase());
  if ('ends_with' in match) return name.endsWith(match.ends_with.toLowerCase());
  if ('contains' in match) return name.includes(match.contains.toLowerCase());
  return new RegExp(match.regex).test(name);
}
