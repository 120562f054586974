import { wilson } from '../analytics/confidence.ts';
import { Parameters } from '../analytics/usage-query.ts';
import { matchesGlob } from '../config/policy/glob.ts';
import { neutralName, spokenName } from '../dialects/neutral-registry.ts';
import { rescaled } from '../exchange/baseline.ts';
import { placeOf } from '../routing/candidates.ts';
import { dialectOf } from '../routing/carry.ts';
import type { Complexity } from '../routing/complexity.ts';
import { modelFacts } from '../routing/models.ts';
import { goodEnough, profileTable } from '../routing/profiles.ts';
import { noUsage } from '../usage/record.ts';
import { type Context, type Fact, type Finder, paid } from './recommendation.ts';
import { longPrompt, type UnitPrices, unitPrices } from './unit-prices.ts';

const claim = 'model-downgrade';

/** Calls that one choice is made for. */
interface Group {
  provider: string;
  dialect: string;
  complexity: Complexity;
  model: string;
  calls: number;
  input: number;
  output: number;
}

interface Target extends UnitPrices {
  provider: string;
  model: string;
  /** Tokens of its tokenizer for one of the other's. */
  factor: number;
  thinks: boolean;
  lacks: readonly string[];
}

/** Simple and medium calls on dearer models than the routing policy would take. */
export const modelDowngrade: Finder = async (context) => {
  const { policy, client } = context;
  const table = profileTable(policy.routing.profile, policy.routing);
  if (policy.routing.mode === 'on' || !table) return [];
  await claimShadow(context);
  for (const group of await groupsOf(context)) {
    const { models, chosen } = goodEnough(table, group.complexity, 'cost');
    const target =
      cheapest(models.slice(0, chosen), group, context) ?? cheapest(models.slice(chosen), group, context);
    if (target) await claimGroup(context, group, target);
  }
  const pairs = await pairsOf(context);
  const { rows } = await client.query<{ better: number; same: number; worse: number }>(
    `SELECT count(*) FILTER (WHERE verdict = 1) AS better, count(*) FILTER (WHERE verdict = 0) AS same,
            count(*) FILTER (WHERE verdict = -1) AS worse
       FROM routing_comparisons c
      WHERE organization = $1 AND at >= $2 AND at < $3 AND complexity IN ('simple', 'medium')
        AND requested_model = ANY ($4) AND routed_model = ANY ($5)`,
    [
      context.organization,
      context.range.start,
      context.range.end,
      pairs.map(({ model }) => model),
      pairs.map(({ to_model }) => to_model),
    ],
  );
  const { better = 0, same = 0, worse = 0 } = rows[0] ?? {};
  const judged = better + same + worse;
  const notWorse = wilson(better + same, judged);
  const isFirst = policy.routing.optimize_for === 'cost';
  return [
    {
      claim,
      type: 'model_downgrade',
      title: 'Simple and medium calls went to dearer models than the routing policy would take',
      evidence: {
        profile: policy.routing.profile,
        judged_answers: judged,
        better,
        same,
        worse,
        not_worse: notWorse && Number(notWorse.value.toFixed(4)),
        not_worse_at_least: notWorse && Number(notWorse.low.toFixed(4)),
      },
      groups: pairs,
      patch: { routing: { mode: 'on', ...(isFirst ? {} : { optimize_for: 'cost' }) } },
      advice:
        judged > 0
          ? 'Answers of both models were compared: see the evidence.'
          : 'Nobody has compared the answers yet: routing.replay_percent and routing.judge_model do, and mode shadow shows each choice first.',
    },
  ];
};

/** What `shadow` wrote down of each call is better than any estimate. */
async function claimShadow(context: Context): Promise<void> {
  await context.client.query(
    `INSERT INTO claims SELECT '${claim}', id, started_at, cost_usd - routing_usd, routing_model FROM calls
      WHERE ${paid} AND complexity IN ('simple', 'medium') AND routing_mode = 'shadow' AND routing_usd < cost_usd`,
  );
}

// Plain answers of the usual kind; prompts of a length that has other prices are left out.
const plain = `complexity IN ('simple', 'medium') AND outcome = 'completed' AND operation IN ('chat', 'generate_content')
  AND routing_mode IS DISTINCT FROM 'on' AND routing_usd IS NULL AND service_tier IS DISTINCT FROM 'batch'
  AND coalesce(greatest(input_audio_tokens, output_audio_tokens, input_video_tokens, output_image_tokens), 0) = 0
  AND input_tokens < ${longPrompt}`;

async function groupsOf(context: Context): Promise<Group[]> {
  const { rows } = await context.client.query<Group>(
    `SELECT provider, coalesce(dialect, '') AS dialect, complexity, requested_model AS model, count(*) AS calls,
            sum(input_tokens)::float8 AS input, sum(output_tokens)::float8 AS output
       FROM calls WHERE ${paid} AND ${plain} AND requested_model IS NOT NULL
      GROUP BY 1, 2, 3, 4`,
  );
  return rows;
}

/** Of models the one that would have been the cheapest for these calls, as src/routing/choose.ts takes it. */
function cheapest(entries: readonly string[], group: Group, context: Context): Target | null {
  const { providers, models, policy, pricer, range, hasKey } = context;
  const able = entries.flatMap((entry): Target[] => {
    const { provider, model } = placeOf(entry, { providers, models });
    const config = provider === null ? undefined : providers[provider];
    if (provider === null || !config) return [];
    const isAllowed =
      policy.providers.some((glob) => matchesGlob(glob, provider)) &&
      policy.models.some((glob) => matchesGlob(glob.toLowerCase(), model.toLowerCase())) &&
      (policy.routing.providers?.includes(provider) ?? true);
    const isReached =
      (hasKey(provider) || provider === group.provider) &&
      isCarried(
        group.dialect,
        dialectOf({ provider, api: config.api, model: models[entry] ?? null }, group.dialect),
      );
    const prices = unitPrices(pricer, {
      provider,
      baseUrl: config.base_url,
      model,
      at: range.end.getTime(),
    });
    if (!isAllowed || !isReached || !prices) return [];
    const { lacks } = modelFacts(model);
    const million = rescaled({ ...noUsage, input: 1_000_000 }, group.model, model).input ?? 1_000_000;
    return [
      {
        ...prices,
        provider,
        model,
        lacks,
        factor: million / 1_000_000,
        thinks: !lacks.includes('reasoning'),
      },
    ];
  });
  const worth = ({ input, output }: Target) => group.input * Number(input) + group.output * Number(output);
  return able.toSorted((a, b) => worth(a) - worth(b))[0] ?? null;
}

/** Plain calls are translated between the dialects that have a neutral form; the router looks at each. */
function isCarried(from: string, to: string): boolean {
  return from === to || (neutralName(from) !== null && spokenName(to) !== null);
}

async function claimGroup(context: Context, group: Group, target: Target): Promise<void> {
  const parameters = new Parameters();
  const value = (each: unknown) => parameters.add(each);
  const scaled = (tokens: string) => `round(coalesce(${tokens}, 0) * ${value(target.factor)}::numeric)`;
  const output = target.thinks
    ? 'output_tokens'
    : 'greatest(0, output_tokens - coalesce(reasoning_tokens, 0))';
  const cost = `(${scaled('input_tokens - coalesce(cache_read_tokens, 0)')} * ${value(target.input)}::numeric
    + ${scaled('cache_read_tokens')} * ${value(target.cacheRead)}::numeric
    + ${scaled(output)} * ${value(target.output)}::numeric)`;
  const needs = [
    ...(target.lacks.includes('tools')
      ? ["coalesce(finish_reason, '') NOT IN ('tool_calls', 'tool_use')"]
      : []),
    ...(target.lacks.includes('vision') ? ['coalesce(input_image_tokens, 0) = 0'] : []),
  ];
  await context.client.query(
    `INSERT INTO claims SELECT '${claim}', id, started_at, cost_usd - ${cost}, ${value(target.model)} FROM calls
      WHERE ${[paid, plain, ...needs].join(' AND ')} AND provider = ${value(group.provider)}
        AND coalesce(dialect, '') = ${value(group.dialect)} AND complexity = ${value(group.complexity)}
        AND requested_model = ${value(group.model)} AND cost_usd > ${cost}`,
    parameters.values,
  );
}

/** From which model to which, and what of it. */
async function pairsOf({ client }: Context): Promise<Pair[]> {
  const { rows } = await client.query<Pair>(
    `SELECT coalesce(requested_model, model) AS model, detail AS to_model, complexity, count(*) AS calls,
            trim_scale(sum(cost_usd))::text AS cost_usd, trim_scale(sum(cost_usd - saved))::text AS would_cost_usd
       FROM claims JOIN calls USING (id, started_at)
      WHERE claim = '${claim}' GROUP BY 1, 2, 3 ORDER BY sum(saved) DESC LIMIT 20`,
  );
  return rows;
}

type Pair = Record<string, Fact> & { model: string; to_model: string };
