import { isFramed } from '../dialects/envelope.ts';
import type { ResponseHead } from './messages.ts';

/** The head of a stream in frames as if it came in events; any other as it is. */
export function unframed(head: ResponseHead): ResponseHead {
  if (!isFramed(head.headers.get('content-type') ?? '')) return head;
  return { ...head, headers: new Map(head.headers).set('content-type', 'text/event-stream') };
}
