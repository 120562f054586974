// Chat streams: usage for those who asked, and what providers add, by its rule.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chunk, end, events, given, type Json, stream, usage, whole } from '../fixtures/streams.ts';

const messageOf = (chunks: string[]): unknown =>
  (whole('openai-chat', chunks)?.choices as { message: unknown }[] | undefined)?.[0]?.message ?? null;

test('a chat stream is given with its usage to those who asked, and without to the others', () => {
  const said = [chunk({ content: 'Hi' }, { usage: null }), { ...end, usage: null }];
  const record = stream(events(...said, { id: 'c', choices: [], usage }, '[DONE]'));
  assert.deepEqual(given('openai-chat', record, { streamed: true, usage: true })?.chunks, record.chunks);
  assert.deepEqual(given('openai-chat', record, { streamed: true, usage: null })?.chunks, record.chunks);
  const without = given('openai-chat', record, { streamed: true, usage: false });
  assert.equal(
    Buffer.concat(without?.chunks ?? []).toString(),
    events(chunk({ content: 'Hi' }), end, '[DONE]').join(''),
  );
  assert.equal(without?.chunks.length, 3, 'and no chunk that is empty');

  const silent = stream(events(chunk({ content: 'It says "usage":{' }), end, '[DONE]'));
  assert.equal(given('openai-chat', silent, { streamed: true, usage: true }), null);
  assert.deepEqual(given('openai-chat', silent, { streamed: true, usage: false })?.chunks, silent.chunks);
  assert.equal(given('openai-chat', silent, {}), null, 'a plain answer tells its usage');
});

test('a plain chat answer is streamed with `usage: null` in each chunk where usage was asked for', () => {
  const answer = {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
    usage,
  };
  const kept = {
    contentType: 'application/json',
    streamed: false,
    chunks: [Buffer.from(JSON.stringify(answer))],
  };
  const told = (asked: boolean | null) =>
    (given('openai-chat', kept, { streamed: true, usage: asked })?.chunks ?? []).flatMap((each) => {
      const data = each.toString().slice('data: '.length);
      return data.startsWith('[DONE]') ? ['done'] : [JSON.parse(data).usage];
    });
  assert.deepEqual(told(true), [null, null, null, usage, 'done']);
  assert.deepEqual(told(false), [undefined, undefined, undefined, 'done']);
  assert.deepEqual(told(null), [undefined, undefined, undefined, usage, 'done']);
  const { usage: _, ...silent } = answer;
  assert.equal(
    given(
      'openai-chat',
      { ...kept, chunks: [Buffer.from(JSON.stringify(silent))] },
      { streamed: true, usage: true },
    ),
    null,
  );
});

test('what providers add to a chat stream is put together by its rule', () => {
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: null, reasoning_content: 'Let ' },
        {
          role: 'assistant',
          reasoning_content: 'me.',
          reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let ' }],
        },
        { content: 'Hi ', reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'me.' }] },
        {
          content: 'you',
          reasoning_details: [{ type: 'reasoning.text', index: 0, signature: 's' }],
          unheard_of: 'x',
        },
        { annotations: [{ a: 1 }] },
        {
          annotations: [{ a: 2 }],
          audio: { id: 'a', data: Buffer.from('ab').toString('base64'), transcript: 'T' },
        },
        { audio: { data: Buffer.from('cd').toString('base64'), transcript: 'u', expires_at: 9 } },
      ),
    ),
    {
      role: 'assistant',
      content: 'Hi you',
      reasoning_content: 'Let me.',
      reasoning_details: [{ type: 'reasoning.text', index: 0, text: 'Let me.', signature: 's' }],
      unheard_of: 'x',
      annotations: [{ a: 1 }, { a: 2 }],
      audio: { id: 'a', data: Buffer.from('abcd').toString('base64'), transcript: 'Tu', expires_at: 9 },
    },
  );
  const thought = (said: string) => ({
    content: [{ type: 'thinking', thinking: [{ type: 'text', text: said }] }],
  });
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: '' },
        thought('Hm'),
        thought('m.'),
        { content: 'Hi' },
        { content: '!' },
      ),
    ),
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: [{ type: 'text', text: 'Hmm.' }] },
        { type: 'text', text: 'Hi!' },
      ],
    },
  );
  const call = (index: number, more: Json) => ({ tool_calls: [{ index, ...more }] });
  assert.deepEqual(
    messageOf(
      chat(
        { role: 'assistant', content: null },
        call(1, { id: 'b', type: 'function', function: { name: 'g', arguments: '' } }),
        call(0, { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x"' } }),
        call(1, { id: '', function: { arguments: '{}' } }),
        call(0, { id: 'a', function: { name: 'f', arguments: ':1}' } }),
      ),
    ),
    {
      role: 'assistant',
      content: null,
      tool_calls: [
        { id: 'a', type: 'function', function: { name: 'f', arguments: '{"x":1}' } },
        { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
      ],
    },
  );
});

test('of counts that grow from chunk to chunk the last are of the whole', () => {
  const growing = [1, 2].map((count) =>
    chunk({ content: 'Hi' }, { usage: { ...usage, completion_tokens: count } }),
  );
  const last = { ...end, usage: { ...usage, completion_tokens: 3 } };
  assert.deepEqual(whole('openai-chat', events(...growing, last, '[DONE]'))?.usage, last.usage);
});

test('Groq’s usage and Azure’s first chunk have their place in the whole', () => {
  const groq = whole(
    'openai-chat',
    events(
      chunk({ role: 'assistant', content: 'Hi' }, { x_groq: { id: 'req' } }),
      { ...end, x_groq: { id: 'req', usage } },
      '[DONE]',
    ),
  );
  assert.deepEqual([groq?.x_groq, groq?.usage, groq?.object], [{ id: 'req' }, usage, 'chat.completion']);
  const filter = [{ prompt_index: 0 }];
  const azure = whole(
    'openai-chat',
    events(
      { id: '', created: 0, model: '', object: '', choices: [], prompt_filter_results: filter },
      ...chat({ role: 'assistant', content: 'Hi' }).map((event) => event.slice('data: '.length).trim()),
    ),
  );
  assert.deepEqual([azure?.id, azure?.model, azure?.prompt_filter_results], ['c', 'm', filter]);
});
