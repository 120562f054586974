import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import fc from 'fast-check';
import type { LimitConfig } from '../../src/config/policy/limits.ts';
import { limitedCall, limitsOf, makeLimits, requestLimits } from '../fixtures/limits.ts';

const perIp: LimitConfig = { name: 'per-ip', per: 'ip', requests: 2, window: 60_000 };
const perOrganization: LimitConfig = {
  name: 'per-organization',
  per: 'organization',
  requests: 5,
  window: 3_600_000,
};

beforeEach(() => mock.timers.enable({ apis: ['Date', 'setTimeout'], now: 1_790_000_000_000 }));
afterEach(() => mock.timers.reset());

test('without limits everything is allowed', async () => {
  assert.deepEqual(await requestLimits([], null).consume({ ip: '::1', organization: 'a' }), {
    kind: 'allowed',
    state: null,
  });
});

test('the state is that of the limit which is nearest to its end', async () => {
  const limits = requestLimits([perIp, perOrganization], null);
  assert.deepEqual(await limits.consume({ ip: '1', organization: 'a' }), {
    kind: 'allowed',
    state: { name: 'per-ip', per: 'ip', kind: 'requests', limit: 2, remaining: 1, resetMs: 60_000 },
  });
  await limits.consume({ ip: '2', organization: 'a' });
  await limits.consume({ ip: '3', organization: 'a' });
  const { state } = await limits.consume({ ip: '4', organization: 'a' });
  assert.equal(state?.name, 'per-organization');
  assert.equal(state?.remaining, 1);
});

test('a refused request waits for the end of its window and eats from no other limit', async () => {
  const limits = requestLimits([perIp, perOrganization], null);
  const loud = { ip: '1', organization: 'a' };
  await limits.consume(loud);
  await limits.consume(loud);
  mock.timers.tick(20_000);
  for (let i = 0; i < 100; i++) {
    const verdict = await limits.consume(loud);
    assert.equal(verdict.kind, 'limited');
    assert.equal(verdict.state?.resetMs, 40_000);
  }
  const verdict = await limits.consume({ ip: '2', organization: 'a' });
  assert.equal(verdict.kind, 'allowed');
  for (let i = 0; i < 2; i++) await limits.consume({ ip: `3${i}`, organization: 'a' });
  const last = await limits.consume({ ip: '4', organization: 'a' });
  assert.equal(last.kind, 'limited');
  assert.equal(last.state?.name, 'per-organization');
  assert.equal((await limits.consume({ ip: '4', organization: 'b' })).kind, 'allowed');
  mock.timers.tick(40_000);
  assert.equal((await limits.consume({ ip: '1', organization: 'b' })).kind, 'allowed');
});

/** What fixed windows are: the plainest way to write them down. */
function model(configs: LimitConfig[]) {
  const windows = new Map<string, { count: number; ends: number }>();
  return (subject: { ip: string; organization: string }, now: number): boolean => {
    const open = configs.map((config) => {
      const key = JSON.stringify([
        config.name,
        subject.organization,
        config.per === 'ip' ? subject.ip : subject.organization,
      ]);
      const window = windows.get(key);
      if (window && window.ends > now) return { key, config, window };
      return { key, config, window: { count: 0, ends: now + (config.window ?? 0) } };
    });
    if (open.some(({ config, window }) => window.count >= (config.requests ?? 0))) return false;
    for (const { key, window } of open) {
      window.count++;
      windows.set(key, window);
    }
    return true;
  };
}

test('requests in any order at any time are allowed as fixed windows allow them', async () => {
  const config = (name: string) =>
    fc.record({
      name: fc.constant(name),
      per: fc.constantFrom('ip', 'organization'),
      requests: fc.integer({ min: 1, max: 4 }),
      window: fc.integer({ min: 1, max: 5 }).map((seconds) => seconds * 1000),
    });
  const step = fc.record({
    ip: fc.constantFrom('10.0.0.1', '10.0.0.2'),
    organization: fc.constantFrom('a', 'b'),
    pause: fc.integer({ min: 0, max: 2_000 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(config('x'), config('y')),
      fc.array(step, { maxLength: 60 }),
      async (configs, steps) => {
        const limits = requestLimits(configs, null);
        const expected = model(configs);
        for (const { pause, ...subject } of steps) {
          mock.timers.tick(pause);
          const verdict = await limits.consume(subject);
          assert.equal(verdict.kind === 'allowed', expected(subject, Date.now()));
          assert(verdict.state);
          assert(verdict.state.remaining >= 0 && verdict.state.remaining <= verdict.state.limit);
          assert(verdict.state.resetMs > 0 && verdict.state.resetMs <= 5_000);
        }
      },
    ),
  );
});

test('an organization and an address of the same spelling are counted apart', async () => {
  const limits = requestLimits(
    [
      { ...perIp, requests: 1 },
      { ...perOrganization, requests: 1 },
    ],
    null,
  );
  assert.equal((await limits.consume({ ip: 'x', organization: 'y' })).kind, 'allowed');
  assert.equal((await limits.consume({ ip: 'y', organization: 'x' })).kind, 'allowed');
});

test('what a request alone has too much of is refused before anything counts; in shadow it is told', async () => {
  const room = makeLimits(null);
  const limits = limitsOf(
    { name: 'bytes', max_request_bytes: '1KiB' },
    { name: 'output', max_output_tokens: 100, match: { providers: ['open*'] } },
    { name: 'rpm', requests: 1, window: '1m' },
  );
  const admit = (facts: Parameters<typeof limitedCall>[0], own = limits) =>
    room.admit({ limits: own, budgets: [] }, limitedCall(facts));
  const denial = async (facts: Parameters<typeof limitedCall>[0]) =>
    (await admit(facts)).denial?.kind ?? null;
  assert.equal(await denial({ asks: { bytes: 1025, maxOutputTokens: 1 } }), 'request_bytes');
  assert.equal(await denial({ asks: { maxOutputTokens: 101 } }), 'output_tokens');
  assert.equal(await denial({ asks: { maxOutputTokens: null } }), 'output_tokens');
  assert.equal(await denial({ asks: { maxOutputTokens: 100 } }), null);
  assert.equal(await denial({ asks: { maxOutputTokens: undefined } }), 'limit');
  assert.equal(await denial({ organization: 'b', provider: 'vllm', asks: { maxOutputTokens: null } }), null);

  const shadow = limits.map((each) => ({ ...each, shadow: true }));
  for (let i = 0; i < 2; i++) {
    const shown = await admit({ organization: 'c', asks: { bytes: 2_000 } }, shadow);
    assert.equal(shown.denial, null);
    const told = i === 0 ? ['bytes', 'output'] : ['bytes', 'output', 'rpm'];
    assert.deepEqual(shown.standing.exceeded, told);
  }
});

test('what is given back after its window has ended changes nothing in the next one', async () => {
  const room = makeLimits(null);
  const requests = limitsOf({ name: 'rpm', requests: 2, window: '1m' });
  const tokens = limitsOf({ name: 'tpm', tokens: 200, window: '1m' });
  for (const limits of [requests, tokens]) {
    const admit = () => room.admit({ limits, budgets: [] }, limitedCall());
    const late = await admit();
    await admit();
    mock.timers.tick(60_000);
    assert.equal((await admit()).denial, null);
    late.close('refused');
    assert.equal((await admit()).denial, null);
    assert.equal((await admit()).denial?.kind, 'limit');
  }
});

test('limits differ by organization, and one that allows more begins nothing anew', async () => {
  const room = makeLimits(null);
  const admit = async (organization: string, requests: number) => {
    const limits = limitsOf({ name: 'rpm', requests, window: '1m' });
    const { denial } = await room.admit({ limits, budgets: [] }, limitedCall({ organization, asks: null }));
    return denial === null;
  };
  assert.deepEqual([await admit('a', 1), await admit('a', 1), await admit('b', 1)], [true, false, true]);
  assert.deepEqual([await admit('a', 4), await admit('a', 4), await admit('a', 4)], [true, true, false]);
});

test('a limit by tag counts those of a tag together, those without it as one, and nobody else’s', async () => {
  const limits = requestLimits(limitsOf({ name: 'team', per: 'tag:team', requests: 1, window: '1m' }), null);
  const ask = async (organization: string, tags: Record<string, string>) =>
    (await limits.consume({ organization, tags })).kind;
  assert.equal(await ask('a', { team: 'search', env: 'prod' }), 'allowed');
  assert.equal(await ask('a', { team: 'search', env: 'test' }), 'limited');
  assert.equal(await ask('a', { team: 'chat' }), 'allowed');
  assert.equal(await ask('a', {}), 'allowed');
  assert.equal(await ask('a', { env: 'prod' }), 'limited');
  assert.equal(await ask('b', { team: 'search' }), 'allowed');
});

test('a limit may be about calls of a tag alone', async () => {
  const limited = { name: 'batch', requests: 1, window: '1m', match: { tags: { kind: ['batch*'] } } };
  const limits = requestLimits(limitsOf(limited), null);
  const ask = async (tags: Record<string, string>) => (await limits.consume({ tags })).kind;
  assert.equal(await ask({ kind: 'batch-1' }), 'allowed');
  assert.equal(await ask({}), 'allowed');
  assert.equal(await ask({ kind: 'batch-2' }), 'limited');
  assert.equal(await ask({ kind: 'chat' }), 'allowed');
});
