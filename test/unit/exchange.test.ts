import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import { createCache } from '../../src/cache/create.ts';
import { createKeyring } from '../../src/config/keyring.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import { configSchema } from '../../src/config/schema.ts';
import { Exchange } from '../../src/exchange/exchange.ts';
import type { Answer, RequestHead, ResponseHead } from '../../src/exchange/messages.ts';
import { createReader } from '../../src/exchange/reader.ts';
import readDeep from '../../src/exchange/reader-worker.ts';
import type { Services } from '../../src/exchange/services.ts';
import type { Access } from '../../src/identity/identity.ts';
import type { Admission, LimitedCall } from '../../src/limits/limits.ts';
import type { UsageRecord } from '../../src/usage/record.ts';

const providers = configSchema.parse({
  providers: {
    openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: 'sk-of-the-house' },
    anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com' },
  },
}).providers;

const anything: Access = {
  mayTag: true,
  providers: [],
  models: [],
  providerKey: (provider) => providers[provider]?.api_key || null,
};
const nobody = { apiKey: null, workload: null, tags: {} };

interface HouseOptions {
  admission?: Partial<Admission>;
  cacheMode?: 'all' | 'off';
  access?: Access;
  openFails?: boolean;
}

/** A house with a clock that ticks by hand, and everything it was told. */
function house(options: HouseOptions = {}) {
  const opened: UsageRecord[] = [];
  const closed: UsageRecord[] = [];
  const pending: Promise<void>[] = [];
  const admitted: LimitedCall[] = [];
  const ends: Parameters<Admission['close']>[0][] = [];
  let clock = 1_700_000_000_000;
  const held = createByteBudget(1024 * 1024);
  const log = pino({ level: 'silent' });
  const keyring = createKeyring([{ id: 'k', key: Buffer.alloc(32) }]);
  const policy = policySchema.parse({ cache: { ttl: '1s', mode: options.cacheMode ?? 'all' }, limits: [] });
  const services: Services = {
    providers,
    models: () => null,
    aliases: [],
    worker: 0,
    address: null,
    sign: async () => ({}),
    identity: {
      byKey: (key) => (key === 'weir_sk_good' ? { ...nobody, organization: 'acme', apiKey: 'key-1' } : null),
      anonymous: { ...nobody, organization: 'default' },
      byWorkload: (workload) =>
        workload.namespace === 'search'
          ? { organization: 'acme', apiKey: null, workload, tags: { team: 'binding', env: 'prod' } }
          : null,
      access: () => options.access ?? anything,
      policy: () => policy,
    },
    limits: {
      process: 'p1',
      estimates: { tokens: () => ({ input: 1, output: 1 }), learn: () => {} },
      async admit(_policy, call) {
        admitted.push(call);
        return {
          denial: null,
          passesHits: true,
          standing: { limit: null, budget: null, exceeded: [] },
          close: (how) => void ends.push(how),
          ...options.admission,
        };
      },
    },
    cache: createCache({ redis: null, cold: null, keyring, held, now: () => clock, log }),
    relay: null,
    reader: createReader(),
    routing: null,
    ledger: {
      async open(record) {
        if (options.openFails) throw new Error('the disk is full');
        opened.push(record);
      },
      close: (record) => void closed.push(record),
      drain: async () => ({ left: 0 }),
    },
    pricer: ({ usage, model }) =>
      model === 'gpt-4o'
        ? {
            usd: String((usage.input ?? 0) + (usage.output ?? 0)),
            toolUsd: null,
            model: 'openai:gpt-4o',
            version: 'test',
            factors: null,
            contextWindow: 1000,
          }
        : null,
    counter: { count: async (_model, texts) => ({ tokens: texts.join('').length, exact: true }) },
    held,
    fingerprint: (credential) => `print-of-${credential}`,
    now: () => clock,
    log,
  };
  return {
    opened,
    closed,
    admitted,
    /** How calls ended for limits and budgets; only the first of a call counts. */
    ends,
    async isKept(): Promise<boolean> {
      const exchange = new Exchange(post({ 'x-weir-cache': 'only' }), services, () => {});
      await exchange.head();
      const decision = await exchange.body(request);
      closed.pop();
      return decision.kind === 'answer' && decision.answer.status === 200;
    },
    start: (head: RequestHead) => new Exchange(head, services, (work) => void pending.push(work)),
    settled: () => Promise.all(pending),
    tick: (ms: number) => {
      clock += ms;
    },
  };
}

function post(headers: Record<string, string> = {}, path = '/v1/chat/completions'): RequestHead {
  const all = { authorization: 'Bearer weir_sk_good', ...headers };
  return { method: 'POST', path, headers: new Map(Object.entries(all)), ip: '10.0.0.1', ended: false };
}

function replyHead(type: string, status = 200): ResponseHead {
  return {
    status,
    headers: new Map([['content-type', type]]),
    ended: false,
    fromProvider: true,
    details: 'via_upstream',
  };
}

const request = Buffer.from(JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] }));
const reply = Buffer.from(
  JSON.stringify({
    id: 'chatcmpl-1',
    model: 'gpt-4o',
    choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
  }),
);
const errorBody = (answer: Answer) =>
  JSON.parse(answer.body.toString()) as { error: Record<string, unknown> };

test('a call with a weir key goes on with the key of the house, and its record is exact', async () => {
  const weir = house();
  const exchange = weir.start(
    post({ 'x-weir-user': 'ann', 'x-weir-tags': 'team=search', 'accept-encoding': 'gzip' }),
  );
  assert.equal((await exchange.head()).kind, 'read');
  const decision = await exchange.body(request);
  assert(decision.kind === 'forward');
  assert.equal(decision.edit.set.authorization, 'Bearer sk-of-the-house');
  assert.deepEqual(decision.edit.remove.sort(), ['accept-encoding', 'x-weir-tags', 'x-weir-user']);
  assert.equal(weir.opened[0]?.outcome, 'interrupted');
  assert.equal(weir.opened[0]?.requestedModel, 'gpt-4o');
  assert.deepEqual(weir.opened[0]?.tags, { team: 'search' });

  weir.tick(50);
  assert.equal(exchange.responseHead(replyHead('application/json')).observe, 'whole');
  assert.equal((await exchange.responseBody(reply, true)).headers?.set['x-weir-cost-usd'], '12');
  weir.tick(5);
  exchange.end();
  await weir.settled();
  const [record] = weir.closed;
  assert(record);
  assert.equal(record.outcome, 'completed');
  assert.equal(record.usageSource, 'provider');
  assert.equal(record.costUsd, '12');
  assert.equal(record.user, 'ann');
  assert.equal(record.apiKey, 'key-1');
  assert.equal(record.firstChunkMs, 50);
  assert.equal(record.endedAt - record.startedAt, 55);
  assert.equal(record.credentialFingerprint, 'print-of-sk-of-the-house');
  assert(await weir.isKept());
});

test('the same call again is answered from the cache and never opens a line for a provider', async () => {
  const weir = house();
  const first = weir.start(post());
  await first.head();
  await first.body(request);
  first.responseHead(replyHead('application/json'));
  await first.responseBody(reply, true);
  first.end();
  await weir.settled();

  const again = weir.start(post());
  await again.head();
  const decision = await again.body(Buffer.from(` ${request.toString()} `));
  assert(decision.kind === 'answer');
  assert.deepEqual(decision.answer.body, reply);
  assert.equal(decision.answer.headers['x-weir-cache'], 'hit');
  assert.equal(decision.answer.headers['x-weir-saved-usd'], '12');
  again.end();
  await weir.settled();
  assert.equal(weir.opened.length, 1);
  assert.equal(weir.closed.length, 2);
  assert.equal(weir.closed[1]?.costUsd, '0');
  assert.equal(weir.closed[1]?.savedUsd, '12');
});

test('an own credential passes untouched and has its own part of the cache', async () => {
  const weir = house();
  const keys = [];
  for (const credential of ['sk-a', 'sk-b', 'sk-a']) {
    const exchange = weir.start(post({ authorization: `Bearer ${credential}` }));
    await exchange.head();
    const decision = await exchange.body(request);
    assert(decision.kind === 'forward');
    assert.equal('authorization' in decision.edit.set, false);
    assert.equal(decision.edit.remove.includes('authorization'), false);
    exchange.end();
    keys.push(weir.opened.at(-1)?.cacheKey);
  }
  assert.equal(keys[0], keys[2]);
  assert.notEqual(keys[0], keys[1]);
});

test('an unknown weir key is refused in the form of the SDK that sent it', async () => {
  const weir = house();
  const openai = await weir.start(post({ authorization: 'Bearer weir_sk_bad' })).head();
  assert(openai.kind === 'answer');
  assert.equal(openai.answer.status, 401);
  assert.equal(errorBody(openai.answer).error.code, 'invalid_api_key');
  const head = post({ authorization: 'Bearer weir_sk_bad' }, '/v1/messages');
  const anthropic = await weir.start(head).head();
  assert(anthropic.kind === 'answer');
  assert.equal(errorBody(anthropic.answer).error.type, 'authentication_error');
});

test('a provider without a key is named, with the way out', async () => {
  const exchange = house().start(post({ 'x-api-key': 'weir_sk_good' }, '/v1/messages'));
  assert.deepEqual(await exchange.head(), { kind: 'read' });
  const decision = await exchange.body(request);
  assert(decision.kind === 'answer');
  assert.equal(decision.answer.headers['x-weir-error'], 'provider_key_missing');
  assert.match(decision.answer.body.toString(), /providers\.anthropic\.api_key/);
});

test('what is no JSON object is refused before it costs anything', async () => {
  for (const body of ['{"model":', '[]', '"x"', '', '\u0000\u0001']) {
    const weir = house();
    const exchange = weir.start(post());
    await exchange.head();
    const decision = await exchange.body(Buffer.from(body));
    assert(decision.kind === 'answer');
    assert.equal(decision.answer.status, 400);
    assert.equal(weir.closed[0]?.outcome, 'denied');
    assert.equal(weir.opened.length, 0);
  }
});

const workload = { cluster: 'c', namespace: 'search', serviceAccount: 'api', pod: 'api-1', podUid: 'u' };
const byWorkload = (headers: Record<string, string> = {}, where = workload): RequestHead => ({
  ...post({ authorization: 'Bearer weir_workload', ...headers }),
  workload: where,
});

test('a workload’s call has its workload and its tags in the record, and those of the call over them', async () => {
  for (const [mayTag, team] of [
    [true, 'call'],
    [false, 'binding'],
  ] as const) {
    const weir = house({ access: { ...anything, mayTag } });
    const exchange = weir.start(byWorkload({ 'x-weir-tags': 'team=call' }));
    await exchange.head();
    const decision = await exchange.body(request);
    assert(decision.kind === 'forward');
    assert.equal(decision.edit.set.authorization, 'Bearer sk-of-the-house');
    const [record] = weir.opened;
    assert.equal(record?.organization, 'acme');
    assert.deepEqual([record?.workload, record?.pod, record?.podUid], ['c/search/api', 'api-1', 'u']);
    assert.deepEqual(record?.tags, { team, env: 'prod' });
  }
});

test('a workload that nothing binds may use its own key, and not that of the house', async () => {
  const weir = house();
  const elsewhere = { ...workload, namespace: 'other' };
  const refused = await weir.start(byWorkload({}, elsewhere)).head();
  assert(refused.kind === 'answer');
  assert.equal(refused.answer.headers['x-weir-error'], 'workload_unknown');
  const own = weir.start(byWorkload({ authorization: 'Bearer sk-own' }, elsewhere));
  await own.head();
  assert.equal((await own.body(request)).kind, 'forward');
  assert.equal(weir.opened[0]?.organization, 'default');
  assert.equal(weir.opened[0]?.workload, 'c/other/api');
});

test('what the caller may not ask for is refused before limits, cache and provider', async () => {
  const models = [{ by: 'policy' as const, globs: ['gpt-4o-mini', 'o?'] }];
  const providers = [{ by: 'key' as const, globs: ['anthropic'] }];
  const cases: [Partial<Access>, string, RegExp][] = [
    [{ models }, 'model_not_allowed', /gpt-4o is not allowed for your organization\. .*: gpt-4o-mini, o\?/],
    [{ providers }, 'provider_not_allowed', /openai is not allowed for this API key\. .*: anthropic/],
  ];
  for (const [access, code, message] of cases) {
    const weir = house({ access: { ...anything, ...access } });
    const exchange = weir.start(post());
    const head = await exchange.head();
    const decision = head.kind === 'read' ? await exchange.body(request) : head;
    assert(decision.kind === 'answer');
    assert.equal(decision.answer.status, 403);
    assert.equal(errorBody(decision.answer).error.code, code);
    assert.match(String(errorBody(decision.answer).error.message), message);
    assert.equal(weir.opened.length, 0);
    assert.equal(weir.closed[0]?.outcome, 'denied');
    assert.equal(weir.closed[0]?.costUsd, '0');
  }
});

test('a call whose model stands in its path, or nowhere, is held to the models that are allowed', async () => {
  const models = [{ by: 'policy' as const, globs: ['gpt-4o'] }];
  const cases: [method: string, path: string, passes: boolean][] = [
    ['POST', '/v1/openai/deployments/gpt-4o/images/generations', true],
    ['POST', '/v1/openai/deployments/dall-e-3/images/generations', false],
    ['POST', '/v1/images/generations', false],
    ['POST', '/v1/batches', false],
    ['POST', '/v1/files', true],
    ['GET', '/v1/models/o3', true],
    ['GET', '/v1/realtime?model=gpt-realtime', false],
    ['GET', '/v1/realtime?x=1&model=gpt-4o', true],
  ];
  for (const [method, path, passes] of cases) {
    const weir = house({ access: { ...anything, models } });
    const upgrade: Record<string, string> = path.includes('realtime') ? { upgrade: 'websocket' } : {};
    const decision = await weir.start({ ...post(upgrade, path), method }).head();
    assert.equal(decision.kind, passes ? 'forward' : 'answer', path);
  }
});

test('a limit refuses with what SDKs read to know when to come back', async () => {
  const state = {
    name: 'per-ip',
    per: 'ip',
    kind: 'requests' as const,
    limit: 100,
    remaining: 0,
    resetMs: 1500,
  };
  const weir = house({ admission: { denial: { kind: 'limit', state, never: false } } });
  const exchange = weir.start(post());
  await exchange.head();
  const decision = await exchange.body(request);
  assert(decision.kind === 'answer');
  assert.equal(decision.answer.status, 429);
  assert.equal(decision.answer.headers['retry-after'], '2');
  assert.equal(decision.answer.headers['retry-after-ms'], '1500');
  assert.equal(decision.answer.headers['x-ratelimit-reset-requests'], '1.5s');
  assert.equal(errorBody(decision.answer).error.code, 'rate_limit_exceeded');
  assert.equal(weir.closed[0]?.outcome, 'denied');
  assert.equal(weir.closed[0]?.limitedBy, 'per-ip');
  assert.deepEqual(weir.ends, ['refused']);
});

test('a stream that breaks off is unsettled, counted, and not kept', async () => {
  const weir = house();
  const exchange = weir.start(post());
  await exchange.head();
  await exchange.body(request);
  assert.equal(exchange.responseHead(replyHead('text/event-stream; charset=utf-8')).observe, 'chunks');
  const chunk = {
    id: 'c',
    model: 'gpt-4o',
    choices: [{ index: 0, delta: { content: 'abc' }, finish_reason: null }],
  };
  await exchange.responseBody(Buffer.from(`data: ${JSON.stringify(chunk)}\n\nda`), false);
  exchange.end();
  await weir.settled();
  const [record] = weir.closed;
  assert.equal(record?.outcome, 'unsettled');
  assert.equal(record?.usageSource, 'counted');
  assert.equal(record?.usage.output, 3);
  assert(!(await weir.isKept()));
});

test('errors of the provider and replies that Envoy had to make are told apart', async () => {
  const weir = house();
  const provider = weir.start(post());
  await provider.head();
  await provider.body(request);
  provider.responseHead(replyHead('application/json', 400));
  await provider.responseBody(
    Buffer.from('{"error":{"type":"invalid_request_error","code":"bad_model"}}'),
    true,
  );
  provider.end();
  const local = weir.start(post());
  await local.head();
  await local.body(request);
  const head = { ...replyHead('application/json', 503), fromProvider: false, details: 'no_healthy_upstream' };
  assert.equal(local.responseHead(head).observe, 'nothing');
  local.end();
  await weir.settled();
  assert.deepEqual(
    weir.closed.map(({ outcome, errorCode, usageSource }) => ({ outcome, errorCode, usageSource })),
    [
      { outcome: 'upstream_error', errorCode: 'bad_model', usageSource: null },
      { outcome: 'upstream_error', errorCode: 'upstream_error', usageSource: null },
    ],
  );
});

test('a path that weir does not read passes at its head and is written down as uninspected', async () => {
  const weir = house();
  const exchange = weir.start({ ...post({}, '/v1/files'), method: 'POST' });
  assert.equal((await exchange.head()).kind, 'forward');
  exchange.responseHead(replyHead('application/json'));
  exchange.end();
  await weir.settled();
  assert.equal(weir.closed[0]?.operation, 'files');
  assert.equal(weir.closed[0]?.outcome, 'completed');
});

test('a caller who leaves before the body has come has cost nothing and leaves no line', async () => {
  const weir = house();
  const exchange = weir.start(post());
  await exchange.head();
  exchange.end();
  await weir.settled();
  assert.equal(weir.closed.length + weir.opened.length, 0);
});

test('x-weir-cache decides what the cache may do', async () => {
  const weir = house();
  for (const wish of ['use', 'refresh', 'bypass']) {
    const exchange = weir.start(post({ 'x-weir-cache': wish }));
    await exchange.head();
    assert.equal((await exchange.body(request)).kind, 'forward');
    exchange.responseHead(replyHead('application/json'));
    await exchange.responseBody(reply, true);
    exchange.end();
    await weir.settled();
  }
  assert.deepEqual(
    weir.closed.map(({ cache }) => cache),
    ['miss', 'bypass', 'bypass'],
  );
  const only = weir.start(post({ 'x-weir-cache': 'only', 'openai-beta': 'other=1' }));
  await only.head();
  const decision = await only.body(request);
  assert(decision.kind === 'answer');
  assert.equal(decision.answer.headers['x-weir-error'], 'cache_miss');
});

test('each way that a call can end closes its admission, and what it used counts once', async () => {
  const weir = house();
  const told = weir.start(post());
  await told.head();
  await told.body(request);
  told.responseHead(replyHead('application/json'));
  await told.responseBody(reply, true);
  told.end();
  await weir.settled();
  assert.deepEqual(weir.ends[0], { tokens: 12, usd: 12_000_000_000_000n });

  const hit = weir.start(post());
  await hit.head();
  assert.equal((await hit.body(request)).kind, 'answer');
  assert.deepEqual(weir.ends.at(-1), { tokens: 0, usd: 0n });

  const hungUp = weir.start(post({ 'x-weir-cache': 'bypass' }));
  await hungUp.head();
  await hungUp.body(request);
  const before = weir.ends.length;
  hungUp.end();
  await weir.settled();
  assert(weir.ends.length > before);

  const only = weir.start(post({ 'x-weir-cache': 'only', 'openai-beta': 'x' }));
  await only.head();
  await only.body(request);
  assert.equal(weir.ends.at(-1), 'refused');

  const unread = weir.start(post({}, '/v1/files'));
  await unread.head();
  assert.equal(weir.admitted.at(-1)?.asks, null);
  const count = weir.ends.length;
  unread.responseHead(replyHead('application/json'));
  unread.end();
  await weir.settled();
  assert(weir.ends.length > count);
});

test('a kept answer is given though tokens or a budget are used up, and not where requests are', async () => {
  const state = { name: 'x', kind: 'tokens' as const, per: 'user', limit: 1, remaining: 0, resetMs: 1 };
  for (const passesHits of [true, false]) {
    const admission: Partial<Admission> = {};
    const weir = house({ admission });
    const first = weir.start(post());
    await first.head();
    await first.body(request);
    first.responseHead(replyHead('application/json'));
    await first.responseBody(reply, true);
    first.end();
    await weir.settled();
    Object.assign(admission, { denial: { kind: 'limit', state, never: false }, passesHits });
    const exchange = weir.start(post());
    await exchange.head();
    const decision = await exchange.body(request);
    assert(decision.kind === 'answer');
    assert.equal(decision.answer.status, passesHits ? 200 : 429);
    assert.equal(weir.closed[1]?.limitedBy, 'x');
  }
});

test('what is nested deeper than the stack fails nothing, and a name that is no header is none', async () => {
  const weir = house();
  const deep = weir.start(post());
  await deep.head();
  const passed = await deep.body(Buffer.from(`{"messages":${'['.repeat(30_000)}${']'.repeat(30_000)}}`));
  assert.equal(passed.kind, 'forward');
  const content = `${'[{"content":'.repeat(30_000)}[]${'}]'.repeat(30_000)}`;
  const head = { status: 200, contentType: 'application/json', headers: new Map<string, string>() };
  const body = Buffer.from(`{"type":"message","content":${content}}`);
  const facts = readDeep({ kind: 'reply', dialect: 'anthropic-messages', body, head });
  assert(facts && 'complete' in facts && !facts.complete);
  const odd = weir.start(post());
  await odd.head();
  await odd.body(Buffer.from('{"model":"gpt\\r\\nset-cookie: a=b"}'));
  assert.equal('x-weir-model' in odd.responseHead(replyHead('application/json')).edit.set, false);
});

test('a call that weir fails at goes on as it came, and is written down', async () => {
  const weir = house();
  const exchange = weir.start(post());
  await exchange.head();
  await exchange.passAsItCame();
  assert.equal(weir.opened.length, 1);
  exchange.responseHead(replyHead('application/json'));
  await exchange.responseBody(reply, true);
  exchange.end();
  await weir.settled();
  const [record] = weir.closed;
  assert.deepEqual([record?.outcome, record?.errorCode, record?.costUsd], ['completed', 'weir_failed', '12']);
});

test('a call that was admitted and then not sent on has what it reserved free again', async () => {
  const weir = house({ openFails: true });
  const exchange = weir.start(post());
  await exchange.head();
  await assert.rejects(exchange.body(request), /the disk is full/);
  assert.deepEqual(weir.ends, []);
  exchange.end();
  assert.deepEqual(weir.ends, ['free']);
});
