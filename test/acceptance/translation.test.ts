import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import type { DialectName, SpokenName } from '../../src/config/dialects.ts';
import { messagesAsker } from '../fixtures/askers/anthropic-messages.ts';
import { geminiAsker } from '../fixtures/askers/gemini-generate.ts';
import { chatAsker } from '../fixtures/askers/openai-chat.ts';
import { responsesAsker } from '../fixtures/askers/openai-responses.ts';
import type { Asker, Question, Told } from '../fixtures/askers/question.ts';
import { awsKeys, type ChatProvider, startChatProvider } from '../fixtures/chat-provider.ts';
import { answers, counts } from '../fixtures/speakers/answers.ts';
import { matrix } from '../fixtures/translation-docs.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const askers = [chatAsker, responsesAsker, messagesAsker, geminiAsker];
/** A model whose provider speaks the dialect. */
const models: Record<SpokenName, string> = {
  'openai-chat': 'gpt-4o',
  'openai-responses': 'gpt-5.1',
  'anthropic-messages': 'claude-sonnet-4-5',
  'gemini-generate': 'gemini-2.5-flash',
  'bedrock-converse': 'nova',
};

let provider: ChatProvider;
let weir: TestWeir;
const directory = mkdtempSync(join(tmpdir(), 'weir-translation-'));
before(async () => {
  provider = await startChatProvider();
  const api_key = 'sk-of-the-house';
  const { accessKeyId, secretAccessKey } = awsKeys;
  const credentials = join(directory, 'credentials');
  writeFileSync(
    credentials,
    `[house]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`,
  );
  weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: `${provider.url}/v1`, api_key },
        anthropic: { base_url: provider.url, api_key },
        gemini: { base_url: provider.url, api_key },
        bedrock: { api: 'bedrock', base_url: provider.url, auth: 'aws', region: 'eu-central-1' },
        groq: null,
      },
      models: {
        'gpt-4o': { provider: 'openai', dialect: 'openai-chat' },
        'gpt-oss-120b': { provider: 'openai', dialect: 'openai-chat' },
        'gpt-5.1': { provider: 'openai', dialect: 'openai-responses' },
        'claude-*': { provider: 'anthropic' },
        'gemini-*': { provider: 'gemini' },
        nova: { provider: 'bedrock', model: 'us.amazon.nova-2-lite-v1:0' },
        fast: { provider: 'gemini', model: 'gemini-2.5-flash' },
      },
      defaults: { limits: [] },
      log: { level: 'warn' },
    },
    // Calls to Bedrock are signed with the keys of a profile.
    env: { AWS_PROFILE: 'house', AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: '/dev/null' },
  });
});
after(async () => {
  await weir?.stop();
  await provider.stop();
  rmSync(directory, { recursive: true });
});

/** Each question is asked of the provider, unless the headers say something else. */
const where = (headers: Record<string, string> = { 'x-weir-cache': 'bypass' }) => ({
  egress: weir.egress,
  key: weir.callKey,
  headers,
});

/** What is asked, by the name of the feature that it needs. */
const features: Record<string, Omit<Question, 'stream'>> = {
  text: { scenario: 'text' },
  'system prompt': { scenario: 'text', system: true },
  'several turns': { scenario: 'text', turns: true },
  'tool call': { scenario: 'call', tools: true },
  'parallel tool calls': { scenario: 'calls', tools: true },
  'tool results': { scenario: 'text', tools: true, results: true },
  image: { scenario: 'text', image: true },
  'JSON schema': { scenario: 'json', schema: true },
  'stop sequence': { scenario: 'stop', stop: true },
  'max tokens': { scenario: 'length', limit: 16 },
  thinking: { scenario: 'thinking', think: true, limit: 4096 },
  refusal: { scenario: 'refusal' },
};

/** What each SDK calls an end of a kind. */
const stops: Record<DialectName, Record<string, string>> = {
  'openai-chat': { end: 'stop', stop: 'stop', length: 'length', call: 'tool_calls' },
  'openai-responses': { end: 'completed', stop: 'completed', length: 'max_output_tokens', call: 'completed' },
  'anthropic-messages': { end: 'end_turn', stop: 'end_turn', length: 'max_tokens', call: 'tool_use' },
  'gemini-generate': { end: 'STOP', stop: 'STOP', length: 'MAX_TOKENS', call: 'STOP' },
};
const ids: Record<DialectName, RegExp> = {
  'openai-chat': /^chatcmpl-Abc123/,
  'openai-responses': /^resp_Abc123/,
  'anthropic-messages': /^msg_Abc123/,
  'gemini-generate': /^Abc123/,
};

/** The typed answer is what the provider said. */
function check(
  asker: Asker,
  { target, model }: { target: SpokenName; model: string },
  question: Question,
  told: Told,
): void {
  const made = answers[question.scenario];
  assert(made);
  const { dialect } = asker;
  // Converse gives its answers no id.
  if (target !== 'bedrock-converse') assert.match(told.id, ids[dialect]);
  else assert.notEqual(told.id, '');
  assert.match(told.model, new RegExp(`^${model}`));
  assert.equal(told.text, (made.text ?? made.refusal ?? []).join(''));
  assert.deepEqual(
    told.calls,
    (made.calls ?? []).map(({ name, args }) => ({ name, args: JSON.parse(args.join('')) })),
  );
  assert.deepEqual([told.input, told.output], [counts.input, counts.output]);
  assert.equal(told.refused, made.stop === 'filter');
  if (made.thinking) assert.equal(told.thinking, made.thinking.join(''));
  if (!told.refused) {
    // OpenAI and Google do not tell it apart from other ends.
    const isTold = dialect === 'anthropic-messages' && target === 'bedrock-converse' && made.stop === 'stop';
    assert.equal(told.stop, isTold ? 'stop_sequence' : stops[dialect][made.stop]);
  }
  // Whole only where one of the two has no other way.
  const isWhole = dialect === 'gemini-generate' || target === 'gemini-generate';
  if (question.stream && made.calls) {
    if (isWhole) assert.equal(told.pieces, made.calls.length);
    else assert(told.pieces >= 2 * made.calls.length, `arguments came in ${told.pieces} pieces`);
  }
}

const outcomes: Record<string, Record<string, string>> = {};

for (const asker of askers) {
  for (const target of Object.keys(models) as SpokenName[]) {
    if (target === asker.dialect) continue;
    test(`${asker.dialect} asks a model that speaks ${target}`, async () => {
      const row: Record<string, string> = {};
      outcomes[`${asker.dialect} → ${target}`] = row;
      for (const [feature, asked] of Object.entries(features)) {
        // Responses has no stop sequences to ask for.
        if (asked.stop && asker.dialect === 'openai-responses') {
          row[feature] = 'the SDK has none';
          continue;
        }
        // OpenAI's own Chat shows no thinking; others who speak like it do.
        const model = asked.think && target === 'openai-chat' ? 'gpt-oss-120b' : models[target];
        for (const stream of [false, true]) {
          const question = { ...asked, stream };
          const before = provider.requests.length;
          const told = await asker
            .ask(where(), model, question)
            .catch((error: unknown) => asker.failed(error));
          const label = `${asker.dialect} → ${target}, ${feature}, ${stream ? 'streamed' : 'plain'}: ${JSON.stringify(told)}`;
          if ('status' in told) {
            assert.equal(told.status, 400, label);
            assert.match(told.message, /cannot be carried over/, label);
            assert.equal(provider.requests.length, before, 'nobody was asked');
            row[feature] = `400: ${/`([^`]+)`/.exec(told.message)?.[1]}`;
          } else {
            assert.doesNotThrow(() => check(asker, { target, model }, question, told), label);
            row[feature] = 'works';
          }
        }
      }
      assert.equal(Object.keys(row).length, Object.keys(features).length);
    });

    test(`${asker.dialect} is told the errors of a model that speaks ${target}`, async () => {
      const row = outcomes[`${asker.dialect} → ${target}`] ?? {};
      for (const status of [400, 401, 429, 500, 503]) {
        for (const stream of [false, true]) {
          const question = { scenario: `error-${status}`, stream };
          const found = await asker.ask(where(), models[target], question).then(
            () => assert.fail('it did not fail'),
            (error: unknown) => asker.failed(error),
          );
          assert.equal(found.status, status, JSON.stringify(found));
          assert.match(found.message, new RegExp(`this is error-${status}`));
          assert.notEqual(found.type, '');
        }
      }
      const amid = asker.ask(where(), models[target], { scenario: 'error-amid', stream: true });
      await assert.rejects(amid, /it broke/);
      row.errors = 'works';
    });
  }
}

test('docs/translation.md tells what was found', () => {
  matrix(outcomes);
});

const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(weir.egress + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${weir.callKey}`, ...headers },
    body: JSON.stringify(body),
  });
const hello = (model: string, content = 'Where is Zürich?') => ({
  model,
  messages: [{ role: 'user', content }],
});

test('the provider that serves gets its own key and version, and nothing of the other SDK', async () => {
  await messagesAsker.ask(where(), 'gpt-4o', { scenario: 'text', stream: false });
  const chat = provider.requests.at(-1);
  assert.equal(chat?.path, '/v1/chat/completions');
  assert.equal(chat.headers.authorization, 'Bearer sk-of-the-house');
  const names = Object.keys(chat.headers).filter((name) =>
    /^(x-api-key|anthropic-|x-stainless|x-weir)/.test(name),
  );
  assert.deepEqual(names, []);
  await chatAsker.ask(where(), 'claude-sonnet-4-5', { scenario: 'text', stream: false });
  const messages = provider.requests.at(-1);
  assert.equal(messages?.path, '/v1/messages');
  assert.equal(messages.headers['x-api-key'], 'sk-of-the-house');
  assert.equal(messages.headers['anthropic-version'], '2023-06-01');
  assert.equal(messages.headers.authorization, undefined);
});

test('the type of an error of Bedrock, and the id of its call, are where each SDK looks for them', async () => {
  const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const claude = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const asked = (scenario: string) => ({
    model: 'nova',
    max_tokens: 10,
    messages: [{ role: 'user' as const, content: `scenario:${scenario}` }],
  });
  await assert.rejects(openai.chat.completions.create(asked('error-429')), (error) => {
    assert(error instanceof OpenAI.RateLimitError);
    assert.deepEqual([error.code, error.type], ['ThrottlingException', 'rate_limit_error']);
    assert.equal(error.requestID, 'req_of_the_provider');
    return true;
  });
  await assert.rejects(claude.messages.create(asked('error-401')), (error) => {
    assert(error instanceof Anthropic.AuthenticationError);
    assert.equal(error.type, 'authentication_error');
    return true;
  });
});

test('an own credential goes nowhere but where it was meant for', async () => {
  const before = provider.requests.length;
  const response = await post('/v1/chat/completions', hello('claude-sonnet-4-5'), {
    authorization: 'Bearer sk-own',
  });
  // The provider of the path was asked, and did not know it.
  assert.equal(response.status, 401);
  assert.equal(response.headers.get('x-weir-provider'), 'openai');
  assert.equal(provider.requests.length, before);
});

test('what cannot be carried is refused with its code, before anybody is asked', async () => {
  const before = provider.requests.length;
  const body = { ...hello('claude-sonnet-4-5'), seed: 7 };
  const refused = await post('/v1/chat/completions', body);
  assert.equal(refused.status, 400);
  assert.equal(refused.headers.get('x-weir-error'), 'not_translatable');
  const { error } = (await refused.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, 'not_translatable');
  assert.match(error.message, /`seed`.*x-weir-leave-out: seed/);
  assert.equal(provider.requests.length, before);

  const left = await post('/v1/chat/completions', body, {
    'x-weir-leave-out': 'seed',
    'x-weir-cache': 'bypass',
  });
  assert.equal(left.status, 200);
  assert.equal(left.headers.get('x-weir-left-out'), 'seed');
  assert.equal(provider.requests.length, before + 1);
});

test('an answer is kept in the dialect that asked, for that dialect and that model', async () => {
  const question = hello('fast', 'Is this kept?');
  const first = await post('/v1/chat/completions', question);
  const text = await first.text();
  assert.equal(first.headers.get('x-weir-cache'), 'miss');
  assert.equal(first.headers.get('x-weir-provider'), 'gemini');
  const asked = provider.requests.length;
  const again = await post('/v1/chat/completions', question);
  assert.equal(again.headers.get('x-weir-cache'), 'hit');
  assert.equal(await again.text(), text);
  const streamed = await post('/v1/chat/completions', { ...question, stream: true });
  assert.equal(streamed.headers.get('x-weir-cache'), 'hit');
  assert.match(await streamed.text(), /chat\.completion\.chunk/);
  assert.equal(provider.requests.length, asked);
  const other = await post(
    '/v1/messages',
    { ...question, max_tokens: 50 },
    { 'anthropic-version': '2023-06-01' },
  );
  assert.equal(other.headers.get('x-weir-cache'), 'miss');
  assert.match(await other.text(), /"type":"message"/);
});

test('a model has the name of the config, in lists as well', async () => {
  await chatAsker.ask(where(), 'fast', { scenario: 'text', stream: true });
  assert.match(
    provider.requests.at(-1)?.path ?? '',
    /^\/v1beta\/models\/gemini-2\.5-flash:streamGenerateContent\?alt=sse$/,
  );
  const renamed = await geminiAsker.ask(where(), 'fast', { scenario: 'text', stream: false });
  assert.equal(renamed.model, 'gemini-2.5-flash');
  const openai = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey });
  const listed = (await openai.models.list()).data.map(({ id }) => id);
  assert.deepEqual(listed, ['gpt-4o', 'gpt-oss-120b', 'gpt-5.1', 'nova', 'fast']);
});

test('the ledger has who was asked for, who answered, and what it cost there', async () => {
  const user = { 'x-weir-user': 'ledger', 'x-weir-cache': 'bypass' };
  await chatAsker.ask(where(user), 'fast', { scenario: 'text', stream: true });
  await messagesAsker.ask(where(user), 'gpt-4o', { scenario: 'text', stream: false });
  await geminiAsker.ask(where(user), 'claude-sonnet-4-5', { scenario: 'text', stream: false });
  await chatAsker.ask(where(user), 'fast', { scenario: 'error-429', stream: false }).catch(() => {});
  await chatAsker.ask(where(user), 'nova', { scenario: 'text', stream: true });
  const find = async () =>
    (await weir.rows()).filter((row) => row.user === 'ledger' && row.outcome !== 'unsettled');
  let rows = await find();
  while (rows.length < 5) rows = await find();
  const told = rows.map((row) => [
    row.provider,
    row.requested_model,
    row.model,
    row.outcome,
    row.input_tokens,
    row.output_tokens,
    row.list_usd,
  ]);
  told.sort(([a], [b]) => (a < b ? -1 : 1));
  const { input, output } = counts;
  assert.deepEqual(
    told.map((row) => row.slice(0, 6)),
    [
      ['anthropic', 'claude-sonnet-4-5', 'claude-sonnet-4-5-20260101', 'completed', input, output],
      ['bedrock', 'nova', 'us.amazon.nova-2-lite-v1:0', 'completed', input, output],
      ['gemini', 'fast', null, 'upstream_error', null, null],
      ['gemini', 'fast', 'gemini-2.5-flash', 'completed', input, output],
      ['openai', 'gpt-4o', 'gpt-4o-2026-01-01', 'completed', input, output],
    ].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
  );
  assert.equal(told.filter(([, , model, , , , usd]) => (model === null) === (usd === null)).length, 5);
});
