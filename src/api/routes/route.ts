import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { RouteExplanation } from '../../exchange/explain.ts';
import { levels } from '../../routing/complexity.ts';
import { principalOf } from '../access.ts';
import { Problem } from '../problem.ts';

/** What would become of a call of this organization; nothing is sent. */
export type ExplainRoute = (organization: string, path: string, body: Buffer) => Promise<RouteExplanation>;

const usd = z.number().nullable();
const reply = z.object({
  mode: z.enum(['off', 'shadow', 'on']).describe('What the policy says of this call.'),
  complexity: z.enum(levels),
  scorer: z.enum(['rules', 'learned']).describe('Who said so.'),
  tokens: z.int().describe('Of all message text, by tiktoken; counted up to 500.'),
  tokens_are_exact: z.boolean(),
  keyword: z.string().nullable().describe('That makes a short call simple.'),
  score: z.number().describe('Of the trained scorer: the expected gain of a strong model.'),
  bias: z.number().describe('The score of a prompt of which nothing is known.'),
  contributions: z
    .array(z.object({ name: z.string(), kind: z.string(), value: z.number(), contribution: z.number() }))
    .describe('The bias and these add up to the score.'),
  profile: z.string().nullable(),
  optimize_for: z.string().nullable(),
  decision: z.enum(['off', 'go', 'keep', 'refuse']),
  model: z.string().nullable().describe('That would take the call; null: the one it names, or none.'),
  provider: z.string().nullable(),
  reason: z.string(),
  baseline: z
    .object({ provider: z.string(), model: z.string() })
    .nullable()
    .describe('What it is compared with.'),
  stay: z
    .object({
      model: z.string(),
      cached_tokens: z.int(),
      stay_usd: z.number(),
      switch_usd: z.number(),
      stays: z.boolean(),
    })
    .nullable()
    .describe('Whether the conversation stays with the model that has it in its prompt cache.'),
  candidates: z.array(
    z.object({
      model: z.string(),
      provider: z.string().nullable(),
      able: z.boolean(),
      why_not: z.array(z.string()),
      estimated_usd: usd.describe('For an answer of at most 300 tokens.'),
      expected_ms: z.number().describe('To the first token of a stream, to the end of a plain answer.'),
      measured_on: z.int().describe('Calls that this was measured on; 0: a guess by size.'),
    }),
  ),
});

/** Why a call would go where. */
export function routeRoutes(explain: ExplainRoute): FastifyPluginAsyncZod {
  return async (api) => {
    api.post(
      '/route/explain',
      {
        schema: {
          summary: 'Where a call would go, and why; nothing is sent',
          tags: ['routing'],
          querystring: z.strictObject({
            path: z
              .string()
              .regex(/^\//)
              .default('/v1/smart/completions')
              .describe('Where the call would be sent: `/v1/messages`, `/v1/chat/completions`, …'),
          }),
          body: z.looseObject({}).describe('The body of the call.'),
          response: { 200: reply },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        const explained = await explain(
          organization,
          request.query.path,
          Buffer.from(JSON.stringify(request.body)),
        );
        if (explained.kind === 'refused')
          throw new Problem(400, explained.refusal.code, explained.refusal.message);
        return replyOf(explained);
      },
    );
  };
}

function replyOf({ plan, prompt }: Extract<RouteExplanation, { kind: 'explained' }>): z.input<typeof reply> {
  const { decision, assessment, refusal, mode } = plan;
  const to = decision?.kind === 'go' ? decision.to : null;
  const stay = decision?.choice.stay ?? null;
  return {
    mode,
    complexity: assessment.complexity,
    scorer: assessment.score === null ? 'rules' : 'learned',
    tokens: prompt.tokens,
    tokens_are_exact: prompt.tokensAreExact,
    keyword: prompt.keyword,
    score: prompt.score,
    bias: prompt.bias,
    contributions: prompt.contributions,
    profile: decision?.profile ?? null,
    optimize_for: decision?.optimizeFor ?? null,
    decision: decision?.kind ?? (refusal ? 'refuse' : 'off'),
    model: to?.model ?? null,
    provider: to?.provider ?? null,
    reason: refusal?.message ?? decision?.reason ?? 'this call is not routed',
    baseline: decision?.baseline ?? null,
    stay: stay && {
      model: stay.model,
      cached_tokens: stay.cachedTokens,
      stay_usd: stay.stayUsd,
      switch_usd: stay.switchUsd,
      stays: stay.stays,
    },
    candidates: (decision?.choice.candidates ?? []).map((each) => ({
      model: each.model,
      provider: each.provider,
      able: each.whyNot.length === 0,
      why_not: each.whyNot,
      estimated_usd: each.estimatedUsd,
      expected_ms: each.expectedMs,
      measured_on: each.measuredOn,
    })),
  };
}
