import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { test } from 'node:test';
import { Breaker } from '../../src/redis/breaker.ts';
import { within } from '../../src/redis/deadline.ts';

const fails = () => Promise.reject(new Error('away'));
const works = () => Promise.resolve('here');

test('after three failures nothing is asked, then one call tries, and a success closes it', async () => {
  let now = 0;
  const breaker = new Breaker(() => now);
  for (let i = 0; i < 3; i++) await assert.rejects(breaker.run(fails), /away/);
  assert(breaker.isOpen);
  await assert.rejects(breaker.run(works), /not asked/);
  now += 1_000;
  const [tried, others] = await Promise.allSettled([breaker.run(fails), breaker.run(works)]);
  assert.match(String(tried.status === 'rejected' && tried.reason), /away/);
  assert.match(String(others.status === 'rejected' && others.reason), /not asked/);
  now += 1_000;
  assert.equal(await breaker.run(works), 'here');
  assert.equal(await breaker.run(works), 'here');
  assert(!breaker.isOpen);
});

test('failures that are not in a row leave it closed', async () => {
  const breaker = new Breaker(() => 0);
  for (let i = 0; i < 10; i++) {
    await assert.rejects(breaker.run(fails), /away/);
    await assert.rejects(breaker.run(fails), /away/);
    await breaker.run(works);
  }
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
