import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DialectName, dialectNames, type SpokenName } from '../../src/config/dialects.ts';
import type { Asked } from '../../src/dialects/neutral-dialect.ts';
import { neutralDialects } from '../../src/dialects/neutral-registry.ts';
import type { StreamEvent } from '../../src/dialects/neutral-reply.ts';
import { SseParser } from '../../src/dialects/sse.ts';
import { parseObject } from '../../src/dialects/stream.ts';
import { noUsage } from '../../src/dialects/usage.ts';
import { replyTranslator } from '../../src/translate/reply.ts';
import { awsFrame } from '../fixtures/aws-frame.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';
import { answers, bytesOf, type Speaker } from '../fixtures/speakers/answers.ts';
import { messagesSpeaker } from '../fixtures/speakers/anthropic-messages.ts';
import { converseSpeaker } from '../fixtures/speakers/bedrock-converse.ts';
import { geminiSpeaker } from '../fixtures/speakers/gemini-generate.ts';
import { chatSpeaker } from '../fixtures/speakers/openai-chat.ts';
import { responsesSpeaker } from '../fixtures/speakers/openai-responses.ts';
import { askedIn, servings } from '../fixtures/translations.ts';

const speakers: Record<SpokenName, Speaker> = {
  'bedrock-converse': converseSpeaker,
  'openai-chat': chatSpeaker,
  'openai-responses': responsesSpeaker,
  'anthropic-messages': messagesSpeaker,
  'gemini-generate': geminiSpeaker,
};

const asked = (dialect: DialectName, more: Partial<Asked> = {}) =>
  askedIn(dialect, { stream: true, ...more });

/** All that a stream says, in neutral events. */
function read(dialect: DialectName, bytes: Buffer, size = bytes.length): StreamEvent[] {
  const sse = new SseParser();
  const reader = neutralDialects[dialect].readStream('x');
  const events: StreamEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    for (const { data, type } of sse.push(bytes.subarray(at, at + size))) {
      const event = data.startsWith('{') ? parseObject(data) : null;
      events.push(...(event ? reader.read(event, type) : (reader.other?.(data) ?? [])));
    }
  }
  return [...events, ...(reader.close?.() ?? [])];
}

/** What was said, whatever the pieces that it came in. */
function told(events: StreamEvent[]): unknown {
  const parts: Record<string, unknown>[] = [];
  const last: Record<string, unknown> = {};
  for (const event of events) {
    const open = parts.at(-1);
    if (event.kind === 'open') parts.push({ ...event, text: '' });
    else if (event.kind === 'delta' && open) open.text = `${open.text}${event.text}`;
    else if (event.kind === 'sign' && open) open.signature = event.signature;
    else last[event.kind] = event;
  }
  return { parts, last };
}

for (const name of dialectNames) {
  test(`${name}: a recorded stream says the same however it is cut, and after a way through the neutral form`, {
    skip: corpusMissing,
  }, () => {
    const streams = recordedExchanges(name).filter(({ streamed }) => streamed);
    assert(streams.length > 5);
    for (const { id, response_body } of streams) {
      const bytes = Buffer.from(response_body ?? '');
      const events = read(name, bytes);
      for (const size of [1, 7, 100]) assert.deepEqual(read(name, bytes, size), events, id);
      const writer = neutralDialects[name].writeStream(asked(name));
      const again = Buffer.from(events.map((event) => writer.write(event)).join(''));
      assert.deepEqual(comparable(read(name, again)), comparable(events), id);
      assert.equal(events.at(-1)?.kind, 'end', id);
    }
  });
}

/** Without what only the provider's own stream has: the beginning of the id, and parts of the counts. */
function comparable(events: StreamEvent[]): unknown {
  const plain = events.map((event) => {
    if (event.kind === 'start') return { ...event, id: '' };
    if (event.kind !== 'usage') return event;
    const { input, output } = event.usage;
    return { kind: 'usage' as const, usage: { ...noUsage, input, output } };
  });
  // Some do not say why they end.
  const stop = { kind: 'stop' as const, stop: { reason: 'end' as const, sequence: null } };
  return told([stop, ...plain]);
}

const scenarios = Object.keys(answers);

for (const { from, to } of servings) {
  test(`${from} gets the same of a ${to} stream however it is cut`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...scenarios),
        fc.array(fc.nat(20_000), { maxLength: 30 }),
        (scenario, places) => {
          const made = answers[scenario];
          assert(made);
          const bytes = bytesOf(speakers[to].events(made, 'm'));
          const whole = pieces(from, to, [bytes]);
          const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
          const cut = [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
          assert.equal(pieces(from, to, cut).join(''), whole.join(''));
        },
      ),
      { numRuns: 40 },
    );
  });

  test(`${from} gets each piece of a ${to} stream as it comes, and what it says`, () => {
    for (const [scenario, made] of Object.entries(answers)) {
      const chunks = speakers[to].events(made, 'm').map((event) => Buffer.from(event));
      const got = pieces(from, to, chunks);
      // A piece of text that came is there before the next has come.
      const said = [...(made.text ?? []), ...(made.refusal ?? [])];
      const places = said.map((piece) =>
        got.findIndex((text) => text.includes(JSON.stringify(piece).slice(1, -1))),
      );
      for (const [index, place] of places.entries()) {
        const came = chunks.findIndex((chunk) => chunk.includes(JSON.stringify(said[index]).slice(1, -1)));
        assert.equal(place, came, `${scenario}: ${said[index]}`);
      }
      const events = read(from, Buffer.from(got.join('')));
      const direct = read(from, bytesOf(speakers[from].events(made, 'm')));
      assert.deepEqual(words(events), words(direct), scenario);
    }
  });
}

/** What the caller gets for each chunk. */
function pieces(from: DialectName, to: SpokenName, chunks: Buffer[]): string[] {
  const translator = replyTranslator(to, asked(from));
  return [...chunks.map((chunk) => translator.push(chunk).toString()), translator.end().toString()];
}

/** Texts, calls and the end. */
function words(events: StreamEvent[]): unknown {
  const of = (...parts: string[]) => {
    let open = '';
    let text = '';
    for (const event of events) {
      if (event.kind === 'open') open = event.part;
      if (event.kind === 'delta' && parts.includes(open)) text += event.text;
    }
    return text;
  };
  const calls = events.flatMap((event) =>
    event.kind === 'open' && event.part === 'call' ? [event.name] : [],
  );
  return {
    text: of('text', 'refusal'),
    thinking: of('thinking'),
    args: of('call'),
    calls,
    end: events.at(-1)?.kind,
  };
}

test('a stream that ends before its answer, or holds an event beyond all size, is told to have failed', () => {
  for (const { from, to } of servings) {
    const begun = bytesOf(speakers[to].events({ text: ['One', 'two'], stop: 'end' }, 'm').slice(0, 2));
    const large = `{"x":"${'x'.repeat(5 * 1024 * 1024)}"}`;
    for (const rest of ['', to === 'bedrock-converse' ? awsFrame('metadata', large) : `data: ${large}\n\n`]) {
      const got = pieces(from, to, [begun, Buffer.from(rest)]);
      const events = read(from, Buffer.from(got.join('')));
      assert.equal(events.at(-1)?.kind, 'error', `${from} ← ${to}: ${got.join('').slice(-300)}`);
    }
  }
});

test('Google’s SDKs of old get a list of chunks', () => {
  for (const [scenario, made] of Object.entries(answers)) {
    const translator = replyTranslator('openai-chat', asked('gemini-generate', { sse: false }));
    assert.equal(translator.contentType(true), 'application/json');
    const text = chatSpeaker.events(made, 'm').map((event) => translator.push(Buffer.from(event)).toString());
    const list = JSON.parse(text.join('') + translator.end().toString());
    assert.equal(list.at(-1).candidates[0].finishReason !== undefined, true, scenario);
  }
});

test('an answer without end takes no memory where the dialect needs none, and ends where it does', () => {
  const part = 'x'.repeat(64 * 1024);
  const delta = Buffer.from(
    `data: ${JSON.stringify({ id: 'c', model: 'm', choices: [{ index: 0, delta: { content: part } }] })}\n\n`,
  );
  const anthropic = replyTranslator('openai-chat', asked('anthropic-messages'));
  const responses = replyTranslator('openai-chat', asked('openai-responses'));
  for (let at = 0; at < 100; at++) {
    assert(anthropic.push(delta).length > part.length);
    responses.push(delta);
  }
  assert.equal(responses.push(delta).length, 0);
  assert(!anthropic.failed);
});
