import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AttributeValue } from '@opentelemetry/api';
import fc from 'fast-check';
import type { UsageRecord } from '../../src/usage/record.ts';
import { fromSpan, toAttributes } from '../../src/usage/span.ts';
import { anyUsage } from '../fixtures/arbitrary.ts';

const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
const text = fc.option(fc.string(), { nil: null });
const count = fc.option(fc.nat(), { nil: null });
const money = fc.option(fc.constantFrom('0', '0.00026', '12.5'), { nil: null });

const record: fc.Arbitrary<UsageRecord> = fc.record(
  {
    id: fc.uuid(),
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: fc.option(hex(16), { nil: null }),
    startedAt: fc.nat(),
    endedAt: fc.nat(),
    firstChunkMs: count,
    organization: fc.string(),
    apiKey: text,
    user: text,
    workload: text,
    processor: text,
    pod: text,
    podUid: text,
    tags: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }),
    provider: fc.string(),
    serverAddress: fc.string(),
    dialect: text,
    operation: fc.string(),
    method: fc.string(),
    path: fc.string(),
    stream: fc.boolean(),
    requestedModel: text,
    model: text,
    maxOutputTokens: count,
    temperature: fc.option(fc.double({ noNaN: true }), { nil: null }),
    topP: count,
    reasoningEffort: text,
    outcome: fc.constantFrom(
      'completed',
      'disconnected',
      'interrupted',
      'upstream_error',
      'denied',
      'unsettled',
    ),
    status: count,
    errorCode: text,
    finishReason: text,
    attempts: fc.nat(),
    limitedBy: text,
    cache: fc.constantFrom('hit', 'miss', 'coalesced', 'bypass'),
    cacheKey: text,
    cacheExpiresAt: count,
    prefixHashes: fc.array(hex(16), { maxLength: 3 }),
    usage: anyUsage,
    usageSource: fc.option(fc.constantFrom('provider', 'counted', 'estimated'), { nil: null }),
    parts: fc.array(fc.record({ model: text, usage: anyUsage }, { noNullPrototype: true }), { maxLength: 3 }),
    tools: fc.dictionary(fc.string({ minLength: 1 }), fc.nat(), { noNullPrototype: true }),
    terms: fc.dictionary(fc.string({ minLength: 1 }), fc.string(), { noNullPrototype: true }),
    region: text,
    listUsd: money,
    costUsd: money,
    costUpperUsd: money,
    toolUsd: money,
    reportedUsd: money,
    costDisputed: fc.option(fc.boolean(), { nil: null }),
    savedUsd: money,
    priceModel: text,
    priceVersion: text,
    priceFactors: text,
    serviceTier: text,
    responseId: text,
    providerRequestId: text,
    providerOrganization: text,
    providerProject: text,
    credentialFingerprint: text,
    complexity: text,
    complexityScore: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }), { nil: null }),
    routingMode: fc.option(fc.constantFrom('off', 'shadow', 'on'), { nil: null }),
    routingModel: text,
    routingReason: text,
    routingUsd: money,
    routingProvider: text,
    baselineModel: text,
    baselineProvider: text,
    baselineInput: fc.option(fc.nat(), { nil: null }),
    baselineOutput: fc.option(fc.nat(), { nil: null }),
    baselineUsd: money,
    baselineSource: fc.option(fc.constantFrom('provider', 'counted', 'estimated'), { nil: null }),
    purpose: text,
    purposeOf: text,
  },
  { noNullPrototype: true },
);

test('a record comes back from its span as it was', () => {
  fc.assert(
    fc.property(record, (original) => {
      const { traceId, spanId, parentSpanId, startedAt, endedAt } = original;
      const attributes = new Map(Object.entries(toAttributes(original))) as Map<string, AttributeValue>;
      const back = fromSpan({ traceId, spanId, parentSpanId, startedAt, endedAt, attributes });
      assert.deepEqual(back, original);
    }),
  );
});

test('a span of somebody else is no record', () => {
  const span = { traceId: 'a', spanId: 'b', parentSpanId: null, startedAt: 0, endedAt: 0 };
  assert.equal(fromSpan({ ...span, attributes: new Map([['gen_ai.request.model', 'gpt-4o']]) }), null);
});
