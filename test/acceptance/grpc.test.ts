import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { type Http2Server, type IncomingHttpHeaders } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { makeCertificate } from '../fixtures/certificates.ts';
import {
  corpusMissing,
  type RecordedExchange,
  recordedExchanges,
  requestBody,
  responseBody,
} from '../fixtures/corpus.ts';
import { startWeir } from '../fixtures/weir.ts';

const recorded = corpusMissing ? [] : recordedExchanges('xai-grpc');

/** Answers as xAI does: the messages, then the status in trailers. */
async function startXai(t: TestContext, tls: { key: string; cert: string } | null) {
  const seen: IncomingHttpHeaders[] = [];
  const server: Http2Server = tls ? http2.createSecureServer(tls) : http2.createServer();
  server.on('stream', (stream, headers) => {
    seen.push(headers);
    const exchange = recorded.find(({ id }) => id === decodeURIComponent(String(headers['x-call'])));
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const asked = exchange && Buffer.concat(chunks).equals(requestBody(exchange));
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': asked ? '0' : '3', 'grpc-message': 'ok' }),
      );
      stream.end(exchange ? responseBody(exchange) : undefined);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`, seen };
}

/** A gRPC call: its messages as they came, and the trailers. */
async function call(
  client: http2.ClientHttp2Session,
  path: string,
  exchange: RecordedExchange,
  key: string,
): Promise<{ status: unknown; body: Buffer; trailers: IncomingHttpHeaders }> {
  const stream = client.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${key}`,
    'x-call': encodeURIComponent(exchange.id),
    'x-weir-user': encodeURIComponent(exchange.id),
  });
  stream.end(requestBody(exchange));
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (headers) => {
    trailers = headers;
  });
  const [head] = await once(stream, 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { status: head[':status'], body: Buffer.concat(chunks), trailers };
}

for (const secure of [true, false]) {
  test(`gRPC ${secure ? 'over TLS' : 'in clear'} passes by as it is, trailers and all, and is a row`, {
    skip: corpusMissing,
  }, async (t) => {
    const certificate = secure ? makeCertificate() : null;
    t.after(() => certificate?.remove());
    const xai = await startXai(t, certificate);
    const weir = await startWeir({
      config: {
        providers: {
          xai: {
            api: 'openai',
            base_url: xai.url,
            api_key: 'k',
            ...(certificate && { ca_file: certificate.file }),
          },
        },
      },
    });
    const client = http2.connect(weir.egress);
    t.after(() => client.destroy());
    for (const exchange of recorded) {
      const { status, body, trailers } = await call(
        client,
        `/providers/xai${exchange.path}`,
        exchange,
        weir.callKey,
      );
      assert.equal(status, 200);
      assert(body.equals(responseBody(exchange)), exchange.id);
      assert.deepEqual([trailers['grpc-status'], trailers['grpc-message']], ['0', 'ok']);
    }
    for (const headers of xai.seen) assert.equal(headers.authorization, 'Bearer k');
    client.close();
    const rows = await weir.allExchanges(recorded.length);
    const facts = rows.map(({ operation, outcome, usage_source, cost_usd, input_tokens, user }) => ({
      ...{ operation, outcome, usage_source, cost_usd, input_tokens },
      user: decodeURIComponent(user),
    }));
    const uninspected = { operation: 'uninspected', outcome: 'completed' };
    const nothing = { usage_source: null, cost_usd: null, input_tokens: null };
    const expected = recorded.map(({ id }) => ({ ...uninspected, ...nothing, user: id }));
    const order = (a: { user: string }, b: { user: string }) => (a.user < b.user ? -1 : 1);
    assert.deepEqual(facts.sort(order), expected.sort(order));
    await weir.stop();
  });
}
