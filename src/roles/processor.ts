import { mkdirSync } from 'node:fs';
import { createByteBudget } from '../cache/byte-budget.ts';
import { createCache } from '../cache/create.ts';
import { formatAddress, localUrl, meetingAddress } from '../config/address.ts';
import { createKeyring, sealKeysOf } from '../config/keyring.ts';
import { createModels } from '../config/models.ts';
import { createPool } from '../db/pool.ts';
import { names } from '../envoy/inputs.ts';
import { createExchanges } from '../exchange/exchanges.ts';
import { aliasesOf } from '../exchange/model-list.ts';
import { createReader } from '../exchange/reader.ts';
import { settleInterrupted } from '../exchange/settle.ts';
import { createRelay } from '../extproc/relay.ts';
import { createExtProcServer } from '../extproc/server.ts';
import { startCloud, withCloud } from '../identity/cloud/cloud.ts';
import { createIdentity } from '../identity/create.ts';
import { createFingerprint } from '../identity/fingerprint.ts';
import { createOwnCalls, withOwnCalls } from '../identity/own-calls.ts';
import { createWorkloads } from '../identity/workloads.ts';
import { createSpendingLedger, noSpendingLedger } from '../limits/budgets/ledger.ts';
import { createLimits } from '../limits/create.ts';
import { createEgressClient } from '../proof/client.ts';
import { createReplays } from '../proof/replay.ts';
import { createComparisonStore } from '../proof/store.ts';
import { connectRedis } from '../redis/connection.ts';
import { createPaces } from '../routing/paces.ts';
import { createCounter } from '../usage/count/counter.ts';
import { createLedger } from '../usage/ledger.ts';
import { createPricer } from '../usage/pricer.ts';
import { createOverrides } from '../usage/prices/overrides.ts';
import { createRouting } from './routing.ts';
import type { Role } from './run.ts';

/** Calls that still run when a processor beside its Envoy is stopped have this long: Envoy has drained before. */
const streamTimeoutMs = 10_000;
const shipTimeoutMs = 15_000;
/** Of requests and replies of the calls that run: beyond it they are not cached, and counted by their length. */
const heldBytes = 64 * 1024 * 1024;

/** `weir processor`: what Envoy asks about each call. */
export const processor: Role = async ({ settings, log: parent, version, options }) => {
  const { config, paths } = settings;
  const index = Number(options.index ?? 0);
  const log = parent.child({ role: 'processor', index });
  // Only weir up runs the embedded one, and then gives its URL.
  const url = config.postgres.url === 'embedded' ? null : config.postgres.url;
  const pool = url === null ? null : createPool(url, { log, max: 2 });
  const redis = config.redis.url === 'memory' ? null : connectRedis(config.redis.url, log);
  const now = () => performance.timeOrigin + performance.now();
  mkdirSync(paths.root, { recursive: true });
  const keyring = createKeyring(sealKeysOf(config, paths));
  const identity = createIdentity({
    url,
    defaults: config.defaults,
    providers: config.providers,
    organizations: settings.organizations,
    keyring,
    file: paths.identity,
    log,
    now,
  });
  await identity.start();
  const fingerprint = createFingerprint(identity.hashKey());
  const cloud = await startCloud(config.providers, { now, random: Math.random, log });
  const own = createOwnCalls(identity.hashKey(), now);
  const pricer = createPricer(createOverrides(config.models, config.price_agreements, fingerprint));
  const reader = createReader();
  const counter = createCounter();
  const ledger = createLedger({
    root: paths.journal,
    endpoints: [
      { url: `http://${formatAddress(config.listen.otlp_http)}`, headers: {} },
      ...config.telemetry.otlp,
    ],
    version,
    log,
    finish: (record) => settleInterrupted(record, { providers: config.providers, pricer }),
    maxBytes: config.journal.max_size,
    syncMs: config.journal.sync,
  });
  ledger.start();
  const limits = createLimits({
    redis,
    ledger: pool ? createSpendingLedger(pool) : noSpendingLedger,
    processes: config.processor.workers,
    now,
    log,
  });
  await limits.start();
  const paces = createPaces(redis, now);
  const replays = createReplays({
    ...config,
    client: createEgressClient(config.processor.egress ?? localUrl(config.listen.egress)),
    own,
    keep: pool && createComparisonStore(pool),
    log,
  });
  const routing = await createRouting(config, { pricer, redis, paces, now, replay: replays.offer });
  const held = createByteBudget(heldBytes);
  // Connections of its own: nothing that takes long is to come before what a call waits for.
  const coldPool = url === null ? null : createPool(url, { log, max: 3 });
  const cache = createCache({
    redis,
    cold: url === null || !coldPool ? null : { url, pool: coldPool, retentionMs: config.retention.answers },
    keyring,
    held,
    now,
    log,
  });
  await cache.start();
  const { listen } = config.processor;
  // An Envoy elsewhere does not reach a socket here.
  const relay =
    listen === 'unix'
      ? createRelay({ socket: paths.sockets.relay(index), cluster: names.relayCluster(index) })
      : null;
  const exchanges = createExchanges({
    providers: config.providers,
    worker: listen === 'unix' ? index : null,
    address: meetingAddress(config.processor),
    models: createModels(config.models),
    aliases: aliasesOf(config.models),
    identity: withCloud(withOwnCalls(identity, own), cloud),
    sign: cloud.sign,
    intercepted: config.intercepted,
    limits,
    cache,
    relay,
    reader,
    routing,
    ledger,
    pricer,
    counter,
    held,
    fingerprint,
    now,
    log,
  });
  mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  const server = createExtProcServer({
    listen: listen === 'unix' ? paths.sockets.processor(index) : listen,
    tls: config.tls,
    start: exchanges.start,
    startAttempt: exchanges.startAttempt,
    workloads: createWorkloads(config.workloads, { log, now }),
    log,
  });
  await relay?.start();
  await server.start();
  return {
    async stop() {
      await replays.stop();
      const timeoutMs = listen === 'unix' ? streamTimeoutMs : config.processor.drain;
      await Promise.all([server.stop(timeoutMs), relay?.stop(timeoutMs)]);
      await exchanges.settled();
      await limits.stop();
      await cache.stop();
      const { left } = await ledger.drain(shipTimeoutMs);
      if (left > 0)
        log.warn('not all usage records are acknowledged: the journal keeps them for the next start');
      await ledger.stop();
      cloud.stop();
      await identity.stop();
      await paces.stop();
      await Promise.all([reader.close(), counter.close(), redis?.close(), pool?.end(), coldPool?.end()]);
    },
  };
};
