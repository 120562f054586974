import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { inspect } from '../fixtures/inspector.ts';
import { contentEvent } from '../fixtures/openai.ts';
import { startWeir } from '../fixtures/weir.ts';

const streams = 1_000;
const bytesOfEach = 2 * 1024 * 1024;
const afterwardsBytes = 16 * 1024 * 1024;

/** A provider whose streams all begin before any of them goes on, each as fast as it is read. */
async function startProvider(t: TestContext): Promise<{ url: string; opened: Promise<void> }> {
  const event = contentEvent('lorem ipsum dolor sit amet, '.repeat(20));
  const piece = Buffer.concat(Array<Buffer>(900).fill(event));
  const opened = Promise.withResolvers<void>();
  let open = 0;
  const server = createServer(async (incoming, response) => {
    await once(incoming.resume(), 'end');
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event);
    if (++open === streams) opened.resolve();
    await opened.promise;
    for (let sent = 0; sent < bytesOfEach; sent += piece.length) {
      if (!response.write(piece)) await once(response, 'drain');
    }
    response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4_096, resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/v1`, opened: opened.promise };
}

test('a thousand streams at once of 2 MB each take at most 64 KiB each of a processor', async (t) => {
  const provider = await startProvider(t);
  const weir = await startWeir({
    config: { log: { level: 'debug' }, providers: { openai: { base_url: provider.url, api_key: 'k' } } },
    env: { NODE_OPTIONS: '--inspect-port=0' },
  });
  const processor = await inspect(weir.pidOf('processor-0'), weir.output);
  const agent = new Agent({ maxSockets: streams });
  const call = async (number: number): Promise<string> => {
    const body = JSON.stringify({
      model: 'gpt-4o',
      stream: true,
      messages: [{ role: 'user', content: `Go on and on. ${number}` }],
    });
    const sent = request(`${weir.egress}/v1/chat/completions`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${weir.callKey}`,
        'content-type': 'application/json',
        // What is held for the cache has a bound of its own (test/integration/memory.test.ts).
        'cache-control': 'no-store',
      },
    });
    sent.end(body);
    const [response] = await once(sent, 'response');
    // The others would wait for this one.
    assert.equal(response.statusCode, 200);
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    return `${response.statusCode} ${bytes > bytesOfEach ? 'whole' : bytes}`;
  };

  const before = await processor.inUse();
  let running = true;
  const calls = Promise.all(Array.from({ length: streams }, (_, number) => call(number))).finally(() => {
    running = false;
  });
  // Each look is a garbage collection: until all have begun they would only wait for it.
  await Promise.race([provider.opened, calls]);
  let most = 0;
  while (running) most = Math.max(most, await processor.inUse());
  const perStream = (most - before) / streams;
  assert.deepEqual(new Set(await calls), new Set(['200 whole']));
  const left = (await processor.inUse()) - before;
  t.diagnostic(
    `${Math.round(perStream / 1024)} KiB a stream, ${Math.round(left / 1024 / 1024)} MiB afterwards`,
  );
  assert(perStream <= 64 * 1024, `${perStream} bytes a stream`);
  assert(left <= afterwardsBytes, `${left} bytes are still in use afterwards`);
  processor.close();
  await weir.stop();
});
