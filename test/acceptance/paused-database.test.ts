import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import grpc from '@grpc/grpc-js';
import { otlpPaths } from '../fixtures/collector.ts';
import { traceRequest, usageRecord } from '../fixtures/usage-records.ts';
import { startWeir } from '../fixtures/weir.ts';

/** `WEIR_TEST_PAUSE_MS=60000` shows a minute of it. */
const pauseMs = Number(process.env.WEIR_TEST_PAUSE_MS ?? 4_000);
/** More than it lets wait. */
const senders = 160;
const spansOfEach = 256;
/** What the collector may hold of batches that wait, and what is garbage for a moment. */
const mostBytes = 256 * 1024 * 1024;

const same = (bytes: Buffer) => bytes;

const statOf = (pid: number | string) =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
const residentBytes = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/** The processes that a process has begun. */
function childrenOf(parent: number): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.filter((id) => Number(attempt(() => statOf(id)[1])) === parent).map(Number);
}

function attempt<T>(work: () => T): T | null {
  try {
    return work();
  } catch {
    return null;
  }
}

test('while PostgreSQL stands still the collector sends senders away before its memory grows; nothing is lost', {
  skip: process.platform !== 'linux' && 'it reads /proc',
}, async (t) => {
  const weir = await startWeir({ config: { log: { level: 'silent' } } });
  const collector = weir.pidOf('collector');
  const { listen } = JSON.parse(readFileSync(join(weir.dataDir, 'weir.yaml'), 'utf8'));
  const url = `http://${listen.otlp_http}/v1/traces`;
  const client = new grpc.Client(listen.otlp_grpc, grpc.credentials.createInsecure());
  let taken = 0;
  let sentAway = 0;
  let stopped = false;

  async function isTakenOverHttp(body: Buffer): Promise<boolean> {
    const headers = { 'content-type': 'application/x-protobuf' };
    const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
    await response.arrayBuffer();
    assert([200, 429, 503].includes(response.status), String(response.status));
    return response.ok;
  }
  const isTakenOverGrpc = (body: Buffer) =>
    new Promise<boolean>((resolve, reject) => {
      const deadline = Date.now() + pauseMs + 60_000;
      client.makeUnaryRequest(otlpPaths.traces, same, same, body, { deadline }, (error) => {
        if (!error) resolve(true);
        else if (error.code === grpc.status.UNAVAILABLE) resolve(false);
        else reject(error);
      });
    });

  /** Sends one batch after the other, each until it is taken. */
  async function send(isTaken: (body: Buffer) => Promise<boolean>): Promise<void> {
    do {
      const body = traceRequest(Array.from({ length: spansOfEach }, () => usageRecord()));
      while (!(await isTaken(body))) {
        sentAway++;
        await delay(100);
      }
      taken++;
    } while (!stopped);
  }

  const running = Array.from({ length: senders }, (_, index) =>
    send(index % 2 === 0 ? isTakenOverHttp : isTakenOverGrpc),
  );
  while (taken < senders / 4) await delay(20);
  const before = residentBytes(collector);
  const postgres = [weir.pidOf('postgres'), ...childrenOf(weir.pidOf('postgres'))];
  for (const pid of postgres) process.kill(pid, 'SIGSTOP');
  let most = before;
  const paused = Date.now();
  const lasted = () => Date.now() - paused;
  while (lasted() < pauseMs || (sentAway <= senders && lasted() < 60_000)) {
    most = Math.max(most, residentBytes(collector));
    await delay(100);
  }
  const refused = sentAway;
  const seconds = Math.round(lasted() / 1000);
  for (const pid of postgres) process.kill(pid, 'SIGCONT');
  stopped = true;
  await Promise.all(running);
  const mib = (bytes: number) => `${Math.round(bytes / 1024 / 1024)} MiB`;
  t.diagnostic(
    `${seconds} s: ${refused} batches of ${spansOfEach} sent away, collector ${mib(before)} before, ${mib(most)} at most`,
  );
  assert(refused > senders, `${refused} batches were sent away`);
  assert(most - before < mostBytes, `${mib(most - before)} more`);
  const { calls } = await weir.get('/analytics/summary?start_date=2026-09-01');
  assert.equal(calls, taken * spansOfEach);
  client.close();
  await weir.stop();
});
