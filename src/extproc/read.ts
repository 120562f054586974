import type { Headers, RequestHead, ResponseHead } from '../exchange/messages.ts';
import type { HttpHeaders, ProcessingRequest } from './protocol.ts';

const attributesKey = 'envoy.filters.http.ext_proc';

function attribute(message: ProcessingRequest, name: string): string {
  return message.attributes?.[attributesKey]?.fields?.[name]?.stringValue ?? '';
}

function readHeaders(http: HttpHeaders): Headers {
  const headers = new Map<string, string>();
  for (const { key, raw_value, value } of http.headers?.headers ?? []) {
    const text = raw_value && raw_value.length > 0 ? raw_value.toString('latin1') : (value ?? '');
    const before = headers.get(key);
    headers.set(key, before === undefined ? text : `${before}, ${text}`);
  }
  return headers;
}

export function requestHead(http: HttpHeaders, message: ProcessingRequest): RequestHead {
  const headers = readHeaders(http);
  return {
    method: headers.get(':method') ?? '',
    path: headers.get(':path') ?? '/',
    headers,
    ip: attribute(message, 'source.address').replace(/:\d+$/, ''),
    ended: http.end_of_stream ?? false,
  };
}

export function readResponseHead(http: HttpHeaders, message: ProcessingRequest): ResponseHead {
  const headers = readHeaders(http);
  const details = attribute(message, 'response.code_details');
  return {
    status: Number(headers.get(':status') ?? 0),
    headers,
    ended: http.end_of_stream ?? false,
    fromProvider: details === 'via_upstream' || details === '',
    details,
  };
}
