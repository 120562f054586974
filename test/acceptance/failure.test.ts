import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI from 'openai';
import { makeCertificate } from '../fixtures/certificates.ts';
import { startProvider } from '../fixtures/provider.ts';
import { startWeir } from '../fixtures/weir.ts';

const question = (content: string) => ({ model: 'gpt-4o', messages: [{ role: 'user' as const, content }] });

test('a provider is believed only with a certificate that its roots vouch for', async (t) => {
  const [good, other] = [makeCertificate(), makeCertificate()];
  const provider = await startProvider({ tls: good });
  t.after(async () => {
    await provider.stop();
    for (const each of [good, other]) each.remove();
  });
  const base = { api: 'openai', base_url: `${provider.url}/v1`, api_key: 'k' };
  const weir = await startWeir({
    config: {
      providers: {
        trusted: { ...base, ca_file: good.file },
        foreign: { ...base, ca_file: other.file },
        unknown: base,
      },
    },
  });
  const client = (name: string) =>
    new OpenAI({ baseURL: `${weir.egress}/providers/${name}/v1`, apiKey: weir.callKey, maxRetries: 0 });
  const reply = await client('trusted').chat.completions.create(question('Are you you?'));
  assert.equal(reply.object, 'chat.completion');
  for (const name of ['foreign', 'unknown']) {
    await assert.rejects(client(name).chat.completions.create(question('And you?')), (error: unknown) => {
      assert(error instanceof OpenAI.APIError, String(error));
      assert.equal(error.status, 503);
      assert.equal(error.headers?.get('x-weir-error'), 'upstream_unavailable');
      return true;
    });
  }
  assert.equal(provider.requests.length, 1, 'nothing was said to a provider that could not be verified');
  const rows = await weir.exchanges(3);
  assert.deepEqual(
    rows.map(({ outcome }) => outcome),
    ['upstream_error', 'upstream_error', 'completed'],
  );
  await weir.stop();
});

for (const [onFailure, passes] of [
  ['open', true],
  ['closed', false],
] as const) {
  test(`while the processor is silent, on_failure ${onFailure}: own keys ${passes ? 'pass' : 'wait outside'}, weir keys stay in the house`, async (t) => {
    const provider = await startProvider();
    t.after(() => provider.stop());
    const weir = await startWeir({
      config: {
        providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } },
        processor: { on_failure: onFailure },
      },
    });
    const pid = weir.pidOf('processor-0');
    const ask = (apiKey: string) =>
      new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey, maxRetries: 0 }).chat.completions
        .create(question('Anyone there?'))
        .catch((error: unknown) => error);
    process.kill(pid, 'SIGSTOP');
    try {
      const [own, weirs] = await Promise.all([ask('sk-own'), ask(weir.callKey)]);
      assert.equal(own instanceof Error, !passes, String(own));
      assert(weirs instanceof OpenAI.APIError && weirs.status !== undefined && weirs.status >= 500);
      assert.deepEqual(
        provider.requests.map(({ headers }) => headers.authorization),
        passes ? ['Bearer sk-own'] : [],
      );
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await weir.stop();
  });
}
