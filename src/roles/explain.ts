import type { ExplainRoute } from '../api/routes/route.ts';
import { createModels } from '../config/models.ts';
import type { Config } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import { explainRoute } from '../exchange/explain.ts';
import { readPolicy } from '../identity/policy-of.ts';
import type { createRouting } from './routing.ts';

/** What `/route/explain` tells: by the policy of the organization and the providers' keys as the database has them now. */
export function createExplain(
  pool: Pool,
  config: Pick<Config, 'providers' | 'models' | 'defaults'>,
  routing: () => ReturnType<typeof createRouting>,
): ExplainRoute {
  const { providers, defaults } = config;
  const models = createModels(config.models);
  return async (organization, path, body) => {
    const [policy, { rows }, ready] = await Promise.all([
      readPolicy(pool, defaults, organization),
      pool.query<{ provider: string }>(
        'SELECT DISTINCT provider FROM provider_keys WHERE organization = $1 AND revoked_at IS NULL',
        [organization],
      ),
      routing(),
    ]);
    const added = new Set(rows.map(({ provider }) => provider));
    const access = {
      mayTag: true,
      providers: [{ by: 'policy' as const, globs: policy.providers }],
      models: [{ by: 'policy' as const, globs: policy.models }],
      // Nothing is sent: that there is one is enough.
      providerKey: (name: string) => (added.has(name) ? 'a key' : providers[name]?.api_key || null),
    };
    return explainRoute({ organization, policy, access, path, body }, { providers, models, routing: ready });
  };
}
