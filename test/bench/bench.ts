// `npm run bench`: what weir adds to a call, as ratios of one run: the provider alone, Envoy alone, Envoy
// with a processor that does nothing, and weir. Times of another machine or another hour do not compare.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configSchema } from '../../src/config/schema.ts';
import { bootstrap } from '../../src/envoy/bootstrap.ts';
import { names } from '../../src/envoy/inputs.ts';
import { resources } from '../../src/envoy/resources.ts';
import { createXdsServer } from '../../src/envoy/server.ts';
import { untilListening } from '../../src/local/envoy-admin.ts';
import { findEnvoy } from '../../src/local/envoy-binary.mjs';
import { freePort } from '../../src/local/ports.ts';
import { startWeir } from '../fixtures/weir.ts';
import { benchCache } from './cache.ts';
import { benchLimits } from './limits.ts';
import type { LoadResult, Plan } from './load.ts';
import { benchParts } from './parts.ts';

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const seconds = Number(process.env.WEIR_TEST_BENCH_SECONDS ?? 3);
const children: ChildProcess[] = [];
const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));

async function start(name: string, ...args: string[]): Promise<unknown> {
  const child = fork(file(name), args);
  children.push(child);
  const [message] = await once(child, 'message');
  return message;
}

/** An Envoy of the bench's own, with the routes of weir; without a processor its calls fail open. */
async function startEnvoy(provider: string, processor: boolean): Promise<string> {
  const home = join(directory, processor ? 'noop' : 'alone');
  const egress = { host: '127.0.0.1', port: await freePort() };
  const { providers } = configSchema.parse({ providers: { openai: { api: 'openai', base_url: provider } } });
  const sockets = { xds: `${home}-xds.sock`, admin: `${home}-admin.sock` };
  const inputs = {
    egress,
    providers,
    onFailure: 'auto' as const,
    models: {},
    processors: [{ socket: `${home}.sock`, relay: `${home}-relay.sock` }],
    otlpGrpc: { host: '127.0.0.1', port: 1 },
    rootsFile: '/dev/null',
  };
  const configuration = resources(inputs);
  const text = JSON.stringify(configuration);
  // Alone means without the filter, not with one that fails.
  const served = processor
    ? configuration
    : (JSON.parse(text, (_key, value) =>
        Array.isArray(value) ? value.filter((each) => each?.name !== 'envoy.filters.http.ext_proc') : value,
      ) as typeof configuration);
  await createXdsServer({ socket: sockets.xds, resources: () => served }).start();
  if (processor) await start('./noop.ts', `${home}.sock`, names.providerCluster('openai'));
  writeFileSync(`${home}.json`, bootstrap(sockets));
  const envoy = await findEnvoy({ env: process.env, say: console.error });
  children.push(
    spawn(
      envoy,
      ['-c', `${home}.json`, '--disable-hot-restart', '--log-level', 'error', '--concurrency', '2'],
      { stdio: 'ignore' },
    ),
  );
  await untilListening(egress);
  return `http://127.0.0.1:${egress.port}/v1/chat/completions`;
}

async function load(plan: Plan): Promise<LoadResult> {
  const child = spawn(process.execPath, [file('./load.ts')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(plan));
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString()) as LoadResult;
}

const small = JSON.stringify({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: `@ ${'word '.repeat(180)}` }],
});
const large = JSON.stringify({
  model: 'gpt-4o',
  messages: [{ role: 'user', content: `@ ${'word '.repeat(20_000)}` }],
});
const streamed = JSON.stringify({
  ...JSON.parse(small),
  stream: true,
  stream_options: { include_usage: true },
});
const scenes = [
  { name: '1 KB, 1 connection', body: small, connections: 1 },
  { name: '1 KB, 32 connections', body: small, connections: 32 },
  { name: '100 KB, 8 connections', body: large, connections: 8 },
  { name: 'stream, 8 connections', body: streamed, connections: 8 },
];

try {
  const port = Number(await start('./mock.ts'));
  const provider = `http://127.0.0.1:${port}/v1`;
  const headers = { authorization: 'Bearer k', 'content-type': 'application/json' };
  const weir = await startWeir({
    config: {
      providers: {
        openai: { base_url: provider, api_key: 'k' },
        other: { api: 'openai', base_url: provider, api_key: 'k' },
      },
      models: {
        planned: { provider: 'openai', model: 'gpt-4o', fallback: [{ provider: 'other', model: 'gpt-4o' }] },
      },
      log: { level: 'warn' },
    },
  });
  const weirUrl = `${weir.egress}/v1/chat/completions`;
  const weirHeaders = { ...headers, authorization: `Bearer ${weir.callKey}` };
  const targets = [
    { name: 'provider alone', url: `${provider}/chat/completions`, headers, same: false, model: null },
    { name: 'Envoy alone', url: await startEnvoy(provider, false), headers, same: false, model: null },
    { name: 'Envoy + no-op', url: await startEnvoy(provider, true), headers, same: false },
    { name: 'weir, miss', url: weirUrl, headers: weirHeaders, same: false },
    {
      name: 'weir, miss, with a fallback',
      url: weirUrl,
      headers: weirHeaders,
      same: false,
      model: 'planned',
    },
    { name: 'weir, hit', url: weirUrl, headers: weirHeaders, same: true },
  ];
  for (const scene of scenes) {
    const rows: Record<string, Record<string, string>> = {};
    let envoy: LoadResult | undefined;
    let noop: LoadResult | undefined;
    for (const target of targets) {
      const body = target.model ? scene.body.replace('"gpt-4o"', JSON.stringify(target.model)) : scene.body;
      const result = await load({ ...target, body, connections: scene.connections, seconds });
      if (target.name === 'Envoy alone') envoy = result;
      if (target.name === 'Envoy + no-op') noop = result;
      const against = (base: LoadResult | undefined) =>
        base ? `${(result.perSecond / base.perSecond).toFixed(2)}` : '';
      const added = (value: number, base: number | undefined) =>
        base === undefined ? '' : (value - base).toFixed(2);
      rows[target.name] = {
        'calls/s': result.perSecond.toFixed(0),
        'of Envoy': against(envoy),
        'of no-op': against(noop),
        'p50 ms': result.p50Ms.toFixed(2),
        'p99 ms': result.p99Ms.toFixed(2),
        'added p50': added(result.p50Ms, envoy?.p50Ms),
        'added p99': added(result.p99Ms, envoy?.p99Ms),
        'first byte ms': result.firstByteMs.toFixed(2),
        errors: String(result.errors),
      };
    }
    console.log(`\n${scene.name}`);
    console.table(rows);
  }
  await weir.stop();
  await benchParts();
  await benchLimits();
  await benchCache();
} finally {
  for (const child of children) child.kill('SIGTERM');
  rmSync(directory, { recursive: true, force: true });
}
process.exit(0);
