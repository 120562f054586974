/** Who calls. The organization is the tenant that nothing crosses. */
export interface Caller {
  organization: string;
  /** The key's id (not the key); null for callers without a weir key. */
  apiKey: string | null;
}

export type KeyScope = 'call' | 'admin';

/** Decides by what lies in memory: no database on the request path. */
export interface Identity {
  /** The caller behind a `weir_…` key that may make calls; null: unknown, revoked or not for calls. */
  byKey(key: string): Caller | null;
  /** Callers that bring no weir key. */
  readonly anonymous: Caller;
}
