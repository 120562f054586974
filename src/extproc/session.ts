import type { Logger } from 'pino';
import { names } from '../envoy/inputs.ts';
import type { Exchange, StartExchange } from '../exchange/exchange.ts';
import type { StartAttempt } from '../exchange/exchanges.ts';
import type { RequestHead } from '../exchange/messages.ts';
import { type ReadWorkload, readBearer } from '../identity/workloads.ts';
import { serveAttempt } from './attempt-session.ts';
import type { ProcessingRequest, ProcessingResponse, ProcessStream } from './protocol.ts';
import { readResponseHead, requestHead } from './read.ts';
import { forward, immediate, mark, patience, responseBody, responseHead, withoutBody } from './replies.ts';

/** What a side stream needs. */
export interface Served {
  start: StartExchange;
  /** null: there is no such call. */
  startAttempt: StartAttempt;
  log: Logger;
  /** null: tokens of workloads are not read. */
  workloads: ReadWorkload | null;
}

/**
 * One side stream of Envoy's: turns its messages into calls on an exchange, and what the exchange
 * decides into replies, in order. A fault of weir's own lets the call go on as it came: the guard
 * routes stop it if it carries a weir key.
 */
export function serve(stream: ProcessStream, { start, startAttempt, log, workloads }: Served): void {
  // The sidecar's Envoy shows the token of its pod. It is verified while the first message is read, and known
  // already for all streams of a token but the first.
  const workload = workloads && readBearer(stream.metadata.get('authorization')[0], workloads);
  if (isAttempt(stream)) {
    serveAttempt(stream, { startAttempt, workload, log });
    return;
  }
  const planned = plannedOf(stream);
  let exchange: Exchange | undefined;
  let tail = Promise.resolve();
  let over = false;

  const reply = (message: ProcessingResponse) => {
    if (!over) stream.write(message);
  };
  const finish = () => {
    if (over) return;
    over = true;
    // What is awaited in the queue may be what only this ends.
    exchange?.hangUp();
    tail = tail.then(() => exchange?.end());
    tail.catch((error: unknown) =>
      log.error({ err: error, exchange: exchange?.id }, 'exchange did not close'),
    );
  };

  stream.on('data', (message: ProcessingRequest) => {
    tail = tail
      .then(async () => {
        if (message.request === 'request_headers')
          exchange = start({
            ...requestHead(message.request_headers, message),
            workload: await workload,
            ...planned,
          });
        if (exchange) reply(await handle(exchange, message, reply));
      })
      .catch(async (error: unknown) => {
        log.error({ err: error, exchange: exchange?.id, phase: message.request }, 'exchange failed');
        await exchange?.passAsItCame();
        reply({ [message.request]: {}, ...(exchange && mark(exchange.id, true)) });
      });
  });
  // After the half-close of Envoy: what it sent before is still in the queue.
  stream.on('end', () => {
    tail = tail.then(() => {
      finish();
      stream.end();
    });
  });
  stream.on('cancelled', finish);
  stream.on('error', finish);
}

/** Envoy's filter says whose side it is on. */
export function isAttempt(stream: ProcessStream): boolean {
  return stream.metadata.get('x-weir-filter')[0] === 'attempt';
}

/** Providers that an Envoy elsewhere can try one after the other; one beside the processor does not tell. */
function plannedOf(stream: ProcessStream): Pick<RequestHead, 'planned'> {
  const [told] = stream.metadata.get(names.plannedHeader);
  return told === undefined ? {} : { planned: new Set(String(told).split(',')) };
}

async function handle(
  exchange: Exchange,
  message: ProcessingRequest,
  reply: (message: ProcessingResponse) => void,
): Promise<ProcessingResponse> {
  switch (message.request) {
    case 'request_headers': {
      const decision = await exchange.head();
      const known = mark(exchange.id, decision.kind !== 'read');
      if (decision.kind === 'answer') return { ...immediate(decision.answer), ...known };
      if (decision.kind === 'read') return { request_headers: { response: {} }, ...known };
      const request_headers = { response: forward(decision.edit) };
      // An upgrade is looked at by a filter that reads no bodies: nothing to override there.
      const bodiless = message.request_headers.end_of_stream || exchange.isUpgrade;
      return { request_headers, ...known, ...(!bodiless && { mode_override: withoutBody }) };
    }
    case 'request_body': {
      const first = await exchange.body(message.request_body.body ?? Buffer.alloc(0));
      if (first.kind === 'wait') reply(patience);
      const decision = first.kind === 'wait' ? await first.decided : first;
      if (decision.kind === 'answer') return { ...immediate(decision.answer), ...mark(exchange.id, true) };
      const response = forward(decision.edit, decision.body);
      return { request_body: { response }, ...mark(exchange.id, true, decision.plan) };
    }
    case 'response_headers':
      return responseHead(exchange.responseHead(readResponseHead(message.response_headers, message)));
    case 'response_body': {
      const { body, end_of_stream } = message.response_body;
      return responseBody(await exchange.responseBody(body ?? Buffer.alloc(0), end_of_stream ?? false));
    }
    default:
      return { [message.request]: {} };
  }
}
