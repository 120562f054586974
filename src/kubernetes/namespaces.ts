import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { AskKubernetes } from './client.ts';

const namespace = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).optional() }),
});
const rememberMs = 10_000;

/** Reads the labels of a namespace, each at most every ten seconds; none when the Kubernetes API does not answer. */
export function createNamespaceLabels(ask: AskKubernetes) {
  const known = new LRUCache<string, Record<string, string>>({ max: 2_000, ttl: rememberMs });
  return async (name: string): Promise<Record<string, string>> => {
    const found = known.get(name);
    if (found) return found;
    try {
      const { metadata } = namespace.parse(await ask('GET', `/api/v1/namespaces/${name}`));
      known.set(name, metadata.labels ?? {});
      return metadata.labels ?? {};
    } catch {
      return {};
    }
  };
}
