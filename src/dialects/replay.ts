import type { Dialect, KeptReply, WantedForm } from './dialect.ts';
import { CannotGather } from './gather.ts';
import { asObject, type JsonObject } from './json.ts';
import { parseExact } from './json-exact.ts';
import { type ServerSentEvent, SseParser } from './sse.ts';

type Replay = NonNullable<Dialect['replay']>;
export type Given = NonNullable<ReturnType<Replay>>;

/** The two forms of a dialect's answers, and how each is made of the other. null: it cannot be. */
export interface Forms {
  /** Content types, as the provider sends them. */
  plainType: string;
  streamType(wanted: WantedForm): string;
  /** The whole of a stream. May throw CannotGather. */
  whole(kept: KeptReply, wanted: WantedForm): JsonObject | null;
  /** A whole answer as the texts of the chunks of a stream. May throw CannotGather. */
  stream(answer: JsonObject, wanted: WantedForm): string[] | null;
  /** An answer that was kept in the form that is wanted; without this it is given byte for byte. */
  same?(kept: KeptReply, wanted: WantedForm): Given | null;
}

/** Larger answers are given in the form in which they came only: their parts are not read. */
const maxBytes = 4 * 1024 * 1024;

export function replayOf(forms: Forms): Replay {
  return (kept, wanted) => {
    const contentType = wanted.streamed ? forms.streamType(wanted) : forms.plainType;
    try {
      if (kept.streamed === wanted.streamed) {
        return forms.same ? forms.same(kept, wanted) : asKept(kept);
      }
      if (!isReadable(kept)) return null;
      if (!wanted.streamed) {
        const whole = forms.whole(kept, wanted);
        return whole && { contentType, chunks: [Buffer.from(JSON.stringify(whole))] };
      }
      const answer = asObject(parseExact(textOf(kept)));
      const chunks = answer && forms.stream(answer, wanted);
      return chunks && { contentType, chunks: chunks.map((chunk) => Buffer.from(chunk)) };
    } catch (error) {
      if (error instanceof CannotGather || error instanceof SyntaxError || error instanceof RangeError)
        return null;
      throw error;
    }
  };
}

/** Byte for byte, in the pieces in which it came. */
export function asKept({ contentType, chunks }: KeptReply): Given {
  return { contentType, chunks: [...chunks] };
}

/** Small enough for its parts to be read, each of them. */
export function isReadable({ chunks }: KeptReply): boolean {
  return chunks.reduce((sum, { length }) => sum + length, 0) <= maxBytes;
}

export function textOf({ chunks }: KeptReply): string {
  return (chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)).toString('utf8');
}

export function eventsOf({ chunks }: KeptReply): ServerSentEvent[] {
  const sse = new SseParser();
  return chunks.flatMap((chunk) => sse.push(chunk));
}

/** What the events say. Throws CannotGather and SyntaxError. */
export function objectsOf(kept: KeptReply): JsonObject[] {
  return eventsOf(kept)
    .filter(({ data }) => data !== '[DONE]' && data !== '')
    .map(({ data }) => {
      const object = asObject(parseExact(data));
      if (!object) throw new CannotGather('it is no object');
      return object;
    });
}

/** An event without a type. */
export function dataEvent(data: unknown): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

/** An event that is named as its data's `type`. */
export function typedEvent(data: { type: string } & JsonObject): string {
  return `event: ${data.type}\n${dataEvent(data)}`;
}
