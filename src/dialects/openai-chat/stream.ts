import type { ReplyFacts, StreamObserver } from '../dialect.ts';
import { asArray, asCount, asObject, asString, type JsonObject } from '../json.ts';
import { SseParser } from '../sse.ts';
import type { TokenUsage } from '../usage.ts';
import { errorType, isComplete, messageTexts } from './response.ts';
import { readUsage } from './usage.ts';

/** Beyond this much text the count is an estimate from its length: 256 KiB. */
const maxTextChars = 256 * 1024;

export function observeStream(): StreamObserver {
  const sse = new SseParser();
  const finishReasons = new Map<number, string | null>();
  const texts = new BoundedText();
  let model: string | null = null;
  let responseId: string | null = null;
  let usage: TokenUsage | null = null;
  let serviceTier: string | null = null;
  let error: string | null = null;
  let done = false;

  const read = (chunk: JsonObject) => {
    error ??= errorType(chunk);
    model = asString(chunk.model) ?? model;
    responseId ??= asString(chunk.id);
    serviceTier = asString(chunk.service_tier) ?? serviceTier;
    // Groq tells it beside, or instead, under x_groq.
    usage = readUsage(chunk.usage) ?? readUsage(asObject(chunk.x_groq)?.usage) ?? usage;
    for (const each of asArray(chunk.choices)) {
      const choice = asObject(each);
      if (!choice) continue;
      const index = asCount(choice.index) ?? 0;
      finishReasons.set(index, asString(choice.finish_reason) ?? finishReasons.get(index) ?? null);
      for (const text of messageTexts(asObject(choice.delta))) texts.add(text);
    }
  };

  return {
    push(bytes) {
      for (const { type, data } of sse.push(bytes)) {
        if (data === '[DONE]') done = true;
        else if (type === 'error') error ??= 'error';
        if (data.startsWith('{')) {
          const chunk = parseObject(data);
          if (chunk) read(chunk);
        }
      }
    },
    facts(): ReplyFacts {
      const reasons = [...finishReasons.values()];
      return {
        model,
        responseId,
        finishReason: reasons.find((reason) => reason !== null) ?? null,
        usage,
        serviceTier,
        error,
        complete: error === null && done && isComplete(reasons),
        text: texts.parts(),
      };
    },
  };
}

function parseObject(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Text in few large pieces instead of many small ones; what is beyond the bound is only counted. */
class BoundedText {
  #pieces: string[] = [];
  #open: string[] = [];
  #openChars = 0;
  #chars = 0;

  add(text: string): void {
    if (this.#chars >= maxTextChars) return;
    this.#chars += text.length;
    this.#openChars += text.length;
    this.#open.push(text);
    if (this.#openChars >= 4096) this.#close();
  }

  #close(): void {
    this.#pieces.push(this.#open.join(''));
    this.#open = [];
    this.#openChars = 0;
  }

  parts(): string[] {
    if (this.#openChars > 0) this.#close();
    return this.#pieces;
  }
}
