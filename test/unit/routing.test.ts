import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkPolicy } from '../../src/config/policy/check.ts';
import { policySchema } from '../../src/config/policy/policy.ts';
import { routingPolicy } from '../../src/config/policy/routing.ts';
import { levels } from '../../src/routing/complexity.ts';
import type { RouteRequest } from '../../src/routing/router.ts';
import { createScorer } from '../../src/routing/scorer.ts';
import { failure, followed, paceOf, type Seen, success } from '../../src/routing/seen.ts';
import { conversationOf, routeRequest, testRouter } from '../fixtures/router.ts';

const { router } = await testRouter();
const wishes = { optimizeFor: null, maxLatencyMs: null, providers: null };

test('the default table is as it is told', () => {
  const table = levels.map((complexity) =>
    (['cost', 'latency', 'quality'] as const).map((optimizeFor) => {
      const decision = router.decide(
        routeRequest({ complexity, wishes: { ...wishes, optimizeFor }, cannotCarry: () => null }),
      );
      return decision.kind === 'go' ? decision.to.model : decision.kind;
    }),
  );
  assert.deepEqual(table, [
    ['gpt-3.5-turbo', 'gpt-3.5-turbo', 'gpt-4-turbo'],
    ['gpt-3.5-turbo', 'claude-3-haiku', 'gpt-4-turbo'],
    ['gpt-4-turbo', 'claude-3-sonnet', 'gpt-4'],
  ]);
});

test('what a model cannot do is a reason, and the next that is good enough takes the call', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } };
  const conversation = conversationOf({ messages: [{ role: 'user', content: [image] }] });
  const decision = router.decide(routeRequest({ conversation }));
  assert(decision.kind === 'go');
  assert.equal(decision.to.model, 'gpt-4-turbo');
  assert.match(decision.reason, /gpt-3.5-turbo cannot \(it has no images\)/);
  const whyNot = Object.fromEntries(
    decision.choice.candidates.map((each) => [each.model, each.whyNot.join('; ')]),
  );
  assert.match(whyNot['claude-3-haiku'] ?? '', /anthropic speaks anthropic-messages/);
  const long = router.decide(routeRequest({ textChars: 80_000 }));
  assert(long.kind === 'go');
  assert.match(long.reason, /context window has 16385 tokens, and the call needs about 20000/);
  const none = router.decide(routeRequest({ hasKey: () => false }));
  assert(none.kind === 'refuse');
  assert.match(none.message, /gpt-4-turbo: there is no key for openai/);
});

test('a policy may allow fewer providers, and a call fewer still', () => {
  const policy = routingPolicy.parse({ providers: ['anthropic'] });
  const refused = router.decide(routeRequest({ policy }));
  assert(refused.kind === 'refuse');
  assert.match(refused.message, /the provider openai is not allowed/);
  const claude = routeRequest({ policy, dialect: 'anthropic-messages', provider: 'anthropic' });
  assert.equal(router.decide(claude).kind, 'go');
  const none = router.decide({ ...claude, wishes: { ...wishes, providers: ['openai'] } });
  assert.equal(none.kind, 'refuse');
});

test('an ordinary call keeps a model that costs no more, one without a price, and what is bound to its provider', () => {
  const asked = (model: string, facts: object = {}) => router.decide(routeRequest({ model, ...facts }));
  assert.equal(asked('gpt-4').kind, 'go');
  assert.match(asked('gpt-4o-mini').reason, /kept: gpt-4o-mini costs no more/);
  assert.match(asked('house-llm').reason, /no listed price/);
  const conversation = conversationOf({ input: 'Go on.', previous_response_id: 'resp_1' });
  assert.match(asked('gpt-4', { conversation }).reason, /goes on from what its provider keeps/);
  const searching = conversationOf({ input: 'News?', tools: [{ type: 'web_search' }] });
  assert.equal(asked('gpt-4', { conversation: searching }).kind, 'keep');
});

test('what was measured decides whether a model is fast enough, and whether it is well', async () => {
  let clock = 0;
  const { router: learning, paces } = await testRouter({ now: () => clock });
  const call = { provider: 'openai', model: 'gpt-3.5-turbo', organization: 'acme', stream: true };
  const streaming = (maxLatencyMs: number) =>
    learning.decide(routeRequest({ stream: true, wishes: { ...wishes, maxLatencyMs } }));
  assert.equal(streaming(450).kind, 'go');
  for (let at = 0; at < 20; at++)
    paces.learn({ ...call, outcome: 'good', firstMs: 5_000, durationMs: 6_000, outputTokens: 50 });
  const late = streaming(450);
  assert(late.kind === 'refuse');
  assert.match(late.message, /gpt-3.5-turbo: it is expected to take 5000 ms, more than 450/);
  for (let at = 0; at < 3; at++)
    paces.learn({ ...call, outcome: 'away', firstMs: 0, durationMs: 0, outputTokens: 0 });
  const ailing = learning.decide(routeRequest());
  assert(ailing.kind === 'go');
  assert.match(ailing.reason, /failed 3 times in a row/);
  clock += 60_000;
  const again = learning.decide(routeRequest());
  assert(again.kind === 'go' && again.to.model === 'gpt-3.5-turbo');
});

test('what was seen can be put together in any pieces, and weighs each call four fifths of the next', () => {
  const calls = fc.array(
    fc.record({ firstMs: fc.integer({ min: 1, max: 9_999 }), good: fc.boolean(), cut: fc.boolean() }),
    { minLength: 1, maxLength: 30 },
  );
  fc.assert(
    fc.property(calls, (list) => {
      const one = (each: (typeof list)[number], at: number) =>
        each.good
          ? success({ stream: true, firstMs: each.firstMs, durationMs: 10_000, outputTokens: 5 }, null, at)
          : failure(at);
      const whole = list.map(one).reduce((before, after) => followed(before, after));
      const pieces: Seen[] = [];
      for (const [at, each] of list.entries()) {
        const last = each.cut ? undefined : pieces.pop();
        pieces.push(followed(last, one(each, at)));
      }
      const together = pieces.reduce((before, after) => followed(before, after));
      const good = list.filter((each) => each.good);
      const weights = good.map((_, at) => 0.8 ** (good.length - 1 - at));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const mean = good.reduce((sum, each, at) => sum + each.firstMs * (weights[at] ?? 0), 0) / total;
      for (const seen of [whole, together]) {
        assert(
          good.length === 0 ? paceOf(seen) === null : Math.abs((paceOf(seen)?.firstMs ?? 0) - mean) < 1e-6,
        );
        assert.equal(seen.failures, list.length - 1 - list.findLastIndex((each) => each.good));
        assert.equal(seen.calls, good.length);
      }
    }),
  );
});

test('a conversation stays while its prompt cache is worth more than the saving, decided by money', () => {
  const policy = routingPolicy.parse({ profile: 'current' });
  const turn = (cachedTokens: number, complexity: (typeof levels)[number] = 'medium') =>
    router.decide(
      routeRequest({
        policy,
        complexity,
        textChars: 400_000,
        maxOutputTokens: 50,
        kept: { provider: 'openai', model: 'gpt-6.1-sol', cachedTokens },
      }),
    );
  // 100,000 tokens: $0.10 anew with the cheaper model, $0.01 out of the cache of the dearer one.
  const stays = turn(99_968);
  assert(stays.kind === 'go');
  assert.equal(stays.to.model, 'gpt-6.1-sol');
  assert.match(stays.reason, /prompt cache holds 99968 tokens/);
  assert(stays.choice.stay && stays.choice.stay.stayUsd < stays.choice.stay.switchUsd);
  const leaves = turn(10_000);
  assert(leaves.kind === 'go' && leaves.to.model === 'gpt-6.1-terra');
  assert.equal(leaves.choice.stay?.stays, false);
  // A cached model that is not good enough for a harder turn is left.
  const weak = router.decide(
    routeRequest({
      policy,
      complexity: 'complex',
      kept: { provider: 'openai', model: 'gpt-6-luna', cachedTokens: 90_000 },
    }),
  );
  assert(weak.kind === 'go' && weak.to.model === 'gpt-6.1-sol');
});

test('a call that names a model stays with it while its own prompt cache makes it cheaper, though no table has it', () => {
  const asking = (kept: RouteRequest['kept']) =>
    router.decide(
      routeRequest({
        ...{ policy: routingPolicy.parse({ profile: 'current' }), model: 'gpt-4.1', kept },
        ...{ textChars: 400_000, maxOutputTokens: 50 },
      }),
    );
  assert.equal(asking(null).kind, 'go');
  const kept = asking({ provider: 'openai', model: 'gpt-4.1', cachedTokens: 99_968 });
  assert.equal(kept.kind, 'keep');
  assert.match(kept.reason, /^kept: medium call: stays with gpt-4.1, whose prompt cache holds 99968 tokens/);
  assert(kept.choice.stay?.stays);
  const other = asking({ provider: 'openai', model: 'gpt-4.1', cachedTokens: 10_000 });
  assert.deepEqual([other.kind, other.choice.stay?.stays], ['go', false]);
});

test('a policy that names no profile there is, or turns its thresholds round, is refused', () => {
  const world = {
    providers: ['openai'],
    hasKey: () => true,
    models: ['gpt-4o'],
    knowsModel: (model: string) => model === 'gpt-4o',
  };
  const refused = (routing: object) =>
    checkPolicy({ routing }, policySchema.parse({}), world).refused.map(({ pointer }) => pointer);
  assert.deepEqual(refused({ profile: 'current' }), []);
  assert.deepEqual(refused({ profile: 'curent' }), ['/routing/profile']);
  assert.deepEqual(refused({ thresholds: { medium: 0.5 } }), ['/routing/thresholds/medium']);
  const row = { cost: ['gpt-4o', 'openai/of-my-own'], latency: 'gpt-4o', quality: 'gpt-4o' };
  const tables = (quality: string) => ({ mine: { simple: row, medium: row, complex: { ...row, quality } } });
  assert.deepEqual(refused({ tables: tables('gpt-4o') }), []);
  assert.deepEqual(refused({ tables: tables('gtp-4o') }), ['/routing/tables/mine/complex/quality']);
  assert.deepEqual(refused({ judge_model: 'gtp-4o', replay_percent: 1 }), ['/routing/judge_model']);
});

test('a score is the sum of what is told of it, whatever is asked', () => {
  const scorer = createScorer();
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), fc.nat(3), (text, depth) => {
      const before = Array.from({ length: depth }, () => ({ role: 'assistant', content: 'so' }));
      const conversation = conversationOf({ messages: [...before, { role: 'user', content: text }] });
      const { score, bias, contributions } = scorer.explain(conversation);
      const sum = contributions.reduce((total, { contribution }) => total + contribution, bias);
      assert(Math.abs(score - scorer.score(conversation)) < 1e-6);
      assert(Math.abs(score - sum) < 1e-9);
      assert(Number.isFinite(score));
    }),
  );
});

test('the trained scorer and its thresholds can decide in place of the rules', () => {
  const conversation = conversationOf('A proof');
  const assess = (thresholds: object) =>
    router.assess(conversation, routingPolicy.parse({ scorer: 'learned', thresholds })).complexity;
  assert.equal(assess({ medium: -9, complex: -8 }), 'complex');
  assert.equal(assess({ medium: -9, complex: 9 }), 'medium');
  assert.equal(assess({ medium: 8, complex: 9 }), 'simple');
});
