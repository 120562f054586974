import { z } from 'zod';

export const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A duration such as `500ms`, `30s`, `24h` or `400d`; parsed to milliseconds. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration such as 30s, 5m or 24h')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
    return Number(count) * units[unit as keyof typeof units];
  })
  .refine((ms) => ms <= 3650 * units.d, 'expected a duration of at most 3650d');

/** `host:port`, an IPv6 host in brackets; port 0 asks the system for a free one. */
export const address = z
  .string()
  .regex(/^(\[[0-9a-fA-F:.]+\]|[^:[\]\s]+):\d{1,5}$/, 'an address such as 127.0.0.1:8080')
  .transform((text) => {
    const colon = text.lastIndexOf(':');
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected a port up to 65535');

const sizes = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A size such as `64MiB`; parsed to bytes. */
export const size = z
  .string()
  .regex(/^\d{1,6}(KiB|MiB|GiB)$/, 'a size such as 64MiB or 1GiB')
  .transform((text) => {
    const [, count, unit] = /^(\d+)(\w+)$/.exec(text) ?? [];
    return Number(count) * sizes[unit as keyof typeof sizes];
  });

export const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'lower-case letters, digits and dashes');

export const url = z.url({ protocol: /^https?$/, error: 'a URL such as http://otel-collector:4318' });

/** A price in USD as decimal text: a number of YAML would be a binary float. */
export const usd = z
  .union([z.string(), z.number().transform((value) => value.toFixed(12).replace(/\.?0+$/, ''))])
  .refine((text) => /^\d+(\.\d{1,12})?$/.test(text), 'expected a price such as 2.50');

export const day = z.iso.date('a date such as 2026-01-31');
