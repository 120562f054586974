import { isEventStream, noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asObject, asString } from '../json.ts';
import { observeEvents } from '../stream.ts';
import { BoundedText } from '../text.ts';
import { responseFacts } from './response.ts';

/** Of reasoning only the summary or the open text can be seen. */
const deltas = new Set([
  'response.output_text.delta',
  'response.refusal.delta',
  'response.function_call_arguments.delta',
  'response.custom_tool_call_input.delta',
  'response.reasoning_text.delta',
  'response.reasoning_summary_text.delta',
]);

/** The last event with a `response` in it has the usage: completed, incomplete or failed. */
export function observeStream(head: ReplyHead): StreamObserver | null {
  if (!isEventStream(head)) return null;
  const text = new BoundedText();
  let facts = noFacts;
  return observeEvents({
    read(event) {
      const type = asString(event.type) ?? '';
      const response = asObject(event.response);
      if (deltas.has(type)) text.add(event.delta);
      else if (response) facts = responseFacts(response);
      else if (type === 'error') {
        const code = asString(event.code) ?? asString(asObject(event.error)?.code);
        facts = { ...facts, error: code ?? 'error', complete: false };
      }
    },
    facts: () => ({ ...facts, pending: false, text: text.seen() }),
  });
}
