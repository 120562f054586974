import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ConfigError } from '../../src/config/errors.ts';
import { loadConfig } from '../../src/config/load.ts';
import { dataPaths } from '../../src/config/paths.ts';

const cwd = mkdtempSync(join(tmpdir(), 'weir-config-'));
after(() => rmSync(cwd, { recursive: true }));

function load(yaml: string, env: Record<string, string> = {}) {
  writeFileSync(join(cwd, 'weir.yaml'), yaml);
  return loadConfig({ env, cwd });
}

/** The lines that a broken config is answered with. */
function problems(yaml: string, env: Record<string, string> = {}): string[] {
  try {
    load(yaml, env);
  } catch (error) {
    assert(error instanceof ConfigError);
    return error.message.split('\n');
  }
  return [];
}

test('an empty config is a working one', () => {
  const { config, given } = load('');
  assert.deepEqual(config.listen.egress, { host: '127.0.0.1', port: 10_000 });
  assert.equal(config.defaults.cache.ttl, 86_400_000);
  assert.deepEqual(Object.keys(config.providers), ['openai', 'anthropic', 'gemini', 'groq']);
  assert.equal(given('listen.egress'), false);
});

test('the environment fills in, overrides, and counts as given', () => {
  const { config, given } = load(
    'listen: { api: 127.0.0.1:1 }\nproviders: { mine: { api: openai, base_url: "http://${HOST}/v1/" } }',
    {
      HOST: 'vllm:8000',
      OPENAI_API_KEY: 'sk-1',
      WEIR_LISTEN_EGRESS: '[::1]:99',
      WEIR_DEFAULTS_CACHE_TTL: '5m',
      WEIR_PROVIDERS_GROQ_API_KEY: 'gsk',
      WEIR_REDIS_URL: 'redis://a:1,redis://b:2',
    },
  );
  assert.equal(config.providers.mine?.base_url, 'http://vllm:8000/v1');
  assert.equal(config.providers.openai?.api_key, 'sk-1');
  assert.equal(config.providers.groq?.api_key, 'gsk');
  assert.deepEqual(config.listen.egress, { host: '::1', port: 99 });
  assert.equal(config.defaults.cache.ttl, 300_000);
  assert.deepEqual(config.redis.url, ['redis://a:1', 'redis://b:2']);
  assert(given('listen.egress') && given('listen.api') && !given('listen.otlp_http'));
});

test('a built-in provider can be changed in one thing, or dropped', () => {
  const { config } = load('providers: { openai: { api_key: k }, gemini: null }');
  assert.equal(config.providers.openai?.base_url, 'https://api.openai.com/v1');
  assert.equal(config.providers.gemini, undefined);
});

const broken: [name: string, yaml: string, expected: RegExp, env?: Record<string, string>][] = [
  [
    'an unknown key',
    'listen:\n  egres: 127.0.0.1:1',
    /^weir\.yaml:2: listen\.egres: unknown key; did you mean egress\?$/,
  ],
  [
    'a wrong address',
    'listen:\n\n  api: nonsense',
    /^weir\.yaml:3: listen\.api: expected an address such as .*, found "nonsense"$/,
  ],
  [
    'a wrong word',
    'defaults: { cache: { mode: sometimes } }',
    /^weir\.yaml:1: defaults\.cache\.mode: found "sometimes"; expected one of all, deterministic, shadow, off$/,
  ],
  [
    'a wrong type',
    'processor: { workers: many }',
    /^weir\.yaml:1: processor\.workers: expected a number, found "many"$/,
  ],
  [
    'a limit of zero',
    'defaults:\n  limits:\n    - { name: a, per: ip, requests: 0, window: 1m }',
    /^weir\.yaml:3: defaults\.limits\.0\.requests: /,
  ],
  [
    'two limits of one name',
    'defaults: { limits: [{ name: a, per: ip, requests: 1, window: 1m }, { name: a, per: ip, requests: 1, window: 1m }] }',
    /every limit needs its own name/,
  ],
  ['broken YAML', 'listen: {', /^weir\.yaml:1:10: /],
  ['a list instead of keys', '- a', /^weir\.yaml:1: expected keys and values/],
  [
    'a variable that is not set',
    'postgres: { url: "${NOWHERE}" }',
    /^weir\.yaml:1: postgres\.url: \$\{NOWHERE\} is not set/,
  ],
  [
    'a database of another kind',
    'postgres: { url: "mysql://x" }',
    /^weir\.yaml:1: postgres\.url: expected embedded, or a URL such as postgres:\/\//,
  ],
  [
    'several processors without Redis',
    'processor: { workers: 2 }',
    /^weir\.yaml:1: processor\.workers: more than one processor needs redis\.url/,
  ],
  [
    'a variable of the wrong type',
    '',
    /^environment: WEIR_PROCESSOR_WORKERS: expected a number, found "many"$/,
    { WEIR_PROCESSOR_WORKERS: 'many' },
  ],
  [
    'an address given twice',
    'listen: { egress: "127.0.0.1:1", api: "127.0.0.1:1" }',
    /^weir\.yaml:1: listen\.api: the address is that of listen\.egress/,
  ],
  [
    'an unknown variable',
    '',
    /WEIR_LISTN_EGRESS: unknown variable; did you mean WEIR_LISTEN_EGRESS\?/,
    { WEIR_LISTN_EGRESS: 'x' },
  ],
];

for (const [name, yaml, expected, env] of broken) {
  test(`${name} is named with its line and what would be right`, () => {
    const [first, ...rest] = problems(yaml, env);
    assert.match(first ?? '', expected);
    assert.deepEqual(rest, []);
  });
}

test('all problems are told at once', () => {
  assert.equal(problems('listen: { egres: x, api: y }\nprocessor: { workers: z }').length, 3);
});

test('a file that is not there is an error when it was asked for', () => {
  assert.throws(() => loadConfig({ file: 'other.yaml', env: {}, cwd }), /other\.yaml: there is no such file/);
});

test('sockets move to a short directory when their paths would be too long for the system', () => {
  const long = dataPaths(`/${'d'.repeat(120)}`, '/');
  assert(Buffer.byteLength(long.sockets.processor(10)) < 104);
  assert.notEqual(long.sockets.xds, dataPaths(`/${'e'.repeat(120)}`, '/').sockets.xds);
  assert.equal(dataPaths('.weir', '/srv').sockets.xds, '/srv/.weir/run/xds.sock');
});
