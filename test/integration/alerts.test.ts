import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { SMTPServer } from 'smtp-server';
import { createDeliverer } from '../../src/alerts/deliver.ts';
import { isPrivate } from '../../src/alerts/outside.ts';
import { prepareQueue } from '../../src/alerts/worker.ts';
import { insertUsage } from '../../src/collector/usage-rows.ts';
import { createKeyring } from '../../src/config/keyring.ts';
import type { Pool } from '../../src/db/pool.ts';
import { makeKey } from '../../src/identity/keys.ts';
import { insertKey } from '../../src/identity/store.ts';
import { testKeys, type WorkerPlan } from '../fixtures/alert-worker.ts';
import { testApi } from '../fixtures/api.ts';
import { testDatabase } from '../fixtures/postgres.ts';
import { usageRecord } from '../fixtures/usage-records.ts';

const log = pino({ level: 'silent' });
/** 13:59 in Berlin. */
const now = Date.UTC(2026, 10, 24, 12, 59);
const minute = 60_000;

/** Somebody who is posted to; `status` is what it answers. */
async function startReceiver(t: TestContext) {
  const posts: { body: string; headers: Record<string, unknown> }[] = [];
  const receiver = { url: '', posts, status: 200, hold: false };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    posts.push({ body: Buffer.concat(chunks).toString(), headers: request.headers });
    if (!receiver.hold) response.writeHead(receiver.status).end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/B0/secret-token`;
  return receiver;
}

async function startMail(t: TestContext) {
  const mails: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks).toString());
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.server.address() as AddressInfo;
  return { mails, url: `smtp://127.0.0.1:${port}` };
}

async function house(t: TestContext) {
  const { pool, url } = await testDatabase(t);
  await prepareQueue(pool);
  await pool.query(`INSERT INTO organizations (id, name) VALUES ('acme', 'acme')`);
  const key = makeKey('admin');
  await insertKey(pool, 'acme', 'test', key);
  const api = await testApi(t, pool, { log, now, keyring: createKeyring(testKeys) });
  const ask = (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) =>
    api.ask(method, path, { key: key.secret, body });
  const [slack, mail] = [await startReceiver(t), await startMail(t)];
  return { pool, url, ask, slack, mail };
}

async function spend(pool: Pool, startedAt: number, costUsd: string, facts = {}): Promise<void> {
  const client = await pool.connect();
  try {
    await insertUsage(client, [usageRecord({ organization: 'acme', startedAt, costUsd, ...facts })], now);
  } finally {
    client.release();
  }
}

async function startWorker(t: TestContext, plan: WorkerPlan): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('../fixtures/alert-worker.ts', import.meta.url));
  const child = fork(file, [JSON.stringify(plan)]);
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.disconnect();
    await once(child, 'exit');
  });
  await once(child, 'message');
  return child;
}

/** What cron does at the full minute. */
const look = (pool: Pool, task = 'weir_check_costs') =>
  pool.query('SELECT graphile_worker.add_job($1)', [task]);

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await delay(20);
  }
}

/** No job waits or runs. */
const idle = async (pool: Pool) =>
  (await pool.query('SELECT FROM graphile_worker.jobs WHERE run_at <= now()')).rowCount === 0;

test('a threshold that is crossed is told once, to Slack and by mail, by three collectors of which one is killed', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  await ask('POST', '/alerts', {
    name: 'Too much today',
    alert_type: 'daily_cost',
    threshold_value: 10,
    time_zone: 'Europe/Berlin',
    slack_webhook_url: slack.url,
    email_addresses: ['ops@example.com'],
  });
  const plan = { database: url, smtp: mail.url, now };
  const workers = await Promise.all([1, 2, 3].map(() => startWorker(t, plan)));
  // Of the day before, where it is 23:59 in Berlin; it does not count.
  await spend(pool, Date.UTC(2026, 10, 23, 22, 59), '9');
  await spend(pool, Date.UTC(2026, 10, 23, 23, 30), '4');
  await look(pool);
  await until('looked at', () => idle(pool));
  assert.equal(slack.posts.length, 0);

  await spend(pool, now - minute, '6', { model: 'gpt-4o' });
  workers[0]?.kill('SIGKILL');
  await Promise.all([look(pool), look(pool), look(pool)]);
  await until('told', () => slack.posts.length > 0 && mail.mails.length > 0);
  await until('looked at', () => idle(pool));
  await look(pool);
  await until('looked at again', () => idle(pool));
  assert.equal(slack.posts.length, 1);
  assert.equal(mail.mails.length, 1);
  const { text } = JSON.parse(slack.posts[0]?.body ?? '{}');
  assert.match(text, /Too much today \(acme\): spent \$10\.00 today, threshold \$10\.00/);
  assert.match(text, /Most by model: gpt-4o/);
  assert.match(mail.mails[0] ?? '', /Subject: .*Too much today/);
});

test('it is over when its period is over, and that is told once as well', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  await ask('POST', '/alerts', {
    name: 'Hour',
    alert_type: 'hourly_cost',
    threshold_value: '0.5',
    slack_webhook_url: slack.url,
  });
  await spend(pool, now - minute, '1');
  const first = await startWorker(t, { database: url, smtp: mail.url, now });
  await look(pool);
  await until('told', () => slack.posts.length === 1);
  first.disconnect();
  await once(first, 'exit');
  await startWorker(t, { database: url, smtp: mail.url, now: now + 5 * minute });
  await look(pool);
  await until('told of its end', () => slack.posts.length === 2);
  await look(pool);
  await until('looked at', () => idle(pool));
  assert.equal(slack.posts.length, 2);
  assert.match(
    JSON.parse(slack.posts[1]?.body ?? '{}').text,
    /over[\s\S]*It is over; it was: spent \$1\.00 this hour/,
  );
});

test('who does not answer is told later, once; who never does is in the list of the dead, and can be tried again', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  const { body: alert } = await ask('POST', '/alerts', {
    name: 'Test',
    alert_type: 'error_rate',
    threshold_value: 5,
    slack_webhook_url: slack.url,
  });
  slack.status = 503;
  const testAlert = async () => (await ask('POST', `/alerts/${alert.id}/test`)).body.deliveries[0] as number;
  const deliveries = async (state: string) =>
    (await ask('GET', `/alerts/deliveries?state=${state}`)).body.deliveries;
  const keyring = createKeyring(testKeys);
  const deliverer = createDeliverer({ pool, keyring, config: { allow_private: true } });
  t.after(() => deliverer.close());
  await deliverer.deliver(await testAlert(), true);
  const [dead] = await deliveries('dead');
  assert.match(dead.last_error, /answered 503/);
  assert.doesNotMatch(dead.last_error, /secret-token/);

  await startWorker(t, { database: url, smtp: mail.url, now });
  await testAlert();
  await until('tried', async () => (await deliveries('pending'))[0]?.attempts === 1);
  // An hour later its time has come again.
  slack.status = 200;
  await until('waiting again', async () => {
    const { rowCount } = await pool.query(
      `SELECT graphile_worker.reschedule_jobs(array_agg(id), now()) FROM graphile_worker.jobs WHERE locked_at IS NULL HAVING count(*) > 0`,
    );
    return rowCount === 1;
  });
  await until('delivered', async () => (await deliveries('delivered')).length === 1);
  assert.equal((await ask('POST', `/alerts/deliveries/${dead.id}/retry`)).status, 202);
  await until('delivered after all', async () => (await deliveries('delivered')).length === 2);
  assert.equal(slack.posts.length, 4);
});

test('a webhook is signed, so that whoever gets it can tell it is from here', async (t) => {
  const { pool, url, ask, slack: hook, mail } = await house(t);
  const { body: alert } = await ask('POST', '/alerts', {
    name: 'Signed',
    alert_type: 'daily_cost',
    threshold_value: 1,
    webhook_url: hook.url,
  });
  await startWorker(t, { database: url, smtp: mail.url, now });
  await spend(pool, now - minute, '3');
  await look(pool);
  await until('told', () => hook.posts.length === 1);
  const [post] = hook.posts;
  const expected = createHmac('sha256', alert.webhook_secret)
    .update(post?.body ?? '')
    .digest('hex');
  assert.equal(post?.headers['x-weir-signature'], `sha256=${expected}`);
  assert.deepEqual(JSON.parse(post?.body ?? '{}').alert, {
    id: alert.id,
    name: 'Signed',
    organization: 'acme',
    type: 'daily_cost',
    threshold: '1',
  });
});

test('rates, calls without a price, forecasts and anomalies are found, and quiet times are not', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  const hour = 60 * minute;
  const make = (name: string, alert_type: string, threshold_value: number) =>
    ask('POST', '/alerts', { name, alert_type, threshold_value, slack_webhook_url: slack.url });
  await make('errors', 'error_rate', 20);
  await make('prices', 'unpriced_usage', 3);
  await make('month', 'budget_forecast', 500);
  await make('odd', 'anomaly', 4);
  await startWorker(t, { database: url, smtp: mail.url, now });
  // A dollar an hour for two weeks: nothing is out of the ordinary.
  for (let back = 1; back <= 14 * 24; back++) await spend(pool, now - back * hour, '1');
  await look(pool, 'weir_check_alerts');
  await until('looked at', () => idle(pool));
  assert.deepEqual(
    slack.posts.map(({ body }) => body),
    [],
  );

  const lastHour = now - (now % hour) - 30 * minute;
  for (let i = 0; i < 30; i++) {
    const outcome = i % 3 === 0 ? 'upstream_error' : 'completed';
    await spend(pool, now - 2 * minute - i, '2', { outcome });
  }
  await spend(pool, lastHour, '80');
  for (let i = 0; i < 3; i++) {
    const client = await pool.connect();
    await insertUsage(
      client,
      [usageRecord({ organization: 'acme', startedAt: now - hour, costUsd: null })],
      now,
    );
    client.release();
  }
  await look(pool, 'weir_check_alerts');
  await until('told of all', () => slack.posts.length === 4);
  const texts = slack.posts.map(({ body }) => JSON.parse(body).text as string).toSorted();
  assert.match(texts[0] ?? '', /errors .*% of the last hour’s calls failed, threshold 20 %/);
  assert.match(texts[1] ?? '', /month .*this month will come to \$\d+\.\d\d/);
  assert.match(texts[2] ?? '', /odd .*standard deviations more than usual, threshold 4/);
  assert.match(texts[3] ?? '', /prices .*3 calls of the last 24 hours have no price, threshold 3/);
});

test('webhooks are secrets: neither the API nor the database shows them', async (t) => {
  const { pool, ask } = await house(t);
  const webhook_url = 'https://hooks.example.com/services/T0/secret-token';
  const made = await ask('POST', '/alerts', {
    name: 'Secret',
    alert_type: 'daily_cost',
    threshold_value: 1,
    webhook_url,
    email_addresses: ['a@example.com'],
  });
  assert.equal(made.body.webhook_url, 'https://hooks.example.com/…');
  const { id } = made.body;
  const changed = await ask('PATCH', `/alerts/${id}`, { threshold_value: '2.5', enabled: false });
  assert.deepEqual(
    [changed.body.threshold_value, changed.body.enabled, changed.body.webhook_url, changed.body.time_zone],
    ['2.5', false, 'https://hooks.example.com/…', 'UTC'],
  );
  const { rows } = await pool.query('SELECT * FROM alert_configs');
  assert.equal(Buffer.from(rows[0].webhook_url).includes('secret-token'), false);
  assert.doesNotMatch((await ask('GET', '/alerts')).text, /secret-token|whsec_/);
  assert.equal((await ask('PATCH', `/alerts/${id}`, { webhook_url: null })).body.webhook_url, null);
  assert.equal((await ask('PATCH', `/alerts/${id}`, { email_addresses: [] })).status, 400);
  assert.equal((await ask('DELETE', `/alerts/${id}`)).status, 204);
  assert.equal((await ask('GET', `/alerts/${id}`)).status, 404);
});

test('nothing is posted to private addresses, unless that is allowed', async (t) => {
  const { pool, ask, slack } = await house(t);
  const { body: alert } = await ask('POST', '/alerts', {
    name: 'Inside',
    alert_type: 'daily_cost',
    threshold_value: 1,
    slack_webhook_url: slack.url.replace('127.0.0.1', 'localhost'),
  });
  const { body } = await ask('POST', `/alerts/${alert.id}/test`);
  const deliverer = createDeliverer({
    pool,
    keyring: createKeyring(testKeys),
    config: { allow_private: false },
  });
  t.after(() => deliverer.close());
  await deliverer.deliver(body.deliveries[0], true);
  const { deliveries } = (await ask('GET', '/alerts/deliveries?state=dead')).body;
  assert.match(deliveries[0].last_error, /localhost is a private address: set alerts.allow_private/);
  assert.equal(slack.posts.length, 0);
  const inner = [
    '10.1.2.3',
    '127.0.0.1',
    '169.254.169.254',
    '192.168.0.1',
    '172.20.0.1',
    '::1',
    'fd00::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '0.0.0.0',
    '100.64.0.1',
  ];
  assert.deepEqual(
    inner.filter((address) => !isPrivate(address)),
    [],
  );
  assert.deepEqual(['8.8.8.8', '2606:4700::1111', '172.32.0.1'].filter(isPrivate), []);
});

test('what a budget has reached is told at each of its percentages, once a period and subject', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  const budgets = [
    {
      name: 'team',
      per: 'tag:team',
      usd: '10',
      period: 'month',
      timezone: 'Europe/Berlin',
      alert_at: [50, 80, 100],
    },
    { name: 'words', tokens: 1_000_000, rolling: '24h', mode: 'soft' },
  ];
  assert.equal((await ask('PATCH', '/policy', { budgets })).status, 200);
  const alert = { name: 'Budgets', alert_type: 'budget', threshold_value: 60, slack_webhook_url: slack.url };
  assert.equal((await ask('POST', '/alerts', { ...alert, filters: { model: 'gpt-4o' } })).status, 400);
  await ask('POST', '/alerts', alert);
  await startWorker(t, { database: url, smtp: mail.url, now });
  const check = async () => {
    await look(pool);
    await until('looked at', () => idle(pool));
    return slack.posts.splice(0).map(({ body }) => (JSON.parse(body).text as string).split('\n'));
  };
  await spend(pool, now - minute, '5.5', { tags: { team: 'search' } });
  assert.deepEqual(await check(), []);
  await spend(pool, now - minute, '3', { tags: { team: 'search' } });
  const told = await check();
  // Of two at once the greater.
  assert.deepEqual(
    told.map(([subject]) => subject),
    ['*weir: Budgets (acme): hard budget team (tag:team search) has reached 80 %: $8.50 of $10.00*'],
  );
  assert.match(told[0]?.join('\n') ?? '', /Resets: 2026-11-30T23:00:00.000Z/);
  await spend(pool, now - minute, '1', { tags: { team: 'search' } });
  assert.deepEqual(await check(), []);
  await spend(pool, now - minute, '10', { tags: { team: 'chat' } });
  assert.deepEqual(
    (await check()).map(([subject]) => /\((tag.*)\) has reached (\d+)/.exec(subject ?? '')?.slice(1)),
    [['tag:team chat', '100']],
  );
  // More of it is there: what was reached is no more.
  await ask('PATCH', '/policy', { budgets: [{ ...budgets[0], usd: '100' }] });
  assert.equal((await check()).filter(([subject]) => subject?.endsWith('over*')).length, 2);
});

test('what a collector was at when it was killed, another takes over', async (t) => {
  const { pool, url, ask, slack, mail } = await house(t);
  await ask('POST', '/alerts', {
    name: 'Day',
    alert_type: 'daily_cost',
    threshold_value: 1,
    slack_webhook_url: slack.url,
  });
  await spend(pool, now - minute, '2');
  // It does not answer: whoever posts there waits, and is killed meanwhile.
  slack.hold = true;
  const plan = { database: url, smtp: mail.url, now };
  const first = await startWorker(t, plan);
  await look(pool);
  await until('posted', () => slack.posts.length === 1);
  first.kill('SIGKILL');
  await once(first, 'exit');
  slack.hold = false;
  await startWorker(t, plan);
  await look(pool);
  await until('looked at', async () => {
    const { rows } = await pool.query('SELECT locked_at IS NOT NULL AS held FROM graphile_worker.jobs');
    return rows.length === 1 && rows[0].held;
  });
  assert.equal(slack.posts.length, 1);
  // Three minutes later.
  await pool.query(`UPDATE graphile_worker._private_jobs SET locked_at = locked_at - interval '3 minutes'`);
  await look(pool);
  await until('told', () => slack.posts.length === 2);
  await until('done', async () => (await pool.query('SELECT FROM graphile_worker.jobs')).rowCount === 0);
  const { rows } = await pool.query('SELECT state, attempts FROM alert_deliveries');
  assert.deepEqual(rows, [{ state: 'delivered', attempts: 1 }]);
});
