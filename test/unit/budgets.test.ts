import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import type { Settings } from '../../src/config/env.ts';
import { dataPaths } from '../../src/config/paths.ts';
import { configSchema } from '../../src/config/schema.ts';
import { amountText, usdAmount, usedBy } from '../../src/limits/budgets/amounts.ts';
import { budgetOf } from '../../src/limits/budgets/budget.ts';
import { createBudgets } from '../../src/limits/budgets/budgets.ts';
import { createMemoryTruth } from '../../src/limits/budgets/memory.ts';
import { windowAt } from '../../src/limits/budgets/periods.ts';
import { createEstimates } from '../../src/limits/estimates.ts';
import type { LimitedCall } from '../../src/limits/limits.ts';
import { Percentile } from '../../src/limits/percentile.ts';
import { createProcesses } from '../../src/limits/processes.ts';
import { envoyInputs } from '../../src/roles/envoy.ts';
import { noUsage } from '../../src/usage/record.ts';
import { budgetsOf, emptyLedger, limitedCall, makeLimits } from '../fixtures/limits.ts';

const usd = (text: string) => usdAmount(text);
const nothing = { limits: [] };
const asks = (amount: string, tokens = 1): LimitedCall => limitedCall({ asks: { usd: usd(amount), tokens } });

/** Limits of one process, and how they decide of a call. */
function room(budgets: unknown[], options: Parameters<typeof makeLimits>[1] = {}) {
  const limits = makeLimits(null, options);
  const policy = { ...nothing, budgets: budgetsOf(...budgets) };
  return (call: LimitedCall) => limits.admit(policy, call);
}

test('a hard budget refuses what no longer fits, and a reservation that was too large is free again', async () => {
  const admit = room([{ name: 'daily', usd: 1, period: 'day' }]);
  const first = await admit(asks('0.6'));
  assert.equal(first.denial, null);
  const second = await admit(asks('0.6'));
  assert(second.denial?.kind === 'budget' && !second.denial.never);
  second.close('refused');
  first.close({ tokens: 0, usd: usd('0.1') });
  first.close({ tokens: 0, usd: usd('0.1') });
  const third = await admit(asks('0.9'));
  assert.equal(third.denial, null);
  third.close('free');
  const alone = await admit(asks('1.1'));
  assert(alone.denial?.kind === 'budget' && alone.denial.never);
});

test('a call counts against every budget that is about it, and reserves of none when one refuses', async () => {
  const admit = room([
    { name: 'all', usd: 10, period: 'month' },
    { name: 'team', per: 'tag:team', usd: 1, period: 'day' },
    { name: 'mini', usd: 2, period: 'day', match: { models: ['*-mini'], tags: { team: ['s*'] } } },
  ]);
  const of = (team: string, model: string, amount: string) =>
    limitedCall({ tags: { team }, model, asks: { usd: usd(amount) } });
  for (let i = 0; i < 20; i++) {
    const refused = await admit(of('search', 'gpt-4o', '1.5'));
    assert(refused.denial?.kind === 'budget' && refused.denial.state.name === 'team');
    refused.close('refused');
  }
  const teams = ['search', 'sales', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
  const passed = [];
  for (const team of teams) {
    const admission = await admit(of(team, 'gpt-4o-mini', '0.9'));
    if (!admission.denial) passed.push(team);
    admission.close(admission.denial ? 'refused' : { tokens: 0, usd: usd('0.9') });
  }
  assert.deepEqual(passed, teams.slice(0, 11));
});

test('a soft budget lets pass and tells; a call without the value counts with the others without', async () => {
  const admit = room([
    { name: 'soft', usd: 1, period: 'day', mode: 'soft' },
    { name: 'each', per: 'user', tokens: 10, period: 'hour' },
  ]);
  const first = await admit(limitedCall({ asks: { usd: 0n, tokens: 8 } }));
  first.close({ tokens: 8, usd: usd('1.5') });
  const second = await admit(limitedCall({ user: 'ada', asks: { usd: 0n, tokens: 8 } }));
  assert.equal(second.denial, null);
  assert.deepEqual(second.standing.exceeded, ['soft']);
  const third = await admit(limitedCall({ asks: { usd: 0n, tokens: 8 } }));
  assert(third.denial?.kind === 'budget' && third.denial.state.name === 'each');
});

test('a model without a price does not pass a hard budget in USD, unless the budget lets it', async () => {
  const unpriced = limitedCall({ asks: { usd: null, tokens: 5 } });
  const deny = room([{ name: 'strict', usd: 1, period: 'day' }]);
  assert.equal((await deny(unpriced)).denial?.kind, 'unpriced');
  const allow = room([
    { name: 'lax', usd: 1, period: 'day', unpriced: 'allow' },
    { name: 'tokens', tokens: 10, period: 'day' },
  ]);
  assert.equal((await allow(unpriced)).denial, null);
  assert.equal((await allow({ ...unpriced, asks: null })).denial, null);
});

test('what weir does not look into passes a hard budget of which something is left, if it may cost something', async () => {
  const admit = room([{ name: 'daily', usd: 1, period: 'day' }]);
  const image = limitedCall({ asks: null });
  const list = limitedCall({ asks: null, mayCost: false });
  assert.equal((await admit(image)).denial, null);
  (await admit(asks('0.9'))).close({ tokens: 0, usd: usd('1') });
  assert.equal((await admit(image)).denial?.kind, 'budget');
  assert.equal((await admit(list)).denial, null);
});

test('a truth that is late once refuses nobody; one that is away does, and not before it was asked again', async () => {
  const memory = createMemoryTruth(Date.now);
  let late = 1;
  let asked = 0;
  const budgets = createBudgets({
    truth: {
      ...memory,
      sync(question) {
        asked++;
        return late-- > 0 ? Promise.reject(new Error('no answer in time')) : memory.sync(question);
      },
    },
    processes: createProcesses(null, 1),
    ledger: emptyLedger,
    now: Date.now,
    log: pino({ level: 'silent' }),
  });
  const configs = budgetsOf({ name: 'daily', usd: 1, period: 'day' });
  const reserve = async () => (await budgets.reserve(configs, asks('0.6'))[0])?.denial;
  assert.equal(await reserve(), null);
  late = Number.POSITIVE_INFINITY;
  asked = 0;
  assert.equal((await reserve())?.kind, 'budget_unavailable');
  assert(asked > 1, `asked ${asked} times`);
});

test('a process begins with what the ledger says; while it cannot be read, hard budgets are closed', async () => {
  const sum = async () => [{ subject: 'a', bucket: 0, process: 'gone', amount: usd('0.7') }];
  const admit = room([{ name: 'daily', usd: 1, period: 'day' }], {
    ledger: { sum, history: async () => [] },
  });
  assert.equal((await admit(asks('0.4'))).denial?.kind, 'budget');
  assert.equal((await admit(asks('0.3'))).denial, null);

  let clock = 1_790_000_000_000;
  const failing = async () => {
    clock += 2_000;
    throw new Error('PostgreSQL is away');
  };
  const closed = room(
    [
      { name: 'hard', usd: 1, period: 'day' },
      { name: 'soft', usd: 1, period: 'day', mode: 'soft' },
    ],
    { ledger: { sum: failing, history: async () => [] }, now: () => clock },
  );
  assert.equal((await closed(asks('0.1'))).denial?.kind, 'budget_unavailable');
});

test('calls in any order, that cost more or less than reserved, spend no more than the limit and what they had not reserved', async () => {
  const step = fc.record({
    reserved: fc.bigInt({ min: 0n, max: 30n }),
    used: fc.bigInt({ min: 0n, max: 40n }),
    running: fc.nat(4),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const admit = room([{ name: 'b', tokens: 200, period: 'month' }]);
      const running: { end(): void; over: number }[] = [];
      let spent = 0;
      let mostOver = 0;
      for (const { reserved, used, running: most } of steps) {
        const admission = await admit(limitedCall({ asks: { tokens: Number(reserved) } }));
        if (admission.denial) {
          assert(spent + running.length * 30 + Number(reserved) > 200 - 2, 'refused though there is enough');
          admission.close('refused');
        } else {
          const end = () => {
            spent += Number(used);
            admission.close({ tokens: Number(used), usd: 0n });
          };
          running.push({ end, over: Math.max(0, Number(used - reserved)) });
        }
        mostOver = Math.max(
          mostOver,
          running.reduce((sum, { over }) => sum + over, 0),
        );
        while (running.length > most) running.shift()?.end();
      }
      for (const { end } of running) end();
      assert(spent <= 200 + mostOver, `${spent} spent, ${mostOver} over`);
    }),
  );
});

test('a call that reserves nothing passes until more is spent than the limit', async () => {
  let now = Date.parse('2026-11-25T09:00:00Z');
  const admit = room([{ name: 'b', tokens: 100, period: 'month' }], { now: () => now });
  const call = async (used: number) => {
    // The truth is asked anew.
    now += 1_000;
    const admission = await admit(limitedCall({ asks: { tokens: 0 } }));
    admission.close(admission.denial ? 'refused' : { tokens: used, usd: 0n });
    return admission.denial?.kind ?? 'passed';
  };
  assert.deepEqual([await call(60), await call(40), await call(1)], ['passed', 'passed', 'passed']);
  assert.deepEqual([await call(1), await call(1)], ['budget', 'budget']);
});

test('calendar periods begin where people say, also when clocks change', () => {
  const at = (time: string) => Date.parse(time);
  const window = (period: string, timezone: string, time: string) => {
    const { from, resetsAt } = windowAt(
      budgetsOf({ name: 'x', usd: 1, period, timezone })[0] ?? fail(),
      at(time),
    );
    return [new Date(from).toISOString(), new Date(resetsAt).toISOString()];
  };
  assert.deepEqual(window('day', 'Europe/Berlin', '2026-03-29T12:00:00Z'), [
    '2026-03-28T23:00:00.000Z',
    '2026-03-29T22:00:00.000Z',
  ]);
  assert.deepEqual(window('month', 'America/New_York', '2026-11-01T03:59:59Z'), [
    '2026-10-01T04:00:00.000Z',
    '2026-11-01T04:00:00.000Z',
  ]);
  // Midnight itself is skipped in Beirut, and comes twice in Havana.
  assert.equal(window('day', 'Asia/Beirut', '2026-03-29T10:00:00Z')[0], '2026-03-28T22:00:00.000Z');
  assert.equal(window('day', 'America/Havana', '2026-11-01T12:00:00Z')[0], '2026-11-01T04:00:00.000Z');
  assert.deepEqual(window('hour', 'Asia/Kolkata', '2026-05-05T10:15:00Z'), [
    '2026-05-05T09:30:00.000Z',
    '2026-05-05T10:30:00.000Z',
  ]);
  fc.assert(
    fc.property(
      fc.constantFrom('hour', 'day', 'month'),
      fc.constantFrom(
        'UTC',
        'Europe/Berlin',
        'America/Havana',
        'Asia/Beirut',
        'Australia/Sydney',
        'Pacific/Apia',
      ),
      fc.integer({ min: at('2024-01-01'), max: at('2030-01-01') }),
      (period, timezone, time) => {
        const [config] = budgetsOf({ name: 'x', usd: 1, period, timezone });
        assert(config);
        const { from, resetsAt } = windowAt(config, time);
        assert(from <= time && time < resetsAt, `${from} ${time} ${resetsAt}`);
        assert.equal(windowAt(config, from).from, from);
        assert.equal(windowAt(config, resetsAt - 1).from, from);
        assert.equal(windowAt(config, resetsAt).from, resetsAt);
      },
    ),
  );
});

function fail(): never {
  throw new Error('no budget');
}

test('a rolling budget has back what was spent a window ago', async () => {
  let clock = 1_790_000_000_000;
  const admit = room([{ name: 'r', usd: 1, rolling: '24h' }], { now: () => clock });
  const at = (amount: string) => limitedCall({ startedAt: clock, asks: { usd: usd(amount) } });
  (await admit(at('0.8'))).close({ tokens: 0, usd: usd('0.8') });
  clock += 23 * 3_600_000;
  const refused = await admit(at('0.8'));
  assert(refused.denial?.kind === 'budget');
  assert(refused.denial.state.resetsAt <= clock + 3_600_000);
  clock += 2 * 3_600_000 + 1_000;
  assert.equal((await admit(at('0.8'))).denial, null);
});

test('money is exact, and rounded up by less than a picodollar', () => {
  assert.equal(amountText(usd('0.000000000001'), 'usd'), '0.000000000001');
  assert.equal(amountText(usd('0.0000000000001'), 'usd'), '0.000000000001');
  assert.equal(amountText(usd('1234567.89'), 'usd'), '1234567.89');
  assert.equal(amountText(-5n, 'tokens'), '-5');
  assert.equal(amountText(-1_500_000_000_000n, 'usd'), '-1.5');
  assert.equal(amountText(-5n, 'usd'), '-0.000000000005');
  const record = {
    cache: 'miss',
    usage: { ...noUsage, input: 3, output: 4 },
    costUsd: '0.1',
    toolUsd: '0.02',
  };
  assert.deepEqual(usedBy(record), { tokens: 7, usd: usd('0.12') });
  assert.deepEqual(usedBy({ ...record, cache: 'hit' }), { tokens: 0, usd: 0n });
});

test('a budget keeps its count when its limit or mode changes, and not when it counts something else', () => {
  const key = (facts: object) =>
    budgetOf(budgetsOf({ name: 'b', usd: 1, period: 'day', ...facts })[0] ?? fail(), 'org}').key;
  assert.equal(key({ usd: 2, mode: 'soft' }), key({}));
  assert.notEqual(key({ match: { models: ['gpt-*'] } }), key({}));
  assert.notEqual(key({ timezone: 'Europe/Berlin' }), key({}));
  assert.match(key({}), /^weir:budget:\{org%7D\}:b:/);
});

test('percentiles are learned to a step', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100_000), { minLength: 1, maxLength: 500 }), (values) => {
      const percentile = new Percentile();
      for (const value of values) percentile.add(value);
      const exact = values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0;
      const found = percentile.at(0.95);
      assert(found >= exact && found <= exact * 1.16 + 2, `${found} for ${exact}`);
    }),
  );
});

test('what a call names as its maximum is reserved, else what the model’s answers take', async () => {
  const kind = { organization: 'a', provider: 'openai', model: 'gpt-4o' };
  const history = async () =>
    Array.from({ length: 100 }, () => ({ provider: 'openai', model: 'gpt-4o', output: 300 }));
  const estimates = createEstimates(history);
  const ask = (maxOutputTokens: number | null | undefined) =>
    estimates.tokens(kind, { textChars: 1_000, maxOutputTokens });
  assert.equal(ask(null).output, 4_096);
  await new Promise(setImmediate);
  const learned = ask(null).output;
  assert(learned >= 300 && learned < 350, `${learned}`);
  assert.equal(ask(17).output, 17);
  assert.equal(ask(undefined).output, 0);
  for (let i = 0; i < 50; i++) estimates.learn(kind, { textChars: 1_000, input: 266, output: 300 });
  assert(ask(null).input >= 266 && ask(null).input < 320);
});

test('where the default organization has a hard budget, calls fail closed while no processor answers', () => {
  const modeOf = (defaults: object, on_failure = 'auto') => {
    const config = configSchema.parse({ defaults, processor: { on_failure } });
    const paths = dataPaths('.weir', '/tmp');
    return envoyInputs({ config, paths } as Settings).onFailure;
  };
  const budget = { name: 'b', usd: 1, period: 'day' };
  assert.equal(modeOf({}), 'auto');
  assert.equal(modeOf({ budgets: [{ ...budget, mode: 'soft' }] }), 'auto');
  assert.equal(modeOf({ budgets: [budget] }), 'closed');
  assert.equal(modeOf({ budgets: [budget] }, 'open'), 'open');
});
