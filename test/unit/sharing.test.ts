import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callHead, chatAnswer, chatBody, openHouse, type ProviderSide } from '../fixtures/house.ts';

/** A small generator of numbers that is the same each time (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const never = () => assert.fail('the provider was asked');

test('10,000 random requests of two organizations with two credentials: no answer crosses', async () => {
  const house = openHouse();
  const next = random(6);
  const pick = <T>(list: readonly T[]) => list[Math.floor(next() * list.length)] as T;
  let shared = 0;
  const call = async (): Promise<void> => {
    const organization = pick(['acme', 'globex']);
    // Beside a weir key that names the caller, the application's own credential stays; or there is none.
    const own = pick(['sk-one', 'sk-two', null]);
    const question = `question ${Math.floor(next() * 40)}`;
    const stream = next() < 0.5;
    const headers: Record<string, string> = own
      ? { 'x-weir-key': `weir_sk_${organization}`, authorization: `Bearer ${own}` }
      : { authorization: `Bearer weir_sk_${organization}` };
    const mark = `<${organization} ${own} ${question}>`;
    const reply = await house.call(callHead(headers), chatBody(question, { stream }), () => {
      const side = chatAnswer(`${mark} ${next()}`, stream);
      // Now and then something that nobody else may get.
      return next() < 0.1 ? { ...side, breaks: true } : next() < 0.1 ? { ...side, status: 500 } : side;
    });
    if (!reply.asked) shared++;
    // What broke off broke off for those who read along as well, and had nothing of anyone else in it.
    const marks = reply.text.match(/<[^>]*>/g) ?? [];
    assert(
      marks.every((each) => each === mark) && (marks.length > 0 || !reply.whole),
      `${mark} got ${marks}`,
    );
  };
  for (let sent = 0; sent < 10_000; sent += 100) await Promise.all(Array.from({ length: 100 }, call));
  await house.settled();
  assert(shared > 5_000, `${shared} were shared`);
  assert.equal(house.records.length, 10_000);
  assert(house.held.take(64 * 1024 * 1024), 'what was held is given back');
});

test('share: organization gives an answer to whoever is of it, whatever the credential', async () => {
  const house = openHouse({ cache: { share: 'organization' } });
  const as = (organization: string, own: string) =>
    callHead({ 'x-weir-key': `weir_sk_${organization}`, authorization: `Bearer ${own}` });
  await house.call(as('acme', 'sk-one'), chatBody('Shared?'), () => chatAnswer('yes'));
  const other = await house.call(as('acme', 'sk-two'), chatBody('Shared?'), never);
  assert.match(other.text, /yes/);
  const stranger = await house.call(as('globex', 'sk-one'), chatBody('Shared?'), () => chatAnswer('no'));
  assert.match(stranger.text, /"no"/);
});

/** Chunks that come when they are told to. */
function told(chunks: Iterable<Buffer>) {
  const list = [...chunks];
  const steps = list.map(() => Promise.withResolvers<void>());
  const over = Promise.withResolvers<void>();
  async function* come() {
    for (const [at, chunk] of list.entries()) {
      await steps[at]?.promise;
      yield chunk;
    }
    await over.promise;
  }
  return {
    chunks: come(),
    next: (count: number) => steps.slice(0, count).forEach(({ resolve }) => void resolve()),
    end: () => {
      for (const { resolve } of steps) resolve();
      over.resolve();
    },
  };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('who follows a stream gets it as it comes, is billed nothing, and is told what it saved', async () => {
  const house = openHouse();
  const side = chatAnswer('as it comes', true);
  const script = told(side.chunks as Iterable<Buffer>);
  const body = chatBody('Streamed?', { stream: true });
  const leader = house.call(callHead(), body, () => ({ ...side, chunks: script.chunks }));
  await turn();
  const early = house.call(callHead(), body, never);
  script.next(2);
  await turn();
  const late = house.call(callHead(), body, never);
  await turn();
  script.end();
  const replies = await Promise.all([leader, early, late]);
  await house.settled();
  assert.equal(new Set(replies.map(({ text }) => text)).size, 1);
  assert.match(replies[0]?.text ?? '', /as it comes[\s\S]*\[DONE\]/);
  assert.doesNotMatch(replies[0]?.text ?? '', /usage/, 'nobody asked for usage');
  assert.deepEqual(
    replies.map(({ headers }) => headers['x-weir-cache']),
    ['miss', 'coalesced', 'coalesced'],
  );
  const [first, ...others] = house.records.toSorted((a) => (a.cache === 'miss' ? -1 : 1));
  assert.equal(first?.costUsd, '2');
  for (const { costUsd, savedUsd, outcome, usage } of others)
    assert.deepEqual([costUsd, savedUsd, outcome, usage.output], ['0', '2', 'completed', 2]);
  assert.deepEqual(house.counted.map(([, result]) => result).sort(), ['coalesced', 'coalesced', 'miss']);
});

test('the caller of a stream hangs up: who reads along sees it break, who has not begun gets another', async () => {
  const house = openHouse();
  const side = chatAnswer('the first', true);
  const script = told(side.chunks as Iterable<Buffer>);
  const body = chatBody('Hung up?', { stream: true });
  const hanging = new AbortController();
  const leader = house.call(callHead(), body, () => ({ ...side, chunks: script.chunks }), hanging.signal);
  await turn();
  script.next(2);
  await turn();
  const amid = house.call(callHead(), body, never);
  await turn();
  hanging.abort();
  script.end();
  await leader;
  const broken = await amid;
  assert(!broken.whole);
  assert.match(broken.text, /the first/);
  const again = await house.call(callHead(), body, () => chatAnswer('the second', true));
  assert(again.asked && again.whole);
  await house.settled();
  assert.deepEqual(house.records.map(({ outcome }) => outcome).sort(), [
    'completed',
    'interrupted',
    'unsettled',
  ]);
});

test('who reads along and hangs up at the last event has had all of it; who does before has not', async () => {
  const house = openHouse();
  const side = chatAnswer('all of it', true);
  const events = side.chunks as Buffer[];
  const script = told(events);
  const body = chatBody('Until when?', { stream: true });
  const leader = house.call(callHead(), body, () => ({ ...side, chunks: script.chunks }));
  await turn();
  script.next(events.length - 1);
  await turn();
  const [early, late] = [new AbortController(), new AbortController()];
  const followers = [early, late].map(({ signal }) => house.call(callHead(), body, never, signal));
  await turn();
  early.abort();
  await followers[0];
  script.next(events.length);
  await turn();
  late.abort();
  await followers[1];
  script.end();
  await leader;
  await house.settled();
  const outcomes = house.records.filter(({ cache }) => cache === 'coalesced').map(({ outcome }) => outcome);
  assert.deepEqual(outcomes.toSorted(), ['completed', 'disconnected']);
});

test('a plain call that is waited for and given up is made anew by one of those who wait', async () => {
  const house = openHouse();
  const silence = told([]);
  const hanging = new AbortController();
  let asked = 0;
  const provider = (): ProviderSide => {
    if (++asked > 1) return chatAnswer('the second');
    return { ...chatAnswer('x'), chunks: silence.chunks };
  };
  const leader = house.call(callHead(), chatBody('Given up?'), provider, hanging.signal);
  await turn();
  const others = [1, 2, 3].map(() => house.call(callHead(), chatBody('Given up?'), provider));
  await turn();
  hanging.abort();
  silence.end();
  await leader;
  const replies = await Promise.all(others);
  assert.equal(asked, 2);
  for (const { text } of replies) assert.match(text, /the second/);
});

test('an error is nobody else’s: those who waited for it ask themselves', async () => {
  const house = openHouse();
  let asked = 0;
  const provider = () => ({ ...chatAnswer(`answer ${++asked}`), status: asked === 1 ? 500 : 200 });
  const replies = await Promise.all(
    [1, 2, 3].map(() => house.call(callHead(), chatBody('Failed?'), provider)),
  );
  assert.equal(asked, 3);
  assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 200, 500]);
});

test('who hangs up while waiting is written down, billed nothing, and waited for by nobody', async () => {
  const house = openHouse();
  const hold = Promise.withResolvers<void>();
  async function* chunks() {
    await hold.promise;
    yield* chatAnswer('late').chunks as Iterable<Buffer>;
  }
  const leader = house.call(callHead(), chatBody('Late?'), () => ({ ...chatAnswer('x'), chunks: chunks() }));
  await turn();
  const left = new AbortController();
  const waiting = house.call(callHead(), chatBody('Late?'), () => chatAnswer('never'), left.signal);
  await turn();
  left.abort();
  await waiting;
  const [record] = house.records;
  assert.deepEqual([record?.outcome, record?.cache, record?.costUsd], ['disconnected', 'coalesced', '0']);
  hold.resolve();
  assert.match((await leader).text, /late/);
});

test('single_flight: false lets equal calls go their own ways', async () => {
  const house = openHouse({ cache: { single_flight: false } });
  let asked = 0;
  const provider = () => chatAnswer(`answer ${++asked}`);
  await Promise.all([1, 2, 3].map(() => house.call(callHead(), chatBody('Apart?'), provider)));
  assert.equal(asked, 3);
  assert(!(await house.call(callHead(), chatBody('Apart?'), provider)).asked);
});

test('who waits needs no budget: it is free, unless there is nothing to wait for', async () => {
  let first = true;
  const state = { name: 'x', kind: 'tokens' as const, per: 'user', limit: 1, remaining: 0, resetMs: 1 };
  const house = openHouse({
    admission() {
      const denial = first ? null : { kind: 'limit' as const, state, never: false };
      first = false;
      return { denial };
    },
  });
  const side = chatAnswer('paid once');
  const script = told(side.chunks as Iterable<Buffer>);
  const leader = house.call(callHead(), chatBody('Free?'), () => ({ ...side, chunks: script.chunks }));
  await turn();
  const waiting = house.call(callHead(), chatBody('Free?'), never);
  await turn();
  script.end();
  await leader;
  assert.match((await waiting).text, /paid once/);
  assert.equal((await house.call(callHead(), chatBody('Not free?'), never)).status, 429);

  first = true;
  const hanging = new AbortController();
  const silence = told([]);
  const silent = () => ({ ...side, chunks: silence.chunks });
  const gone = house.call(callHead(), chatBody('Gone?'), silent, hanging.signal);
  await turn();
  const alone = house.call(callHead(), chatBody('Gone?'), never);
  await turn();
  hanging.abort();
  silence.end();
  await gone;
  assert.equal((await alone).status, 429);
});
