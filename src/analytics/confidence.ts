/** A figure, and where it lies in 95 of 100 cases; null: there is nothing to say it by. */
export interface Interval {
  value: number;
  low: number;
  high: number;
}

const resamples = 1_000;
const z = 1.959964;

/** The mean, by the bootstrap: the middle 95 % of the means of samples drawn anew. The same values give the same interval. */
export function bootstrapMean(values: readonly number[]): Interval | null {
  if (values.length === 0) return null;
  const random = generator(values.length);
  const means = Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let at = 0; at < values.length; at++) sum += values[Math.floor(random() * values.length)] ?? 0;
    return sum / values.length;
  }).sort((a, b) => a - b);
  return {
    value: values.reduce((sum, value) => sum + value, 0) / values.length,
    low: means[Math.floor(0.025 * resamples)] ?? 0,
    high: means[Math.ceil(0.975 * resamples) - 1] ?? 0,
  };
}

/** A share of a number of cases, by Wilson's score interval (E. B. Wilson, JASA 22, 1927): good for few cases as well. */
export function wilson(hits: number, cases: number): Interval | null {
  if (cases === 0) return null;
  const share = hits / cases;
  const middle = share + z ** 2 / (2 * cases);
  const half = z * Math.sqrt((share * (1 - share)) / cases + z ** 2 / (4 * cases ** 2));
  const whole = 1 + z ** 2 / cases;
  return {
    value: share,
    low: Math.max(0, (middle - half) / whole),
    high: Math.min(1, (middle + half) / whole),
  };
}

/** mulberry32 (T. Ettinger): small, and the same everywhere. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
