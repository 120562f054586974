import { objectsOf, replayOf } from '../replay.ts';
import { answerOf } from './assemble.ts';
import { eventsOf } from './events.ts';

export const replay = replayOf({
  plainType: 'application/json',
  streamType: () => 'text/event-stream',
  whole: (kept) => answerOf(objectsOf(kept)),
  stream: eventsOf,
});
