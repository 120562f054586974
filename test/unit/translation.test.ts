import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DialectName, hints } from '../../src/config/dialects.ts';
import { cannot } from '../../src/translate/cannot.ts';
import { corpusMissing, recordedExchanges } from '../fixtures/corpus.ts';
import { modelOf, pairs, translate } from '../fixtures/translations.ts';

const strange = 'zz_unknown';

/** The value once for each object in it, with a member there that nobody knows. */
function* withStranger(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries())
      for (const changed of withStranger(each)) yield value.with(index, changed);
  } else if (typeof value === 'object' && value !== null) {
    yield { ...value, [strange]: 1 };
    for (const [name, each] of Object.entries(value))
      for (const changed of withStranger(each)) yield { ...value, [name]: changed };
  }
}

for (const { from, to } of pairs) {
  test(`${from} → ${to}: a member that nobody knows is refused or carried, wherever it stands`, {
    skip: corpusMissing,
  }, () => {
    let tried = 0;
    for (const { id, request_body, path } of recordedExchanges(from)) {
      const body = JSON.parse(request_body ?? '');
      if (translate(from, to, body, { path }).kind === 'refused' || (request_body?.length ?? 0) > 20_000)
        continue;
      for (const changed of withStranger(body)) {
        tried++;
        const found = translate(from, to, changed, { path });
        if (found.kind === 'translated')
          assert(Buffer.from(found.body).includes(strange), `${id}: dropped in ${JSON.stringify(changed)}`);
      }
    }
    assert(tried > 300, `${tried} places`);
  });
}

test('a refusal names members, both dialects, the reason and the way out', () => {
  const found = translate('openai-chat', 'anthropic-messages', {
    model: 'claude-sonnet-4-5',
    messages: [{ role: 'user', content: 'Hi', name: 'ann' }],
    n: 2,
    logprobs: true,
    provider_option: { a: 1 },
  });
  assert(found.kind === 'refused');
  for (const part of [
    '`n`',
    '`logprobs`',
    '`provider_option`',
    '`messages[].name`',
    'openai-chat',
    'anthropic-messages',
    'leave_out: [names]',
  ])
    assert(found.message.includes(part), `${part} in: ${found.message}`);
});

test('a hint is left out when it may be, and said so', () => {
  const body = {
    model: 'gpt-5.1',
    max_tokens: 10,
    system: [{ type: 'text', text: 'Long.', cache_control: { type: 'ephemeral' } }],
    messages: [
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm', signature: 'sealed==' },
          { type: 'text', text: 'Yes?' },
        ],
      },
      { role: 'user', content: 'Well.' },
    ],
  };
  assert.equal(translate('anthropic-messages', 'openai-chat', body).kind, 'refused');
  assert.equal(
    translate('anthropic-messages', 'openai-chat', body, { leaveOut: ['caching'] }).kind,
    'refused',
  );
  for (const leaveOut of [['caching', 'thinking'], ['all']]) {
    const found = translate('anthropic-messages', 'openai-chat', body, { leaveOut });
    assert(found.kind === 'translated');
    assert.deepEqual(found.left.sort(), ['caching', 'thinking']);
    assert.deepEqual(JSON.parse(Buffer.from(found.body).toString()).messages, [
      { role: 'system', content: [{ type: 'text', text: 'Long.' }].map(({ text }) => text)[0] },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Yes?' },
      { role: 'user', content: 'Well.' },
    ]);
  }
});

test('thinking comes back to the provider that did it, by way of any client', () => {
  for (const { from, to } of pairs) {
    if (to === 'openai-chat') continue;
    const sealed = {
      origin: to,
      value: to === 'openai-responses' ? '{"id":"rs_1","encrypted_content":"s=="}' : 'c2VhbGVk',
      sealed: false,
    };
    const body = thought(from, sealed);
    const found = translate(from, to, body);
    assert(found.kind === 'translated', `${from} → ${to}: ${JSON.stringify(found)}`);
    const text = Buffer.from(found.body).toString();
    assert(
      text.includes(to === 'openai-responses' ? '"encrypted_content":"s=="' : '"c2VhbGVk"'),
      `${from} → ${to}: ${text}`,
    );
    assert(!text.includes('weir:'), text);
  }
});

/** A conversation with thinking in it, as a client of the dialect sends it back. */
function thought(from: DialectName, { origin, value }: { origin: DialectName; value: string }): unknown {
  const tag = `weir:${origin}:${value}`;
  const [before, after] = ['Hi', 'Well.'];
  switch (from) {
    case 'openai-chat':
      return {
        model: 'm',
        messages: [
          { role: 'user', content: before },
          {
            role: 'assistant',
            content: 'Yes?',
            reasoning_content: 'Hm',
            reasoning_details: [{ type: 'reasoning.text', text: 'Hm', signature: tag, index: 0 }],
          },
          { role: 'user', content: after },
        ],
      };
    case 'openai-responses':
      return {
        model: 'm',
        input: [
          { role: 'user', content: before },
          {
            type: 'reasoning',
            id: 'rs_x',
            summary: [{ type: 'summary_text', text: 'Hm' }],
            encrypted_content: tag,
          },
          { role: 'assistant', content: 'Yes?' },
          { role: 'user', content: after },
        ],
      };
    case 'anthropic-messages':
      return {
        model: 'm',
        max_tokens: 10,
        messages: [
          { role: 'user', content: before },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm', signature: tag },
              { type: 'text', text: 'Yes?' },
            ],
          },
          { role: 'user', content: after },
        ],
      };
    case 'gemini-generate':
      return {
        contents: [
          { role: 'user', parts: [{ text: before }] },
          // As a chat of the SDK keeps a stream.
          { role: 'model', parts: [{ text: 'H', thought: true }] },
          { role: 'model', parts: [{ text: 'm', thought: true }] },
          {
            role: 'model',
            parts: [{ text: '', thought: true, thoughtSignature: Buffer.from(tag).toString('base64') }],
          },
          { role: 'model', parts: [{ text: 'Yes?' }] },
          { role: 'user', parts: [{ text: after }] },
        ],
      };
  }
}

test('a model is asked to think in the words that it knows', () => {
  const ask = (to: DialectName, model: string, effort: string) => {
    const body = {
      model,
      messages: [{ role: 'user', content: 'Hi' }],
      reasoning_effort: effort,
      max_completion_tokens: 9_000,
    };
    const found = translate('openai-chat', to, body, { model });
    assert(found.kind === 'translated', JSON.stringify(found));
    const { thinking, output_config, generationConfig } = JSON.parse(Buffer.from(found.body).toString());
    return { thinking, ...output_config, ...generationConfig?.thinkingConfig };
  };
  assert.deepEqual(ask('anthropic-messages', 'claude-sonnet-4-5', 'medium'), {
    thinking: { type: 'enabled', budget_tokens: 7_976 },
  });
  assert.deepEqual(ask('anthropic-messages', 'claude-sonnet-4-5', 'low'), {
    thinking: { type: 'enabled', budget_tokens: 4_096 },
  });
  assert.deepEqual(ask('anthropic-messages', 'claude-opus-5', 'xhigh'), {
    thinking: { type: 'adaptive' },
    effort: 'xhigh',
  });
  assert.deepEqual(ask('anthropic-messages', 'claude-opus-5', 'none'), { thinking: { type: 'disabled' } });
  assert.deepEqual(ask('gemini-generate', 'gemini-2.5-pro', 'high'), {
    thinking: undefined,
    thinkingBudget: 16_384,
  });
  assert.deepEqual(ask('gemini-generate', 'gemini-3-pro', 'max'), {
    thinking: undefined,
    thinkingLevel: 'HIGH',
  });
});

test('the names of hints are those of the config', () => {
  const rows = cannot.filter(({ hint }) => hint).map(({ id }) => id);
  assert.deepEqual([...new Set(rows)].sort(), [...hints].sort());
  assert.equal(new Set(cannot.map(({ id }) => id)).size, cannot.length);
  assert(modelOf);
});
