import { Parameters } from '../analytics/usage-query.ts';
import { amountOf } from '../usage/prices/decimal.ts';
import { type Context, type Draft, type Finder, nameOf, paid } from './recommendation.ts';
import { longPrompt, unitPrices } from './unit-prices.ts';

/** So many calls are worth a batch. */
const minCalls = 500;
/** Nobody waits for what is asked, almost all of it, at night: from the first of these hours to before the last. */
const night = { from: 20, to: 7, percent: 90 };

interface Group {
  provider: string;
  server_address: string;
  path: string;
  model: string;
  workload: string | null;
  api_key: string | null;
  calls: number;
  nightly: number;
  busiest_hour: number;
}

const plain = `NOT stream AND end_user IS NULL AND outcome = 'completed' AND operation IN ('chat', 'generate_content', 'embeddings')
  AND service_tier IS DISTINCT FROM 'batch' AND service_tier IS DISTINCT FROM 'flex' AND is_plain`;

/** Calls that nobody waits for, at the full price. */
export const batchable: Finder = async (context) => {
  const parameters = new Parameters();
  const hour = `extract(hour FROM started_at AT TIME ZONE ${parameters.add(context.zone)})`;
  const { rows } = await context.client.query<Group>(
    `SELECT provider, server_address, min(path) AS path, coalesce(model, requested_model) AS model, workload, api_key,
            sum(calls)::bigint AS calls, sum(calls) FILTER (WHERE hour >= ${night.from} OR hour < ${night.to})::bigint AS nightly,
            max(calls) AS busiest_hour
       FROM (SELECT provider, server_address, min(path) AS path, model, requested_model, workload, api_key, ${hour} AS hour,
                    count(*) AS calls
               FROM calls WHERE ${paid} AND ${plain} GROUP BY 1, 2, 4, 5, 6, 7, 8, date_trunc('hour', started_at)) AS hours
      GROUP BY 1, 2, 4, 5, 6
     HAVING sum(calls) >= ${minCalls}
        AND 100 * sum(calls) FILTER (WHERE hour >= ${night.from} OR hour < ${night.to}) >= ${night.percent} * sum(calls)`,
    parameters.values,
  );
  const drafts = [];
  for (const row of rows) drafts.push(...(await claimBatch(context, row)));
  return drafts;
};

async function claimBatch(context: Context, group: Group): Promise<Draft[]> {
  const { provider, server_address, path, model, workload, api_key } = group;
  const at = {
    provider,
    baseUrl: `https://${server_address}${path}`,
    model,
    at: context.range.end.getTime(),
  };
  const [full, batch] = [
    unitPrices(context.pricer, at),
    unitPrices(context.pricer, { ...at, serviceTier: 'batch' }),
  ];
  // Who has no batches has no other prices for them.
  if (!full || !batch || amountOf(batch.input) >= amountOf(full.input)) return [];
  const claim = nameOf('batch', `${workload ?? api_key ?? ''} ${model}`);
  const parameters = new Parameters();
  const value = (each: unknown) => parameters.add(each);
  const cost = `((input_tokens - coalesce(cache_read_tokens, 0)) * ${value(batch.input)}::numeric
    + coalesce(cache_read_tokens, 0) * ${value(batch.cacheRead)}::numeric + coalesce(output_tokens, 0) * ${value(batch.output)}::numeric)`;
  await context.client.query(
    `INSERT INTO claims SELECT ${value(claim)}, id, started_at, cost_usd - ${cost} FROM calls
      WHERE ${paid} AND ${plain} AND provider = ${value(provider)} AND server_address = ${value(server_address)}
        AND coalesce(model, requested_model) = ${value(model)} AND workload IS NOT DISTINCT FROM ${value(workload)}
        AND api_key IS NOT DISTINCT FROM ${value(api_key)} AND input_tokens < ${longPrompt} AND cost_usd > ${cost}`,
    parameters.values,
  );
  return [
    {
      claim,
      type: 'batch',
      title: `Nobody waits for ${workload ?? api_key ?? 'these'} calls of ${model}: ask for them in batches`,
      evidence: {
        provider,
        model,
        workload,
        api_key,
        calls_at_night: group.nightly,
        calls_in_the_busiest_hour: group.busiest_hour,
      },
      groups: [],
      patch: null,
      advice: `Send them by the batch API of ${provider}, which answers within a day, at its lower price.`,
    },
  ];
}
