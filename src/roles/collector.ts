import { mkdirSync } from 'node:fs';
import type { Logger } from 'pino';
import { createDeliverer } from '../alerts/deliver.ts';
import { startAlertWorker } from '../alerts/worker.ts';
import { createApi } from '../api/server.ts';
import { createCacheAdmin } from '../cache/admin.ts';
import { createAnswerSweep } from '../cache/cold/sweep.ts';
import { createCollector } from '../collector/collector.ts';
import { retryLetter } from '../collector/letters.ts';
import type { Settings } from '../config/env.ts';
import { createKeyring, sealKeysOf } from '../config/keyring.ts';
import { createPool, type Pool } from '../db/pool.ts';
import { resources } from '../envoy/resources.ts';
import { createXdsServer } from '../envoy/server.ts';
import { declareOrganizations } from '../identity/declare.ts';
import { createFingerprint } from '../identity/fingerprint.ts';
import { readHashKey } from '../identity/store.ts';
import { createWorkloads } from '../identity/workloads.ts';
import { connectRedis } from '../redis/connection.ts';
import { createPaces } from '../routing/paces.ts';
import { createPricer } from '../usage/pricer.ts';
import { createOverrides } from '../usage/prices/overrides.ts';
import { createBudgetReports } from './budgets.ts';
import { envoyInputs } from './envoy.ts';
import { createExplain } from './explain.ts';
import { createRouting } from './routing.ts';
import type { Role } from './run.ts';

/** Requests that are being answered have this long at the end. */
const stopTimeoutMs = 10_000;

/** `weir collector`: usage records in, rows out; the API; Envoy's configuration. */
export const collector: Role = async ({ settings, log: parent, version }) => {
  const { config, defaults, paths } = settings;
  if (config.postgres.url === 'embedded') {
    throw new Error('postgres.url is embedded, which only weir up runs: set it to a postgres:// URL');
  }
  const log = parent.child({ role: 'collector' });
  const pool = createPool(config.postgres.url, { log, max: 20 });
  // Whoever asks much takes nothing from what comes in.
  const questions = createPool(config.postgres.url, { log, max: 12 });
  const fingerprint = createFingerprint(await readHashKey(pool));
  const pricer = createPricer(createOverrides(config.models, config.price_agreements, fingerprint));
  const source = { pricer, providers: config.providers };
  const records = createCollector({
    pool,
    grpc: config.listen.otlp_grpc,
    http: config.listen.otlp_http,
    sidecars: sidecarDoor(settings, log),
    log,
    now: Date.now,
    source,
    tracesKeptMs: config.collector.traces ? config.collector.traces_kept : null,
  });
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  const keyring = createKeyring(sealKeysOf(config, paths));
  const deliverer = createDeliverer({ pool, keyring, config: config.alerts });
  const redis = config.redis.url === 'memory' ? null : connectRedis(config.redis.url, log);
  const budgets = createBudgetReports(pool, redis, config);
  const paces = createPaces(redis, Date.now);
  const routingOptions = { pricer, redis, paces, now: Date.now, replay: () => {} };
  // With its tokenizer: only who asks needs it.
  let routing: ReturnType<typeof createRouting> | undefined;
  const cache = createCacheAdmin({ pool, redis, log });
  const sweep = createAnswerSweep({ pool, purgePending: cache.purgePending, log });
  const api = await createApi({
    pool: questions,
    pricer,
    explain: createExplain(pool, config, () => (routing ??= createRouting(config, routingOptions))),
    cache,
    log,
    version,
    now: Date.now,
    config,
    defaults,
    keyring,
    budgets,
    retryLetter: (organization, id) => retryLetter(organization, id, { pool, source, log, now: Date.now }),
  });
  const configuration = resources(envoyInputs(settings));
  const xds = createXdsServer({ socket: paths.sockets.xds, resources: () => configuration });

  await declare(pool, settings);
  await records.start();
  await api.start(config.listen.api);
  await xds.start();
  const alerts = await startAlertWorker({ pool, deliverer, log, now: Date.now, budgets });
  sweep.start();
  return {
    async stop() {
      await alerts.stop();
      await deliverer.close();
      await xds.stop();
      await api.stop();
      await Promise.all([records.stop(stopTimeoutMs), sweep.stop()]);
      await paces.stop();
      await Promise.all([redis?.close(), pool.end(), questions.end()]);
    },
  };
};

/** Where sidecars report, when the config knows workloads. */
function sidecarDoor({ config }: Settings, log: Logger) {
  const { sidecars: address } = config.listen;
  const workloads = createWorkloads(config.workloads, { log, now: Date.now });
  return address && workloads ? { address, workloads, tls: config.tls } : null;
}

async function declare(pool: Pool, { organizations }: Settings): Promise<void> {
  const client = await pool.connect();
  try {
    await declareOrganizations(client, organizations);
  } finally {
    client.release();
  }
}
