import { CannotGather } from '../gather.ts';
import { asArray, asObject, type JsonObject } from '../json.ts';
import { objectsOf, replayOf } from '../replay.ts';
import { eventsOf } from './events.ts';
import { labelled, relabelled } from './labels.ts';

export const replay = replayOf({
  plainType: 'application/json',
  streamType: () => 'text/event-stream; charset=utf-8',
  whole: (kept, { labels }) => labelled(wholeOf(objectsOf(kept)), labels),
  stream: (answer, { labels }) => eventsOf(labelled(answer, labels)),
  same: relabelled,
});

/** The last event has the whole response; a few leave its output to the items that came before. */
function wholeOf(events: JsonObject[]): JsonObject {
  const items = events
    .filter(({ type }) => type === 'response.output_item.done')
    .sort((a, b) => Number(a.output_index) - Number(b.output_index))
    .map(({ item }) => item);
  const end = events.findLast(({ type }) => type === 'response.completed' || type === 'response.incomplete');
  const response = asObject(end?.response);
  if (!response) throw new CannotGather('it has no end');
  const output = asArray(response.output);
  if (output.length === items.length) return response;
  if (output.length > 0) throw new CannotGather('its items differ from its output');
  return { ...response, output: items };
}
