import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusalStatus, renderError } from '../../src/dialects/errors.ts';
import { refusalAnswer } from '../../src/exchange/answers.ts';
import { denialRefusal, standingHeaders } from '../../src/exchange/denials.ts';
import type { Denial, LimitState } from '../../src/limits/limits.ts';

const now = Date.parse('2026-11-24T10:00:00Z');
const standing = { limit: null, budget: null, exceeded: [] };
const tokens: LimitState = {
  name: 'tpm',
  kind: 'tokens',
  per: 'api_key',
  limit: 1000,
  remaining: 40,
  resetMs: 90_500,
};
const budget: Denial = {
  kind: 'budget',
  never: false,
  state: {
    name: 'monthly',
    per: 'tag:team',
    unit: 'usd',
    limit: 500_000_000_000_000n,
    remaining: 0n,
    resetsAt: Date.parse('2026-12-01T00:00:00Z'),
  },
};

test('a wait that no SDK’s retry bridges is said to be none: Anthropic’s would sleep for it', () => {
  const refusal = (resetMs: number, never = false) =>
    denialRefusal({ kind: 'limit', state: { ...tokens, resetMs }, never }, standing, 'anthropic', now);
  assert.equal(refusal(59_000).headers?.['x-should-retry'], undefined);
  assert.equal(refusal(61_000).headers?.['x-should-retry'], 'false');
  assert.equal(refusal(1, true).headers?.['x-should-retry'], 'false');
  const { headers } = refusal(90_500);
  assert.equal(headers?.['retry-after'], '91');
  assert.equal(headers?.['retry-after-ms'], '90500');
  assert.equal(headers?.['anthropic-ratelimit-tokens-reset'], '2026-11-24T10:01:31Z');
  assert.equal(headers?.['anthropic-ratelimit-tokens-remaining'], '40');
});

test('each family is refused in its own form', () => {
  const limit: Denial = { kind: 'limit', state: tokens, never: false };
  const answer = (api: 'openai' | 'anthropic' | 'gemini' | 'bedrock' | 'cohere', denial: Denial) => {
    const refusal = denialRefusal(denial, standing, api, now);
    const { status, headers, body } = refusalAnswer(api, refusal, 'id');
    return { status, headers, body: JSON.parse(body.toString()) };
  };
  const openai = answer('openai', limit);
  assert.equal(openai.status, 429);
  assert.equal(openai.body.error.type, 'tokens');
  assert.equal(openai.body.error.code, 'rate_limit_exceeded');
  assert.equal(openai.headers['x-weir-error'], 'token_limit_exceeded');
  assert.equal(openai.headers['x-ratelimit-reset-tokens'], '1m30.5s');
  assert.match(openai.body.error.message, /this api key \(tpm\): 1000 tokens a window/);
  assert.deepEqual(answer('gemini', limit).body.error.details.at(-1), {
    '@type': 'type.googleapis.com/google.rpc.RetryInfo',
    retryDelay: '90.5s',
  });
  assert.equal(answer('bedrock', limit).headers['x-amzn-errortype'], 'ThrottlingException');
  const spent = answer('bedrock', budget);
  assert.deepEqual([spent.status, spent.headers['x-amzn-errortype']], [400, 'ServiceQuotaExceededException']);
  assert.equal(
    answer('anthropic', budget).body.error.message,
    'You have reached your specified API usage limits (the budget monthly of this team, 500 USD). You will regain access on 2026-12-01 at 00:00 UTC.',
  );
  assert.equal(answer('cohere', budget).status, 429);
  const away = answer('openai', { kind: 'budget_unavailable', name: 'monthly' });
  assert.deepEqual([away.status, away.headers['retry-after']], [503, '1']);
  assert.equal(
    answer('anthropic', { kind: 'request_bytes', name: 'x', limit: 1, asked: 2 }).body.error.type,
    'request_too_large',
  );
  const long = { kind: 'output_tokens', name: 'x', limit: 10, asked: null } as const;
  assert.match(answer('openai', long).body.error.message, /asks for no maximum output tokens/);
  assert.equal(refusalStatus('insufficient_quota', 'openai'), 429);
  assert(renderError('cohere', { code: 'model_unpriced', message: 'm' }).length > 0);
});

test('every reply tells of the limit and the budget that are nearest to their end', () => {
  const { state } = budget;
  assert.deepEqual(standingHeaders({ limit: tokens, budget: state, exceeded: ['a', 'b'] }, now), {
    'x-weir-ratelimit-limit': '1000',
    'x-weir-ratelimit-remaining': '40',
    'x-weir-ratelimit-reset': '91',
    'x-weir-budget-name': 'monthly',
    'x-weir-budget-limit': '500',
    'x-weir-budget-remaining': '0',
    'x-weir-budget-reset': '568800',
    'x-weir-limit-exceeded': 'a, b',
  });
});
