import { z } from 'zod';
import { type Encoding, milliseconds, statusError } from './otlp.ts';

/** OTLP in JSON: protobuf's JSON form, save that ids are hex. Unknown members are passed over. */
const id = z
  .string()
  .regex(/^([0-9a-f]{2})*$/i, 'an id in hex')
  .transform((text) => text.toLowerCase())
  .nullish()
  .transform((text) => text ?? '');

const list = <T extends z.ZodType>(of: T) =>
  z
    .array(of)
    .nullish()
    .transform((items) => items ?? []);

const integer = z.number().refine(Number.isInteger, 'an integer');

const time = z
  .union([z.string().regex(/^\d{1,20}$/, 'nanoseconds since 1970'), integer.min(0).max(2 ** 64)])
  .nullish()
  .transform((nanoseconds) => milliseconds(BigInt(nanoseconds ?? 0)));

const scalar = z.object({
  stringValue: z.string().nullish(),
  boolValue: z.boolean().nullish(),
  intValue: z
    .union([
      integer,
      z
        .string()
        .regex(/^-?\d{1,19}$/, 'an integer')
        .transform(Number),
    ])
    .nullish(),
  doubleValue: z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity']).transform(Number)]).nullish(),
});

function scalarOf(value: z.output<typeof scalar>): string | number | boolean | null {
  return value.stringValue ?? value.boolValue ?? value.intValue ?? value.doubleValue ?? null;
}

const anyValue = scalar
  .extend({ arrayValue: z.object({ values: list(scalar) }).nullish() })
  .nullish()
  .transform((value) => {
    if (!value) return null;
    const items = value.arrayValue?.values.flatMap((each) => scalarOf(each) ?? []);
    return scalarOf(value) ?? (items ? JSON.stringify(items) : null);
  });

const attributes = list(z.object({ key: z.string(), value: anyValue })).transform(
  (pairs) =>
    new Map(
      pairs.flatMap(({ key, value }): [string, string | number | boolean][] =>
        value === null ? [] : [[key, value]],
      ),
    ),
);

/** Enumerations are numbers; some senders write their names all the same. */
const kinds: Record<string, number> = {
  SPAN_KIND_UNSPECIFIED: 0,
  SPAN_KIND_INTERNAL: 1,
  SPAN_KIND_SERVER: 2,
  SPAN_KIND_CLIENT: 3,
  SPAN_KIND_PRODUCER: 4,
  SPAN_KIND_CONSUMER: 5,
};

const span = z
  .object({
    traceId: id,
    spanId: id,
    parentSpanId: id,
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes,
    name: z
      .string()
      .nullish()
      .transform((name) => name ?? ''),
    kind: z
      .union([z.int(), z.enum(Object.keys(kinds)).transform((name) => kinds[name] ?? 0)])
      .nullish()
      .transform((kind) => kind ?? 0),
    status: z.object({ code: z.union([z.int(), z.string()]).nullish() }).nullish(),
  })
  .transform(({ parentSpanId, startTimeUnixNano, endTimeUnixNano, status, ...rest }) => ({
    ...rest,
    failed: status?.code === statusError || status?.code === 'STATUS_CODE_ERROR',
    parentSpanId: parentSpanId || null,
    startedAt: startTimeUnixNano,
    endedAt: endTimeUnixNano,
  }));

const logRecord = z
  .object({ timeUnixNano: time, attributes })
  .transform(({ timeUnixNano, ...rest }) => ({ ...rest, at: timeUnixNano }));

const traceRequest = z
  .object({
    resourceSpans: list(
      z.object({
        resource: z.object({ attributes }).nullish(),
        scopeSpans: list(z.object({ spans: list(span) })),
      }),
    ),
  })
  .transform(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const whose = { resource: resource?.attributes ?? new Map() };
      return scopeSpans.flatMap(({ spans }) => spans.map((each) => ({ ...each, ...whose })));
    }),
  );

const logsRequest = z
  .object({ resourceLogs: list(z.object({ scopeLogs: list(z.object({ logRecords: list(logRecord) })) })) })
  .transform(({ resourceLogs }) =>
    resourceLogs.flatMap((resource) => resource.scopeLogs.flatMap(({ logRecords }) => logRecords)),
  );

export const jsonEncoding: Encoding = {
  contentType: 'application/json',
  decodeSpans: (body) => parse(traceRequest, body),
  decodeLogs: (body) => parse(logsRequest, body),

  encodeResponse(signal, partial) {
    if (!partial) return json({});
    const rejected = signal === 'traces' ? 'rejectedSpans' : 'rejectedLogRecords';
    return json({ partialSuccess: { [rejected]: String(partial.rejected), errorMessage: partial.reason } });
  },

  encodeStatus({ code, message, retryAfterMs }) {
    if (retryAfterMs === undefined) return json({ code, message });
    const retryDelay = `${retryAfterMs / 1_000}s`;
    return json({
      code,
      message,
      details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }],
    });
  },
};

function parse<T>(schema: z.ZodType<T>, body: Buffer): T {
  const result = schema.safeParse(JSON.parse(body.toString('utf8')));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new Error(issue ? `${issue.path.join('.')}: ${issue.message}` : 'not an OTLP request');
}

function json(value: object): Buffer {
  return Buffer.from(JSON.stringify(value));
}
