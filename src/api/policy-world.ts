import type { PolicyWorld } from '../config/policy/check.ts';
import type { Config } from '../config/schema.ts';
import type { Pool } from '../db/pool.ts';
import { findModel, findProvider } from '../usage/prices/find.ts';
import { type Match, readPriceTable } from '../usage/prices/table.ts';

type Known = Pick<PolicyWorld, 'models' | 'knowsModel'>;

/** What policies and keys of an organization can name. */
export function createWorld({ pool, config }: { pool: Pool; config: Pick<Config, 'providers' | 'models'> }) {
  const providers = Object.keys(config.providers);
  // Read when it is first asked for: it takes some ten milliseconds, and few installations ask.
  let known: Known | undefined;
  return async (organization: string): Promise<PolicyWorld> => {
    const { rows } = await pool.query<{ provider: string }>(
      'SELECT DISTINCT provider FROM provider_keys WHERE organization = $1 AND revoked_at IS NULL',
      [organization],
    );
    const added = new Set(rows.map(({ provider }) => provider));
    known ??= knownModels(config);
    return {
      ...known,
      providers,
      hasKey: (name) => added.has(name) || (config.providers[name]?.api_key ?? '') !== '',
    };
  };
}

function knownModels({ providers, models }: Pick<Config, 'providers' | 'models'>): Known {
  const table = readPriceTable();
  const sellers = Object.entries(providers).map(([name, { base_url }]) =>
    findProvider(table, name, base_url),
  );
  const listed = sellers.filter((each) => each !== undefined);
  const others = listed.flatMap(({ fallback_model_providers = [] }) =>
    table.providers.filter(({ id }) => fallback_model_providers.includes(id)),
  );
  const own = Object.keys(models).map((name) => name.toLowerCase());
  const names = [...listed, ...others].flatMap((seller) =>
    seller.models.flatMap(({ match }) => namesOf(match)),
  );
  return {
    models: [...new Set([...own, ...names])],
    knowsModel(model) {
      const name = model.toLowerCase();
      if (own.includes(name) || listed.some((seller) => findModel(table, seller, name))) return true;
      return listed.length < sellers.length ? null : false;
    },
  };
}

/** Names, and beginnings of names, that a rule of the table is about. */
function namesOf(match: Match): string[] {
  if ('or' in match) return match.or.flatMap(namesOf);
  if ('equals' in match) return [match.equals.toLowerCase()];
  return 'starts_with' in match ? [match.starts_with.toLowerCase()] : [];
}
