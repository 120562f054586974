import type { Tree } from '../../src/routing/trees.ts';

const settings = { rounds: 150, rate: 0.03, leaves: 6, minLeaf: 50, penalty: 10, bins: 64 };

interface Leaf {
  rows: Int32Array;
  sum: number;
  split: Split | null;
  node: number;
}
interface Split {
  gain: number;
  feature: number;
  bin: number;
}

/** Gradient-boosted regression trees of few leaves, grown best first on binned features. */
export function fitTrees(inputs: readonly Float64Array[], targets: readonly number[]): Tree[] {
  const width = inputs[0]?.length ?? 0;
  const edges = Array.from({ length: width }, (_, feature) =>
    edgesOf(inputs.map((row) => row[feature] ?? 0)),
  );
  const binned = edges.map((bounds, feature) =>
    Uint8Array.from(inputs, (row) => binOf(bounds, row[feature] ?? 0)),
  );
  const mean = targets.reduce((sum, value) => sum + value, 0) / targets.length;
  const predicted = new Float64Array(targets.length).fill(mean);
  const trees: Tree[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    const residuals = Float64Array.from(targets, (value, row) => value - (predicted[row] ?? 0));
    const { tree, leaves } = grow(binned, edges, residuals);
    for (const { rows, node } of leaves) {
      const value = tree[node]?.[0] ?? 0;
      for (const row of rows) predicted[row] = (predicted[row] ?? 0) + value;
    }
    trees.push(tree);
  }
  return trees;
}

/** At most `bins` - 1 bounds, at the quantiles. */
function edgesOf(values: number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  const cuts = Array.from(
    { length: settings.bins - 1 },
    (_, index) => sorted[Math.floor(((index + 1) * sorted.length) / settings.bins)] ?? 0,
  );
  return [...new Set(cuts)].filter((cut) => cut < (sorted.at(-1) ?? 0));
}

function binOf(bounds: readonly number[], value: number): number {
  let bin = 0;
  while (bin < bounds.length && value > (bounds[bin] ?? 0)) bin++;
  return bin;
}

function grow(binned: readonly Uint8Array[], edges: readonly number[][], residuals: Float64Array) {
  const value = (sum: number, size: number) => (settings.rate * sum) / (size + settings.penalty);
  const all = Int32Array.from(residuals.keys());
  const leafOf = (rows: Int32Array, node: number): Leaf => {
    let sum = 0;
    for (const row of rows) sum += residuals[row] ?? 0;
    return { rows, sum, node, split: bestSplit(rows, sum, binned, residuals) };
  };
  const root = leafOf(all, 0);
  const tree: Tree = [[value(root.sum, all.length)]];
  let leaves = [root];
  while (leaves.length < settings.leaves) {
    const [best] = leaves
      .filter(({ split }) => split)
      .sort((a, b) => (b.split?.gain ?? 0) - (a.split?.gain ?? 0));
    if (!best?.split) break;
    const { feature, bin } = best.split;
    const bins = binned[feature];
    const low = best.rows.filter((row) => (bins?.[row] ?? 0) <= bin);
    const high = best.rows.filter((row) => (bins?.[row] ?? 0) > bin);
    const children = [leafOf(low, tree.length), leafOf(high, tree.length + 1)];
    tree[best.node] = [tree[best.node]?.[0] ?? 0, feature, edges[feature]?.[bin] ?? 0, tree.length];
    for (const { sum, rows } of children) tree.push([value(sum, rows.length)]);
    leaves = [...leaves.filter((leaf) => leaf !== best), ...children];
  }
  return { tree, leaves };
}

function bestSplit(
  rows: Int32Array,
  total: number,
  binned: readonly Uint8Array[],
  residuals: Float64Array,
): Split | null {
  const worth = (sum: number, size: number) => (sum * sum) / (size + settings.penalty);
  let best: Split | null = null;
  const sums = new Float64Array(settings.bins);
  const sizes = new Int32Array(settings.bins);
  for (const [feature, bins] of binned.entries()) {
    sums.fill(0);
    sizes.fill(0);
    for (const row of rows) {
      const bin = bins[row] ?? 0;
      sums[bin] = (sums[bin] ?? 0) + (residuals[row] ?? 0);
      sizes[bin] = (sizes[bin] ?? 0) + 1;
    }
    let sum = 0;
    let size = 0;
    for (let bin = 0; bin < settings.bins - 1; bin++) {
      sum += sums[bin] ?? 0;
      size += sizes[bin] ?? 0;
      if (size < settings.minLeaf || rows.length - size < settings.minLeaf) continue;
      const gain = worth(sum, size) + worth(total - sum, rows.length - size) - worth(total, rows.length);
      if (gain > (best?.gain ?? 1e-9)) best = { gain, feature, bin };
    }
  }
  return best;
}
