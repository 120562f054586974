import { status } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type Attempt, maxHeldMs, type Released } from '../exchange/attempt.ts';
import type { StartAttempt } from '../exchange/exchanges.ts';
import type { BodyEdit } from '../exchange/messages.ts';
import type { ReadWorkload } from '../identity/workloads.ts';
import type { ProcessingRequest, ProcessingResponse, ProcessStream } from './protocol.ts';
import { readResponseHead, requestHead } from './read.ts';
import { forward, responseBody, responseHead } from './replies.ts';

/**
 * The side stream of one attempt. Its head is answered when the attempt knows that it is one: chunks that come
 * before wait with it. A fault of weir's own ends the attempt: nothing goes to a provider as it came.
 */
export function serveAttempt(
  stream: ProcessStream,
  {
    startAttempt,
    workload,
    log,
  }: { startAttempt: StartAttempt; workload: ReturnType<ReadWorkload>; log: Logger },
): void {
  let attempt: Attempt | undefined;
  let tail = Promise.resolve();
  let over = false;
  /** Chunks whose reply waits for that of the head; null: it has been given. */
  let waiting: number | null = null;
  let timer: NodeJS.Timeout | undefined;

  const reply = (message: ProcessingResponse) => {
    if (!over) stream.write(message);
  };
  const finish = () => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    tail = tail.then(() => attempt?.end());
    tail.catch(failed);
  };
  const failed = (error: unknown) => {
    log.error({ err: error, exchange: attempt?.id }, 'an attempt failed');
    stream.emit('error', { code: status.INTERNAL, message: 'an attempt failed' });
    finish();
  };
  const next = (work: () => Promise<void>) => {
    tail = tail.then(work).catch(failed);
  };

  /** The head, then what has come since: in the place of the last chunk, for the others nothing. */
  function go({ edit, body }: Released & { kind: 'goes' }): void {
    clearTimeout(timer);
    // The body comes in chunks in any case: the filter is made so.
    reply(responseHead({ observe: 'nothing', edit }));
    const chunks = waiting ?? 0;
    waiting = null;
    for (let at = 1; at < chunks; at++) reply(responseBody({ body: Buffer.alloc(0) }));
    if (chunks > 0) reply(responseBody(body ?? {}));
  }

  async function handle(each: Attempt, message: ProcessingRequest): Promise<void> {
    switch (message.request) {
      case 'request_body': {
        const decision = await each.body(message.request_body.body ?? Buffer.alloc(0));
        if (decision.kind === 'answer') throw new Error('an attempt answers nothing by itself');
        return reply({ request_body: { response: forward(decision.edit, decision.body) } });
      }
      case 'response_headers': {
        const released = each.responseHead(readResponseHead(message.response_headers, message));
        waiting = 0;
        if (released.kind === 'goes') return go(released);
        timer = setTimeout(() => next(expire), maxHeldMs);
        return;
      }
      case 'response_body': {
        const { body, end_of_stream } = message.response_body;
        if (waiting !== null) waiting++;
        const result = await each.responseBody(body ?? Buffer.alloc(0), end_of_stream ?? false);
        if (!isReleased(result)) return reply(responseBody(result));
        if (result.kind === 'goes') go(result);
        return;
      }
      case 'response_trailers': {
        // A body that trailers follow has no end of its own.
        const released = waiting === null ? null : await each.release(true);
        if (released?.kind === 'goes') go(released);
        return reply({ response_trailers: {} });
      }
      default:
        return reply({ [message.request]: {} });
    }
  }

  async function expire(): Promise<void> {
    const released = await attempt?.expire();
    if (released?.kind === 'goes' && waiting !== null) go(released);
  }

  stream.on('data', (message: ProcessingRequest) => {
    next(async () => {
      if (over) return;
      if (message.request === 'request_headers') {
        const head = { ...requestHead(message.request_headers, message), workload: await workload };
        attempt = startAttempt(head) ?? undefined;
        if (!attempt) throw new Error('there is no call of this attempt');
        return reply({ request_headers: { response: {} } });
      }
      if (attempt) await handle(attempt, message);
    });
  });
  stream.on('end', () => {
    tail = tail.then(() => {
      finish();
      stream.end();
    });
  });
  stream.on('cancelled', finish);
  stream.on('error', finish);
}

function isReleased(result: Released | BodyEdit): result is Released {
  return 'kind' in result;
}
