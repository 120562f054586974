// What a process tells another of a call that it makes, over mail that arrives when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createByteBudget } from '../../src/cache/byte-budget.ts';
import { Flight, type Landing } from '../../src/cache/flights/flight.ts';
import type { Mail, Message } from '../../src/cache/flights/mail.ts';
import { createRemoteFlights } from '../../src/cache/flights/remote.ts';
import { createTails } from '../../src/cache/flights/tails.ts';
import { Recording } from '../../src/cache/recording.ts';
import { keptAnswer, place } from '../fixtures/cache.ts';

const token = 'one.1';
const pieces = ['a', 'b', 'c'].map((text) => Buffer.from(text));

/** A stream that one process makes, and its follower in another; what goes from here to there waits in `sent`. */
function twoProcesses() {
  const held = createByteBudget(2 ** 20);
  const flight = new Flight({ place, token, requestedModel: null, generation: 0 });
  const recording = new Recording(held, 2 ** 20);
  const sent: [Message, Buffer[]][] = [];
  const mail = (send: Mail['send']) => ({ send }) as Mail;
  const tails = createTails(
    mail(async (_to, message, bytes = []) => {
      sent.push([message, [...bytes]]);
      return true;
    }),
    () => flight,
  );
  const remote = createRemoteFlights({ mail: mail(async () => true), held, now: () => 0 });
  const followed = remote.join(flight.plan);
  followed.join();
  const beginning = { status: 200, contentType: '', path: '', tellsUsage: true, labels: '{}', recording };
  return {
    flight,
    recording,
    begin: () => flight.begin(beginning),
    join: () => tails.join('other', token, 0),
    followed,
    /** Brings what was sent. */
    async deliver() {
      // All that the sender does of its own accord.
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      for (const [message, bytes] of sent.splice(0)) remote.receive('one', message, bytes);
    },
    stop: () => remote.stop(),
  };
}

/** What a follower who reads along gets in the end; null: it is to take what has landed. */
async function streamOf(followed: Flight) {
  const beginning = await followed.begun;
  if (!beginning) return null;
  const reading = beginning.recording.read(0, new AbortController().signal);
  for (let text = ''; ; ) {
    const next = await reading.next();
    if (next.done) return { text, ending: next.value };
    text += next.value.join('');
  }
}

const answer: Landing = { kind: 'answer', answer: keptAnswer({ pieces }) };
const unshared: Landing = { kind: 'unshared', facts: null };

for (const [name, landing] of Object.entries({ answer, unshared })) {
  test(`who asks for a stream when it has ended and is let go gets all of it or nothing (${name})`, async (t) => {
    const { flight, recording, begin, join, deliver, followed, stop } = twoProcesses();
    t.after(stop);
    begin();
    for (const piece of pieces) recording.append(piece);
    flight.land(landing, 'whole');
    recording.release();
    join();
    await deliver();
    assert.equal(await streamOf(followed), null);
    assert.equal((await followed.landed).kind, landing.kind);
  });

  test(`a stream that is let go before all of it was sent is never whole with a gap (${name})`, async (t) => {
    const { flight, recording, begin, join, deliver, followed, stop } = twoProcesses();
    t.after(stop);
    begin();
    recording.append(Buffer.from('a'));
    join();
    await deliver();
    const stream = streamOf(followed);
    // More than others may hold: it is let go, and what it was is known only at its end.
    recording.append(Buffer.alloc(2 ** 21));
    assert(!recording.isHeld);
    flight.land(landing, 'whole');
    await deliver();
    const all = { text: 'abc', ending: 'whole' };
    assert.deepEqual(await stream, landing === answer ? all : { text: 'a', ending: 'broken' });
  });
}
