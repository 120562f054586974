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

/** Decides by what lies in memory: no database on the request path. */
export interface Identity {
  /** The caller behind a `weir_…` key that may make calls; null: unknown, revoked or not for calls. */
  byKey(key: string): Caller | null;
  /** Callers that bring no weir key. */
  readonly anonymous: Caller;
  /** What an organization has decided, and where it has not, the defaults. */
  policy(organization: string): Policy;
}
