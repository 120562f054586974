import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DialectName } from '../../src/config/dialects.ts';
import type { JsonObject } from '../../src/dialects/json.ts';
import type { NeutralRequest } from '../../src/dialects/neutral.ts';
import { neutralDialects } from '../../src/dialects/neutral-registry.ts';
import { joinTurns } from '../../src/dialects/turns.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';
import { gist } from '../fixtures/gist.ts';
import { neutralRequest } from '../fixtures/neutral-requests.ts';
import { askedIn, modelOf, pairs, pathOf, translate } from '../fixtures/translations.ts';

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
      fc.property(neutralRequest, (made) => {
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
      const there = neutralDialects[to].writeReply(reply, askedIn(to));
      const read = neutralDialects[to].readReply(there, 'x');
      assert(read, id);
      const back = neutralDialects[from].readReply(
        neutralDialects[from].writeReply(read, askedIn(from)),
        'x',
      );
      assert(back, id);
      assert.deepEqual(gist(back, to), gist(reply, to), id);
    }
    assert(tried > 80, String(tried));
  });
}
