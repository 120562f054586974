import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { dialectNames } from '../../src/config/dialects.ts';
import type { JsonObject } from '../../src/dialects/json.ts';
import type { NeutralDialect } from '../../src/dialects/neutral-dialect.ts';
import { neutralDialects } from '../../src/dialects/neutral-registry.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';
import { askedIn } from '../fixtures/translations.ts';

/** Where a request of the dialect goes. */
const endpoint = (path: string) => path.replace(/\?.*$/s, '');

function again(dialect: NeutralDialect, body: JsonObject, path: string): unknown {
  const request = dialect.readRequest(body, path);
  return dialect.writeRequest(request, { model: request.model ?? '', askUsage: true, maxTokens: null });
}

for (const name of dialectNames) {
  const dialect = neutralDialects[name];
  const recorded = corpusMissing ? [] : recordedExchanges(name);

  test(`${name}: every recorded request is itself after a way through the neutral form`, {
    skip: corpusMissing,
  }, () => {
    for (const { id, request_body, path } of recorded) {
      const body = JSON.parse(request_body ?? '');
      assert.deepEqual(again(dialect, body, endpoint(path)), body, id);
    }
    assert(recorded.length > 100);
  });

  test(`${name}: every recorded reply is itself after it`, { skip: corpusMissing }, () => {
    const plain = recorded.filter(({ streamed, status }) => !streamed && status === 200);
    for (const { id, response_body } of plain) {
      const body = JSON.parse(response_body ?? '');
      const reply = dialect.readReply(body, 'x');
      assert(reply, id);
      assert.deepEqual(dialect.writeReply(reply, askedIn(name)), body, id);
    }
    assert(plain.length > 100);
  });

  test(`${name}: whatever an object holds, reading it never fails and nothing of it is lost`, () => {
    const words = [
      ...['model', 'messages', 'input', 'contents', 'system', 'tools', 'role', 'content', 'parts', 'type'],
      ...['text', 'tool_calls', 'function', 'id', 'name', 'arguments', 'tool_choice', 'stop', 'stream'],
      ...[
        'generationConfig',
        'output_config',
        'thinking',
        'reasoning',
        'user',
        'assistant',
        'model_',
        'format',
      ],
    ];
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 1, 'text', 'function', 'auto', ...words),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...words), tie('value'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...words), value, { maxKeys: 8 }), (members) => {
        const body: JsonObject = JSON.parse(JSON.stringify(members));
        // The model of Google's is in the path, and every other request has one.
        if (name === 'gemini-generate') delete body.model;
        else body.model = 'm';
        const path = name === 'gemini-generate' ? '/v1beta/models/m:generateContent' : '/v1/x';
        assert.deepEqual(again(dialect, body, path), body);
      }),
      { numRuns: 500 },
    );
  });
}
