/** How well an order of prompts tells which are worth a strong model. */
export interface Metrics {
  /** Mean over all shares of strong calls of the share of the gap recovered. */
  apgr: number;
  /** The smallest share of strong calls that recovers half, and four fifths, of the gap. */
  cpt50: number;
  cpt80: number;
}

/** `scores`: the higher, the sooner strong. Prompts of equal score count as their mean, in any order. */
export function metricsOf(scores: readonly number[], gains: readonly number[]): Metrics {
  const order = scores
    .map((score, index) => ({ score, gain: gains[index] ?? 0 }))
    .sort((a, b) => b.score - a.score);
  const gap = gains.reduce((sum, gain) => sum + gain, 0);
  const curve = [0];
  for (let at = 0; at < order.length; ) {
    let end = at;
    let sum = 0;
    while (end < order.length && order[end]?.score === order[at]?.score) sum += order[end++]?.gain ?? 0;
    const mean = sum / (end - at);
    for (; at < end; at++) curve.push((curve.at(-1) ?? 0) + mean);
  }
  const recovered = curve.map((sum) => sum / gap);
  const cpt = (share: number) => recovered.findIndex((value) => value >= share - 1e-9) / order.length;
  const area = recovered.reduce(
    (sum, value, index) => sum + (index === 0 ? 0 : (value + (recovered[index - 1] ?? 0)) / 2),
    0,
  );
  return { apgr: area / order.length, cpt50: cpt(0.5), cpt80: cpt(0.8) };
}
