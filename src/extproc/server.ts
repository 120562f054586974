import { chmodSync, rmSync } from 'node:fs';
import type { SecureServerOptions } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { formatAddress } from '../config/address.ts';
import type { Address } from '../config/schema.ts';
import { serverCredentials, type TlsFiles } from '../config/tls.ts';
import { loadService, type ProcessStream, Server, ServerCredentials } from './protocol.ts';
import { isAttempt, type Served, serve } from './session.ts';

/**
 * Envoy ends each side stream by a reset. Node takes more than 1,000 of those, and then 33 a second,
 * for an attack and closes the connection (nghttp2's limit; streamResetBurst and streamResetRate in
 * https://nodejs.org/api/http2.html#http2createserveroptions-onrequesthandler). On a socket that only
 * Envoy can open they are no attack. grpc-js has no option for this, so its own options are reached into.
 *
 * Envoy could be told to half-close instead (envoy.reloadable_features.ext_proc_graceful_grpc_close), but
 * then 1.40 crashes at the end of a call of more than 50 s in a quiet worker: its cache of gRPC clients
 * has let go of the client by then, and the stream that waits for our half goes down with it.
 */
function allowResets(server: InstanceType<typeof Server>): void {
  const { commonServerOptions } = server as unknown as { commonServerOptions?: SecureServerOptions };
  if (!commonServerOptions)
    throw new Error('grpc-js has no commonServerOptions any more: resets would be limited');
  Object.assign(commonServerOptions, { streamResetBurst: noLimit, streamResetRate: noLimit });
}
const noLimit = 2 ** 31 - 1;

/** The external processor on a Unix socket, or on an address with TLS. */
export function createExtProcServer({
  listen,
  tls,
  ...served
}: Served & { listen: string | Address; tls?: TlsFiles | undefined }) {
  // Bodies come whole: Envoy's own limit is the limit.
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  allowResets(server);
  const calls = createCalls();
  server.addService(loadService(), {
    Process(stream: ProcessStream) {
      if (isAttempt(stream) || calls.take(stream)) serve(stream, served);
    },
  });

  return {
    /** Rejects when the socket cannot be made. */
    async start(): Promise<void> {
      const socket = typeof listen === 'string' ? listen : null;
      if (socket !== null) rmSync(socket, { force: true });
      const target = typeof listen === 'string' ? `unix:${listen}` : formatAddress(listen);
      const credentials = socket === null ? serverCredentials(tls) : ServerCredentials.createInsecure();
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(target, credentials, (error) => (error ? reject(error) : resolve()));
      });
      if (socket !== null) chmodSync(socket, 0o600);
    },
    /**
     * Takes no new calls, waits for those that run, and cuts what is left after `timeoutMs`. Until then attempts
     * of these calls still come, over new connections too: who stops listening at once loses them.
     */
    async stop(timeoutMs: number): Promise<void> {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, timeoutMs);
        calls.leave(() =>
          server.tryShutdown(() => {
            clearTimeout(cut);
            resolve();
          }),
        );
      });
    },
  };
}

/** The calls that this processor has. */
function createCalls() {
  const running = new Set<ProcessStream>();
  let over: (() => void) | null = null;
  return {
    /** Once it is leaving it sends new calls away with a status at which Envoy asks another processor. */
    take(stream: ProcessStream): boolean {
      if (over) {
        stream.emit('error', { code: status.UNAVAILABLE, details: 'this processor is leaving' });
        return false;
      }
      running.add(stream);
      // Of these events one stream may have several.
      const gone = () => {
        if (running.delete(stream) && running.size === 0) over?.();
      };
      for (const event of ['end', 'cancelled', 'error']) stream.once(event, gone);
      return true;
    },
    /** `done`: the last has ended. */
    leave(done: () => void): void {
      over = done;
      if (running.size === 0) done();
    },
  };
}
