import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { names } from '../envoy/inputs.ts';
import type { Relay, Serving } from '../exchange/messages.ts';

/** Envoy fetches a stream at once, or the caller has gone. */
const fetchMs = 10_000;
/** Longer than Envoy keeps a connection that it does not use. */
const keepAliveMs = 2 * 3_600_000;

/**
 * Gives streams of weir's own over HTTP on a Unix socket. Each has a path of its own that can be fetched once,
 * by Envoy alone: nobody else can open the socket.
 */
export function createRelay(options: { socket: string; cluster: string }) {
  const { socket, cluster } = options;
  const offered = new Map<string, { serving: Serving; late: NodeJS.Timeout }>();

  const server = createServer({ keepAliveTimeout: keepAliveMs }, (request, response) => {
    request.resume();
    const path = request.url ?? '';
    const found = offered.get(path);
    offered.delete(path);
    clearTimeout(found?.late);
    if (found) void give(found.serving, response);
    else response.writeHead(410).end();
  });
  server.requestTimeout = 0;

  const relay: Relay = {
    offer(serving) {
      const path = `/${randomBytes(16).toString('hex')}`;
      const late = setTimeout(() => {
        offered.delete(path);
        serving.ended('left');
      }, fetchMs);
      offered.set(path, { serving, late });
      return { set: { ':path': path, [names.clusterHeader]: cluster }, remove: [] };
    },
  };
  return {
    ...relay,
    /** Rejects when the socket cannot be made. */
    async start(): Promise<void> {
      rmSync(socket, { force: true });
      server.listen(socket);
      await once(server, 'listening');
      chmodSync(socket, 0o600);
    },
    /** Takes no more, and cuts what still runs after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const cut = setTimeout(() => server.closeAllConnections(), timeoutMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

async function give(serving: Serving, response: ServerResponse): Promise<void> {
  const left = new AbortController();
  response.on('close', () => left.abort());
  response.on('error', () => left.abort());
  response.writeHead(200, serving.headers);
  const reading = serving.read(left.signal);
  try {
    for (;;) {
      const next = await reading.next();
      if (next.done) {
        if (next.value === 'whole') response.end();
        // So that the caller sees that it is not whole.
        else response.destroy();
        serving.ended(next.value === 'broken' && left.signal.aborted ? 'left' : next.value);
        return;
      }
      response.cork();
      const isFull = next.value.filter((piece) => piece.length > 0 && !response.write(piece)).length > 0;
      response.uncork();
      if (isFull && !left.signal.aborted)
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  } catch {
    response.destroy();
    serving.ended('broken');
  }
}
