import { buckets } from '../../src/routing/ngrams.ts';

/** Rarer n-grams weigh more: by the square of their inverse document frequency, found best by cross-validation. */
function rarity(documents: readonly Uint16Array[]): Float64Array {
  const frequency = new Float64Array(buckets);
  for (const each of documents) for (const bucket of each) frequency[bucket] = (frequency[bucket] ?? 0) + 1;
  const idf = frequency.map((df) => (Math.log((1 + documents.length) / (1 + df)) + 1) ** 2);
  const mean = idf.reduce((sum, value) => sum + value, 0) / buckets;
  return idf.map((value) => (3 * value) / mean);
}

/**
 * Ridge regression of the gain on which n-grams a text has, each divided by the square root of their number.
 * Solved by conjugate gradients, the same on every machine. The weights have the rarity in them: a score is the
 * sum of the weights of a text's n-grams, divided by that root.
 */
export function fitRidge(
  documents: readonly Uint16Array[],
  targets: readonly number[],
  penalty: number,
): Float64Array {
  const scale = rarity(documents);
  const roots = documents.map(({ length }) => Math.sqrt(Math.max(1, length)));
  const apply = (weights: Float64Array) =>
    documents.map((each, row) => {
      let sum = 0;
      for (const bucket of each) sum += (weights[bucket] ?? 0) * (scale[bucket] ?? 0);
      return sum / (roots[row] ?? 1);
    });
  const transposed = (values: readonly number[]) => {
    const sums = new Float64Array(buckets);
    for (const [row, each] of documents.entries()) {
      const value = (values[row] ?? 0) / (roots[row] ?? 1);
      for (const bucket of each) sums[bucket] = (sums[bucket] ?? 0) + value;
    }
    return sums.map((sum, bucket) => sum * (scale[bucket] ?? 0));
  };
  const mean = targets.reduce((sum, value) => sum + value, 0) / targets.length;
  let weights: Float64Array = new Float64Array(buckets);
  let rest: Float64Array = transposed(targets.map((value) => value - mean));
  let direction = rest;
  let norm = dot(rest, rest);
  const enough = norm * 1e-8;
  for (let round = 0; round < 60 && norm > enough; round++) {
    const image = transposed(apply(direction)).map(
      (value, bucket) => value + penalty * (direction[bucket] ?? 0),
    );
    const step = norm / dot(direction, image);
    weights = weights.map((value, bucket) => value + step * (direction[bucket] ?? 0));
    rest = rest.map((value, bucket) => value - step * (image[bucket] ?? 0));
    const next = dot(rest, rest);
    direction = rest.map((value, bucket) => value + (next / norm) * (direction[bucket] ?? 0));
    norm = next;
  }
  return weights.map((weight, bucket) => weight * (scale[bucket] ?? 0));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
