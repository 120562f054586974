import { readFileSync } from 'node:fs';
import { formatAddress } from '../config/address.ts';
import { createPool } from '../db/pool.ts';
import { createKubernetesClient } from '../kubernetes/client.ts';
import { type Check, earlyChecks, installChecks } from '../kubernetes/doctor.ts';
import { reachRedis } from './reach-redis.ts';
import type { Role, RoleContext } from './run.ts';

const timeoutMs = 5_000;
/** Tokens are taken ten seconds before and after their time. */
const maxSkewMs = 5_000;

/** `weir doctor`: what is wrong with this install, in words; with `--pre`, what would be. */
export const doctor: Role = async (context) => {
  const { settings, options } = context;
  const { config } = settings;
  const { ask, close } = createKubernetesClient(config.kubernetes.api);
  const checks = options.pre !== undefined ? earlyChecks(ask) : await allChecks(context, ask);
  let isWell = true;
  for (const { name, look } of checks) {
    const said = await look().catch((error: unknown) => {
      isWell = false;
      return `NOT WELL: ${reasonOf(error)}`;
    });
    process.stdout.write(`${`${name}:`.padEnd(28)}${said}\n`);
  }
  await close();
  if (!isWell) process.exitCode = 1;
  return undefined;
};

async function allChecks(
  { settings: { config }, log }: RoleContext,
  ask: Parameters<typeof installChecks>[0],
): Promise<Check[]> {
  const trustFile = config.tls?.cert_file.replace(/[^/]*$/, 'ca.crt') ?? '/etc/weir/tls/ca.crt';
  const trust = readFileSync(trustFile, 'utf8');
  const { kubernetes } = config;
  const collector = `http://${kubernetes.name}-collector.${kubernetes.namespace}.svc:8080`;
  return [
    ...installChecks(ask, kubernetes, { trust, now: Date.now() }),
    {
      name: 'collector',
      look: async () => {
        const { status } = await fetch(`${collector}/readyz`, { signal: AbortSignal.timeout(timeoutMs) });
        if (status !== 200) throw new Error(`it answers ${status}: does it reach PostgreSQL?`);
        return 'ready';
      },
    },
    {
      name: 'PostgreSQL',
      look: async () => {
        const { url } = config.postgres;
        if (url === 'embedded') throw new Error('there is none: set postgres.existingSecret');
        const pool = createPool(url, { log, max: 1 });
        try {
          const { rows } = await pool.query<{ now: Date }>('SELECT now()');
          const skew = Math.abs((rows[0]?.now.getTime() ?? 0) - Date.now());
          if (skew > maxSkewMs) throw new Error(`its clock and that of this node are ${skew} ms apart`);
          return 'reached; its clock is that of this node';
        } finally {
          await pool.end();
        }
      },
    },
    {
      name: 'Redis',
      look: async () => {
        if (config.redis.url === 'memory') return 'none: each processor keeps answers and counts by itself';
        await reachRedis(config.redis.url, timeoutMs, log.child({}, { level: 'silent' }));
        return 'reached';
      },
    },
    {
      name: 'a call',
      // It ends at the processor: the key is nobody's.
      look: async () => {
        const answer = await fetch(`http://${formatAddress(config.listen.egress)}/v1/models`, {
          headers: { authorization: 'Bearer weir_sk_doctor' },
          signal: AbortSignal.timeout(timeoutMs),
        });
        const code = answer.headers.get('x-weir-error');
        if (code !== 'invalid_api_key')
          throw new Error(
            `the gateway answers ${answer.status} (${code ?? 'not weir'}): does it reach a processor?`,
          );
        return 'through the gateway to a processor and back';
      },
    },
  ];
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
