// `npm run bench:analytics [rows] [plans]`: how long each question takes over a month of so many calls (default
// 1,000,000), and PostgreSQL's plans for it.
import { pino } from 'pino';
import { type BreakdownQuery, breakdown } from '../../src/analytics/breakdown.ts';
import { fillSeries } from '../../src/analytics/series.ts';
import { summary } from '../../src/analytics/summary.ts';
import { migrate } from '../../src/db/migrate.ts';
import { createPool } from '../../src/db/pool.ts';
import { startPostgres } from '../fixtures/postgres.ts';

const rows = Number(process.argv[2] ?? 1_000_000);
const plans = process.argv[3] === 'plans';
const postgres = await startPostgres();
const log = pino({ level: 'silent' });
const pool = createPool(plans ? explained(postgres.url) : postgres.url, { log, max: 4 });
const told = new Set<string>();
if (plans) pool.on('connect', (client) => client.on('notice', tellPlan));
// One session for all batches: its random numbers are those of the seed.
const filling = createPool(postgres.url, { log, max: 1 });
try {
  await migrate(filling);
  await filling.query('SET statement_timeout = 0; SELECT setseed(0.5)');
  const started = performance.now();
  const batch = 100_000;
  for (let from = 0; from < rows; from += batch) {
    await filling.query(
      `INSERT INTO usage (trace_id, span_id, started_at, duration_ms, first_chunk_ms, id, organization, api_key, end_user,
         tags, provider, server_address, dialect, operation, method, path, stream, requested_model, model, outcome, status,
         attempts, cache, cache_key, input_tokens, output_tokens, usage_source, list_usd, cost_usd, saved_usd)
       SELECT md5(n::text), substr(md5(n::text || 's'), 1, 16), timestamptz '2026-11-01' + (n + 50 * random()) * interval '30 days' / ${rows + 60},
              200 + 3000 * random() ^ 3, 80 + 400 * random(), gen_random_uuid(), 'acme', 'key_' || n % 40, 'user-' || n % 900,
              jsonb_build_object('team', 'team-' || n % 12), (ARRAY['openai', 'anthropic', 'gemini'])[1 + n % 3], 'api.example.com',
              'openai-chat', 'chat', 'POST', '/v1/chat/completions', n % 2 = 0, 'model-' || n % 20, 'model-' || n % 20 || '-2026',
              CASE WHEN n % 50 = 0 THEN 'upstream_error' ELSE 'completed' END, 200, 1,
              CASE WHEN n % 5 = 0 THEN 'hit' ELSE 'miss' END, md5((n % 100000)::text), (random() * 4000)::int,
              (random() * 800)::int, 'provider', 0.001, round((random() * 0.02)::numeric, 9), NULL
         FROM generate_series(${from + 1}, ${Math.min(rows, from + batch)}) AS n`,
    );
  }
  await filling.query('VACUUM (ANALYZE) usage');
  console.log(`${rows} rows, made in ${((performance.now() - started) / 1000).toFixed(0)} s`);

  const query: BreakdownQuery = {
    organization: 'acme',
    range: { start: new Date('2026-11-01'), end: new Date('2026-12-01') },
    filter: {},
    groupBy: [],
    interval: null,
    zone: 'UTC',
    order: 'cost',
    limit: 100,
    percentiles: false,
  };
  const ask = (more: Partial<BreakdownQuery>) => async () => {
    const asked = { ...query, ...more };
    await fillSeries(pool, await breakdown(pool, asked), asked);
  };
  const questions: Record<string, () => Promise<unknown>> = {
    'all in one': ask({}),
    'by model': ask({ groupBy: ['model'] }),
    'by user': ask({ groupBy: ['user'] }),
    'by provider and model': ask({ groupBy: ['provider', 'model'] }),
    'by hour of the day, Berlin': ask({ groupBy: ['hour'], zone: 'Europe/Berlin' }),
    'a day each, Berlin': ask({ interval: 'day', zone: 'Europe/Berlin' }),
    'an hour each, by provider': ask({ groupBy: ['provider'], interval: 'hour' }),
    'by tag': ask({ groupBy: ['tag:team'] }),
    'one day, by model': ask({
      groupBy: ['model'],
      range: { start: new Date('2026-11-10'), end: new Date('2026-11-11') },
    }),
    'by model, with percentiles': ask({ groupBy: ['model'], percentiles: true }),
    'summary (percentiles, two periods)': () => summary(pool, query),
  };
  const table: Record<string, Record<string, string>> = {};
  for (const [name, question] of Object.entries(questions)) {
    if (plans) console.log(`\n# ${name}`);
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const before = performance.now();
      await question();
      times.push(performance.now() - before);
    }
    times.sort((a, b) => a - b);
    table[name] = { 'median ms': (times[2] ?? 0).toFixed(0), 'least ms': (times[0] ?? 0).toFixed(0) };
  }
  console.table(table);
} finally {
  await filling.end();
  await pool.end();
  await postgres.stop();
}

/** Connections that tell their plans. */
function explained(url: string): string {
  const settings = ['log_min_duration=0', 'log_analyze=on', 'log_timing=off', 'log_buffers=on'];
  const options = settings.map((setting) => `-c auto_explain.${setting}`).join(' ');
  const all = `-c session_preload_libraries=auto_explain -c client_min_messages=log ${options}`;
  return `${url}&options=${encodeURIComponent(all)}`;
}

function tellPlan({ message = '' }: { message?: string | undefined }): void {
  const [query = ''] = message.split('Query Text: ').at(-1)?.split('(cost=', 1) ?? [];
  if (query.includes('FROM usage_adjustments') || told.has(query)) return;
  told.add(query);
  console.log(message);
}
