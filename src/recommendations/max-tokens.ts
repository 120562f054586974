import { Parameters } from '../analytics/usage-query.ts';
import { amountOf } from '../usage/prices/decimal.ts';
import {
  type Context,
  type Draft,
  type Fact,
  type Finder,
  hasEntry,
  nameOf,
  paid,
  withEntry,
} from './recommendation.ts';
import { unitPrices } from './unit-prices.ts';

/** So soon the same prompt comes again when an answer was cut. */
const again = "interval '10 minutes'";
/** Whole answers that tell how long answers are. */
const minWhole = 100;
/** So many times what any whole answer took is far beyond what is ever used. */
const farBeyond = 4;
/** And so many times leaves room enough. */
const room = 2;

const cut = "finish_reason IN ('length', 'max_tokens', 'MAX_TOKENS', 'max_output_tokens')";

/** Answers that were cut and asked for again, and answers that ran on to a limit that no whole answer ever needs. */
export const maxTokens: Finder = async (context) => [
  ...(await cutAndAskedAgain(context)),
  ...(await runaways(context)),
];

/** The same prompt: of the same caller, as long, with the same beginning. */
const samePrompt = ['prefix_hashes', 'api_key', 'end_user', 'workload']
  .map((name) => `later.${name} IS NOT DISTINCT FROM cut.${name}`)
  .join(' AND ');

async function cutAndAskedAgain(context: Context): Promise<Draft[]> {
  const claim = 'max-tokens-cut';
  // Few are cut: what came after them is looked for in one pass over all calls.
  await context.client.query(
    `WITH cut AS MATERIALIZED (
       SELECT id, started_at AS cut_at, started_at + duration_ms * interval '1 millisecond' AS cut_until, requested_model,
              input_tokens, prefix_hashes, api_key, end_user, workload, max_output_tokens,
              cost_usd + coalesce(tool_usd, 0) AS usd
         FROM calls WHERE ${paid} AND outcome = 'completed' AND max_output_tokens IS NOT NULL AND ${cut}),
     later AS (
       SELECT started_at, requested_model, input_tokens, prefix_hashes, api_key, end_user, workload, max_output_tokens
         FROM calls WHERE ${paid} AND outcome = 'completed')
     INSERT INTO claims
     SELECT DISTINCT '${claim}', cut.id, cut_at, usd
       FROM cut JOIN later USING (requested_model, input_tokens)
      WHERE ${samePrompt} AND later.max_output_tokens > cut.max_output_tokens
        AND later.started_at >= cut_until AND later.started_at <= cut_until + ${again}`,
  );
  const { rows } = await context.client.query<Record<string, Fact>>(
    `SELECT requested_model AS model, workload, api_key, count(*) AS calls, max(max_output_tokens) AS max_tokens_asked,
            trim_scale(sum(saved))::text AS potential_savings_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = '${claim}' GROUP BY 1, 2, 3 ORDER BY sum(saved) DESC LIMIT 10`,
  );
  return [
    {
      claim,
      type: 'max_tokens',
      title: 'Answers were cut by max_tokens and asked for again with more: both were paid for',
      evidence: { why: 'cut' },
      groups: rows,
      patch: null,
      advice:
        'Let the application ask for enough at once: what an answer does not use of max_tokens costs nothing.',
    },
  ];
}

interface Reserved {
  provider: string;
  server_address: string;
  path: string;
  model: string;
  workload: string | null;
  whole: number;
  longest: number;
  typical_asked: number;
  cut: number;
}

/** Per workload and model: how long whole answers are, and how much is asked for. */
async function runaways(context: Context): Promise<Draft[]> {
  const { rows } = await context.client.query<Reserved>(
    `SELECT min(provider) AS provider, min(server_address) AS server_address, min(path) AS path, requested_model AS model,
            workload, count(*) FILTER (WHERE NOT cut) AS whole, max(output_tokens) FILTER (WHERE NOT cut) AS longest,
            min(max_output_tokens) AS typical_asked, count(*) FILTER (WHERE cut) AS cut
       FROM (SELECT *, coalesce(${cut}, false) AS cut FROM calls WHERE ${paid} AND outcome = 'completed'
                AND output_tokens IS NOT NULL) AS calls
      WHERE requested_model IS NOT NULL
      GROUP BY requested_model, workload
     HAVING bool_and(max_output_tokens IS NOT NULL) AND count(*) FILTER (WHERE cut) > 0
        AND count(*) FILTER (WHERE NOT cut) >= ${minWhole}
        AND min(max_output_tokens) >= ${farBeyond} * max(output_tokens) FILTER (WHERE NOT cut)`,
  );
  const drafts = [];
  for (const row of rows) drafts.push(...(await runaway(context, row)));
  return drafts;
}

async function runaway(context: Context, reserved: Reserved): Promise<Draft[]> {
  const { provider, server_address, path, model, workload, longest } = reserved;
  const prices = unitPrices(context.pricer, {
    provider,
    baseUrl: `https://${server_address}${path}`,
    model,
    at: context.range.end.getTime(),
  });
  if (!prices || amountOf(prices.output) === 0n) return [];
  const claim = nameOf('max-tokens', `${workload ?? ''} ${model}`);
  if (hasEntry(context, 'limits', claim)) return [];
  const most = Math.max(1, room * longest);
  const parameters = new Parameters();
  await context.client.query(
    `INSERT INTO claims
     SELECT ${parameters.add(claim)}, id, started_at, least(cost_usd, (output_tokens - ${most}) * ${parameters.add(prices.output)}::numeric)
       FROM calls WHERE ${paid} AND outcome = 'completed' AND ${cut} AND output_tokens > ${most}
        AND requested_model = ${parameters.add(model)} AND workload IS NOT DISTINCT FROM ${parameters.add(workload)}`,
    parameters.values,
  );
  const limit = { name: claim, max_output_tokens: most, match: { models: [model], workloads: [workload] } };
  return [
    {
      claim,
      type: 'max_tokens',
      title: `Answers of ${model}${workload === null ? '' : ` for ${workload}`} ran on far beyond what any whole answer took: allow ${most} tokens`,
      evidence: {
        why: 'reserved',
        model,
        workload,
        whole_answers: reserved.whole,
        longest_whole_answer: longest,
        least_max_tokens_asked: reserved.typical_asked,
        cut_answers: reserved.cut,
      },
      groups: [],
      // Without a workload nothing tells these calls from others of the model.
      patch: workload === null ? null : withEntry(context, 'limits', limit),
      advice: `The application is to ask for at most ${most} tokens: with the limit, calls that ask for more are refused.`,
    },
  ];
}
