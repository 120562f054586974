import { z } from 'zod';
import { alertsConfig } from './alerts.ts';
import { collectorConfig } from './collector.ts';
import { kubernetesSchema } from './kubernetes.ts';
import { modelSchema } from './model.ts';
import { organizationsSchema, workloadsSchema } from './organizations.ts';
import { policySchema } from './policy/policy.ts';
import { address, day, duration, name, size, url } from './values.ts';

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
  auth: z
    .enum(['aws', 'google', 'azure'])
    .optional()
    .describe(
      'In place of a key, what the cloud gives to this machine: `aws` signs requests (Bedrock), `google` takes Application Default Credentials (Vertex AI), `azure` Entra ID (Azure OpenAI).',
    ),
  region: z.string().min(1).optional().describe('With `auth: aws`; default: as the host tells it.'),
  profile: z
    .string()
    .min(1)
    .optional()
    .describe('With `auth: aws`: of the shared files; default: AWS_PROFILE.'),
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

const endpoint = z.strictObject({
  url: url.describe('Base URL: `/v1/traces` is put behind it.'),
  headers: z.record(z.string(), z.string()).prefault({}).describe('Headers that go with each request.'),
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

/** Nothing is refused, nothing is kept, nothing is given to another model. */
const lookDontTouch: z.input<typeof policySchema> = {
  cache: { mode: 'shadow', single_flight: false },
  limits: [],
  routing: { mode: 'off' },
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
      sidecars: address
        .optional()
        .describe(
          'Access logs of sidecars to the collector, over gRPC with `tls`; each shows the token of its workload.',
        ),
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
      listen: z
        .union([z.literal('unix'), address], {
          error: 'unix, or an address such as 0.0.0.0:9443',
        })
        .default('unix')
        .describe('`unix`: sockets in the data directory, for an Envoy beside it; an address takes `tls`.'),
      address: z
        .union([z.ipv4(), z.ipv6()], { error: 'an IP address such as 10.0.0.7' })
        .optional()
        .describe(
          'On an address: the IP address at which Envoys reach this processor and no other, with the port of `listen`. Attempts of a call must come to the one that has it (docs/fallback.md). Default: the host of `listen`, where it is one address.',
        ),
      drain: duration
        .prefault('10m')
        .describe('On an address: how long calls that run may take to end when the processor is stopped.'),
      workers: z
        .int()
        .min(1)
        .max(64)
        .default(1)
        .describe('Number of processor processes; more than one needs Redis.'),
      egress: z
        .url({ protocol: /^https?$/, error: 'a URL such as http://weir-gateway:10000' })
        .transform((url) => url.replace(/\/+$/, ''))
        .optional()
        .describe(
          'Where the processor reaches the egress listener, for calls of weir’s own: replays, and what a judge is asked. Default: `listen.egress` on its own machine.',
        ),
      on_failure: z
        .enum(['auto', 'open', 'closed'])
        .default('auto')
        .describe(
          'While no processor answers: `auto` and `open` let calls with the application’s own key go on unseen, `closed` refuses them, and so does `auto` where `defaults` has a hard budget. Calls with a weir key are always refused.',
        ),
    })
    .prefault({}),
  tls: z
    .strictObject({
      cert_file: z.string().describe('PEM file of the certificate; read anew when it changes.'),
      key_file: z.string().describe('PEM file of its key.'),
    })
    .optional(),
  providers: z.record(name, provider).prefault(builtinProviders),
  models: z
    .record(z.string().min(1), modelSchema)
    .prefault({})
    .describe('By the names that applications ask for; `claude-*` stands for all that begin so.'),
  price_agreements: z
    .array(agreement)
    .prefault([])
    .describe('Discounts and surcharges on the list price; all that apply are multiplied.'),
  defaults: policySchema.prefault({}),
  intercepted: policySchema
    .prefault(lookDontTouch)
    .describe(
      'The policy of intercepted calls that no organization has claimed by a key or a binding: look, do not touch.',
    ),
  alerts: alertsConfig.prefault({}),
  collector: collectorConfig.prefault({}),
  organizations: organizationsSchema,
  workloads: workloadsSchema,
  kubernetes: kubernetesSchema,
  encryption: z
    .strictObject({
      keys: z
        .array(
          z.strictObject({
            id: name.describe('How what is sealed names the key it was sealed with.'),
            key: z
              .base64('32 bytes in base64, as `openssl rand -base64 32` makes them')
              .refine((text) => Buffer.from(text, 'base64').length === 32, 'expected 32 bytes in base64')
              .describe('32 bytes in base64.'),
          }),
        )
        .prefault([])
        .describe(
          'Providers’ keys and kept answers are sealed with the first; the others open what was sealed before. Default: one of its own in the data directory. Processes on several machines need the same.',
        ),
    })
    .prefault({}),
  api: z
    .strictObject({
      trusted_proxies: z
        .array(
          z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
            error: 'an address or a range such as 10.0.0.0/8',
          }),
        )
        .prefault([])
        .describe(
          'Proxies in front of the API: they may say in X-Forwarded-For where a request came from, which the activity list tells.',
        ),
    })
    .prefault({}),
  retention: z
    .strictObject({
      answers: duration
        .prefault('24h')
        .describe(
          'How long answers stay in PostgreSQL at most, from where they are given again when Redis, or a process that was started anew, does not have them; `0s`: they do not go there.',
        ),
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
