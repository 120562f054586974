import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Address } from '../config/schema.ts';

const pollMs = 50;
const statsSchema = z.object({
  stats: z.array(z.object({ name: z.string().optional(), value: z.unknown() })),
});

/** Resolves when Envoy listens: it has its configuration and is ready. */
export async function untilListening({ host, port }: Address): Promise<void> {
  while (!(await accepts(host, port))) await delay(pollMs);
}

function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false));
  });
}

/** Lets Envoy take no new connections and waits for the calls in flight, at most `timeoutMs`. */
export async function drainEnvoy({
  socket,
  timeoutMs,
}: {
  socket: string;
  timeoutMs: number;
}): Promise<void> {
  await ask(socket, 'POST', '/drain_listeners');
  const deadline = Date.now() + timeoutMs;
  while ((await activeCalls(socket)) > 0 && Date.now() < deadline) await delay(pollMs);
}

async function activeCalls(socket: string): Promise<number> {
  const text = await ask(socket, 'GET', '/stats?format=json&filter=^http.egress.downstream_rq_active$');
  const [stat] = statsSchema.parse(JSON.parse(text)).stats;
  return Number(stat?.value ?? 0);
}

function ask(socketPath: string, method: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, timeout: 5_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error('Envoy does not answer')));
    call.on('error', reject);
    call.end();
  });
}
