import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../src/config/schema.ts';
import { findTarget, pathAt } from '../../src/dialects/target.ts';
import type { Json } from '../../src/envoy/inputs.ts';
import { routeConfiguration } from '../../src/envoy/routes.ts';

const { providers } = configSchema.parse({
  providers: {
    openai: { api: 'openai', base_url: 'https://api.openai.com/v1' },
    anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com' },
    gemini: { api: 'gemini', base_url: 'https://generativelanguage.googleapis.com/' },
    groq: { api: 'openai', base_url: 'https://api.groq.com/openai/v1' },
    zai: { api: 'openai', base_url: 'https://api.z.ai/api/paas/v4' },
  },
});

const cases: [path: string, provider: string, sent: string, endpoint: string][] = [
  ['/v1/chat/completions', 'openai', '/v1/chat/completions', '/chat/completions'],
  ['/v1/files?purpose=a/b', 'openai', '/v1/files?purpose=a/b', '/files'],
  ['/v1/messages', 'anthropic', '/v1/messages', '/messages'],
  [
    '/v1beta/models/gemini-pro:generateContent',
    'gemini',
    '/v1beta/models/gemini-pro:generateContent',
    '/models/gemini-pro:generateContent',
  ],
  [
    '/v1/models/gemini-pro:generateContent',
    'gemini',
    '/v1/models/gemini-pro:generateContent',
    '/models/gemini-pro:generateContent',
  ],
  ['/v1/models/gpt-4o', 'openai', '/v1/models/gpt-4o', '/models/gpt-4o'],
  ['/providers/groq/chat/completions', 'groq', '/openai/v1/chat/completions', '/chat/completions'],
  ['/providers/groq/v1/chat/completions', 'groq', '/openai/v1/chat/completions', '/chat/completions'],
  ['/providers/zai/chat/completions', 'zai', '/api/paas/v4/chat/completions', '/chat/completions'],
  ['/providers/openai/v1/models', 'openai', '/v1/models', '/models'],
  ['/providers/openai/v10/models', 'openai', '/v1/v10/models', '/models'],
];

/** What Envoy's own routes do with a path when no processor looks at it. */
function envoyRoute(path: string): { provider: string; path: string } | undefined {
  const configuration = routeConfiguration({ providers, models: {} }, [0]);
  for (const route of find(configuration, 'routes') as Record<string, Record<string, Json>>[]) {
    const rewrite = route.route?.regex_rewrite as
      | { pattern: { regex: string }; substitution: string }
      | undefined;
    const { prefix, safe_regex } = route.match as { prefix?: string; safe_regex?: { regex: string } };
    const matches =
      prefix === undefined
        ? new RegExp(`^(?:${safe_regex?.regex})$`).test(path.replace(/\?.*$/, ''))
        : path.startsWith(prefix);
    if (!rewrite || !matches) continue;
    const provider = String(route.route?.cluster).replace(/^provider-/, '');
    return {
      provider,
      path: path.replace(new RegExp(rewrite.pattern.regex), rewrite.substitution.replace('\\1', '$1')),
    };
  }
  return undefined;
}

function find(value: Json, key: string): Json[] {
  if (Array.isArray(value)) return value.flatMap((each) => find(each, key));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => (name === key ? (each as Json[]) : find(each, key)));
}

for (const [path, provider, sent, endpoint] of cases) {
  test(`${path} goes to ${provider} as ${sent}, with a processor and without`, () => {
    assert.deepEqual(findTarget(providers, path, false), { provider, path: sent, endpoint });
    assert.deepEqual(envoyRoute(path), { provider, path: sent });
  });
}

test('an anthropic-version header tells the provider', () => {
  assert.equal(findTarget(providers, '/v1/complete', true)?.provider, 'anthropic');
});

test('a path of nobody, and a provider that is not there', () => {
  assert.equal(findTarget(providers, '/metrics', false), undefined);
  assert.equal(findTarget(providers, '/providers/none/v1/chat/completions', false), undefined);
  assert.equal(findTarget(providers, '/providers/toString/v1', false), undefined);
});

test('a base URL with its version within is whole: Vertex AI', () => {
  const base_url = 'https://l-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/google';
  const vertex = { vertex: { api: 'gemini' as const, base_url, api_key: '' } };
  const there = '/v1/projects/p/locations/l/publishers/google/models/g:generateContent';
  for (const version of ['', '/v1', '/v1beta']) {
    const target = findTarget(vertex, `/providers/vertex${version}/models/g:generateContent`, false);
    assert.deepEqual([target?.path, target?.endpoint], [there, '/models/g:generateContent']);
  }
  assert.equal(pathAt(vertex.vertex, '/models/g:generateContent'), there);
});
