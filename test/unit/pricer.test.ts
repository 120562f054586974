import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calcPrice } from '@pydantic/genai-prices';
import fc from 'fast-check';
import { createPricer } from '../../src/usage/pricer.ts';
import { noUsage } from '../../src/usage/record.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';

const price = createPricer();
const noon = Date.UTC(2026, 10, 23, 12);
const plain = { parts: [], tools: {}, terms: {}, credential: null, serviceTier: null };
const openai = { ...plain, provider: 'openai', baseUrl: 'https://api.openai.com/v1', at: noon };
const usage = (input: number, output: number, rest = {}) => ({ ...noUsage, input, output, ...rest });

test('every recorded chat exchange has the price that was worked out for it', { skip: corpusMissing }, () => {
  const wrong = [];
  for (const each of recordedExchanges('openai-chat')) {
    // A gateway on somebody's machine: nobody lists its prices.
    if (!each.usage || each.provider === 'gateway') continue;
    const details = each.usage.details ?? {};
    const part = (name: string) => (typeof details[name] === 'number' ? details[name] : null);
    const found = price({
      provider: each.provider,
      baseUrl: `https://${each.provider_host}${each.path}`,
      model: each.model_reported ?? each.model_requested ?? '',
      at: noon,
      ...plain,
      usage: {
        ...noUsage,
        input: each.usage.input_tokens,
        output: each.usage.output_tokens,
        cacheRead: each.usage.cache_read_tokens,
        cacheWrite: each.usage.cache_write_tokens,
        reasoning: each.usage.reasoning_tokens,
        inputAudio: part('input_audio_tokens'),
        outputAudio: part('output_audio_tokens'),
        cacheReadAudio: part('cache_audio_read_tokens'),
      },
    });
    const expected = each.price_usd ?? null;
    // The recorded price is a binary float: its noise is no difference.
    const equal =
      found && expected !== null
        ? Math.abs(Number(found.usd) - expected) <= 1e-9 * expected
        : found === null && expected === null;
    if (!equal) wrong.push({ id: each.id, found, expected });
  }
  assert.deepEqual(wrong, []);
});

test('prices agree with genai-prices, to the last place that a float has', () => {
  fc.assert(
    fc.property(
      fc.nat(2_000_000),
      fc.nat(100_000),
      fc.nat(100),
      fc.constantFrom('gpt-4o', 'gpt-4o-mini', 'o3', 'gpt-4-turbo'),
      (input, output, share, model) => {
        const cacheRead = Math.floor((input * share) / 100);
        const found = price({ ...openai, model, usage: usage(input, output, { cacheRead }) });
        const expected = calcPrice(
          { input_tokens: input, output_tokens: output, cache_read_tokens: cacheRead },
          model,
          { providerId: 'openai', timestamp: new Date(noon) },
        );
        const total = expected?.total_price ?? Number.NaN;
        assert(Math.abs(Number(found?.usd) - total) <= 1e-12 * Math.max(1, total), `${found?.usd} ${total}`);
      },
    ),
  );
});

test('money is exact: the price of a sum is the sum of the prices', () => {
  const picos = (usd: string | undefined) => {
    const [whole = '0', fraction = ''] = (usd ?? '0').split('.');
    return BigInt(whole + fraction.padEnd(18, '0'));
  };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(100_000), fc.nat(10_000)), { minLength: 1, maxLength: 50 }),
      (calls) => {
        const single = calls.map(([input, output]) =>
          picos(price({ ...openai, model: 'gpt-4o', usage: usage(input, output) })?.usd),
        );
        const whole = calls.reduce(([a, b], [input, output]) => [a + input, b + output] as [number, number], [
          0, 0,
        ] as [number, number]);
        assert.equal(
          picos(price({ ...openai, model: 'gpt-4o', usage: usage(...whole) })?.usd),
          single.reduce((a, b) => a + b, 0n),
        );
      },
    ),
  );
});

test('what is not known has no price, and impossible counts have none', () => {
  assert.equal(price({ ...openai, model: 'gpt-of-tomorrow', usage: usage(1, 1) }), null);
  assert.equal(
    price({
      ...openai,
      provider: 'mine',
      baseUrl: 'http://vllm:8000/v1',
      model: 'gpt-4o',
      usage: usage(1, 1),
    }),
    null,
  );
  assert.equal(price({ ...openai, model: 'gpt-4o', usage: usage(10, 1, { cacheRead: 11 }) }), null);
  assert.equal(price({ ...openai, model: 'gpt-4o', usage: noUsage }), null);
});

test('cached tokens, tiers and service tiers have their own price', () => {
  const usd = (model: string, input: number, rest = {}, serviceTier: string | null = null) =>
    price({ ...openai, model, serviceTier, usage: usage(input, 0, rest) })?.usd;
  assert.equal(usd('gpt-4o', 1_000_000), '2.5');
  assert.equal(usd('gpt-4o', 1_000_000, { cacheRead: 1_000_000 }), '1.25');
  assert.equal(usd('gpt-5', 1_000_000), '1.25');
  assert.equal(usd('gpt-5', 1_000_000, {}, 'flex'), '0.625');
  assert.equal(usd('gpt-5', 1_000_000, {}, 'priority'), '2.5');
});
