import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Discovery, isKind, type Kind } from './resources.ts';

/** A discovery request is a node id and a version: small. */
const maxRequestBytes = 1024 * 1024;

/**
 * Serves the resources to Envoy over REST xDS on a Unix socket: `POST /v3/discovery:<kind>` answers
 * the resources, or 304 when Envoy has this version.
 */
export function createXdsServer(options: { socket: string; resources: () => Record<Kind, Discovery> }) {
  const server = createServer((request, response) => {
    answer(request, response, options.resources).catch(() => response.writeHead(400).end());
  });
  server.requestTimeout = 10_000;
  return {
    /** Rejects when the socket cannot be made. */
    async start(): Promise<void> {
      rmSync(options.socket, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(options.socket, resolve);
      });
    },
    async stop(): Promise<void> {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  resources: () => Record<Kind, Discovery>,
): Promise<void> {
  const kind = /^\/v3\/discovery:(\w+)$/.exec(request.url ?? '')?.[1];
  if (request.method !== 'POST' || !kind || !isKind(kind)) {
    response.writeHead(404).end();
    return;
  }
  const discovery = resources()[kind];
  const current = JSON.parse(await readBody(request)) as { version_info?: string };
  if (current.version_info === discovery.version_info) {
    response.writeHead(304).end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(discovery));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxRequestBytes) throw new Error('discovery request too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
