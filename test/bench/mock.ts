// The provider of the bench, in a process of its own: prebuilt answers, as fast as Node can.
import { createServer } from 'node:http';
import { completion, completionEvents } from '../fixtures/openai.ts';

const request = { model: 'gpt-4o', messages: [{ role: 'user', content: 'hi' }] };
const plain = completion(request);
const stream = completionEvents({ ...request, stream_options: { include_usage: true } });

const server = createServer((incoming, response) => {
  let streamed = false;
  incoming.on('data', (chunk: Buffer) => {
    streamed ||= chunk.includes('"stream":true');
  });
  incoming.on('end', () => {
    if (!streamed) {
      response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': plain.length })
        .end(plain);
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let next = 0;
    const send = () => {
      const event = stream[next++];
      if (event) response.write(event, () => setImmediate(send));
      else response.end();
    };
    send();
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(typeof address === 'object' && address ? address.port : 0);
});
process.on('disconnect', () => process.exit());
