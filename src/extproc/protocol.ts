import type { ServerDuplexStream, ServiceDefinition } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** The messages of proto/ext_proc.proto as proto-loader gives and takes them. */
export interface HeaderValue {
  key: string;
  value?: string;
  raw_value?: Buffer;
}

export interface HttpHeaders {
  headers: { headers: HeaderValue[] };
  end_of_stream: boolean;
}

export interface HttpBody {
  body: Buffer;
  end_of_stream: boolean;
}

export type ProcessingRequest = {
  attributes: Record<string, { fields: Record<string, { stringValue?: string }> }>;
} & (
  | { request: 'request_headers'; request_headers: HttpHeaders }
  | { request: 'response_headers'; response_headers: HttpHeaders }
  | { request: 'request_body'; request_body: HttpBody }
  | { request: 'response_body'; response_body: HttpBody }
  | { request: 'request_trailers' }
  | { request: 'response_trailers' }
);

export interface HeaderMutation {
  set_headers: { header: { key: string; raw_value: Buffer }; append_action: number }[];
  remove_headers: string[];
}

export interface CommonResponse {
  header_mutation?: HeaderMutation;
  body_mutation?: { body: Buffer } | { clear_body: true };
  clear_route_cache?: boolean;
}

export interface ProcessingMode {
  request_header_mode: number;
  response_header_mode: number;
  request_body_mode: number;
  response_body_mode: number;
  request_trailer_mode: number;
  response_trailer_mode: number;
}

export interface ProcessingResponse {
  request_headers?: { response: CommonResponse };
  response_headers?: { response: CommonResponse };
  request_body?: { response: CommonResponse };
  response_body?: { response: CommonResponse };
  request_trailers?: Record<string, never>;
  response_trailers?: Record<string, never>;
  immediate_response?: { status: { code: number }; headers: HeaderMutation; body: Buffer; details: string };
  /** By namespace. */
  dynamic_metadata?: { fields: Record<string, { structValue: Struct }> };
  mode_override?: ProcessingMode;
  override_message_timeout?: { seconds: number };
}

interface Struct {
  fields: Record<string, { stringValue: string } | { listValue: { values: { structValue: Struct }[] } }>;
}

export type ProcessStream = ServerDuplexStream<ProcessingRequest, ProcessingResponse>;

/** The service definition of envoy.service.ext_proc.v3.ExternalProcessor. */
export function loadService(): ServiceDefinition {
  const file = new URL('../../proto/ext_proc.proto', import.meta.url).pathname;
  const definition = loadSync(file, {
    keepCase: true,
    oneofs: true,
    enums: Number,
    longs: Number,
    defaults: false,
  });
  const service = definition['envoy.service.ext_proc.v3.ExternalProcessor'];
  if (!service || !isService(service)) throw new Error(`${file} has no service ExternalProcessor`);
  return service;
}

function isService(value: object): value is ServiceDefinition {
  return 'Process' in value;
}

export const { Server, ServerCredentials } = grpc;
