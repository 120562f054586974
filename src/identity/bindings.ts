import { matchesGlob } from '../config/policy/glob.ts';
import type { BindingFacts } from './facts.ts';
import type { Workload } from './identity.ts';

/** Workloads that are remembered with their binding: the same come with every call. */
const remembered = 10_000;

/** Finds the binding of a workload: of those whose globs fit, the most exact. */
export function createBindings(facts: readonly BindingFacts[]): (workload: Workload) => BindingFacts | null {
  const ordered = facts.toSorted(byExactness);
  const known = new Map<string, BindingFacts | null>();
  return (workload) => {
    const { cluster, namespace, serviceAccount } = workload;
    const name = `${cluster}/${namespace}/${serviceAccount}`;
    let found = known.get(name);
    if (found === undefined) {
      found =
        ordered.find(
          (each) =>
            matchesGlob(each.namespace, namespace) &&
            matchesGlob(each.serviceAccount, serviceAccount) &&
            matchesGlob(each.cluster, cluster),
        ) ?? null;
      if (known.size < remembered) known.set(name, found);
    }
    return found;
  };
}

/** The namespace counts first, for it is what tenants are told apart by; then service account and cluster. */
function byExactness(a: BindingFacts, b: BindingFacts): number {
  return (
    compareGlobs(a.namespace, b.namespace) ||
    compareGlobs(a.serviceAccount, b.serviceAccount) ||
    compareGlobs(a.cluster, b.cluster) ||
    (a.id < b.id ? -1 : 1)
  );
}

/** Negative: `a` is more exact: no glob at all, else more letters, fewer stars, more question marks. */
function compareGlobs(a: string, b: string): number {
  const [x, y] = [exactness(a), exactness(b)];
  return y.plain - x.plain || y.letters - x.letters || x.stars - y.stars || y.length - x.length;
}

function exactness(glob: string) {
  const letters = glob.replace(/[*?]/g, '').length;
  const stars = glob.replace(/[^*]/g, '').length;
  return { plain: letters === glob.length ? 1 : 0, letters, stars, length: glob.length };
}
