/** A leaf is its value alone; a node asks whether a feature is at most a bound: yes leads to node `low`, no to the one after it. */
export type TreeNode = [value: number] | [value: number, feature: number, bound: number, low: number];
export type Tree = TreeNode[];

/**
 * What trees say of features. `told` is called with each step from a node to its child: the feature that was
 * asked for, and by how much the value moved; the roots' values and the steps add up to the whole exactly.
 */
export function evaluate(
  trees: readonly Tree[],
  features: Float64Array,
  told?: (feature: number, moved: number) => void,
): number {
  let sum = 0;
  for (const tree of trees) {
    let node = tree[0];
    while (node && node.length > 1) {
      const [value, feature = 0, bound = 0, low = 0]: number[] = node;
      const next: TreeNode | undefined = tree[(features[feature] ?? 0) <= bound ? low : low + 1];
      told?.(feature, (next?.[0] ?? 0) - (value ?? 0));
      node = next;
    }
    sum += node?.[0] ?? 0;
  }
  return sum;
}
