import type { TokenUsage } from '../record.ts';
import type { Prices, PriceTable, Unit, UnitPrice } from './table.ts';

/** Decimal places that are reckoned with: prices have up to 12, and are for up to a million units. */
const places = 18;
const priceScale = 12;

/**
 * What tokens cost at these prices, exact; a decimal string without trailing zeros. null: the counts
 * are impossible (parts larger than the whole), none is told, or none has a price.
 */
export function costOf(usage: TokenUsage, prices: Prices, units: PriceTable['units']): string | null {
  if (usage.input === null && usage.output === null) return null;
  const counts: Record<Counted, number> = {
    input_tokens: usage.input ?? 0,
    output_tokens: usage.output ?? 0,
    cache_read_tokens: usage.cacheRead ?? 0,
    cache_write_tokens: usage.cacheWrite ?? 0,
    input_audio_tokens: usage.inputAudio ?? 0,
    output_audio_tokens: usage.outputAudio ?? 0,
    cache_audio_read_tokens: usage.cacheReadAudio ?? 0,
    output_reasoning_tokens: usage.reasoning ?? 0,
    requests: 1,
  };
  const priced = pricedUnits(prices, units);
  if (priced.length === 0) return null;

  // Each token is paid once, at the price of the narrowest part that has one.
  const rests = new Map<string, number>();
  let total = 0n;
  for (const [name, unit] of priced) {
    let rest = counts[name];
    for (const [part, partRest] of rests) {
      const inner = units[part];
      if (inner && isPartOf(inner, unit)) rest -= partRest;
    }
    if (rest < 0) return null;
    rests.set(name, rest);
    const price = prices[unit.price];
    if (price !== undefined) total += amount(rate(price, usage.input ?? 0), rest, unit.per);
  }
  return decimal(total);
}

const counted = [
  'input_tokens',
  'output_tokens',
  'cache_read_tokens',
  'cache_write_tokens',
  'input_audio_tokens',
  'output_audio_tokens',
  'cache_audio_read_tokens',
  'output_reasoning_tokens',
  'requests',
] as const;
type Counted = (typeof counted)[number];

const known = new WeakMap<Prices, [Counted, Unit][]>();

/** The units of usage that have a price, parts before what they are parts of. */
function pricedUnits(prices: Prices, units: PriceTable['units']): [Counted, Unit][] {
  let priced = known.get(prices);
  if (!priced) {
    priced = counted
      .flatMap((name): [Counted, Unit][] => {
        const unit = units[name];
        return unit && unit.price in prices ? [[name, unit]] : [];
      })
      .sort(([, a], [, b]) => Object.keys(b.is).length - Object.keys(a.is).length);
    known.set(prices, priced);
  }
  return priced;
}

function isPartOf(part: Unit, whole: Unit): boolean {
  return part !== whole && Object.entries(whole.is).every(([name, value]) => part.is[name] === value);
}

/** The price of the tier that so many input tokens fall into: it holds for all of them. */
function rate(price: UnitPrice, inputTokens: number): string {
  if (typeof price === 'string') return price;
  return (
    price.tiers.toSorted((a, b) => b.start - a.start).find(({ start }) => inputTokens > start)?.price ??
    price.base
  );
}

function amount(price: string, count: number, per: number): bigint {
  return (scaled(price) * BigInt(count) * 10n ** BigInt(places - priceScale)) / BigInt(per);
}

/** A decimal string as an integer of 10^-12. */
function scaled(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.slice(0, priceScale).padEnd(priceScale, '0'));
}

function decimal(value: bigint): string {
  const digits = value.toString().padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return digits.slice(0, -places) + (fraction && `.${fraction}`);
}
