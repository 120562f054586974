import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findDialect } from '../../src/dialects/registry.ts';
import { billingTerms, priceFields } from '../../src/exchange/pricing.ts';
import { replyFields } from '../../src/exchange/settle.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import { createOverrides } from '../../src/usage/prices/overrides.ts';
import { noUsage, type UsageRecord } from '../../src/usage/record.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

type Api = Parameters<typeof findDialect>[0];
const noon = Date.UTC(2026, 10, 23, 12);
const list = createPricer();

/** What the ledger makes of a reply of the provider at `url`. */
function priced(
  api: Api,
  url: string,
  endpoint: string,
  body: object,
  options: { at?: number; pricer?: typeof list; credential?: string } = {},
): UsageRecord {
  const dialect = findDialect(api, 'POST', endpoint);
  assert(dialect);
  const head = { status: 200, contentType: 'application/json', headers: new Map() };
  const facts = dialect.readReply(Buffer.from(JSON.stringify(body)), head);
  const draft = usageRecord({
    provider: api,
    path: new URL(url).pathname,
    startedAt: options.at ?? noon,
    usage: noUsage,
    usageSource: null,
    terms: billingTerms(options.credential ?? null),
    credentialFingerprint: options.credential ?? null,
  });
  const record = { ...draft, ...replyFields(facts, draft, null) };
  return { ...record, ...priceFields(record, { provider: { base_url: url } }, options.pricer ?? list) };
}

const messages = (usage: object, model = 'claude-opus-4-6') =>
  priced('anthropic', 'https://api.anthropic.com/v1/messages', '/messages', {
    type: 'message',
    model,
    stop_reason: 'end_turn',
    usage: { input_tokens: 1_000_000, output_tokens: 1_000, ...usage },
  });
const chat = (fields: object, url = 'https://api.openai.com/v1/chat/completions', model = 'gpt-5.4') =>
  priced('openai', url, '/chat/completions', {
    model,
    choices: [{ finish_reason: 'stop', message: { content: 'x' } }],
    usage: { prompt_tokens: 1_000, completion_tokens: 1_000 },
    ...fields,
  });
const ratio = (a: UsageRecord, b: UsageRecord) => Number(a.costUsd) / Number(b.costUsd);
const near = (found: number, expected: number) =>
  assert(Math.abs(found - expected) < 1e-9, `${found}, expected ${expected}`);

test('tier: flex is half of the standard price, and it is the reply’s tier that counts', () => {
  near(ratio(chat({ service_tier: 'flex' }), chat({ service_tier: 'default' })), 0.5);
  near(ratio(chat({ service_tier: 'default' }), chat({})), 1);
  assert(ratio(chat({ service_tier: 'priority' }), chat({})) > 1);
});

test('batch: half price, from the table or as a named factor', () => {
  const batch = messages({ service_tier: 'batch' });
  near(ratio(batch, messages({ service_tier: 'standard' })), 0.5);
});

test('region: inference within the US costs 1.1 times as much, and so does a region of OpenAI’s', () => {
  const us = messages({ inference_geo: 'us' });
  near(ratio(us, messages({ inference_geo: 'global' })), 1.1);
  assert.deepEqual([us.priceFactors, us.region], ['inference_geo 1.1', 'us']);
  const eu = 'https://eu.api.openai.com/v1/chat/completions';
  near(ratio(chat({}, eu), chat({})), 1.1);
  assert.equal(chat({}, eu).priceFactors, 'region 1.1');
  near(ratio(chat({}, eu, 'gpt-4o'), chat({}, undefined, 'gpt-4o')), 1);
});

test('speed: fast mode has prices of its own', () => {
  assert(ratio(messages({ speed: 'fast' }, 'claude-opus-4-8'), messages({}, 'claude-opus-4-8')) > 1);
});

test('tools: searches stand beside the tokens, not in them', () => {
  const searched = messages({ server_tool_use: { web_search_requests: 3 } });
  assert.deepEqual([searched.toolUsd, searched.costUsd], ['0.03', messages({}).costUsd]);
  const responses = priced('openai', 'https://api.openai.com/v1/responses', '/responses', {
    status: 'completed',
    model: 'gpt-5',
    output: [{ type: 'web_search_call' }, { type: 'file_search_call' }],
    usage: { input_tokens: 10, output_tokens: 10 },
  });
  assert.deepEqual(responses.tools, { web_searches: 1, storage_searches: 1 });
  assert.equal(responses.toolUsd, '0.0125');
});

test('a cache write for an hour costs more than one for five minutes, and a read a tenth', () => {
  const write = (lifetimes: object) =>
    messages({
      input_tokens: 0,
      output_tokens: 0,
      cache_creation_input_tokens: 1_000,
      cache_creation: lifetimes,
    });
  near(
    ratio(
      write({ ephemeral_1h_input_tokens: 1_000, ephemeral_5m_input_tokens: 0 }),
      write({ ephemeral_1h_input_tokens: 0, ephemeral_5m_input_tokens: 1_000 }),
    ),
    1.6,
  );
  const input = messages({ input_tokens: 1_000, output_tokens: 0 });
  near(ratio(messages({ input_tokens: 0, output_tokens: 0, cache_read_input_tokens: 1_000 }), input), 0.1);
});

test('an advisor is billed at the price of its own model', () => {
  const part = { type: 'message', input_tokens: 1_000, output_tokens: 0 };
  const advised = messages({
    iterations: [part, { ...part, type: 'advisor_message', model: 'claude-haiku-4-5' }],
  });
  assert.equal(advised.usage.input, 2_000);
  assert.equal(advised.costUsd, '0.006');
  assert.equal(advised.priceModel, 'anthropic:claude-opus-4-6+anthropic:claude-haiku-4-5');
});

test('what is paid by the month bills nothing, and keeps its list price', () => {
  const body = {
    type: 'message',
    model: 'claude-opus-4-6',
    usage: { input_tokens: 1_000, output_tokens: 0 },
  };
  const url = 'https://api.anthropic.com/v1/messages';
  const subscribed = priced('anthropic', url, '/messages', body, { credential: 'sk-ant-oat01-x' });
  assert.deepEqual([subscribed.costUsd, subscribed.listUsd], ['0', '0.005']);
  const google = 'https://us-central1-aiplatform.googleapis.com/v1/models/gemini-2.5-flash:generateContent';
  const provisioned = priced('gemini', google, '/models/gemini-2.5-flash:generateContent', {
    modelVersion: 'gemini-2.5-flash',
    candidates: [{ finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 1_000, trafficType: 'PROVISIONED_THROUGHPUT' },
  });
  assert.equal(provisioned.costUsd, '0');
  assert.notEqual(provisioned.listUsd, null);
});

test('a provider’s own figure is kept, and flagged when it is not the list’s', () => {
  const url = 'https://openrouter.ai/api/v1/chat/completions';
  const usage = { prompt_tokens: 1_000_000, completion_tokens: 0 };
  const told = (cost: number) =>
    priced('openai', url, '/chat/completions', {
      model: 'openai/gpt-4o',
      choices: [],
      usage: { ...usage, cost },
    });
  assert.deepEqual([told(2.5).costUsd, told(2.5).reportedUsd, told(2.5).costDisputed], ['2.5', '2.5', false]);
  assert.equal(told(2.52).costDisputed, false);
  assert.deepEqual([told(3).costUsd, told(3).costDisputed], ['2.5', true]);
});

test('the config has the last word: prices of its own, agreements by model, credential and date', () => {
  const overrides = createOverrides(
    { 'gpt-4o': { provider: 'openai', price: { input_mtok: '1', output_mtok: '2' } } },
    [
      { name: 'partner', percent: -25, credential: 'sk-1', from: '2026-11-01', until: '2026-12-01' },
      { name: 'surcharge', percent: 10, model: 'gpt-4o' },
    ],
    (credential) => credential,
  );
  const pricer = createPricer(overrides);
  const body = { model: 'gpt-4o', choices: [], usage: { prompt_tokens: 1_000_000, completion_tokens: 0 } };
  const cost = (credential: string, at = noon) => {
    const url = 'https://api.openai.com/v1/chat/completions';
    const { costUsd, priceFactors } = priced('openai', url, '/chat/completions', body, {
      pricer,
      credential,
      at,
    });
    return [costUsd, priceFactors];
  };
  assert.deepEqual(cost('sk-1'), ['0.825', 'partner 0.75, surcharge 1.1']);
  assert.deepEqual(cost('sk-2'), ['1.1', 'surcharge 1.1']);
  assert.deepEqual(cost('sk-1', Date.UTC(2026, 11, 1)), ['1.1', 'surcharge 1.1']);
});
