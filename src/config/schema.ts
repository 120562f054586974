import { z } from 'zod';

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `500ms`, `30s`, `24h` or `400d`; parsed to milliseconds. */
const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration such as 30s, 5m or 24h')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
    return Number(count) * units[unit as keyof typeof units];
  });

/** `host:port`, an IPv6 host in brackets; port 0 asks the system for a free one. */
const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/, 'an address such as 127.0.0.1:8080')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'a port up to 65535');

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');

const provider = z.strictObject({
  /** The family of dialects this provider speaks. */
  api: z.enum(['openai', 'anthropic', 'gemini', 'bedrock', 'cohere']),
  /** What one would give the provider's SDK. */
  base_url: z.url({ protocol: /^https?$/ }).transform((url) => url.replace(/\/+$/, '')),
  /** Put in at egress for callers who come with a weir key; empty: none. */
  api_key: z.string().default(''),
  /** PEM file of the roots that vouch for this provider, instead of the public ones. */
  ca_file: z.string().optional(),
});

const cache = z.strictObject({
  /** `all` stores and answers, `off` does neither. */
  mode: z.enum(['all', 'off']).default('all'),
  ttl: duration.prefault('24h'),
});

const limit = z.strictObject({
  name,
  per: z.enum(['ip', 'organization']),
  requests: z.int().positive(),
  window: duration.refine((ms) => ms >= 1_000, 'a window of at least 1s'),
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

/** The schema of weir.yaml; every key may be left out. Names: docs/configuration.md. */
export const configSchema = z.strictObject({
  listen: z
    .strictObject({
      egress: address.prefault('127.0.0.1:10000'),
      api: address.prefault('127.0.0.1:8080'),
      otlp_grpc: address.prefault('127.0.0.1:4317'),
      otlp_http: address.prefault('127.0.0.1:4318'),
    })
    .prefault({}),
  postgres: z.strictObject({ url: z.string().default('embedded') }).prefault({}),
  redis: z
    .strictObject({ url: z.union([z.string(), z.array(z.string()).min(1)]).default('memory') })
    .prefault({}),
  processor: z
    .strictObject({
      workers: z.int().min(1).max(64).default(1),
      on_failure: z.enum(['auto', 'open', 'closed']).default('auto'),
    })
    .prefault({}),
  providers: z.record(name, provider).prefault(builtinProviders),
  defaults: z
    .strictObject({
      cache: cache.prefault({}),
      /** `[]` turns limits off. */
      limits: z
        .array(limit)
        .refine(
          (list) => new Set(list.map((each) => each.name)).size === list.length,
          'every limit needs its own name',
        )
        .prefault([
          { name: 'per-ip', per: 'ip', requests: 100, window: '1m' },
          { name: 'per-organization', per: 'organization', requests: 1000, window: '1h' },
        ]),
    })
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info') })
    .prefault({}),
});

/** weir.yaml as read: defaults filled in, durations in milliseconds, addresses split. */
export type Config = z.output<typeof configSchema>;
export type Address = Config['listen']['api'];
export type ProviderConfig = Config['providers'][string];
export type LimitConfig = Config['defaults']['limits'][number];
