import type { DialectName, SpokenName } from '../config/dialects.ts';
import { asArray, asObject, parseJson } from '../dialects/json.ts';
import type { Asked, NeutralDialect, SpokenDialect } from '../dialects/neutral-dialect.ts';
import { neutralDialects, spokenDialects } from '../dialects/neutral-registry.ts';
import type { NeutralError, StreamEvent } from '../dialects/neutral-reply.ts';
import { SseParser } from '../dialects/sse.ts';
import { parseObject } from '../dialects/stream.ts';

/** A whole reply in the dialect that asked. */
export interface TranslatedReply {
  /** May differ from the provider's: a reply that says it failed is no success. */
  status: number;
  body: Buffer;
}

/** A provider's reply in the dialect that asked: whole, or as it comes. One for each call. */
export interface ReplyTranslator {
  /** Of a stream, or of a whole reply. */
  contentType(streamed: boolean): string;
  /** `errorType`: what the provider's head says of an error (`SpokenDialect.errorType`). */
  whole(body: Uint8Array, status: number, errorType?: string | null): TranslatedReply;
  /** What the caller gets for this chunk; bytes may be split anywhere. */
  push(chunk: Uint8Array): Buffer;
  /** What the caller gets at the end of the stream. */
  end(): Buffer;
  /** An error was told amid the stream. */
  readonly failed: boolean;
}

/** `to`: the dialect that the provider speaks. */
export function replyTranslator(to: SpokenName, asked: Asked): ReplyTranslator {
  const [reads, writes] = [spokenDialects[to], neutralDialects[asked.dialect]];
  const isArray = asked.dialect === 'gemini-generate' && !asked.sse;
  return Object.assign(streamOf(reads, writes, asked), {
    contentType: (streamed: boolean) => (streamed && !isArray ? 'text/event-stream' : 'application/json'),
    whole: (body: Uint8Array, status: number, errorType: string | null = null) =>
      wholeReply(body, { status, errorType }, reads, writes, asked),
  });
}

/** A reply of the provider, or its error, in the words of the dialect that asked. */
function wholeReply(
  bytes: Uint8Array,
  { status, errorType }: { status: number; errorType: string | null },
  reads: SpokenDialect,
  writes: NeutralDialect,
  asked: Asked,
): TranslatedReply {
  const value = parseJson(bytes);
  const object = asObject(value) ?? asObject(asArray(value)[0]);
  const reply = status < 400 && object ? reads.readReply(object, asked.id) : null;
  if (reply) return { status, body: json(writes.writeReply(reply, asked)) };
  const said = value ?? Buffer.from(bytes).toString('utf8');
  const error = reads.readError(said, status < 400 ? 502 : status, errorType);
  const told = statusOf(error, asked.dialect);
  return { status: told, body: json(writes.writeError({ ...error, status: told })) };
}

/** Google answers a wrong key with 400, and AWS with 403, a model that failed with 424 and one that is not ready with 429. */
function statusOf({ kind, status }: NeutralError, dialect: DialectName): number {
  if (kind === 'authentication' && (status === 400 || status === 403)) return 401;
  if (status === 424) return 502;
  if (kind === 'overloaded' && status === 429) return 503;
  // Only Anthropic knows it.
  if (status === 529 && dialect !== 'anthropic-messages') return 503;
  return status ?? 502;
}

const json = (value: unknown) => Buffer.from(JSON.stringify(value));

function streamOf(
  reads: SpokenDialect,
  writes: NeutralDialect,
  asked: Asked,
): Pick<ReplyTranslator, 'push' | 'end' | 'failed'> {
  const parser = reads.parseStream?.() ?? new SseParser();
  const reader = reads.readStream(asked.id);
  const writer = writes.writeStream(asked);
  let started = false;
  let over = false;
  let failed = false;

  function write(events: StreamEvent[]): string {
    let text = '';
    for (const event of events) {
      if (over) break;
      if (!started && event.kind !== 'start' && event.kind !== 'usage' && event.kind !== 'error') {
        started = true;
        text += writer.write({ kind: 'start', id: null, model: null });
      }
      if (event.kind === 'start') {
        // Told once: a later one adds nothing that is not said already.
        if (started) continue;
        started = true;
      }
      failed = event.kind === 'error';
      over = failed || event.kind === 'end';
      text += writer.write(event);
    }
    return text;
  }

  return {
    get failed() {
      return failed;
    },
    push(chunk) {
      let text = '';
      for (const { type, data } of parser.push(chunk)) {
        const event = data.startsWith('{') ? parseObject(data) : null;
        text += write(event ? reader.read(event, type) : (reader.other?.(data) ?? []));
      }
      if (parser.passedOver > 0) text += write([broken('An event of the provider’s stream was too large.')]);
      return Buffer.from(text);
    },
    end() {
      const text = write(reader.close?.() ?? []);
      const cut = over ? '' : write([broken('The provider’s stream ended before its answer did.')]);
      return Buffer.from(text + cut);
    },
  };
}

function broken(message: string): StreamEvent {
  return { kind: 'error', error: { kind: 'server', status: null, message, code: null, param: null } };
}
