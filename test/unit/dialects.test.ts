import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReplyFacts } from '../../src/dialects/dialect.ts';
import { findDialect } from '../../src/dialects/registry.ts';
import { findTarget } from '../../src/dialects/target.ts';
import { createPricer } from '../../src/usage/pricer.ts';
import {
  corpusMissing,
  familyOf,
  type RecordedExchange,
  recordedExchanges,
  requestBody,
  responseBody,
} from '../fixtures/corpus.ts';

const recorded = corpusMissing ? [] : recordedExchanges();
const price = createPricer();
const noon = Date.UTC(2026, 10, 23, 12);

interface Read {
  exchange: RecordedExchange;
  facts: ReplyFacts;
  model: string | null;
  streamed: boolean;
}

/** What a dialect makes of a recorded exchange, its stream cut into pieces of `size` bytes. */
function read(exchange: RecordedExchange, size: number): Read | null {
  const api = familyOf(exchange);
  if (!api || (!exchange.inference && exchange.api_form !== 'openai-responses-retrieve')) return null;
  const base = `https://${exchange.provider_host}`;
  const target = findTarget(
    { p: { api, base_url: base, api_key: '' } },
    `/providers/p${exchange.path}`,
    false,
  );
  const endpoint = target?.endpoint ?? '';
  const dialect = findDialect(api, exchange.method, endpoint);
  assert(dialect, `${exchange.id} has no dialect: ${exchange.path}`);
  const request = dialect.later ? null : dialect.readRequest(requestBody(exchange), endpoint);
  const head = {
    status: exchange.status,
    contentType: (exchange.response_content_type ?? '').toLowerCase(),
    headers: new Map(Object.entries(exchange.response_headers)),
  };
  const body = responseBody(exchange);
  const observer = dialect.observeStream(head, endpoint);
  if (observer) {
    for (let at = 0; at < body.length; at += size) observer.push(body.subarray(at, at + size));
  }
  const facts = observer ? observer.facts() : dialect.readReply(body, head);
  return { exchange, facts, model: facts.model ?? request?.model ?? null, streamed: observer !== null };
}

/** A gateway names whom it calls in the path. */
function sellerOf({ provider, path }: RecordedExchange): string {
  return provider === 'gateway' ? (path.split('/')[1] ?? '') : provider;
}

function tokens({ usage }: ReplyFacts): (number | null | undefined)[] {
  return [usage?.input, usage?.output, usage?.cacheRead, usage?.cacheWrite, usage?.reasoning];
}

/** Where the recording tells a count, weir's; null counts as not checked. */
function differs(found: (number | null | undefined)[], { usage }: RecordedExchange): boolean {
  const told = usage
    ? [
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.reasoning_tokens,
      ]
    : found.map(() => undefined);
  return told.some((count, index) =>
    usage ? count !== null && count !== found[index] : found[index] !== undefined,
  );
}

for (const size of [Number.POSITIVE_INFINITY, 1, 97]) {
  const name = size === Number.POSITIVE_INFINITY ? 'whole' : `in pieces of ${size}`;
  test(`every recorded exchange, its stream ${name}, has the tokens that were told`, {
    skip: corpusMissing,
  }, () => {
    const wrong = [];
    for (const exchange of recorded) {
      if (size !== Number.POSITIVE_INFINITY && !exchange.streamed) continue;
      const found = read(exchange, size);
      if (!found) continue;
      assert.equal(found.streamed, exchange.streamed, exchange.id);
      if (differs(tokens(found.facts), exchange))
        wrong.push([exchange.api_form, exchange.id, tokens(found.facts), exchange.usage]);
    }
    assert.deepEqual(wrong, []);
  });
}

test('every recorded exchange has the price that was worked out for it', { skip: corpusMissing }, () => {
  const forms: Record<string, { exchanges: number; tokens: number; price: number; unpriced: number }> = {};
  const wrong = [];
  for (const exchange of recorded) {
    const found = read(exchange, Number.POSITIVE_INFINITY);
    if (!found || !exchange.inference) continue;
    const { facts } = found;
    const row = forms[exchange.api_form] ?? { exchanges: 0, tokens: 0, price: 0, unpriced: 0 };
    forms[exchange.api_form] = row;
    row.exchanges++;
    if (!differs(tokens(facts), exchange)) row.tokens++;
    const query = {
      provider: sellerOf(exchange),
      baseUrl: `https://${exchange.provider_host}${exchange.path}`,
      usage: facts.usage,
      parts: facts.parts,
      tools: facts.tools,
      serviceTier: facts.serviceTier,
      terms: facts.terms,
      credential: null,
      at: noon,
    };
    const { usage } = query;
    const ask = (model: string | null | undefined) =>
      usage && model ? price({ ...query, usage, model }) : null;
    const cost = ask(found.model) ?? ask(exchange.model_requested);
    const expected = exchange.price_usd ?? null;
    if (cost === null) row.unpriced++;
    const equal =
      cost && expected !== null
        ? Math.abs(Number(cost.usd) - expected) <= 1e-9 * expected
        : cost === null && expected === null;
    if (equal) row.price++;
    else
      wrong.push([
        exchange.api_form,
        exchange.id,
        found.model,
        cost?.usd,
        expected,
        cost?.model,
        facts.serviceTier,
        facts.terms,
      ]);
  }
  console.table(forms);
  assert.deepEqual(wrong, []);
});
