import type { TokenUsage } from '../record.ts';
import { type Amount, amountOf } from './decimal.ts';
import type { Prices, PriceTable, Unit, UnitPrice } from './table.ts';

/**
 * What tokens cost at these prices, exact. null: the counts are impossible (parts larger than the
 * whole), none is told, or none has a price.
 */
export function costOf(usage: TokenUsage, prices: Prices, units: PriceTable['units']): Amount | null {
  if (usage.input === null && usage.output === null) return null;
  const priced = pricedUnits(prices, units);
  if (priced.length === 0) return null;

  // Each token is paid once, at the price of the narrowest part that has one.
  const rests = new Map<string, number>();
  let total = 0n;
  for (const [name, unit] of priced) {
    let rest = counts[name](usage) ?? 0;
    for (const [part, partRest] of rests) {
      const inner = units[part];
      if (inner && isPartOf(inner, unit)) rest -= partRest;
    }
    if (rest < 0) return null;
    rests.set(name, rest);
    const price = prices[unit.price];
    if (price !== undefined)
      total += (amountOf(rate(price, usage.input ?? 0)) * BigInt(rest)) / BigInt(unit.per);
  }
  return total;
}

/** What uses of tools cost; null: one of them has no price. */
export function toolCostOf(
  tools: Record<string, number>,
  prices: Prices,
  units: PriceTable['units'],
): Amount | null {
  let total = 0n;
  for (const [name, count] of Object.entries(tools)) {
    const unit = units[name];
    const price = unit && prices[unit.price];
    if (!unit || price === undefined || unit.is.family !== 'tool_calls') return null;
    total += (amountOf(rate(price, 0)) * BigInt(count)) / BigInt(unit.per);
  }
  return total;
}

/** Where each unit of the table stands in a usage. */
const counts = {
  input_tokens: (usage) => usage.input,
  output_tokens: (usage) => usage.output,
  cache_read_tokens: (usage) => usage.cacheRead,
  cache_write_tokens: (usage) => usage.cacheWrite,
  cache_write_5m_tokens: (usage) => usage.cacheWrite5m,
  cache_write_1h_tokens: (usage) => usage.cacheWrite1h,
  input_audio_tokens: (usage) => usage.inputAudio,
  input_image_tokens: (usage) => usage.inputImage,
  input_video_tokens: (usage) => usage.inputVideo,
  input_tool_tokens: (usage) => usage.inputTool,
  output_audio_tokens: (usage) => usage.outputAudio,
  output_image_tokens: (usage) => usage.outputImage,
  output_reasoning_tokens: (usage) => usage.reasoning,
  cache_audio_read_tokens: (usage) => usage.cacheReadAudio,
  cache_image_read_tokens: (usage) => usage.cacheReadImage,
  cache_video_read_tokens: (usage) => usage.cacheReadVideo,
  requests: () => 1,
} satisfies Record<string, (usage: TokenUsage) => number | null>;
type Counted = keyof typeof counts;
const counted = Object.keys(counts) as Counted[];

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
