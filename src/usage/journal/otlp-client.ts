import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Agent, request } from 'undici';

/** How an endpoint answered a batch. `wait`: try the same again later. */
export type SendResult =
  | { kind: 'taken'; partial: boolean }
  | { kind: 'refused'; reason: string }
  | { kind: 'wait'; reason: string; retryAfterMs: number };

/** Sends spans, each an ExportTraceServiceRequest of its own: put one behind the other they are one request. */
export type Send = (spans: Buffer[], signal: AbortSignal) => Promise<SendResult>;

/** `url` is the base URL: `/v1/traces` is put behind it. */
export interface OtlpEndpoint {
  url: string;
  headers: Record<string, string>;
}

const compress = promisify(gzip);
const timeoutMs = 10_000;

/** OTLP over HTTP with protobuf and gzip, to `<url>/v1/traces` (opentelemetry.io/docs/specs/otlp). */
export function createOtlpClient(endpoint: OtlpEndpoint): { send: Send; close(): Promise<void> } {
  const dispatcher = new Agent({
    connections: 2,
    connect: { timeout: 3_000 },
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const target = `${endpoint.url.replace(/\/+$/, '')}/v1/traces`;

  const send: Send = async (spans, signal) => {
    try {
      const body = await compress(Buffer.concat(spans), { level: 1 });
      const headers = {
        ...endpoint.headers,
        'content-type': 'application/x-protobuf',
        'content-encoding': 'gzip',
      };
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      const response = await request(target, { method: 'POST', headers, body, dispatcher, signal: limit });
      const text = await response.body.text();
      const { statusCode } = response;
      // An empty answer is full success; else it tells how many spans were refused.
      if (statusCode >= 200 && statusCode < 300) return { kind: 'taken', partial: text !== '' };
      const reason = `${target}: ${statusCode} ${text.slice(0, 200)}`;
      if (![408, 429, 500, 502, 503, 504].includes(statusCode)) return { kind: 'refused', reason };
      const after = Number(response.headers['retry-after']);
      return { kind: 'wait', reason, retryAfterMs: Number.isFinite(after) ? Math.min(after, 60) * 1000 : 0 };
    } catch (error) {
      return {
        kind: 'wait',
        reason: `${target}: ${error instanceof Error ? error.message : String(error)}`,
        retryAfterMs: 0,
      };
    }
  };
  return { send, close: () => dispatcher.destroy() };
}
