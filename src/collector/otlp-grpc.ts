import type { handleUnaryCall, ServiceDefinition } from '@grpc/grpc-js';
import grpc from '@grpc/grpc-js';
import type { ByteBudget } from '../cache/byte-budget.ts';
import { formatAddress } from '../config/address.ts';
import type { Address } from '../config/schema.ts';
import { serverCredentials, type TlsFiles } from '../config/tls.ts';
import type { Workload } from '../identity/identity.ts';
import { type ReadWorkload, readBearer } from '../identity/workloads.ts';
import { type Answer, busy, type Ingest } from './ingest.ts';
import { code, maxRequestBytes, type Signal } from './otlp.ts';
import { protobufEncoding } from './otlp-protobuf.ts';

const paths: Record<Signal, string> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
};

// Every OTLP client repeats UNAVAILABLE; RESOURCE_EXHAUSTED only one that looks for RetryInfo.
const codes = { malformed: code.invalidArgument, busy: code.unavailable, unavailable: code.unavailable };

/** The door for sidecars: TLS, and each shows the token of its workload. */
export interface SidecarDoor {
  tls: TlsFiles | undefined;
  workloads: ReadWorkload;
}

/** OTLP over gRPC: traces and logs; at the door for sidecars logs alone, for anyone may stand there. */
export function createOtlpGrpc(options: {
  address: Address;
  ingest: Ingest;
  budget: ByteBudget;
  sidecars?: SidecarDoor;
}) {
  const { address, ingest, budget, sidecars } = options;
  const server = new grpc.Server({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_concurrent_streams': 128,
  });

  async function exportHeld(signal: Signal, body: Buffer, workload?: Workload): Promise<Answer> {
    if (!budget.take(body.length)) return busy;
    try {
      return await ingest({ signal, encoding: protobufEncoding, body, ...(workload && { workload }) });
    } finally {
      budget.give(body.length);
    }
  }

  function addExport(signal: Signal): void {
    const handler: handleUnaryCall<Buffer, Buffer> = (call, callback) => {
      const known = sidecars
        ? readBearer(call.metadata.get('authorization')[0], sidecars.workloads)
        : undefined;
      Promise.resolve(known).then(async (workload) => {
        if (workload === null) {
          callback({ code: grpc.status.UNAUTHENTICATED, details: 'no valid token of a workload' });
          return;
        }
        const answer = await exportHeld(signal, call.request, workload);
        if (answer.kind === 'taken') {
          callback(null, protobufEncoding.encodeResponse(signal, answer.partial));
          return;
        }
        const { message, retryAfterMs } = answer;
        const status = { code: codes[answer.kind], message, retryAfterMs };
        const metadata = new grpc.Metadata();
        metadata.set('grpc-status-details-bin', protobufEncoding.encodeStatus(status));
        callback({ code: status.code, details: message, metadata });
      });
    };
    server.addService(exportService(paths[signal]), { Export: handler });
  }
  if (!sidecars) addExport('traces');
  addExport('logs');

  return {
    /** Resolves to the address bound; rejects when it is taken. */
    async start(): Promise<Address> {
      const { host } = address;
      const target = formatAddress(address);
      const credentials = sidecars
        ? serverCredentials(sidecars.tls)
        : grpc.ServerCredentials.createInsecure();
      const port = await new Promise<number>((resolve, reject) => {
        server.bindAsync(target, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
      });
      return { host, port };
    },
    /** Takes no new calls, answers those under way, and cuts what is left after `timeoutMs`. */
    async stop(timeoutMs: number): Promise<void> {
      await new Promise<void>((resolve) => {
        const cut = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, timeoutMs);
        server.tryShutdown(() => {
          clearTimeout(cut);
          resolve();
        });
      });
    },
  };
}

/** Messages pass as bytes, so that both transports decode alike and only after there is room. */
function exportService(path: string): ServiceDefinition {
  const same = (bytes: Buffer) => bytes;
  return {
    Export: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  };
}
