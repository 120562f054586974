import type { Policy } from '../config/policy/policy.ts';

/** Where a call comes from in Kubernetes. */
export interface Workload {
  /** The name of the install: `prod/default` of two clusters are two callers. */
  cluster: string;
  namespace: string;
  serviceAccount: string;
  pod: string | null;
  podUid: string | null;
}

/** `cluster/namespace/service account`, as the ledger has it. */
export function workloadName({ cluster, namespace, serviceAccount }: Workload): string {
  return `${cluster}/${namespace}/${serviceAccount}`;
}

/** Who calls. The organization is the tenant that nothing crosses. */
export interface Caller {
  organization: string;
  /** The key's id (not the key); null for callers without a weir key. */
  apiKey: string | null;
  /** null: the caller brought no workload token. */
  workload: Workload | null;
  /** Of the key and of the workload's binding: `{ team: 'search' }`. */
  tags: Record<string, string>;
}

/** `call` makes calls, `api` asks the API in a role, `admin` is that of the machine and may everything. */
export type KeyScope = 'call' | 'api' | 'admin';

/** What a caller may do. */
export interface Access {
  /** Whether `x-weir-tags` adds to the caller's own. */
  mayTag: boolean;
  /** Globs of which a name must match one; of the policy and of the key, and both count. */
  providers: readonly Allowed[];
  models: readonly Allowed[];
  /** The key that goes to a provider in this caller's name; null: there is none. */
  providerKey(provider: string): string | null;
}

/** A list of globs, and who has it. */
export interface Allowed {
  by: 'policy' | 'key';
  globs: readonly string[];
}

/** Decides by what lies in memory: no database on the request path. */
export interface Identity {
  /**
   * The caller behind a `weir_…` key that may make calls; null: unknown, revoked, expired or not for
   * calls. The organization is that of the key, whatever the workload.
   */
  byKey(key: string, workload?: Workload | null): Caller | null;
  /** The caller behind a workload's token; null: no binding names this workload. */
  byWorkload(workload: Workload): Caller | null;
  /** Callers that bring neither. */
  readonly anonymous: Caller;
  access(caller: Caller): Access;
  /** What an organization has decided, and where it has not, the defaults. */
  policy(organization: string): Policy;
}
