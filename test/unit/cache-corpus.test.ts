// Every recorded exchange, through an exchange of weir's: what may be kept is, and is given again as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema, type ProviderConfig } from '../../src/config/schema.ts';
import { answerHeaders, answerPath } from '../../src/dialects/answer-key.ts';
import { canonicalForm } from '../../src/dialects/canonical.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { findTarget } from '../../src/dialects/target.ts';
import {
  corpusMissing,
  familyOf,
  type RecordedExchange,
  recordedExchanges,
  requestBody,
  responseBody,
} from '../fixtures/corpus.ts';
import { callHead, openHouse, type ProviderSide } from '../fixtures/house.ts';

interface Case {
  exchange: RecordedExchange;
  path: string;
  dialect: Dialect;
  endpoint: string;
}

const providers: Record<string, ProviderConfig> = {};

/** The exchanges that weir looks into, each with a provider of its own family and host. */
const cases = (corpusMissing ? [] : recordedExchanges()).flatMap((exchange): Case[] => {
  const api = familyOf(exchange);
  if (!api || exchange.method !== 'POST') return [];
  const host = exchange.provider_host.replace(/[^a-z0-9-]/gi, '-').toLowerCase();
  const name = `${api}-${host}`.slice(0, 60);
  const config = {
    providers: { [name]: { api, base_url: `https://${exchange.provider_host}`, api_key: 'k' } },
  };
  Object.assign(providers, configSchema.parse(config).providers);
  const path = `/providers/${name}${exchange.path}`;
  const target = findTarget(providers, path, false);
  const dialect = target && findDialect(api, 'POST', target.endpoint);
  return target && dialect && !dialect.later ? [{ exchange, path, dialect, endpoint: target.endpoint }] : [];
});

function sideOf(exchange: RecordedExchange, size: number): ProviderSide {
  const body = responseBody(exchange);
  const chunks: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) chunks.push(body.subarray(at, at + size));
  return { type: exchange.response_content_type ?? 'application/json', status: exchange.status, chunks };
}

function headOf({ exchange, path }: Case, more: Record<string, string> = {}) {
  // An organization for each: nothing is kept for another.
  const authorization = `Bearer weir_sk_${exchange.id}`;
  return callHead({ ...exchange.request_headers, authorization, ...more }, path);
}

/** What the dialect says of it: asked without a cache. */
function mayBeKept({ exchange, dialect, endpoint }: Case): boolean {
  const request = dialect.readRequest(requestBody(exchange), endpoint);
  const contentType = (exchange.response_content_type ?? '').toLowerCase();
  const head = {
    status: exchange.status,
    contentType,
    headers: new Map(Object.entries(exchange.response_headers)),
  };
  const observer = dialect.observeStream(head, endpoint);
  observer?.push(responseBody(exchange));
  const reply = observer ? observer.facts() : dialect.readReply(responseBody(exchange), head);
  const isCut = ['length', 'max_tokens', 'MAX_TOKENS'].includes(reply.finishReason ?? '');
  return request?.repeatable === true && reply.complete && !(isCut && request.maxOutputTokens === null);
}

test('what may be kept is kept and given again byte for byte, and nothing else', {
  skip: corpusMissing,
}, async (t) => {
  let kept = 0;
  const house = openHouse({ providers, cache: { max_bytes: '16MiB' } });
  for (const each of cases) {
    house.records.length = 0;
    const body = requestBody(each.exchange);
    const ask = (more: Record<string, string> = {}) =>
      house.call(headOf(each, more), body, () => sideOf(each.exchange, 997));
    const first = await ask();
    await house.settled();
    const again = await ask({ 'x-weir-cache': 'only' });
    const isKept = again.status !== 504;
    assert.equal(isKept, mayBeKept(each), each.exchange.id);
    if (!isKept) continue;
    kept++;
    assert.equal(again.text, first.text, each.exchange.id);
    assert.equal(again.headers['content-type'], each.exchange.response_content_type, each.exchange.id);
    assert.equal(house.records.at(-1)?.costUsd, '0');
    assert.deepEqual(house.records.at(-1)?.usage, house.records[0]?.usage, each.exchange.id);
  }
  assert(house.held.take(64 * 1024 * 1024), 'nothing is held any more');
  t.diagnostic(`${kept} of ${cases.length} may be kept`);
  assert(kept > cases.length / 3);
});

/** The same request for the other form. */
function turned({ exchange, path, dialect }: Case): { path: string; body: Buffer } | null {
  const body = JSON.parse(requestBody(exchange).toString('utf8'));
  if (dialect.name === 'gemini-generate') {
    const plain = path.includes(':generateContent');
    const other = plain
      ? `${path.replace(':generateContent', ':streamGenerateContent')}${path.includes('?') ? '&' : '?'}alt=sse`
      : path.replace(':streamGenerateContent', ':generateContent');
    return { path: other, body: Buffer.from(JSON.stringify(body)) };
  }
  if (!dialect.replay) return null;
  return { path, body: Buffer.from(JSON.stringify({ ...body, stream: body.stream !== true })) };
}

test('what is kept is given in the other form, and is told apart by nothing else', {
  skip: corpusMissing,
}, async (t) => {
  let given = 0;
  let tried = 0;
  const house = openHouse({ providers, cache: { max_bytes: '16MiB' } });
  for (const each of cases.filter(mayBeKept)) {
    house.records.length = 0;
    const other = turned(each);
    if (!other) continue;
    tried++;
    await house.call(headOf(each), requestBody(each.exchange), () => sideOf(each.exchange, 997));
    await house.settled();
    const head = { ...headOf(each, { 'x-weir-cache': 'only' }), path: other.path };
    const reply = await house.call(head, other.body, () => assert.fail('asked'));
    assert.equal(
      reply.headers['x-weir-cache-key'] ?? house.records.at(-1)?.cacheKey,
      house.records[0]?.cacheKey,
    );
    if (reply.status === 504) continue;
    given++;
    assert.notEqual(
      /event-stream/.test(reply.headers['content-type'] ?? ''),
      each.exchange.streamed,
      each.exchange.id,
    );
  }
  t.diagnostic(`${given} of ${tried} are given in the other form`);
  assert(given > tried * 0.9, `${given} of ${tried}`);
});

test('no two recorded exchanges that differ in meaning share a key', { skip: corpusMissing }, async () => {
  const meanings = new Map<string, string>();
  const keys = new Set<string>();
  const house = openHouse({ providers, cache: { single_flight: false } });
  for (const each of cases) {
    const { exchange, path, dialect } = each;
    house.records.length = 0;
    const head = headOf(each, { authorization: 'Bearer weir_sk_acme', 'x-weir-cache': 'refresh' });
    await house.call(head, requestBody(exchange), () => sideOf(exchange, 1e9));
    await house.settled();
    const key = house.records[0]?.cacheKey;
    const text = requestBody(exchange).toString('utf8');
    let body = text;
    try {
      JSON.parse(text);
      body = canonicalForm(text, dialect.reuse.uncounted);
    } catch {
      // Bedrock's that are no JSON: they are told apart by nothing, and are never kept.
      body = '{}';
    }
    const headers = Object.entries(exchange.request_headers).filter(([name]) => answerHeaders.has(name));
    const meaning = JSON.stringify([answerPath(path), dialect.name, body, headers.sort()]);
    assert(key);
    keys.add(key);
    assert.equal(meanings.get(key) ?? meaning, meaning, exchange.id);
    meanings.set(key, meaning);
  }
  assert.equal(new Set(meanings.values()).size, keys.size, 'what means the same has one key');
});
