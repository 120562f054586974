import { replyId } from '../../ids.ts';
import { asArray, asObject, type JsonObject } from '../../json.ts';
import type { Part } from '../../neutral.ts';
import type { Asked } from '../../neutral-dialect.ts';
import type { NeutralReply } from '../../neutral-reply.ts';
import { readUsage } from '../../openai/usage.ts';
import { writeUsage } from '../../openai/write-usage.ts';
import { Members, type Own, penFor } from '../../own.ts';
import { readAssistant, writeAssistant } from './assistant.ts';
import { readStop, stopWords } from './stop.ts';

export function readReply(body: JsonObject): NeutralReply | null {
  const m = new Members(body);
  const [first, ...others] = m.list('choices') ?? [];
  const choice = asObject(first);
  const message = asObject(choice?.message);
  if (!choice || !message) return null;
  const c = new Members(choice);
  c.object('message');
  const spoken = new Members(message);
  const parts = readAssistant(spoken);
  const reason = c.string('finish_reason');
  const usage = readUsage(body.usage);
  if (usage) m.spell('usage', m.object('usage'));
  m.spell('choices', others);
  m.spell('choice', c.own());
  m.spell('message', spoken.own());
  m.spell('stop', reason);
  return {
    dialect: 'openai-chat',
    id: m.string('id'),
    model: m.string('model'),
    created: m.number('created'),
    parts,
    stop: readStop(
      reason,
      parts.some(({ kind }) => kind === 'call'),
    ),
    usage,
    ...m.own(),
  };
}

export function writeReply(reply: NeutralReply, asked: Asked): JsonObject {
  const pen = penFor(reply.dialect, 'openai-chat');
  const { parts, stop, usage } = reply;
  const own = (name: string) => (asObject(pen.spelled(reply, name)) ?? {}) as { own?: Own };
  const said = pen.same ? parts : oneText(parts);
  const message = pen.give(
    { role: 'assistant', ...writeAssistant({ parts: said, ...own('message') }, pen) },
    own('message'),
    { content: null, refusal: null },
  );
  const choice = pen.give(
    {
      index: 0,
      message,
      finish_reason: pen.spelled(reply, 'stop') ?? (stop && stopWords[stop.reason]),
    },
    own('choice'),
    { logprobs: null, finish_reason: 'stop' },
  );
  return pen.give(
    {
      id: pen.same ? reply.id : replyId(reply.id, asked),
      object: 'chat.completion',
      created: pen.same ? reply.created : (reply.created ?? asked.created),
      model: reply.model ?? asked.model,
      choices: [choice, ...asArray(pen.spelled(reply, 'choices'))],
      usage: pen.spelled(reply, 'usage') ?? (usage && writeUsage(usage, 'chat')),
    },
    reply,
  );
}

/** A reply has one text. */
function oneText(parts: Part[]): Part[] {
  const texts = parts.filter((part) => part.kind === 'text');
  const others = parts.filter((part) => part.kind !== 'text');
  const text = texts.map((part) => part.text).join('');
  return texts.length > 0 ? [{ kind: 'text', text }, ...others] : others;
}
