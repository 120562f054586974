import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type AskKubernetes, KubernetesError } from './client.ts';

const secret = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string() }),
  data: z.record(z.string(), z.string()).nullish(),
});

const attempts = 8;

/** What a Secret holds, decoded. */
export type SecretData = Readonly<Record<string, string>>;

/**
 * Changes a Secret that is there: `change` gets what it holds and gives what it shall hold; null: it is good as
 * it is. Of two that change it at once the slower one reads again, so that it needs no leader. Resolves to
 * what it holds then.
 */
export async function changeSecret(
  ask: AskKubernetes,
  { namespace, name }: { namespace: string; name: string },
  change: (data: SecretData) => Promise<SecretData | null>,
): Promise<SecretData> {
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`;
  for (let attempt = 1; ; attempt++) {
    const found = secret.parse(await ask('GET', path));
    const data = decode(found.data ?? {});
    const changed = await change(data);
    if (!changed) return data;
    try {
      await ask('PUT', path, { ...found, data: encode(changed) });
      return changed;
    } catch (error) {
      if (!(error instanceof KubernetesError && error.isConflict) || attempt === attempts) throw error;
      await delay(50 * attempt * (0.5 + Math.random()));
    }
  }
}

function decode(data: Record<string, string>): SecretData {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]),
  );
}

function encode(data: SecretData): Record<string, string> {
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]),
  );
}
