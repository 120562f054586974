import { createPool } from '../db/pool.ts';
import { findEnvoy } from '../local/envoy-binary.mjs';
import { reachRedis } from './reach-redis.ts';
import type { Role } from './run.ts';

const timeoutMs = 5_000;

/** `weir check`: the config is valid (else it would not come this far); what of it can be reached? */
export const check: Role = async ({ settings, log }) => {
  const { config, file, env } = settings;
  let reached = true;
  const say = (name: string, state: string) => process.stdout.write(`${`${name}:`.padEnd(22)}${state}\n`);
  const probe = async (name: string, work: () => Promise<string>) => {
    try {
      say(name, await work());
    } catch (error) {
      reached = false;
      say(name, `not reached (${reasonOf(error)})`);
    }
  };

  say('config', `${file ?? 'defaults'} is valid`);
  await probe('envoy', () => findEnvoy({ env, say: (line) => say('envoy', line) }));
  if (config.postgres.url === 'embedded') say('postgres', 'embedded');
  else {
    const pool = createPool(config.postgres.url, { log, max: 1 });
    await probe('postgres', async () => {
      const { rows } = await pool.query<{ server_version: string }>('SHOW server_version');
      return `reached (${rows[0]?.server_version})`;
    });
    await pool.end();
  }
  if (config.redis.url === 'memory') say('redis', 'none (memory)');
  else {
    const { url } = config.redis;
    await probe('redis', async () => {
      await reachRedis(url, timeoutMs, log.child({}, { level: 'silent' }));
      return 'reached';
    });
  }
  for (const [name, provider] of Object.entries(config.providers)) {
    await probe(`provider ${name}`, async () => {
      const { status } = await fetch(provider.base_url, {
        method: 'HEAD',
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      });
      return `reached (HTTP ${status})${provider.api_key === '' ? '; no key: callers bring their own' : ''}`;
    });
  }
  if (!reached) process.exitCode = 1;
  return undefined;
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
