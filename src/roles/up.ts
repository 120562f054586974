import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { formatAddress } from '../config/address.ts';
import type { Settings } from '../config/env.ts';
import type { Address, Config } from '../config/schema.ts';
import { migrate } from '../db/migrate.ts';
import { createPool, isUnavailable, type Pool } from '../db/pool.ts';
import { bootstrap } from '../envoy/bootstrap.ts';
import { ensureFirstKeys, type FirstKeys } from '../identity/store.ts';
import type { ChildSpec } from '../local/child.ts';
import { drainEnvoy, untilListening } from '../local/envoy-admin.ts';
import { findEnvoy } from '../local/envoy-binary.mjs';
import { RunFile } from '../local/leftovers.ts';
import { chooseAddress } from '../local/ports.ts';
import { type PreparedPostgres, preparePostgres } from '../local/postgres.ts';
import { Supervisor } from '../local/supervisor.ts';
import { printBanner } from './banner.ts';
import type { Role } from './run.ts';

/** Calls in flight may take this long to end after Ctrl-C; a second Ctrl-C does not wait. */
const drainTimeoutMs = 10 * 60_000;
const readyTimeoutMs = 60_000;
/** Envoy sends its access log every 200 ms (src/envoy/access-log.ts), and drops the rest when it ends. */
const accessLogFlushMs = 300;

type Listen = Omit<Config['listen'], 'sidecars'>;

/** `weir up`: everything on this machine, kept running, stopped in order. */
export const up: Role = async ({ settings, log: parent }) => {
  const { config, paths, env } = settings;
  const log = parent.child({ role: 'up' });
  mkdirSync(paths.root, { recursive: true });
  const runFile = new RunFile(paths.run);
  runFile.claim();
  const leftovers = await runFile.stopLeftovers();
  if (leftovers.length > 0) log.warn({ leftovers }, 'stopped what a weir that was killed had left running');
  const supervisor = new Supervisor(runFile, {
    line: (name, text) => forward(log, name, text),
    died: (name, how, waitMs) =>
      log.error({ child: name, how, waitMs: Math.round(waitMs) }, 'a child died and is started again'),
  });
  try {
    const listen = await chooseListen(settings);
    writeFileSync(paths.apiAddress, formatAddress(listen.api));
    const envoy = await findEnvoy({ env, say: (line) => process.stderr.write(`weir: ${line}\n`) });
    let { url } = config.postgres;
    if (url === 'embedded') {
      const prepared = await preparePostgres(paths.postgres);
      url = prepared.url;
      await supervisor.start(postgresChild(prepared, log));
    }
    const keys = await prepareDatabase(url, settings, log);
    writeFileSync(paths.roots, rootCertificates.join('\n'));
    writeFileSync(paths.bootstrap, bootstrap(paths.sockets), { mode: 0o600 });

    const childEnv = { ...env, ...listenEnv(listen), WEIR_POSTGRES_URL: url };
    await supervisor.start(roleChild('collector', ['collector'], settings, childEnv));
    const processors = Array.from({ length: config.processor.workers }, (_, index) => `processor-${index}`);
    for (const [index, name] of processors.entries()) {
      await supervisor.start(roleChild(name, ['processor', '--index', String(index)], settings, childEnv));
    }
    await supervisor.start(envoyChild(envoy, paths.bootstrap, listen.egress));
    printBanner({ listen, keys, config });
    return {
      async stop() {
        process.stdout.write('weir: stopping; calls in flight may end (Ctrl-C again cuts them)\n');
        await drainEnvoy({ socket: paths.sockets.admin, timeoutMs: drainTimeoutMs }).catch((error: unknown) =>
          log.warn({ err: error }, 'Envoy could not be drained'),
        );
        await delay(accessLogFlushMs);
        await supervisor.stop('envoy');
        await supervisor.stop(...processors);
        await supervisor.stopAll();
        rmSync(paths.apiAddress, { force: true });
        runFile.release();
        process.stdout.write('weir: stopped\n');
      },
    };
  } catch (error) {
    await supervisor.stopAll();
    rmSync(paths.apiAddress, { force: true });
    runFile.release();
    throw error;
  }
};

/** Default ports that are taken move on; configured ones are an error. */
async function chooseListen({ config, given }: Settings): Promise<Listen> {
  const taken = new Set<number>();
  const choose = async (name: keyof Listen): Promise<Address> => {
    const configured = given(`listen.${name}`);
    const address = await chooseAddress(`listen.${name}`, config.listen[name], { configured, taken });
    taken.add(address.port);
    return address;
  };
  return {
    egress: await choose('egress'),
    api: await choose('api'),
    otlp_grpc: await choose('otlp_grpc'),
    otlp_http: await choose('otlp_http'),
  };
}

function listenEnv(listen: Listen): Record<string, string> {
  return Object.fromEntries(
    Object.entries(listen).map(([name, address]) => [
      `WEIR_LISTEN_${name.toUpperCase()}`,
      formatAddress(address),
    ]),
  );
}

/** The schema of this release, the first organization and its keys. */
async function prepareDatabase(url: string, { paths }: Settings, log: Logger): Promise<FirstKeys> {
  const pool = createPool(url, { log, max: 2 });
  try {
    const applied = await migrate(pool);
    if (applied.length > 0) log.info({ applied }, 'migrated the database');
    return await ensureFirstKeys(pool, paths.keys);
  } catch (error) {
    if (isUnavailable(error))
      throw new Error('PostgreSQL cannot be reached: is postgres.url right?', { cause: error });
    throw error;
  } finally {
    await pool.end();
  }
}

function postgresChild({ url, pidFile, ...prepared }: PreparedPostgres, log: Logger): ChildSpec {
  return {
    name: 'postgres',
    ...prepared,
    async ready() {
      // Who comes while it starts is an error in its log.
      while (!(await isReady(pidFile))) await delay(50);
      await untilAnswers(createPool(url, { log: log.child({}, { level: 'silent' }), max: 1 }));
    },
    readyTimeoutMs,
    // Fast shutdown: what is committed is safe, clients are sent away.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
  };
}

async function isReady(pidFile: string): Promise<boolean> {
  const lines = await readFile(pidFile, 'utf8').catch(() => '');
  return lines.split('\n')[7]?.trim() === 'ready';
}

async function untilAnswers(pool: Pool): Promise<void> {
  try {
    for (;;) {
      const answered = await pool.query('SELECT 1').catch(() => null);
      if (answered) return;
      await delay(50);
    }
  } finally {
    await pool.end();
  }
}

function roleChild(
  name: string,
  args: string[],
  { file, paths }: Settings,
  env: ChildSpec['env'],
): ChildSpec {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const main = fileURLToPath(new URL(`../main.${extension}`, import.meta.url));
  const flags = ['--data', paths.root, ...(file === null ? [] : ['--config', file])];
  return {
    name,
    command: process.execPath,
    // Larger young generation: a call makes much that lives only as long as it.
    args: ['--max-semi-space-size=64', main, ...args, ...flags],
    env: env ?? {},
    ready: 'messages',
    readyTimeoutMs,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 60_000,
  };
}

function envoyChild(command: string, bootstrapFile: string, egress: Address): ChildSpec {
  return {
    name: 'envoy',
    command,
    args: ['-c', bootstrapFile, '--disable-hot-restart', '--log-level', 'warn', '--concurrency', '2'],
    ready: () => untilListening(egress),
    readyTimeoutMs: 30_000,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 10_000,
  };
}

/** Lines of weir's own children are logs already; those of the others are wrapped into one. */
function forward(log: Logger, name: string, text: string): void {
  if (text.startsWith('{')) process.stdout.write(`${text}\n`);
  else if (/\b(FATAL|PANIC|ERROR|error|critical|rejected)\b/.test(text)) log.error({ child: name }, text);
  else log.debug({ child: name }, text);
}
