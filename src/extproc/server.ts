import { chmodSync, rmSync } from 'node:fs';
import type { Logger } from 'pino';
import type { StartExchange } from '../exchange/exchange.ts';
import { loadService, type ProcessStream, Server, ServerCredentials } from './protocol.ts';
import { serve } from './session.ts';

/** Streams ended by reset in a minute beyond which Envoy is thought to lack its graceful close. */
const resetsWorthAWarning = 500;

/** The external processor on a Unix socket. */
export function createExtProcServer(options: { socket: string; start: StartExchange; log: Logger }) {
  const { socket, start, log } = options;
  // Bodies come whole: Envoy's own limit is the limit.
  const server = new Server({ 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 });
  let resets = 0;
  server.addService(loadService(), {
    Process(stream: ProcessStream) {
      let ended = false;
      stream.on('end', () => {
        ended = true;
      });
      stream.on('cancelled', () => {
        if (!ended) resets++;
      });
      serve(stream, start, log);
    },
  });
  const watch = setInterval(() => {
    if (resets > resetsWorthAWarning) {
      log.warn(
        { resets },
        'Envoy ends streams by reset, which fails calls under load: set the runtime flag envoy.reloadable_features.ext_proc_graceful_grpc_close',
      );
    }
    resets = 0;
  }, 60_000);
  watch.unref();

  return {
    /** Rejects when the socket cannot be made. */
    async start(): Promise<void> {
      rmSync(socket, { force: true });
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
          error ? reject(error) : resolve(),
        );
      });
      chmodSync(socket, 0o600);
    },
    /** Takes no new streams, waits for those that run, and cuts what is left after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      clearInterval(watch);
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, timeoutMs);
        server.tryShutdown(() => {
          clearTimeout(cut);
          resolve();
        });
      });
    },
  };
}
