import { Parameters } from '../analytics/usage-query.ts';
import { type Context, type Fact, type Finder, paid } from './recommendation.ts';
import { unitPrices } from './unit-prices.ts';

const claim = 'reasoning-effort';
/** Calls with little effort that tell how much thinking is enough. */
const minKnown = 30;
const little = "reasoning_effort IN ('none', 'minimal', 'low')";
const much = "reasoning_effort IN ('medium', 'high', 'xhigh', 'max')";

interface Group {
  provider: string;
  server_address: string;
  path: string;
  model: string;
  enough: number;
  known: number;
}

/** Thinking that simple calls paid for, beyond what simple calls of the same model with little effort took. */
export const reasoningEffort: Finder = async (context) => {
  const { rows } = await context.client.query<Group>(
    `SELECT provider, server_address, min(path) AS path, coalesce(model, requested_model) AS model,
            ceil(avg(coalesce(reasoning_tokens, 0)) FILTER (WHERE ${little}))::bigint AS enough,
            count(*) FILTER (WHERE ${little}) AS known
       FROM calls WHERE ${paid} AND complexity = 'simple' AND outcome = 'completed' AND reasoning_effort IS NOT NULL
      GROUP BY 1, 2, 4
     HAVING count(*) FILTER (WHERE ${little}) >= ${minKnown} AND count(*) FILTER (WHERE ${much}) > 0`,
  );
  for (const row of rows) await claimThinking(context, row);
  const { rows: groups } = await context.client.query<Record<string, Fact>>(
    `SELECT coalesce(model, requested_model) AS model, reasoning_effort, workload, count(*) AS calls,
            sum(reasoning_tokens)::bigint AS reasoning_tokens, detail AS enough_tokens_a_call,
            trim_scale(sum(saved))::text AS potential_savings_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = '${claim}' GROUP BY 1, 2, 3, detail ORDER BY sum(saved) DESC LIMIT 10`,
  );
  return [
    {
      claim,
      type: 'reasoning_effort',
      title: 'Simple calls were thought about much longer than simple calls with little effort',
      evidence: { calls_with_little_effort: rows.reduce((sum, { known }) => sum + known, 0) },
      groups,
      patch: null,
      advice: 'Let the application ask for low effort where calls are simple.',
    },
  ];
};

async function claimThinking(context: Context, group: Group): Promise<void> {
  const { provider, server_address, path, model, enough } = group;
  const baseUrl = `https://${server_address}${path}`;
  const prices = unitPrices(context.pricer, { provider, baseUrl, model, at: context.range.end.getTime() });
  if (!prices) return;
  const parameters = new Parameters();
  const value = (each: unknown) => parameters.add(each);
  await context.client.query(
    `INSERT INTO claims
     SELECT '${claim}', id, started_at, least(cost_usd, (reasoning_tokens - ${value(enough)}::bigint) * ${value(prices.output)}::numeric), ${value(String(enough))}
       FROM calls WHERE ${paid} AND complexity = 'simple' AND outcome = 'completed' AND ${much} AND provider = ${value(provider)}
        AND server_address = ${value(server_address)} AND coalesce(model, requested_model) = ${value(model)}
        AND reasoning_tokens > ${value(enough)}::bigint`,
    parameters.values,
  );
}
