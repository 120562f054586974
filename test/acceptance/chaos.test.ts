import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type MockProvider, startProvider } from '../fixtures/provider.ts';
import { startWeir, type TestWeir } from '../fixtures/weir.ts';

/** Each blow is done so often; `WEIR_TEST_ROUNDS=20` shows that it was no luck. */
const rounds = Number(process.env.WEIR_TEST_ROUNDS ?? 1);
const silenceMs = Number(process.env.WEIR_TEST_SILENCE_MS ?? 3_000);
const connections = 32;
/** Of load before a blow and after it. */
const loadMs = 1_000;
const recoveryMs = 60_000;

const configOf = (provider: MockProvider) => ({
  providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
  defaults: { cache: { mode: 'off' }, limits: [] },
  log: { level: 'error' },
});

/** Calls, plain and streamed, one after the other on each connection until they are stopped. */
function startLoad(weir: TestWeir, prefix: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  let stopped = false;
  let made = 0;
  const call = (stream: boolean): Promise<void> =>
    new Promise((resolve) => {
      const id = `${prefix}-${made++}`;
      const sent = request(`${weir.egress}/v1/chat/completions`, {
        method: 'POST',
        agent,
        headers: {
          authorization: `Bearer ${weir.callKey}`,
          'content-type': 'application/json',
          'x-weir-user': id,
          'x-call': id,
          ...(stream ? { 'x-mock-gap-ms': '15' } : { 'x-mock-delay-ms': '60' }),
        },
      });
      sent.on('error', () => resolve());
      sent.on('response', (response) => {
        response.resume();
        response.on('error', () => {});
        response.on('close', resolve);
      });
      sent.setTimeout(20_000, () => sent.destroy());
      sent.end(JSON.stringify({ model: 'gpt-4o', stream, messages: [{ role: 'user', content: id }] }));
    });
  const workers = Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      while (!stopped) {
        await call(index % 2 === 0);
        // A dead Envoy refuses at once: do not spin.
        await delay(20);
      }
    }),
  );
  return {
    async stop(): Promise<number> {
      stopped = true;
      await workers;
      agent.destroy();
      return made;
    },
  };
}

const kill = (name: string) => async (weir: TestWeir) => {
  process.kill(weir.pidOf(name), 'SIGKILL');
};

const blows: Record<string, (weir: TestWeir) => Promise<void>> = {
  'the processor is killed': kill('processor-0'),
  'the collector is killed': kill('collector'),
  'PostgreSQL is killed': kill('postgres'),
  'Envoy is killed': kill('envoy'),
  'the collector is silent for a while': async (weir) => {
    const pid = weir.pidOf('collector');
    process.kill(pid, 'SIGSTOP');
    await delay(silenceMs);
    process.kill(pid, 'SIGCONT');
  },
};

/** The ids that the provider saw. */
function seenBy(provider: MockProvider, prefix: string): string[] {
  const ids = provider.requests.map(({ headers }) => headers['x-call'] ?? '');
  return ids.filter((id) => id.startsWith(`${prefix}-`));
}

/** Waits until each call that the provider saw has its row; then there must be no second one. */
async function verify(weir: TestWeir, provider: MockProvider, prefix: string, calls: number): Promise<void> {
  const seen = seenBy(provider, prefix);
  assert.equal(new Set(seen).size, seen.length, 'Envoy did not ask twice');
  const deadline = Date.now() + recoveryMs;
  for (;;) {
    const rows = (await weir.rows().catch(() => [])).filter(({ user }) => user?.startsWith(`${prefix}-`));
    const byUser = Map.groupBy(rows, ({ user }) => user);
    const missing = seen.filter((id) => !byUser.has(id));
    const twice = [...byUser.values()].filter((each) => each.length > 1).length;
    if (missing.length === 0 || Date.now() > deadline) {
      const outcomes = Object.entries(Object.groupBy(rows, ({ outcome }) => outcome));
      const counts = outcomes.map(([outcome, each]) => `${each?.length} ${outcome}`).join(', ');
      if (rounds > 1)
        console.log(
          `${prefix}: ${calls} calls, ${seen.length} seen, ${rows.length} rows, ${missing.length} missing, ${twice} twice; ${counts}`,
        );
      assert.deepEqual({ missing, twice }, { missing: [], twice: 0 });
      for (const row of rows.filter(({ outcome }) => outcome === 'interrupted')) {
        assert(
          row.input_tokens > 0 && Number(row.cost_upper_usd) > Number(row.cost_usd),
          JSON.stringify(row),
        );
      }
      return;
    }
    await delay(100);
  }
}

test('every call that the provider saw has one row, whoever is killed under load', async (t) => {
  const provider = await startProvider();
  const weir = await startWeir({ config: configOf(provider) });
  t.after(() => provider.stop());
  for (const [name, blow] of Object.entries(blows)) {
    for (let round = 1; round <= rounds; round++) {
      await t.test(`${name} (${round})`, async () => {
        const prefix = `${name.replaceAll(' ', '.')}.${round}`;
        const load = startLoad(weir, prefix);
        await delay(loadMs);
        await blow(weir);
        await delay(loadMs);
        await untilServed(weir);
        await verify(weir, provider, prefix, await load.stop());
      });
    }
  }
  await weir.stop();
});

test('and also when all of weir is killed and started again', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  let weir = await startWeir({ config: configOf(provider) });
  const { dataDir } = weir;
  for (let round = 1; round <= rounds; round++) {
    const load = startLoad(weir, `all.${round}`);
    await delay(loadMs);
    const stopping = load.stop();
    await weir.kill9();
    weir = await startWeir({ config: configOf(provider), dataDir });
    await verify(weir, provider, `all.${round}`, await stopping);
  }
  await weir.stop();
  rmSync(dataDir, { recursive: true });
});

/** Waits until a call comes through again. */
async function untilServed(weir: TestWeir): Promise<void> {
  const deadline = Date.now() + recoveryMs;
  for (;;) {
    const response = await fetch(`${weir.egress}/v1/models`, {
      headers: { authorization: `Bearer ${weir.callKey}` },
    }).catch(() => null);
    await response?.body?.cancel();
    if (response?.ok) return;
    if (Date.now() > deadline) throw new Error(`weir does not serve again\n${weir.output()}`);
    await delay(50);
  }
}
