import { asObject, type JsonObject } from '../../json.ts';
import {
  efforts,
  type JsonOutput,
  type NeutralRequest,
  type ResultPart,
  type Tool,
  type Turn,
} from '../../neutral.ts';
import { readOpenaiMembers, readToolChoice, tiers } from '../../openai/neutral.ts';
import { Members } from '../../own.ts';
import { readAssistant } from './assistant.ts';
import { choiceForm } from './choice.ts';
import { readContent } from './parts.ts';

export function readRequest(body: JsonObject): NeutralRequest {
  const m = new Members(body);
  const limit = m.number('max_completion_tokens');
  const effort = m.word('reasoning_effort', efforts);
  // It is of the stream, not of the answer (Asked).
  m.spell('usage', m.within('stream_options')?.boolean('include_usage') ?? null);
  return {
    dialect: 'openai-chat',
    model: m.string('model'),
    stream: m.boolean('stream'),
    turns: (m.list('messages') ?? []).map(readMessage),
    tools: (m.list('tools') ?? []).map(readTool),
    toolChoice: m.read('tool_choice', (value) => readToolChoice(value, choiceForm)),
    parallelCalls: m.boolean('parallel_tool_calls'),
    output: readOutput(m),
    maxTokens: limit ?? oldLimit(m),
    stop: readStop(m),
    temperature: m.number('temperature'),
    topP: m.number('top_p'),
    topK: null,
    seed: m.number('seed'),
    frequencyPenalty: m.number('frequency_penalty'),
    presencePenalty: m.number('presence_penalty'),
    reasoning: effort && { effort, budget: null, show: null },
    user: m.string('user'),
    tier: m.word('service_tier', tiers),
    ...readOpenaiMembers(m),
    ...m.own(),
  };
}

/** The name of the limit before there was thinking, which most other providers still go by. */
function oldLimit(m: Members): number | null {
  const limit = m.number('max_tokens');
  if (limit !== null) m.spell('limit', 'max_tokens');
  return limit;
}

function readStop(m: Members): string[] | null {
  const one = m.string('stop');
  if (one === null) return m.strings('stop');
  m.spell('stop', 'one');
  return [one];
}

function readOutput(m: Members): JsonOutput | null {
  const format = m.within('response_format');
  const type = format?.word('type', ['json_schema', 'json_object']);
  if (type === 'json_object') return { schema: null, name: null, description: null, strict: null };
  const schema = type === 'json_schema' ? format?.within('json_schema') : null;
  return schema
    ? {
        schema: schema.object('schema'),
        name: schema.string('name'),
        description: schema.string('description'),
        strict: schema.boolean('strict'),
      }
    : null;
}

export function readTool(value: unknown): Tool {
  const object = asObject(value);
  const m = object && new Members(object);
  // Some leave the type out.
  const isFunction = m && (!m.has('type') || m.word('type', ['function']) !== null);
  if (m && !m.has('type')) m.spell('type', 'none');
  const f = isFunction ? m.within('function') : null;
  const name = f?.string('name');
  if (!m || !f || typeof name !== 'string') return { kind: 'unknown', value };
  return {
    kind: 'function',
    name,
    description: f.string('description'),
    schema: f.object('parameters'),
    strict: f.boolean('strict'),
    ...m.own(),
  };
}

function readMessage(value: unknown): Turn {
  const object = asObject(value);
  const m = new Members(object ?? {});
  switch (m.word('role', ['system', 'developer', 'user', 'assistant', 'tool'])) {
    case 'system':
      return { role: 'system', parts: readContent(m), ...m.own() };
    case 'developer':
      m.spell('role', 'developer');
      return { role: 'system', parts: readContent(m), ...m.own() };
    case 'user':
      return { role: 'user', parts: readContent(m), ...m.own() };
    case 'assistant':
      return { role: 'assistant', parts: readAssistant(m), ...m.own() };
    case 'tool':
      return { role: 'tool', parts: [readResult(m)], ...m.own() };
    default:
      return { role: 'unknown', parts: [{ kind: 'unknown', at: 'messages', value }] };
  }
}

function readResult(m: Members): ResultPart {
  const id = m.string('tool_call_id') ?? '';
  return { kind: 'result', id, name: null, parts: readContent(m), isError: null };
}
