import { readFileSync } from 'node:fs';
import { type Logger, pino } from 'pino';
import { readSettings, type Settings } from '../config/env.ts';
import { ConfigError } from '../config/errors.ts';

export interface RoleContext {
  settings: Settings;
  log: Logger;
  version: string;
  options: Record<string, string>;
}

/** Something that runs until it is stopped; a role that ends by itself resolves to nothing. */
export interface Running {
  stop(): Promise<void>;
}

export type Role = (context: RoleContext) => Promise<Running | undefined>;

/** The version of this release. */
export function readVersion(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

/**
 * Runs a role: with one clear line when it cannot start, until SIGINT, SIGTERM or the end of the
 * supervisor; a second signal does not wait any longer.
 */
export async function run(role: Role, options: Record<string, string>): Promise<void> {
  // Who read the output has gone (`weir up | head`): no reason to end.
  process.stdout.on('error', () => {});
  try {
    const settings = readSettings(options);
    const log = pino({
      level: settings.config.log.level,
      base: { pid: process.pid },
      redact: ['req.headers.authorization', 'headers.authorization'],
    });
    const running = await role({ settings, log, version: readVersion(), options });
    if (!running) return;
    let stopping = false;
    const stop = () => {
      if (stopping) process.exit(130);
      stopping = true;
      running.stop().then(
        () => process.exit(0),
        (error: unknown) => fail(error),
      );
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    // The supervisor was killed: without it nobody would stop this process.
    process.on('disconnect', stop);
    process.send?.('ready');
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): never {
  const message = error instanceof Error ? error.message : String(error);
  const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
  process.stderr.write(`weir: ${message}${cause}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}
