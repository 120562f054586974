import { replyId } from '../../ids.ts';
import { asArray, asObject, asString, type JsonObject } from '../../json.ts';
import type { Asked } from '../../neutral-dialect.ts';
import type { NeutralReply, Stop } from '../../neutral-reply.ts';
import { Members, type Own, penFor } from '../../own.ts';
import type { TokenUsage } from '../../usage.ts';
import { readUsage } from '../usage.ts';
import { readParts, writeParts } from './parts.ts';

/** Any other reason is one for which the answer may not be said, or cannot be used. */
const reasons: Record<string, Stop['reason']> = { STOP: 'end', MAX_TOKENS: 'length' };

const words: Record<Stop['reason'], string> = {
  end: 'STOP',
  stop: 'STOP',
  call: 'STOP',
  length: 'MAX_TOKENS',
  filter: 'SAFETY',
};

export function readStop(reason: string | null, called: boolean): Stop | null {
  if (reason === null) return null;
  const found = reasons[reason] ?? 'filter';
  return { reason: found === 'end' && called ? 'call' : found, sequence: null };
}

export const finishReason = (stop: Stop | null, refused: boolean) =>
  refused ? words.filter : words[stop?.reason ?? 'end'];

/** Names calls that have none: `call_<reply>_0`, which every dialect takes. */
export function callNamer(reply: string): () => string {
  let count = 0;
  return () => `call_${reply.replaceAll(/[^\w-]/g, '_')}_${count++}`;
}

/** Google counts thinking beside what can be read, and prompts of its own tools beside the prompt. */
export function writeUsage(usage: TokenUsage): JsonObject {
  const [input, output, tool] = [usage.input ?? 0, usage.output ?? 0, usage.inputTool ?? 0];
  return {
    promptTokenCount: input - tool,
    candidatesTokenCount: output - (usage.reasoning ?? 0),
    totalTokenCount: input + output,
    ...(usage.reasoning !== null && { thoughtsTokenCount: usage.reasoning }),
    ...(usage.cacheRead !== null && { cachedContentTokenCount: usage.cacheRead }),
    ...(usage.inputTool !== null && { toolUsePromptTokenCount: usage.inputTool }),
  };
}

export function readReply(body: JsonObject, id: string): NeutralReply | null {
  const m = new Members(body);
  const [first, ...others] = m.list('candidates') ?? [];
  const candidate = new Members(asObject(first) ?? {});
  const content = candidate.within('content');
  const blocked = asObject(body.promptFeedback)?.blockReason !== undefined;
  if (first === undefined && !blocked) return null;
  const responseId = m.string('responseId');
  const parts = readParts(content?.list('parts') ?? [], callNamer(responseId ?? id));
  const reason = candidate.string('finishReason');
  const usage = readUsage(body.usageMetadata);
  if (usage) m.spell('usage', m.object('usageMetadata'));
  m.spell('stop', reason);
  m.spell('candidates', first === undefined ? null : [candidate.own(), ...others]);
  return {
    dialect: 'gemini-generate',
    id: responseId,
    model: m.string('modelVersion'),
    created: null,
    parts,
    stop: blocked
      ? { reason: 'filter', sequence: null }
      : readStop(
          reason,
          parts.some(({ kind }) => kind === 'call'),
        ),
    usage,
    ...m.own(),
  };
}

export function writeReply(reply: NeutralReply, asked: Asked): JsonObject {
  const pen = penFor(reply.dialect, 'gemini-generate');
  const { parts, stop, usage } = reply;
  const written = writeParts(parts, pen, { names: new Map(), signs: false });
  if (!pen.same) {
    const refused = parts.some(({ kind }) => kind === 'refusal');
    const content = { role: 'model', parts: written };
    return {
      candidates: [{ content, finishReason: finishReason(stop, refused), index: 0 }],
      ...(usage && { usageMetadata: writeUsage(usage) }),
      modelVersion: reply.model ?? asked.model,
      responseId: replyId(reply.id, asked),
    };
  }
  const spelled = pen.spelled(reply, 'candidates');
  const [own, ...others] = asArray(spelled);
  const content = written.length > 0 ? { parts: written } : null;
  const candidate = pen.give(
    { content, finishReason: asString(pen.spelled(reply, 'stop')) },
    own as { own?: Own },
  );
  return pen.give(
    {
      candidates: spelled ? [candidate, ...others] : null,
      usageMetadata: pen.spelled(reply, 'usage'),
      modelVersion: reply.model,
      responseId: reply.id,
    },
    reply,
  );
}
