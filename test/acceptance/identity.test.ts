import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { pino } from 'pino';
import { createKeyring, sealKeysOf } from '../../src/config/keyring.ts';
import { createPool, type Pool } from '../../src/db/pool.ts';
import { embeddedUrl } from '../../src/local/postgres.ts';
import { startFamilies } from '../fixtures/families.ts';
import { makeOrganization } from '../fixtures/identity.ts';
import { startProvider } from '../fixtures/provider.ts';
import { pythonWithSdks, runPython } from '../fixtures/python.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

const secrets = {
  openai: 'sk-house-openai-7Gq2nVx0',
  anthropic: 'sk-ant-house-5Tz8mWb1',
  google: 'AIza-house-9Kd3pRc4',
  acme: 'sk-acme-own-provider-key-2Hf6',
  application: 'sk-of-the-application-8Jw1',
};

let weir: TestWeir;
let pool: Pool;
let openai: Awaited<ReturnType<typeof startProvider>>;
let families: Awaited<ReturnType<typeof startFamilies>>;
let evil: Awaited<ReturnType<typeof startEvil>>;
let live: Awaited<ReturnType<typeof startLive>>;
let redirecting: Awaited<ReturnType<typeof startEvil>>;

/** A host that must never be called; one that redirects there, when told so. */
async function startEvil(location?: string) {
  const got: { path: string; headers: object }[] = [];
  const server = createServer((incoming, response) => {
    got.push({ path: incoming.url ?? '', headers: incoming.headers });
    incoming.resume();
    response.writeHead(location === undefined ? 200 : 307, location === undefined ? {} : { location }).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { got, host: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

/** Takes connections and tells each with which headers it came. */
async function startLive() {
  const server = createServer().on('upgrade', ({ headers }, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n');
    socket.on('error', () => {}).once('data', () => socket.write(JSON.stringify(headers)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}

before(async () => {
  live = await startLive();
  openai = await startProvider();
  families = await startFamilies(secrets);
  evil = await startEvil();
  redirecting = await startEvil(`${evil.url}/stolen`);
  weir = await startWeir({
    config: {
      log: { level: 'trace' },
      providers: {
        openai: { base_url: `${openai.url}/v1`, api_key: '${HOUSE_OPENAI}' },
        anthropic: { base_url: families.url, api_key: '${HOUSE_ANTHROPIC}' },
        gemini: { base_url: families.url, api_key: '${HOUSE_GOOGLE}' },
        live: { api: 'openai', base_url: `${live.url}/v1`, api_key: '${HOUSE_OPENAI}' },
        away: { api: 'openai', base_url: `${redirecting.url}/v1`, api_key: '${HOUSE_OPENAI}' },
      },
    },
    env: {
      HOUSE_OPENAI: secrets.openai,
      HOUSE_ANTHROPIC: secrets.anthropic,
      HOUSE_GOOGLE: secrets.google,
    },
  });
  pool = createPool(embeddedUrl(join(weir.dataDir, 'postgres')), { log: pino({ level: 'silent' }), max: 2 });
});
after(async () => {
  await pool.end();
  await weir.stop();
  await Promise.all([openai.stop(), families.stop(), evil.stop(), redirecting.stop(), live.stop()]);
});

const messages = [{ role: 'user' as const, content: 'Where is Zürich?' }];

test('the official SDKs for Node work with a weir key and nothing else, plain and streamed', async () => {
  const one = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const plain = await one.chat.completions.create({ model: 'gpt-4o', messages });
  let text = '';
  for await (const chunk of await one.chat.completions.create({ model: 'gpt-4o', messages, stream: true }))
    text += chunk.choices[0]?.delta.content ?? '';
  assert.equal(text, plain.choices[0]?.message.content);

  const two = new Anthropic({ baseURL: weir.egress, apiKey: weir.callKey, maxRetries: 0 });
  const asked = { model: 'claude-haiku-4-5', max_tokens: 100, messages };
  const [block] = (await two.messages.create(asked)).content;
  assert.equal(block?.type === 'text' && block.text, 'By a lake.');
  assert.equal(await two.messages.stream(asked).finalText(), 'By a lake.');
  const bearer = new Anthropic({
    baseURL: weir.egress,
    authToken: weir.callKey,
    apiKey: null,
    maxRetries: 0,
  });
  assert.equal((await bearer.messages.create({ ...asked, max_tokens: 99 })).id, 'msg_mock');

  const three = new GoogleGenAI({ apiKey: weir.callKey, httpOptions: { baseUrl: weir.egress } });
  const question = { model: 'gemini-2.5-flash', contents: 'Where is Zürich?' };
  assert.equal((await three.models.generateContent(question)).text, 'By a lake.');
  let streamed = '';
  for await (const chunk of await three.models.generateContentStream(question)) streamed += chunk.text ?? '';
  assert.equal(streamed, 'By a lake.');

  const unknown = new Anthropic({ baseURL: weir.egress, apiKey: 'weir_sk_nobodys', maxRetries: 0 });
  await assert.rejects(unknown.messages.create(asked), Anthropic.AuthenticationError);
});

const program = `
import json, os, openai, anthropic
from google import genai
base, key = os.environ["BASE"], os.environ["KEY"]
messages = [{"role": "user", "content": "Where is Zürich, in Python?"}]
said = {}
one = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0)
said["openai"] = one.chat.completions.create(model="gpt-4o", messages=messages).choices[0].message.content
said["openai_stream"] = "".join(c.choices[0].delta.content or "" for c in one.chat.completions.create(model="gpt-4o", messages=messages, stream=True))
two = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
said["anthropic"] = two.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=messages).content[0].text
with two.messages.stream(model="claude-haiku-4-5", max_tokens=100, messages=messages) as stream:
    said["anthropic_stream"] = "".join(stream.text_stream)
three = genai.Client(api_key=key, http_options={"base_url": base})
said["google"] = three.models.generate_content(model="gemini-2.5-flash", contents="Where, in Python?").text
said["google_stream"] = "".join(c.text or "" for c in three.models.generate_content_stream(model="gemini-2.5-flash", contents="Where, in Python?"))
print(json.dumps(said))
`;

test('the official SDKs for Python work with a weir key and nothing else, plain and streamed', async (t) => {
  const python = await pythonWithSdks().catch((error: unknown) => {
    if (process.env.CI) throw error;
    t.skip(`no Python with the SDKs can be made here: ${error}`);
  });
  if (!python) return;
  const said = await runPython(python, program, { BASE: weir.egress, KEY: weir.callKey });
  const { openai: plain, openai_stream, ...others } = said as Record<string, string>;
  assert.equal(plain, openai_stream);
  for (const [name, text] of Object.entries(others)) assert.equal(text, 'By a lake.', name);
});

test('an organization’s own provider key goes out for its callers alone', async () => {
  const key = await makeOrganization(pool, 'acme');
  const keyring = createKeyring(
    sealKeysOf({ encryption: { keys: [] } }, { sealKeys: join(weir.dataDir, 'seal.json') }),
  );
  await pool.query(
    `INSERT INTO provider_keys (id, organization, provider, name, hint, sealed) VALUES ('pk_acme', 'acme', 'openai', 'x', '', $1)`,
    [keyring.seal(Buffer.from(secrets.acme), 'provider_key:pk_acme')],
  );
  const ask = async (apiKey: string) => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const response = await fetch(`${weir.egress}/v1/models`, { headers });
    await response.arrayBuffer();
    return response.status;
  };
  const last = () => openai.requests.at(-1)?.headers.authorization;
  while ((await ask(key.secret)) !== 200 || last() !== `Bearer ${secrets.acme}`);
  assert.equal(await ask(weir.callKey), 200);
  assert.equal(last(), `Bearer ${secrets.openai}`);
  assert.equal(await ask(secrets.application), 200);
  assert.equal(last(), `Bearer ${secrets.application}`);
});

test('what a policy and a key do not allow is refused in the form of the SDK, before anybody is asked', async () => {
  const key = await makeOrganization(pool, 'strict');
  await pool.query('UPDATE api_keys SET models = $2 WHERE id = $1', [key.id, ['gpt-*', 'claude-*']]);
  await pool.query(
    `INSERT INTO policies VALUES ('strict', 1, '{"models": ["gpt-4o", "claude-*", "gemini-*"], "providers": ["openai", "gemini"]}')`,
  );
  const one = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: key.secret, maxRetries: 0 });
  const ask = (model: string) =>
    one.chat.completions.create({ model, messages }).then(
      () => null,
      (error: unknown) => (error instanceof OpenAI.APIError ? error : assert.fail(String(error))),
    );
  // In force within two seconds.
  let refused = await ask('gpt-4o-mini');
  while (refused === null || refused.status === 401) refused = await ask('gpt-4o-mini');
  assert(refused instanceof OpenAI.PermissionDeniedError);
  assert.equal(refused.code, 'model_not_allowed');
  assert.match(
    refused.message,
    /The model gpt-4o-mini is not allowed for your organization\. Allowed models: gpt-4o, claude-\*/,
  );
  assert.equal(await ask('gpt-4o'), null);

  const google = new GoogleGenAI({ apiKey: key.secret, httpOptions: { baseUrl: weir.egress } });
  await assert.rejects(
    google.models.generateContent({ model: 'gemini-2.5-flash', contents: 'x' }),
    /not allowed for this API key\. Allowed models: gpt-\*, claude-\*/,
  );
  const two = new Anthropic({ baseURL: weir.egress, apiKey: key.secret, maxRetries: 0 });
  const asked = two.messages.create({ model: 'claude-haiku-4-5', max_tokens: 9, messages });
  await assert.rejects(asked, (error: unknown) => {
    assert(error instanceof Anthropic.PermissionDeniedError);
    assert.match(error.message, /The provider anthropic is not allowed/);
    return true;
  });
  const image = await fetch(`${weir.egress}/v1/images/generations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key.secret}` },
    body: '{}',
  });
  assert.equal(image.status, 403, 'its model cannot be seen');
  assert.equal(image.headers.get('x-weir-error'), 'model_not_allowed');
  const strict = families.got.concat(openai.requests).filter(({ path }) => /images/.test(path));
  assert.equal(strict.length, 0);
});

/** Sends a request as it is told, byte for byte. */
function send(path: string, headers: Record<string, string>): Promise<{ status: number; location: string }> {
  const { hostname, port } = new URL(weir.egress);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method: 'POST', headers }, (response) => {
      response.resume();
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, location: String(response.headers.location) }),
      );
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify({ model: 'gpt-4o', messages }));
  });
}

test('a provider’s key goes to its own host alone, whatever the caller tries', async () => {
  const key = {
    authorization: `Bearer ${weir.callKey}`,
    'content-type': 'application/json',
    'x-weir-cache': 'bypass',
  };
  const { host } = evil;
  const chat = '/v1/chat/completions';
  const hostile: [string, Record<string, string>][] = [
    [chat, { host }],
    [`http://${host}${chat}`, {}],
    [`http://${host}${chat}`, { host }],
    [`//${host}${chat}`, {}],
    [`/v1//${host}${chat}`, {}],
    [`/providers/openai//${host}${chat}`, {}],
    [`/providers/openai/@${host}${chat}`, {}],
    [`/providers/openai@${host}${chat}`, {}],
    [`/providers/${host}${chat}`, {}],
    [`/v1/../../${host}${chat}`, {}],
    [`/v1/..%2f..%2f@${host}/chat/completions`, {}],
    [`/v1/chat/completions?host=${host}&base_url=${evil.url}`, {}],
    [chat, { 'x-forwarded-host': host, 'x-forwarded-for': '1.2.3.4', forwarded: `host=${host}` }],
    [chat, { 'x-envoy-original-dst-host': host, 'x-envoy-original-path': `http://${host}/` }],
    [chat, { 'x-envoy-retry-on': '5xx', 'x-envoy-max-retries': '9', 'x-envoy-upstream-alt-stat-name': 'x' }],
    [chat, { 'x-weir-internal-cluster': 'provider-away' }],
    [chat, { 'x-weir-internal-cluster': 'weir-xds', 'x-weir-provider': host }],
    [chat, { ':authority': host }],
    [`/providers/away${chat}`, {}],
    [`/providers/away/redirected`, { host }],
  ];
  const before = openai.requests.length;
  const harmless: string[] = [];
  for (const [path, headers] of hostile) {
    const { status, location } = await send(path, { ...key, ...headers }).catch(() => ({
      status: 400,
      location: '',
    }));
    const told = JSON.stringify([path, headers, status]);
    if (path.startsWith('/providers/away')) {
      // A redirect is the caller’s to follow.
      assert.deepEqual([status, location], [307, `${evil.url}/stolen`], told);
    } else if (path === chat && headers[':authority'] === undefined) {
      // Whatever else is said, it is a call to the provider of the path.
      assert.equal(status, 200, told);
      harmless.push(told);
    } else assert(status < 500 || status === 503, told);
  }
  assert.equal(harmless.length, 6);
  assert(openai.requests.length - before >= harmless.length);
  assert.deepEqual(evil.got, []);
  for (const { path, headers } of openai.requests) {
    assert.equal(headers.host, new URL(openai.url).host, path);
    assert.deepEqual(
      Object.keys(headers).filter((name) => /^x-(weir|envoy)-/.test(name)),
      [],
    );
  }
  const where = (seen: { headers: object }[], secret: string) =>
    seen.filter(({ headers }) => JSON.stringify(headers).includes(secret)).length;
  assert.equal(where(families.got, secrets.openai) + where(families.got, secrets.acme), 0);
  assert.equal(where(openai.requests, secrets.anthropic) + where(openai.requests, secrets.google), 0);
  for (const seen of [families.got, openai.requests, redirecting.got])
    assert.equal(where(seen, 'weir_'), 0, 'no weir key reached a provider');
});

test('a realtime connection is known by the key among its protocols, and the key stays in the house', async () => {
  const { hostname, port } = new URL(weir.egress);
  const open = (key: string) =>
    new Promise<{ status: number; seen: Record<string, string> }>((resolve, reject) => {
      const outgoing = request({
        hostname,
        port,
        path: '/providers/live/v1/realtime?model=gpt-realtime',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          'sec-websocket-protocol': `realtime, openai-insecure-api-key.${key}, openai-beta.realtime-v1`,
        },
      });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        response.resume();
        resolve({ status: response.statusCode ?? 0, seen: {} });
      });
      outgoing.on('upgrade', (response, socket) => {
        socket.once('data', (bytes: Buffer) => {
          socket.destroy();
          resolve({ status: response.statusCode ?? 0, seen: JSON.parse(bytes.toString()) });
        });
        socket.write('go');
      });
      outgoing.end();
    });
  const { status, seen } = await open(weir.callKey);
  assert.equal(status, 101);
  assert.equal(seen.authorization, `Bearer ${secrets.openai}`);
  assert.equal(seen['sec-websocket-protocol'], 'realtime, openai-beta.realtime-v1');
  assert.equal((await open('weir_sk_nobodys')).status, 401);
  const own = await open(secrets.application);
  assert.match(own.seen['sec-websocket-protocol'] ?? '', new RegExp(secrets.application));
  assert.equal(own.seen.authorization, undefined);
});

/** Each place where a key may stand, and the paths of three families with what a good call to them looks like. */
const places: Record<string, (key: string) => { headers?: Record<string, string>; query?: string }> = {
  bearer: (key) => ({ headers: { authorization: `Bearer ${key}` } }),
  raw: (key) => ({ headers: { authorization: key } }),
  basic: (key) => ({
    headers: { authorization: `Basic ${Buffer.from(`someone:${key}`).toString('base64')}` },
  }),
  anthropic: (key) => ({ headers: { 'x-api-key': key } }),
  azure: (key) => ({ headers: { 'api-key': key } }),
  google: (key) => ({ headers: { 'x-goog-api-key': key } }),
  query: (key) => ({ query: `?key=${key}` }),
  'x-weir-key': (key) => ({ headers: { 'x-weir-key': key } }),
};
const byFamily: Record<string, { path: string; body: object; unauthorized: RegExp }> = {
  openai: {
    path: '/v1/chat/completions',
    body: { model: 'gpt-4o', messages },
    unauthorized: /"error":\{"message":.*"code":"invalid_api_key"/,
  },
  anthropic: {
    path: '/v1/messages',
    body: { model: 'claude-haiku-4-5', max_tokens: 100, messages },
    unauthorized: /"type":"error".*"type":"authentication_error"/,
  },
  gemini: {
    path: '/v1beta/models/gemini-2.5-flash:generateContent',
    body: { contents: [{ role: 'user', parts: [{ text: 'x' }] }] },
    unauthorized: /"code":401.*"status":"UNAUTHENTICATED"/,
  },
};

/** Keys that are nearly the good one. */
function nearly(key: string): string[] {
  const at = (place: number) => key.slice(0, place) + (key[place] === 'a' ? 'b' : 'a') + key.slice(place + 1);
  const start = key.lastIndexOf('_') + 1;
  return [
    at(start),
    at(key.length - 1),
    at(Math.floor((start + key.length) / 2)),
    `${key}a`,
    key.slice(0, -1),
  ];
}

test('in every place the right key is its caller’s, and one that is nearly right is told so in the form of the SDK', async () => {
  for (const [family, { path, body, unauthorized }] of Object.entries(byFamily)) {
    for (const [place, put] of Object.entries(places)) {
      const ask = async (key: string) => {
        const { headers, query } = put(key);
        const response = await fetch(`${weir.egress}${path}${query ?? ''}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: JSON.stringify(body),
        });
        return { status: response.status, text: await response.text() };
      };
      const good = await ask(weir.callKey);
      assert.equal(good.status, 200, `${family}, ${place}: ${good.text}`);
      for (const key of nearly(weir.callKey)) {
        const { status, text } = await ask(key);
        assert.equal(status, 401, `${family}, ${place}: ${text}`);
        assert.match(text, unauthorized, `${family}, ${place}`);
        assert(!text.includes(key), 'a key is not said again');
      }
    }
  }
});

/** As it would stand somewhere: in clear, in hex, and in base64 whatever stands before it. */
function formsOf(secret: string): [string, string][] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((before): [string, string] => {
    const text = Buffer.concat([Buffer.alloc(before), bytes])
      .toString('base64')
      .replace(/=*$/, '');
    return [`base64, ${before}`, text.slice(Math.ceil((before * 8) / 6), -2)];
  });
  return [['utf8', secret], ['hex', bytes.toString('hex')], ...base64];
}

/** Every file below a directory. */
function filesOf(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test('no secret lies anywhere in clear: logs, journal, database, snapshot', async () => {
  const { rows: tables } = await pool.query<{ name: string }>(
    `SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables
      WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')`,
  );
  const dump: string[] = [];
  for (const { name } of tables) {
    const { rows } = await pool.query(`SELECT row_to_json(t)::text AS row FROM ${name} t`);
    dump.push(`${name} ${JSON.stringify(rows)}`);
  }
  await pool.query('CHECKPOINT');
  const { rows: places } = await pool.query<{ data_directory: string }>('SHOW data_directory');
  const roots = [weir.dataDir, ...places.map(({ data_directory }) => data_directory)];
  // seal.json has the key that seals, keys.json the keys of weir itself.
  const files = roots.flatMap(filesOf).filter((file) => !/\/(seal|keys)\.json$/.test(file));
  assert(files.some((file) => file.endsWith('identity.sealed')));
  assert(files.some((file) => file.includes('/pg_wal/')));
  assert(dump.some((rows) => rows.startsWith('public.usage ') && rows.includes('gpt-4o')));
  const written: [string, Buffer][] = [
    ['output', Buffer.from(weir.output())],
    ['dump', Buffer.from(dump.join('\n'))],
    ...files.map((file): [string, Buffer] => [file, readFileSync(file)]),
  ];
  for (const [name, secret] of Object.entries(secrets)) {
    for (const [form, needle] of formsOf(secret)) {
      const found = written.filter(([, bytes]) => bytes.includes(needle)).map(([where]) => where);
      assert.deepEqual(found, [], `the secret ${name}, as ${form}`);
    }
  }
  const others = written.filter(([where]) => where !== 'output');
  assert.deepEqual(
    others.filter(([, bytes]) => bytes.includes(weir.callKey)).map(([where]) => where),
    [],
    'nor the call key, but in the banner',
  );
});
