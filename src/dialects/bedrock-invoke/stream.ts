import { messageReader } from '../anthropic-messages/stream.ts';
import { AwsEventParser } from '../aws-event-stream.ts';
import { isAwsStream } from '../bedrock-converse/stream.ts';
import { noFacts, type ReplyHead, type StreamObserver } from '../dialect.ts';
import { asObject, asString, firstCount, type JsonObject, parseJson } from '../json.ts';
import { BoundedText } from '../text.ts';
import { noUsage, type TokenUsage } from '../usage.ts';

/**
 * `invoke-with-response-stream`: chunks with the vendor's own event in base64. The last one has the
 * counts of Bedrock itself (`amazon-bedrock-invocationMetrics`), whoever the vendor is.
 */
export function observeStream(head: ReplyHead): StreamObserver | null {
  if (!isAwsStream(head)) return null;
  const events = new AwsEventParser();
  const text = new BoundedText();
  const claude = messageReader(text);
  let metrics: TokenUsage | null = null;
  let finishReason: string | null = null;
  let error: string | null = null;
  return {
    push(bytes) {
      for (const { kind, type, payload } of events.push(bytes)) {
        if (kind === 'exception') error = type;
        const encoded = asString(asObject(parseJson(payload))?.bytes);
        const event = encoded === null ? null : asObject(parseJson(Buffer.from(encoded, 'base64')));
        if (!event) continue;
        claude.read(event);
        text.add(event.generation, event.outputText);
        finishReason = asString(event.stop_reason) ?? asString(event.completionReason) ?? finishReason;
        metrics = readMetrics(event) ?? metrics;
      }
    },
    facts() {
      const facts = claude.facts();
      return {
        ...noFacts,
        ...facts,
        model: null,
        finishReason: facts.finishReason ?? finishReason,
        usage: facts.usage ?? metrics,
        error: facts.error ?? error,
        complete: metrics !== null && error === null,
      };
    },
  };
}

function readMetrics(event: JsonObject): TokenUsage | null {
  const metrics = asObject(event['amazon-bedrock-invocationMetrics']);
  const input = firstCount(metrics?.inputTokenCount);
  if (input === null) return null;
  const cacheRead = firstCount(metrics?.cacheReadInputTokenCount);
  const cacheWrite = firstCount(metrics?.cacheWriteInputTokenCount);
  return {
    ...noUsage,
    input: input + (cacheRead ?? 0) + (cacheWrite ?? 0),
    output: firstCount(metrics?.outputTokenCount) ?? 0,
    cacheRead,
    cacheWrite,
  };
}
