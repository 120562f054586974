import { objectsOf, replayOf } from '../replay.ts';
import { messageOf } from './assemble.ts';
import { eventsOf } from './events.ts';

export const replay = replayOf({
  plainType: 'application/json',
  streamType: () => 'text/event-stream; charset=utf-8',
  whole: (kept) => messageOf(objectsOf(kept)),
  stream: eventsOf,
});
