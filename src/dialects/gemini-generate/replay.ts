import type { KeptReply, WantedForm } from '../dialect.ts';
import { CannotGather } from '../gather.ts';
import { asObject, type JsonObject } from '../json.ts';
import { JsonArrayParser } from '../json-array.ts';
import { parseExact } from '../json-exact.ts';
import { asKept, type Given, isReadable, objectsOf, replayOf } from '../replay.ts';
import { SseParser } from '../sse.ts';
import { answerOf } from './assemble.ts';
import { chunksOf } from './chunks.ts';

/** A stream of Google comes as events where `alt=sse` asks for them, else as one list that grows. */
const asksEvents = ({ path }: WantedForm) => /[?&]alt=sse(&|$)/i.test(path);
const isEvents = ({ contentType }: KeptReply) => /^\s*text\/event-stream/i.test(contentType);

const listType = 'application/json; charset=UTF-8';
const streamType = (wanted: WantedForm) => (asksEvents(wanted) ? 'text/event-stream' : listType);

export const replay = replayOf({
  plainType: listType,
  streamType,
  whole: (kept) => answerOf(isEvents(kept) ? objectsOf(kept) : elementsOf(kept)),
  stream(answer, wanted) {
    const chunks = chunksOf(answer)?.map((chunk) => JSON.stringify(chunk));
    return chunks ? framed([chunks], wanted) : null;
  },
  same(kept, wanted) {
    if (!kept.streamed || isEvents(kept) === asksEvents(wanted)) return asKept(kept);
    return isReadable(kept) ? reframed(kept, wanted) : null;
  },
});

function elementsOf(kept: KeptReply): JsonObject[] {
  return textsOf(kept)
    .flat()
    .map((text) => asObject(parseExact(text)) ?? {});
}

/** The texts of the chunks of a stream, by the pieces in which it came. */
function textsOf(kept: KeptReply): string[][] {
  const sse = new SseParser();
  const list = new JsonArrayParser();
  return kept.chunks.map((chunk) =>
    isEvents(kept) ? sse.push(chunk).map(({ data }) => data) : list.push(chunk),
  );
}

/** The same chunks in the other frame; in as many pieces as they came in. */
function reframed(kept: KeptReply, wanted: WantedForm): Given {
  const texts = textsOf(kept).map((piece) => piece.map((text) => JSON.stringify(parseExact(text))));
  const chunks = framed(
    texts.filter((piece) => piece.length > 0),
    wanted,
  );
  if (chunks.length === 0) throw new CannotGather('it says nothing');
  return { contentType: streamType(wanted), chunks: chunks.map((chunk) => Buffer.from(chunk)) };
}

/** Pieces of a stream of these texts. */
function framed(pieces: string[][], wanted: WantedForm): string[] {
  const texts = pieces.length === 1 && pieces[0] ? pieces[0].map((text) => [text]) : pieces;
  if (asksEvents(wanted)) return texts.map((piece) => piece.map((text) => `data: ${text}\r\n\r\n`).join(''));
  return texts.map((piece, index) => {
    const start = index === 0 ? '[' : ',\r\n';
    return `${start}${piece.join(',\r\n')}${index === texts.length - 1 ? ']\n' : '\n'}`;
  });
}
