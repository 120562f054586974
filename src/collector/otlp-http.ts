import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Logger } from 'pino';
import type { ByteBudget } from '../cache/byte-budget.ts';
import type { Address } from '../config/schema.ts';
import { busy, type Ingest, type Refusal } from './ingest.ts';
import { code, type Encoding, maxRequestBytes, type Signal, type Status } from './otlp.ts';
import { jsonEncoding } from './otlp-json.ts';
import { protobufEncoding } from './otlp-protobuf.ts';

const signals: Record<string, Signal> = { '/v1/traces': 'traces', '/v1/logs': 'logs' };

const errors = {
  malformed: { http: 400, code: code.invalidArgument },
  busy: { http: 429, code: code.resourceExhausted },
  unavailable: { http: 503, code: code.unavailable },
};

/** An answer other than 200. */
class HttpError extends Error {
  readonly http: number;
  readonly status: Status;
  constructor(http: number, status: Status) {
    super(status.message);
    this.http = http;
    this.status = status;
  }
}

/** OTLP over HTTP: `POST /v1/traces` and `/v1/logs`, protobuf or JSON, plain or gzip. */
export function createOtlpHttp(options: {
  address: Address;
  ingest: Ingest;
  budget: ByteBudget;
  log: Logger;
}) {
  const { address, ingest, budget, log } = options;

  async function exportBody(request: IncomingMessage): Promise<Buffer> {
    const { signal, encoding, gzip } = accept(request);
    const held = { bytes: 0 };
    try {
      const body = await readBody(request, gzip, (bytes) => {
        if (!budget.take(bytes)) throw httpError(busy);
        held.bytes += bytes;
      });
      const answer = await ingest({ signal, encoding, body });
      if (answer.kind !== 'taken') throw httpError(answer);
      return encoding.encodeResponse(signal, answer.partial);
    } finally {
      budget.give(held.bytes);
    }
  }

  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 }, (request, response) => {
    const encoding = encodingOf(request) ?? jsonEncoding;
    exportBody(request).then(
      (body) => reply(response, encoding, 200, body),
      (error: unknown) => {
        if (!(error instanceof HttpError)) log.error({ err: error }, 'OTLP over HTTP');
        const { http, status } =
          error instanceof HttpError
            ? error
            : new HttpError(500, { code: code.internal, message: 'internal error' });
        if (status.retryAfterMs !== undefined) {
          response.setHeader('retry-after', Math.ceil(status.retryAfterMs / 1_000));
        }
        // The rest of the body is not worth reading.
        if (!request.complete) response.setHeader('connection', 'close');
        reply(response, encoding, http, encoding.encodeStatus(status));
      },
    );
  });

  return {
    /** Resolves to the address bound; rejects when it is taken. */
    async start(): Promise<Address> {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(address.port, address.host, resolve);
      });
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('OTLP over HTTP listens on no port');
      return { host: address.host, port: bound.port };
    },
    /** Takes no new calls, answers those under way, and cuts what is left after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
      await new Promise<void>((resolve) => server.close(() => resolve()));
      clearTimeout(cut);
    },
  };
}

/** What a request's head asks for. */
function accept(request: IncomingMessage): { signal: Signal; encoding: Encoding; gzip: boolean } {
  const signal = signals[request.url?.split('?')[0] ?? ''];
  if (!signal) throw new HttpError(404, { code: code.notFound, message: 'there is /v1/traces and /v1/logs' });
  if (request.method !== 'POST') throw new HttpError(405, { code: code.unimplemented, message: 'POST only' });
  const encoding = encodingOf(request);
  if (!encoding) {
    const message = 'content-type must be application/x-protobuf or application/json';
    throw new HttpError(415, { code: code.invalidArgument, message });
  }
  const packing = request.headers['content-encoding'] ?? 'identity';
  if (packing !== 'gzip' && packing !== 'identity') {
    throw new HttpError(415, {
      code: code.invalidArgument,
      message: 'content-encoding must be gzip or identity',
    });
  }
  return { signal, encoding, gzip: packing === 'gzip' };
}

function encodingOf(request: IncomingMessage): Encoding | undefined {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase();
  return [protobufEncoding, jsonEncoding].find(({ contentType }) => contentType === type);
}

function httpError({ kind, message, retryAfterMs }: Refusal): HttpError {
  const { http, code } = errors[kind];
  return new HttpError(http, { code, message, retryAfterMs });
}

/** The unpacked body. `hold` is told of each piece before it is kept, and may throw. */
async function readBody(
  request: IncomingMessage,
  gzip: boolean,
  hold: (bytes: number) => void,
): Promise<Buffer> {
  const tooLarge = new HttpError(413, {
    code: code.invalidArgument,
    message: `a request may hold ${maxRequestBytes} bytes, unpacked`,
  });
  if (Number(request.headers['content-length'] ?? 0) > maxRequestBytes) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  // An error of either stream ends the loop below.
  const unpacked = gzip ? pipeline(request, createGunzip(), () => {}) : request;
  try {
    for await (const chunk of unpacked.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > maxRequestBytes) throw tooLarge;
      hold(chunk.length);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    throw new HttpError(400, {
      code: code.invalidArgument,
      message: gzip ? 'the body is not gzip' : 'the body broke off',
    });
  }
  return Buffer.concat(chunks, size);
}

function reply(response: ServerResponse, encoding: Encoding, status: number, body: Buffer): void {
  response
    .writeHead(status, { 'content-type': encoding.contentType, 'content-length': body.length })
    .end(body);
}
