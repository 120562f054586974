import assert from 'node:assert/strict';
import { test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { pythonWithSdks, runPython } from '../fixtures/python.ts';
import { startWeir } from '../fixtures/weir.ts';

test('a limit is OpenAI’s own rate-limit error, and its SDK comes back when it may', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir({
    config: {
      providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
      defaults: { limits: [{ name: 'few', per: 'organization', requests: 3, window: '2s' }] },
    },
  });
  t.after(async () => {
    await weir.stop();
    await provider.stop();
  });
  const client = (maxRetries: number) =>
    new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries });
  const ask = (retries: number) =>
    client(retries).chat.completions.create({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: `${Math.random()}` }],
    });
  const remaining = [];
  for (let i = 0; i < 3; i++)
    remaining.push((await ask(0).withResponse()).response.headers.get('x-weir-ratelimit-remaining'));
  assert.deepEqual(remaining, ['2', '1', '0']);
  const refused = await ask(0).catch((error: unknown) => error);
  assert(refused instanceof OpenAI.RateLimitError);
  assert.equal(refused.code, 'rate_limit_exceeded');
  assert.equal(refused.headers?.get('x-ratelimit-limit-requests'), '3');
  assert.equal(refused.headers?.get('x-ratelimit-remaining-requests'), '0');
  const wait = Number(refused.headers?.get('retry-after-ms'));
  assert(wait > 0 && wait <= 2000);
  // The SDK waits as long as it was told, and then gets its answer.
  assert.equal((await ask(2)).choices.length, 1);
  const denied = (await weir.exchanges(5)).filter(({ outcome }: { outcome: string }) => outcome === 'denied');
  assert(
    denied.length >= 1 &&
      denied.every(
        ({ cost_usd, status }: { cost_usd: string; status: number }) => cost_usd === '0' && status === 429,
      ),
  );
});

const python = `
import json, os, openai, anthropic
messages = [{"role": "user", "content": "@"}]
said = {}
client = openai.OpenAI(base_url=os.environ["WEIR"] + "/v1", api_key=os.environ["KEY"], default_headers={"x-weir-user": "py-openai"})
ask = lambda retries: client.with_options(max_retries=retries).chat.completions.create(model="gpt-4o", messages=messages, extra_headers={"x-weir-cache": "bypass"})
ask(0)
try:
    ask(0)
except openai.RateLimitError as error:
    said["openai"] = [error.status_code, error.code]
said["openai retried"] = ask(2).choices[0].finish_reason
client = anthropic.Anthropic(base_url=os.environ["WEIR"], api_key=os.environ["KEY"], default_headers={"x-weir-user": "py-anthropic"})
ask = lambda retries: client.with_options(max_retries=retries).messages.create(model="claude-sonnet-4-5", max_tokens=5, messages=messages)
ask(0)
try:
    ask(0)
except anthropic.RateLimitError as error:
    said["anthropic"] = [error.status_code, error.body["error"]["type"]]
said["anthropic retried"] = ask(2).max_tokens
print(json.dumps(said))
`;

test('Anthropic’s SDK, and both in Python, come back when they may', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key: 'k' },
        anthropic: { base_url: provider.url, api_key: 'k' },
      },
      defaults: { limits: [{ name: 'one', per: 'user', requests: 1, window: '2s' }] },
    },
  });
  t.after(async () => {
    await weir.stop();
    await provider.stop();
  });
  const client = new Anthropic({
    baseURL: weir.egress,
    apiKey: weir.callKey,
    defaultHeaders: { 'x-weir-user': 'node', 'x-weir-cache': 'bypass' },
  });
  const ask = (maxRetries: number) =>
    client.messages.create(
      { model: 'claude-sonnet-4-5', max_tokens: 5, messages: [{ role: 'user', content: 'hi' }] },
      { maxRetries },
    );
  await ask(0);
  const refused = await ask(0).catch((error: unknown) => error);
  assert(refused instanceof Anthropic.RateLimitError);
  assert.equal(refused.headers.get('anthropic-ratelimit-requests-limit'), '1');
  assert.equal(refused.headers.get('anthropic-ratelimit-requests-remaining'), '0');
  const reset = Date.parse(refused.headers.get('anthropic-ratelimit-requests-reset') ?? '');
  assert(reset > Date.now() - 1_000 && reset < Date.now() + 3_500);
  assert.equal(refused.headers.get('x-should-retry'), null);
  await ask(2);

  const interpreter = await pythonWithSdks().catch((error: unknown) => {
    if (process.env.CI) throw error;
    t.diagnostic(`no Python with the SDKs can be made here: ${error}`);
  });
  if (!interpreter) return;
  const said = await runPython(interpreter, python, { WEIR: weir.egress, KEY: weir.callKey });
  assert.deepEqual(said, {
    openai: [429, 'rate_limit_exceeded'],
    'openai retried': 'stop',
    anthropic: [429, 'rate_limit_error'],
    'anthropic retried': 5,
  });
});

test('a hard budget ends in each provider’s own words, is not overspent, and kept answers stay free', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key: 'k' },
        anthropic: { base_url: provider.url, api_key: 'k' },
        gemini: { base_url: provider.url, api_key: 'k' },
      },
      defaults: {
        limits: [],
        budgets: [
          { name: 'monthly', usd: '0.01', period: 'month' },
          { name: 'watched', usd: '0.001', period: 'day', mode: 'soft' },
        ],
      },
    },
  });
  t.after(async () => {
    await weir.stop();
    await provider.stop();
  });
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 2 });
  const ask = (content: string) =>
    client.chat.completions
      .create({ model: 'gpt-4o', max_tokens: 50, messages: [{ role: 'user', content }] })
      .withResponse();
  const { response } = await ask('again');
  assert.equal(response.headers.get('x-weir-budget-name'), 'monthly');
  assert.equal(response.headers.get('x-weir-budget-limit'), '0.01');
  let calls = 1;
  // Many at once reserve more than they use: one at a time can still have the rest.
  let refused: unknown;
  for (const atOnce of [10, 1]) {
    // What is in the ledger holds nothing in reserve any more.
    await weir.exchanges(calls);
    for (refused = undefined; !refused && calls < 1_000; ) {
      const asked = Array.from({ length: atOnce }, () => ask(`${calls++} ${Math.random()}`));
      for (const each of await Promise.allSettled(asked))
        if (each.status === 'rejected') refused = each.reason;
    }
  }
  assert(refused instanceof OpenAI.RateLimitError, `${refused}`);
  assert.equal(refused.code, 'insufficient_quota');
  assert.equal(refused.type, 'insufficient_quota');
  assert.equal(refused.headers?.get('x-should-retry'), 'false');

  const hit = (await ask('again')).response.headers;
  assert.equal(hit.get('x-weir-cache'), 'hit');
  assert.match(hit.get('x-weir-limit-exceeded') ?? '', /watched/);

  const headers = { 'content-type': 'application/json', 'x-weir-key': weir.callKey };
  const post = (path: string, body: object) =>
    fetch(weir.egress + path, { method: 'POST', headers, body: JSON.stringify(body) });
  const messages = [{ role: 'user', content: 'hi' }];
  const anthropic = await post('/v1/messages', { model: 'claude-opus-4-1', max_tokens: 5_000, messages });
  assert.equal(anthropic.status, 400);
  const { error } = (await anthropic.json()) as { error: { type: string; message: string } };
  assert.equal(error.type, 'invalid_request_error');
  assert.match(
    error.message,
    /^You have reached your specified API usage limits .* You will regain access on /,
  );
  const gemini = await post('/v1beta/models/gemini-2.5-pro:generateContent', {
    contents: [{ parts: [{ text: 'hi' }] }],
    generationConfig: { maxOutputTokens: 5_000 },
  });
  assert.equal(gemini.status, 429);
  const details = ((await gemini.json()) as { error: { details: { '@type': string }[] } }).error.details;
  assert.deepEqual(
    details.map((each) => each['@type'].replace(/.*\./, '')),
    ['QuotaFailure', 'RetryInfo'],
  );
  const unpriced = await post('/v1/chat/completions', { model: 'house-model', messages });
  assert.equal(unpriced.status, 403);
  assert.equal(unpriced.headers.get('x-weir-error'), 'model_unpriced');

  const rows = await weir.exchanges(calls + 4);
  const spent = rows.reduce((sum: number, row: { cost_usd: string }) => sum + Number(row.cost_usd), 0);
  assert(spent > 0.008 && spent <= 0.01, `spent ${spent}`);
  const { budgets } = await weir.get('/budgets');
  const [monthly] = budgets;
  assert.equal(monthly.name, 'monthly');
  assert(Math.abs(Number(monthly.spent) - spent) < 1e-9);
  assert.equal(monthly.limit, '0.01');
});
