import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import OpenAI from 'openai';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

let provider: MockProvider;
let weir: TestWeir;
before(async () => {
  provider = await startProvider();
  weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } },
  });
});
after(async () => {
  await weir.stop();
  await provider.stop();
});

async function post(body: string | Buffer, headers: Record<string, string> = {}) {
  const response = await fetch(`${weir.egress}/v1/chat/completions`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${weir.callKey}`, 'content-type': 'application/json', ...headers },
  });
  const answer = (await response.json()) as { error: { code: string } };
  return { status: response.status, headers: response.headers, body: answer };
}

/** The processor that serves is still the one that was started: nothing has died. */
async function stillWell(): Promise<void> {
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const answer = await client.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: `${Math.random()}` }],
  });
  assert.equal(answer.choices[0]?.finish_reason, 'stop');
  assert(!weir.output().includes('a child died'), weir.output());
  assert(!weir.output().includes('"exchange failed"'), weir.output());
}

test('what is no JSON is refused in OpenAI’s form', async () => {
  const deep = `${'['.repeat(50_000)}`;
  for (const body of [
    '{"model": "gpt-4o", ',
    'null',
    '[]',
    '"text"',
    deep,
    Buffer.from([0xff, 0xfe, 0, 1, 2]),
    '{"a":"\ud800',
  ]) {
    const asked = provider.requests.length;
    const { status, headers, body: answer } = await post(body);
    assert.equal(status, 400);
    assert.equal(headers.get('x-weir-error'), 'invalid_json');
    assert.deepEqual(Object.keys(answer.error).sort(), ['code', 'message', 'param', 'type']);
    assert.equal(provider.requests.length, asked);
  }
  await stillWell();
});

test('wrong types are the provider’s to refuse', async () => {
  for (const body of [
    '{}',
    '{"model":5}',
    '{"model":"gpt-4o","messages":"hi"}',
    '{"model":"gpt-4o","messages":[{"role":1}],"stream":"yes"}',
  ]) {
    const { status, body: answer } = await post(body);
    assert.equal(status, 400);
    assert.equal(answer.error.code, 'invalid_type');
  }
  await stillWell();
});

test('too large is too large, in OpenAI’s form; nearly too large passes', async () => {
  const asked = provider.requests.length;
  const content = 'x'.repeat(60 * 1024 * 1024);
  const refused = await post(JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content }] }));
  assert.equal(refused.status, 413);
  assert.equal(refused.headers.get('x-weir-error'), 'request_too_large');
  assert.equal(refused.body.error.code, 'request_too_large');
  assert.equal(provider.requests.length, asked);
  const large = await post(
    JSON.stringify({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: content.slice(0, 40 * 1024 * 1024) }],
    }),
  );
  assert.equal(large.status, 200);
  await stillWell();
});

test('half a body and a hang-up leave nothing behind', async () => {
  const asked = provider.requests.length;
  const { hostname, port } = new URL(weir.egress);
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${weir.callKey}\r\ncontent-length: 1000\r\n\r\n{"model":`,
        () => {
          socket.destroy();
          resolve();
        },
      );
    }).on('error', reject);
  });
  await stillWell();
  assert.equal(provider.requests.length, asked + 1);
});

test('odd replies of a provider pass as they came', async () => {
  for (const type of [
    'text/plain',
    'application/octet-stream',
    'TEXT/EVENT-STREAM',
    'application/json;charset=utf8',
  ]) {
    const response = await fetch(`${weir.egress}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model: 'gpt-4o', messages: [{ role: 'user', content: type }] }),
      headers: { authorization: `Bearer ${weir.callKey}`, 'x-mock-type': type },
    });
    assert.equal(response.headers.get('content-type'), type);
    assert.equal(JSON.parse(await response.text()).choices.length, 1);
  }
  await stillWell();
});

test('a WebSocket passes, with the key of the house', async () => {
  const { hostname, port } = new URL(weir.egress);
  const echoed = await new Promise<string>((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `GET /v1/realtime HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${weir.callKey}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n`,
      );
    }).on('error', reject);
    let seen = '';
    socket.on('data', (chunk) => {
      seen += chunk.toString();
      if (seen.endsWith('\r\n\r\n')) socket.write('a frame');
      if (seen.endsWith('a frame')) {
        socket.destroy();
        resolve(seen);
      }
    });
  });
  assert.match(echoed, /^HTTP\/1\.1 101/);
  await stillWell();
});
