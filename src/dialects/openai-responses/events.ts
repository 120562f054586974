import { asArray, asObject, type JsonObject } from '../json.ts';
import { typedEvent } from '../replay.ts';
import { itemEvents } from './item-events.ts';

/** An event before it has its number. */
export type Event = { type: string } & JsonObject;

/** A whole response as the events of a stream. */
export function eventsOf(response: JsonObject): string[] | null {
  const status = response.status;
  if (status !== 'completed' && status !== 'incomplete') return null;
  const begun = beginning(response);
  const events: Event[] = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
    ...asArray(response.output).flatMap((item, index) => itemEvents(asObject(item) ?? {}, index)),
    { type: `response.${status}`, response },
  ];
  return events.map((event, number) => typedEvent({ ...event, sequence_number: number }));
}

/** What is known when an answer begins. */
function beginning(response: JsonObject): JsonObject {
  const unknown = ['completed_at', 'incomplete_details', 'moderation', 'usage'].filter(
    (name) => name in response,
  );
  return {
    ...response,
    status: 'in_progress',
    output: [],
    ...Object.fromEntries(unknown.map((name) => [name, null])),
  };
}
