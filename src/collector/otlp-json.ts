import { z } from 'zod';
import { type Encoding, milliseconds } from './otlp.ts';

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

const anyValue = z
  .object({
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
  })
  .nullish()
  .transform(
    (value) => value?.stringValue ?? value?.boolValue ?? value?.intValue ?? value?.doubleValue ?? null,
  );

const attributes = list(z.object({ key: z.string(), value: anyValue })).transform(
  (pairs) =>
    new Map(
      pairs.flatMap(({ key, value }): [string, string | number | boolean][] =>
        value === null ? [] : [[key, value]],
      ),
    ),
);

const span = z
  .object({
    traceId: id,
    spanId: id,
    parentSpanId: id,
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes,
  })
  .transform(({ parentSpanId, startTimeUnixNano, endTimeUnixNano, ...rest }) => ({
    ...rest,
    parentSpanId: parentSpanId || null,
    startedAt: startTimeUnixNano,
    endedAt: endTimeUnixNano,
  }));

const logRecord = z
  .object({ timeUnixNano: time, attributes })
  .transform(({ timeUnixNano, ...rest }) => ({ ...rest, at: timeUnixNano }));

const traceRequest = z
  .object({ resourceSpans: list(z.object({ scopeSpans: list(z.object({ spans: list(span) })) })) })
  .transform(({ resourceSpans }) =>
    resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap(({ spans }) => spans)),
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
