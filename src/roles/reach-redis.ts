import type { Logger } from 'pino';
import { connectRedis } from '../redis/connection.ts';
import { within } from '../redis/deadline.ts';

/** Resolves when Redis has answered; rejects when it does not within `timeoutMs`. */
export async function reachRedis(
  url: Parameters<typeof connectRedis>[0],
  timeoutMs: number,
  log: Logger,
): Promise<void> {
  const { client, close } = connectRedis(url, log);
  try {
    await within(timeoutMs, new Promise<void>((resolve) => client.once('ready', () => resolve())));
  } finally {
    await close();
  }
}
