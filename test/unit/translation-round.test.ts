import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DialectName } from '../../src/config/dialects.ts';
import type { JsonObject } from '../../src/dialects/json.ts';
import type { CallPart, NeutralRequest, Turn } from '../../src/dialects/neutral.ts';
import type { Asked } from '../../src/dialects/neutral-dialect.ts';
import { neutralDialects } from '../../src/dialects/neutral-registry.ts';
import type { NeutralReply } from '../../src/dialects/neutral-reply.ts';
import { joinTurns } from '../../src/dialects/turns.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';
import { modelOf, pairs, pathOf, translate } from '../fixtures/translations.ts';

const word = fc.stringMatching(/^[a-z_]{1,12}$/);
const said = fc
  .string({ minLength: 1, maxLength: 40, unit: 'grapheme' })
  .filter((text) => text.trim() !== '');
const text = said.map((each) => ({ kind: 'text' as const, text: each }));
const image = fc.constantFrom(
  { mediaType: 'image/png', source: { data: 'iVBORw0KGgo=' } },
  { mediaType: null, source: { url: 'https://example.com/a.png' } },
);
const picture = image.map((where) => ({ kind: 'image' as const, ...where, name: null, detail: null }));
const pdf = {
  kind: 'file' as const,
  mediaType: 'application/pdf',
  source: { data: 'JVBERi0=' },
  name: 'a.pdf',
  detail: null,
};
const args = fc.dictionary(
  word,
  fc.oneof(said, fc.integer(), fc.boolean(), fc.array(said, { maxLength: 2 })),
  { maxKeys: 3 },
);

/** One exchange of a conversation: what the user said, and what came of it. */
const user: fc.Arbitrary<Turn[]> = fc
  .array(fc.oneof({ weight: 4, arbitrary: text }, picture, fc.constant(pdf)), { minLength: 1, maxLength: 3 })
  .map((parts) => [{ role: 'user', parts }]);
const answer: fc.Arbitrary<Turn[]> = text.map((part) => [{ role: 'assistant', parts: [part] }]);
const called: fc.Arbitrary<Turn[]> = fc
  .record({
    before: fc.option(text, { nil: undefined }),
    calls: fc.array(fc.tuple(word, args, said), { minLength: 1, maxLength: 3 }),
  })
  .map(({ before, calls }) => {
    const made = calls.map(
      ([name, input], index): CallPart => ({ kind: 'call', id: `call_${index}`, name, args: input }),
    );
    return [
      { role: 'assistant', parts: [...(before ? [before] : []), ...made] },
      {
        role: 'tool',
        parts: made.map(({ id, name }, index) => ({
          kind: 'result' as const,
          id,
          name,
          parts: [{ kind: 'text' as const, text: calls[index]?.[2] ?? '' }],
          isError: null,
        })),
      },
    ];
  });

const schema = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
};

/** What all four dialects can say. */
const request: fc.Arbitrary<NeutralRequest> = fc.record({
  dialect: fc.constant<DialectName>('openai-chat'),
  model: fc.constant('m'),
  stream: fc.constantFrom(null, true),
  turns: fc
    .tuple(
      fc.option(text, { nil: undefined }),
      user,
      fc.array(fc.tuple(fc.oneof(answer, called), user), { maxLength: 3 }),
    )
    .map(([system, first, rest]): Turn[] => [
      ...(system ? [{ role: 'system' as const, parts: [system] }] : []),
      ...first,
      ...rest.flat(2),
    ]),
  tools: fc.array(
    fc.record({
      kind: fc.constant('function' as const),
      name: word,
      description: fc.option<string, null>(said),
      schema: fc.constant(schema),
      strict: fc.constant(null),
    }),
    { maxLength: 2 },
  ),
  toolChoice: fc.constantFrom(
    null,
    { mode: 'auto' as const, names: null },
    { mode: 'any' as const, names: null },
    { mode: 'any' as const, names: ['a'] },
  ),
  parallelCalls: fc.constant(null),
  output: fc.constantFrom(null, { schema, name: 'answer', description: null, strict: true }),
  maxTokens: fc.integer({ min: 16, max: 4_000 }),
  stop: fc.constant(null),
  temperature: fc.constantFrom(null, 0, 0.5, 1),
  topP: fc.constantFrom(null, 0.9),
  topK: fc.constant(null),
  seed: fc.constant(null),
  frequencyPenalty: fc.constant(null),
  presencePenalty: fc.constant(null),
  reasoning: fc.constant(null),
  user: fc.constant(null),
  tier: fc.constant(null),
});

const write = (dialect: DialectName, neutral: NeutralRequest) =>
  neutralDialects[dialect].writeRequest(neutral, {
    model: modelOf[dialect],
    askUsage: true,
    maxTokens: null,
  });
const path = (dialect: DialectName, stream: boolean | null) =>
  stream ? pathOf[dialect].replace('generateContent', 'streamGenerateContent') : pathOf[dialect];

for (const { from, to } of pairs) {
  test(`${from} → ${to} → ${from} keeps all of a request that both can say`, () => {
    fc.assert(
      fc.property(request, (made) => {
        // Read by its dialect, so that all it says is its own.
        const other = from === 'openai-chat' ? 'anthropic-messages' : 'openai-chat';
        const body = JSON.parse(JSON.stringify(write(from, { ...made, dialect: other })));
        const there = translate(from, to, body, { path: path(from, made.stream) });
        assert(there.kind === 'translated', JSON.stringify(there));
        const back = translate(to, from, JSON.parse(Buffer.from(there.body).toString()), {
          path: path(to, made.stream),
        });
        assert(back.kind === 'translated', JSON.stringify(back));
        assert.deepEqual(meaning(from, JSON.parse(Buffer.from(back.body).toString())), meaning(from, body));
      }),
    );
  });
}

/** What a request of the dialect says, but for names that only one side has. */
function meaning(dialect: DialectName, body: JsonObject): unknown {
  const {
    own: _,
    turns,
    output,
    tools,
    ...said
  } = neutralDialects[dialect].readRequest(body, pathOf[dialect]);
  return {
    ...said,
    stream: said.stream === true,
    // Texts that stand together, and media without the names that they are given.
    turns: joinTurns(turns).map(({ role, parts }) => ({
      role,
      parts: parts.map((each) => {
        const part = { ...each, own: undefined };
        if (part.kind === 'call')
          return { ...part, args: typeof part.args === 'string' ? JSON.parse(part.args) : part.args };
        if (part.kind === 'result')
          return {
            ...part,
            name: null,
            parts: part.parts.map(({ ...inner }) => ({ ...inner, own: undefined })),
          };
        return 'detail' in part
          ? { ...part, detail: null, mediaType: part.mediaType ?? 'image/png', name: null }
          : part;
      }),
    })),
    output: output && { ...output, name: null, strict: null },
    tools: tools.map((tool) => (tool.kind === 'function' ? { ...tool, own: undefined, strict: null } : tool)),
    tier: null,
    openai: undefined,
  };
}

const asked = (dialect: DialectName): Asked => ({
  dialect,
  model: 'm',
  stream: false,
  usage: true,
  sse: true,
  echo: {},
  id: 'x',
  created: 1,
});

for (const { from, to } of pairs) {
  test(`${from} → ${to} → ${from} keeps all of a recorded reply that both can say`, {
    skip: corpusMissing,
  }, () => {
    let tried = 0;
    for (const { id, response_body, streamed, status } of recordedExchanges(from)) {
      if (streamed || status !== 200) continue;
      const reply = neutralDialects[from].readReply(JSON.parse(response_body ?? ''), 'x');
      assert(reply);
      // One that is still being made.
      if (reply.stop === null) continue;
      if (reply.parts.some(({ kind }) => kind === 'unknown' || kind === 'image' || kind === 'audio'))
        continue;
      tried++;
      const there = neutralDialects[to].writeReply(reply, asked(to));
      const read = neutralDialects[to].readReply(there, 'x');
      assert(read, id);
      const back = neutralDialects[from].readReply(neutralDialects[from].writeReply(read, asked(from)), 'x');
      assert(back, id);
      assert.deepEqual(gist(back, to), gist(reply, to), id);
    }
    assert(tried > 80, String(tried));
  });
}

/** What both sides of a pair can say of a reply. */
function gist({ parts, stop, usage, model }: NeutralReply, by: DialectName): unknown {
  const texts = (kind: string) =>
    parts.map((part) => (part.kind === kind && 'text' in part ? part.text : '')).join('');
  const hasSequence = by === 'anthropic-messages';
  return {
    model,
    text: texts('text') + texts('refusal'),
    thinking: texts('thinking'),
    signatures: parts.flatMap((part) =>
      part.kind === 'thinking' && part.signature.value !== '' ? [part.signature.value] : [],
    ),
    calls: parts.flatMap((part) =>
      part.kind === 'call'
        ? [{ name: part.name, args: typeof part.args === 'string' ? JSON.parse(part.args) : part.args }]
        : [],
    ),
    stop: stop && (!hasSequence && stop.reason === 'stop' ? 'end' : stop.reason),
    // A call is told by its stop where there is a word for it.
    usage: usage && {
      input: usage.input ?? 0,
      output: usage.output ?? 0,
      cacheRead: usage.cacheRead ?? 0,
      reasoning: usage.reasoning ?? 0,
    },
  };
}
