import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { Breaker } from '../../src/redis/breaker.ts';
import { within } from '../../src/redis/deadline.ts';

const fails = () => Promise.reject(new Error('away'));
const works = () => Promise.resolve('here');

test('one failure opens it, nothing is asked, and a probe that is answered closes it', async () => {
  const probes = [fails, works];
  const events: string[] = [];
  let probed = 0;
  const closed = Promise.withResolvers<void>();
  const breaker = new Breaker({
    waitMs: 1_000,
    probe: () => probes[probed++]?.() ?? fails(),
    opened: (error) => events.push(`opened: ${error}`),
    closed: () => closed.resolve(),
  });
  await breaker.run(works);
  await assert.rejects(breaker.run(fails), /away/);
  assert(breaker.isOpen);
  await assert.rejects(breaker.run(works), /not asked/);
  await closed.promise;
  assert.equal(probed, 2);
  assert.equal(await breaker.run(works), 'here');
  assert.deepEqual(events, ['opened: Error: away']);
});

test('what does not answer in time opens it; calls that wait already are let go as well', async () => {
  const breaker = new Breaker({ waitMs: 10, probe: () => new Promise(() => {}) });
  const calls = await Promise.allSettled([1, 2, 3].map(() => breaker.run(() => new Promise(() => {}))));
  assert.deepEqual(
    calls.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  assert(breaker.isOpen);
  breaker.stop();
});

test('known to answer again, it is closed at once', async () => {
  const breaker = new Breaker({ waitMs: 10, probe: () => new Promise(() => {}) });
  await assert.rejects(breaker.run(fails));
  breaker.close();
  assert.equal(await breaker.run(works), 'here');
});

test('a deadline ends what does not answer', async () => {
  await assert.rejects(within(10, new Promise(() => {})), /no answer within 10 ms/);
  await assert.rejects(within(1_000, fails()), /away/);
});

test('an answer that came while this process was busy is not late', async () => {
  // Where the loop is now timers come next, and input after them.
  await new Promise((resolve) => setImmediate(resolve));
  const result = within(20, stat(import.meta.filename));
  const until = performance.now() + 60;
  while (performance.now() < until);
  assert((await result).isFile());
});

test('a stall of this process in the middle of the wait gives the other side its time anew', async () => {
  const answered = Promise.withResolvers<string>();
  const result = within(20, answered.promise);
  const until = performance.now() + 100;
  while (performance.now() < until);
  setTimeout(() => answered.resolve('late, but not by its fault'), 5);
  assert.equal(await result, 'late, but not by its fault');
});
