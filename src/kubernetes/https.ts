import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { Address } from '../config/schema.ts';
import type { Pair } from './authority.ts';

const maxRequestBytes = 8 * 1024 * 1024;

/** A request whose body is read. */
export interface Asked {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface Answered {
  status: number;
  /** JSON; none: there is no body. */
  body?: string;
}

/** HTTPS whose certificate may be changed while it runs; what `answer` throws is a 500, which `failed` hears of. */
export function createHttps(options: {
  address: Address;
  pair: Pair;
  answer: (asked: Asked) => Promise<Answered>;
  failed: (error: unknown) => void;
}) {
  const { address, pair, answer, failed } = options;
  const server = createServer(
    { ...pair, minVersion: 'TLSv1.2', requestTimeout: 10_000, headersTimeout: 10_000 },
    (request, response) => {
      read(request)
        .then((body) =>
          body === null
            ? { status: 413 }
            : answer({
                method: request.method ?? '',
                path: request.url ?? '',
                headers: request.headers,
                body,
              }),
        )
        .catch((error: unknown): Answered => {
          failed(error);
          return { status: 500 };
        })
        .then((answered) => reply(response, answered));
    },
  );
  // Sidecars ask each second on a connection that they keep.
  server.keepAliveTimeout = 60_000;
  return {
    change: ({ cert, key }: Pair) => server.setSecureContext({ cert, key, minVersion: 'TLSv1.2' }),
    /** Resolves to the address bound; rejects when it is taken. */
    async start(): Promise<Address> {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(address.port, address.host, resolve);
      });
      const bound = server.address();
      if (bound === null || typeof bound === 'string') throw new Error('it listens on no port');
      return { host: address.host, port: bound.port };
    },
    /** Answers what it has, takes no more, and cuts what is left after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
      server.closeIdleConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      clearTimeout(cut);
    },
  };
}

function reply(response: ServerResponse, { status, body = '' }: Answered): void {
  response.writeHead(status, body === '' ? {} : { 'content-type': 'application/json' }).end(body);
}

/** null: it is too large. */
async function read(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxRequestBytes) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
