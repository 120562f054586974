import { amountOf, toDecimal } from '../../usage/prices/decimal.ts';
import type { Amount, Used } from '../limits.ts';

/**
 * Money of budgets is an integer of 10^-12 USD: prices have no more places for a token. What a call costs is
 * rounded up to it, as the sums over the ledger do. A decimal amount has so much beyond.
 */
const beyond = 10n ** 6n;

/** Decimal USD as an amount, rounded up. */
export function usdAmount(decimal: string): Amount {
  return (amountOf(decimal) + beyond - 1n) / beyond;
}

/** An amount as decimal text: USD without trailing zeros, or tokens. */
export function amountText(amount: Amount, unit: 'usd' | 'tokens'): string {
  return unit === 'tokens' ? String(amount) : toDecimal(amount * beyond);
}

/** What a record of the ledger counts as: an answer from the cache is free. */
export function usedBy(record: {
  cache: string;
  usage: { input: number | null; output: number | null };
  costUsd: string | null;
  toolUsd: string | null;
}): Used {
  if (record.cache === 'hit' || record.cache === 'coalesced') return { tokens: 0, usd: 0n };
  return {
    tokens: (record.usage.input ?? 0) + (record.usage.output ?? 0),
    usd: (amountOf(record.costUsd ?? '0') + amountOf(record.toolUsd ?? '0') + beyond - 1n) / beyond,
  };
}

/** The same in SQL, over rows of `usage`: an integer. */
export const usedSql = {
  usd: `CASE WHEN cache IN ('hit', 'coalesced') THEN 0
    ELSE ceil((coalesce(cost_usd, 0) + coalesce(tool_usd, 0)) * 1e12) END`,
  tokens: `CASE WHEN cache IN ('hit', 'coalesced') THEN 0
    ELSE coalesce(input_tokens, 0) + coalesce(output_tokens, 0) END`,
} as const;
