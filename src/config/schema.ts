import { z } from 'zod';

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `500ms`, `30s`, `24h` or `400d`; parsed to milliseconds. */
const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration such as 30s, 5m or 24h')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
    return Number(count) * units[unit as keyof typeof units];
  })
  .refine((ms) => ms <= 3650 * units.d, 'expected a duration of at most 3650d');

/** `host:port`, an IPv6 host in brackets; port 0 asks the system for a free one. */
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/, 'an address such as 127.0.0.1:8080')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected a port up to 65535');

const sizes = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A size such as `64MiB`; parsed to bytes. */
const size = z
  .string()
  .regex(/^\d{1,6}(KiB|MiB|GiB)$/, 'a size such as 64MiB or 1GiB')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(\w+)$/.exec(text) ?? [];
    return Number(count) * sizes[unit as keyof typeof sizes];
  });

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');

const provider = z.strictObject({
  api: z
    .enum(['openai', 'anthropic', 'gemini', 'bedrock', 'cohere'])
    .describe('The family of dialects that the provider speaks.'),
  base_url: z
    .url({ protocol: /^https?$/, error: 'a URL such as https://api.example.com/v1' })
    .transform((url) => url.replace(/\/+$/, ''))
    .describe('What one would give the SDK of the provider.'),
  api_key: z
    .string()
    .default('')
    .describe('Put in for callers who come with a weir key; empty: callers bring their own.'),
  key_header: z
    .string()
    .regex(/^[a-z0-9-]+$/, 'a header name in lower case')
    .optional()
    .describe('The header that the key is put into; default: that of the family, `api-key` with Azure.'),
  ask_usage: z
    .boolean()
    .optional()
    .describe(
      'Streams in OpenAI’s form tell their usage only when asked: weir asks, and takes it out of the stream again. Default: yes, save with providers that tell it unasked or refuse the question.',
    ),
  ca_file: z
    .string()
    .optional()
    .describe('PEM file of the roots that vouch for the provider, instead of the public ones.'),
});

const cache = z.strictObject({
  mode: z
    .enum(['all', 'off'])
    .default('all')
    .describe('`all` keeps answers and gives them, `off` does neither.'),
  ttl: duration.prefault('24h').describe('How long an answer is kept.'),
});

const limit = z.strictObject({
  name: name.describe('How errors call the limit; each has its own.'),
  per: z.enum(['ip', 'organization']).describe('What is counted apart.'),
  requests: z.int().positive().describe('Requests allowed in a window.'),
  // Redis counts in seconds; in memory a timer ends the window, and timers run 24 days at most.
  window: duration
    .refine(
      (ms) => ms >= units.s && ms <= 24 * units.d && ms % units.s === 0,
      'expected a window of whole seconds, from 1s to 24d',
    )
    .describe('Length of a window, which begins with its first request.'),
});

const url = z.url({ protocol: /^https?$/, error: 'a URL such as http://otel-collector:4318' });

const endpoint = z.strictObject({
  url: url.describe('Base URL: `/v1/traces` is put behind it.'),
  headers: z.record(z.string(), z.string()).prefault({}).describe('Headers that go with each request.'),
});

/** A price in USD as decimal text: a number of YAML would be a binary float. */
const usd = z
  .union([z.string(), z.number().transform((value) => value.toFixed(12).replace(/\.?0+$/, ''))])
  .refine((text) => /^\d+(\.\d{1,12})?$/.test(text), 'expected a price such as 2.50');

const day = z.iso.date('a date such as 2026-01-31');

const model = z.strictObject({
  provider: name.optional().describe('Only with this provider; default: with all.'),
  price: z
    .partialRecord(
      z.enum([
        'input_mtok',
        'output_mtok',
        'cache_read_mtok',
        'cache_write_mtok',
        'cache_write_1h_mtok',
        'input_audio_mtok',
        'output_audio_mtok',
        'output_image_mtok',
        'requests_kcount',
        'web_searches_kcount',
      ]),
      usd,
    )
    .optional()
    .describe('USD for a million tokens (`…_mtok`) or a thousand uses (`…_kcount`), in place of the list.'),
  context_window: z.int().positive().optional().describe('Tokens of prompt and answer together.'),
});

const agreement = z.strictObject({
  name: name.describe('How the ledger calls it.'),
  percent: z
    .number()
    .min(-100)
    .max(1000)
    .describe('What is put on the list price, or with a minus taken off.'),
  provider: name.optional().describe('Only with this provider.'),
  model: z.string().optional().describe('Only for this model, as the provider names it.'),
  credential: z.string().optional().describe('Only for calls that this key of the provider pays.'),
  from: day.optional().describe('From this day on, in UTC.'),
  until: day.optional().describe('Before this day, in UTC.'),
});

/** Known without being configured; what weir.yaml says of one of them is put on top. */
export const builtinProviders: Record<string, z.input<typeof provider>> = {
  openai: { api: 'openai', base_url: 'https://api.openai.com/v1', api_key: '${OPENAI_API_KEY:-}' },
  anthropic: { api: 'anthropic', base_url: 'https://api.anthropic.com', api_key: '${ANTHROPIC_API_KEY:-}' },
  gemini: {
    api: 'gemini',
    base_url: 'https://generativelanguage.googleapis.com',
    api_key: '${GEMINI_API_KEY:-}',
  },
  groq: { api: 'openai', base_url: 'https://api.groq.com/openai/v1', api_key: '${GROQ_API_KEY:-}' },
};

const postgresUrl = z
  .string()
  .regex(/^(embedded$|postgres(ql)?:\/\/.)/, 'embedded, or a URL such as postgres://user@host:5432/weir');

const redisUrl = z.string().regex(/^rediss?:\/\/[^/]/, 'a URL such as redis://host:6379');

/** The schema of weir.yaml; every key may be left out. Told to people in docs/configuration.md. */
export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      egress: address.prefault('127.0.0.1:10000').describe('Where applications send their LLM calls.'),
      api: address.prefault('127.0.0.1:8080').describe('The API for people and programs.'),
      otlp_grpc: address
        .prefault('127.0.0.1:4317')
        .describe('OpenTelemetry data to the collector, over gRPC.'),
      otlp_http: address
        .prefault('127.0.0.1:4318')
        .describe('OpenTelemetry data to the collector, over HTTP.'),
    })
    .prefault({}),
  postgres: z
    .strictObject({
      url: postgresUrl
        .default('embedded')
        .describe('`embedded`: a PostgreSQL of its own in the data directory; else `postgres://…`.'),
    })
    .prefault({}),
  redis: z
    .strictObject({
      url: z
        .union([z.literal('memory'), redisUrl, z.array(redisUrl).min(1)], {
          error: 'expected memory, a URL such as redis://host:6379, or a list of URLs (nodes of a Cluster)',
        })
        .default('memory')
        .describe(
          '`memory`: the process keeps answers and counts by itself; else `redis://…`, `rediss://…`, or a list of nodes of one Cluster, which all take the credentials of the first.',
        ),
    })
    .prefault({}),
  processor: z
    .strictObject({
      workers: z
        .int()
        .min(1)
        .max(64)
        .default(1)
        .describe('Number of processor processes; more than one needs Redis.'),
      on_failure: z
        .enum(['auto', 'open', 'closed'])
        .default('auto')
        .describe(
          'While no processor answers: `auto` and `open` let calls with the application’s own key go on unseen, `closed` refuses them. Calls with a weir key are always refused.',
        ),
    })
    .prefault({}),
  providers: z.record(name, provider).prefault(builtinProviders),
  models: z.record(z.string().min(1), model).prefault({}),
  price_agreements: z
    .array(agreement)
    .prefault([])
    .describe('Discounts and surcharges on the list price; all that apply are multiplied.'),
  defaults: z
    .strictObject({
      cache: cache.prefault({}),
      limits: z
        .array(limit)
        .refine(
          (list) => new Set(list.map((each) => each.name)).size === list.length,
          'every limit needs its own name',
        )
        .prefault([
          { name: 'per-ip', per: 'ip', requests: 100, window: '1m' },
          { name: 'per-organization', per: 'organization', requests: 1000, window: '1h' },
        ])
        .describe('Each call counts against all of them; `[]` turns limits off.'),
    })
    .prefault({}),
  journal: z
    .strictObject({
      max_size: size
        .prefault('1GiB')
        .describe('Usage that no endpoint has taken yet may fill so much disk; then the newest is dropped.'),
      sync: duration
        .optional()
        .describe(
          'How much usage a power loss may cost: the journal is forced to the disk so often. Default: when the system likes; a killed process costs nothing either way.',
        ),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      otlp: z
        .array(endpoint)
        .prefault([])
        .describe('OTLP endpoints over HTTP that get the usage spans as well: a collector, Tempo, Jaeger.'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('The least that is logged; at `info` one line a call.'),
    })
    .prefault({}),
});

/** weir.yaml as read: defaults filled in, durations in milliseconds, addresses split. */
export type Config = z.output<typeof configSchema>;
export type Address = Config['listen']['api'];
export type ProviderConfig = Config['providers'][string];
export type LimitConfig = Config['defaults']['limits'][number];
