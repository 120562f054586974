import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import OpenAI from 'openai';
import { startProvider } from '../fixtures/provider.ts';
import { runWeir, startWeir } from '../fixtures/weir.ts';

test('keys and policy from the command line, against a weir that runs', async (t) => {
  const provider = await startProvider();
  t.after(() => provider.stop());
  const weir = await startWeir({
    config: { providers: { openai: { base_url: `${provider.url}/v1`, api_key: 'k' } } },
  });
  const run = async (args: string[], { env = {}, input = '' } = {}) => {
    const { code, output } = await runWeir([...args, '--data', weir.dataDir], env, input);
    return { code, output, lines: output.trimEnd().split('\n') };
  };

  // A key, made by the admin key of the data directory; the API is found by what runs on it.
  const made = await run([
    'keys',
    'create',
    '--name',
    'from a script',
    '--tags',
    'team=search',
    '--expires',
    '90d',
  ]);
  assert.equal(made.code, 0, made.output);
  const secret = made.lines.find((line) => line.startsWith('weir_sk_')) ?? assert.fail(made.output);
  const [, id = ''] = /made (key_\w+)/.exec(made.output) ?? [];
  const client = new OpenAI({ baseURL: `${weir.egress}/v1`, apiKey: secret, maxRetries: 0 });
  const call = (content: string) =>
    client.chat.completions.create({ model: 'gpt-4o', messages: [{ role: 'user', content }] });
  const untilKnown = async (known: boolean) => {
    for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
      const worked = await call('known?').then(
        () => true,
        (error: unknown) => {
          assert(error instanceof OpenAI.AuthenticationError, String(error));
          return false;
        },
      );
      if (worked === known) return;
    }
    assert.fail(`the key was ${known ? 'not known' : 'still known'}`);
  };
  await untilKnown(true);
  const listed = await run(['keys', 'list']);
  assert.match(listed.output, new RegExp(`${id} +from a script +call +- +${secret.slice(0, 12)}… `));
  assert(!listed.output.includes(secret));
  // Its use comes to the list by way of the ledger.
  await weir.exchanges(1);
  const used = async () => (await weir.get(`/keys/${id}`)).last_used_at as string | null;
  for (const deadline = Date.now() + 10_000; (await used()) === null && Date.now() < deadline; );
  assert.notEqual(await used(), null);

  // What a key may not is told in one line, and so is what is wrong.
  const api = ['--api', weir.api];
  const viewer = await run([
    'keys',
    'create',
    '--name',
    'eyes',
    '--scope',
    'api',
    '--role',
    'viewer',
    ...api,
  ]);
  const eyes = viewer.lines.find((line) => line.startsWith('weir_api_')) ?? assert.fail(viewer.output);
  const env = { WEIR_API_KEY: eyes };
  const refused = await run(['keys', 'revoke', id], { env });
  assert.deepEqual(
    [refused.code, refused.output],
    [1, 'weir: DELETE /keys/:id takes the role member; this key has the role viewer\n'],
  );
  assert.equal((await run(['keys', 'list', '--json', '--key', eyes])).code, 0);
  const wrong = await run(['keys', 'create', '--name', 'x', '--models', 'gpt-4o,gtp-4o']);
  assert.equal(
    wrong.output,
    'weir: /models/1: no provider or price table knows the model gtp-4o; did you mean gpt-4o?\n',
  );

  // A policy from a file and from stdin, in YAML and in JSON.
  const file = join(weir.dataDir, 'policy.yaml');
  writeFileSync(
    file,
    '# for all teams\ncache:\n  ttl: 2h\nlimits:\n  - { name: all, per: organization, requests: 0, window: 1h }\n',
  );
  const bad = await run(['policy', 'set', file]);
  assert.deepEqual(
    [bad.code, bad.output],
    [2, 'weir: policy.yaml:5: limits.0.requests: expected more than 0, found 0\n'],
  );
  writeFileSync(file, 'cache:\n  ttl: 2h\n');
  assert.equal((await run(['policy', 'diff', file])).output, '+ /cache: {"ttl":"2h"}\n');
  assert.equal(
    (await run(['policy', 'set', file, '--dry-run'])).output,
    'it can work; nothing was changed\n',
  );
  assert.equal((await run(['policy', 'set', file])).output, 'version 1 is in force\n');
  assert.equal((await run(['policy', 'set', file])).output, 'version 1 says this already\n');
  assert.equal((await run(['policy', 'get'])).output, '# version 1\ncache:\n  ttl: 2h\n');
  assert.match((await run(['policy', 'get', '--resolved'])).output, /mode: all\n {2}ttl: 2h/);
  const other = JSON.stringify({ cache: { ttl: '1h' } });
  const diff = await run(['policy', 'diff'], { input: other });
  assert.equal(diff.output, '~ /cache/ttl: "2h" → "1h"\n');
  assert.equal((await run(['policy', 'set', '--expect', '7'], { input: other })).code, 1);
  assert.equal(
    (await run(['policy', 'set', '-', '--expect', '1'], { input: other })).output,
    'version 2 is in force\n',
  );
  assert.match((await run(['policy', 'set', '-'])).output, /^weir: stdin is empty: .*\n$/);
  assert.deepEqual(JSON.parse((await run(['policy', 'get', '--at', '1', '--json'])).output), {
    cache: { ttl: '2h' },
  });

  assert.equal((await run(['keys', 'revoke', id])).output, `revoked ${id}\n`);
  await untilKnown(false);
  assert.match((await run(['keys', 'list', '--revoked'])).output, new RegExp(`${id} .* revoked 2`));

  await weir.stop();
  assert(!existsSync(join(weir.dataDir, 'api-address')));
  const { code, output } = await runWeir(['keys', 'list', '--api', weir.api, '--key', eyes]);
  assert.deepEqual(
    [code, output],
    [1, `weir: nothing answers at ${weir.api}: is weir up? If it is elsewhere, say where with --api\n`],
  );
});
