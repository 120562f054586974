import { asObject, type JsonObject } from '../../json.ts';
import {
  efforts,
  type JsonOutput,
  type NeutralRequest,
  type Reasoning,
  type Tool,
  type Turn,
} from '../../neutral.ts';
import { readOpenaiMembers, readToolChoice, tiers } from '../../openai/neutral.ts';
import { Members } from '../../own.ts';
import { choiceForm } from './choice.ts';
import { readCall, readReasoning } from './items.ts';
import { readContent } from './parts.ts';

export function readRequest(body: JsonObject): NeutralRequest {
  const m = new Members(body);
  const text = m.within('text');
  const verbosity = text?.string('verbosity') ?? null;
  const { openai } = readOpenaiMembers(m);
  readInclude(m);
  return {
    dialect: 'openai-responses',
    model: m.string('model'),
    stream: m.boolean('stream'),
    turns: [...readInstructions(m), ...readInput(m)],
    tools: (m.list('tools') ?? []).map(readTool),
    toolChoice: m.read('tool_choice', (value) => readToolChoice(value, choiceForm)),
    parallelCalls: m.boolean('parallel_tool_calls'),
    output: text && readOutput(text),
    maxTokens: m.number('max_output_tokens'),
    stop: null,
    temperature: m.number('temperature'),
    topP: m.number('top_p'),
    topK: null,
    seed: null,
    frequencyPenalty: null,
    presencePenalty: null,
    reasoning: readEffort(m),
    user: m.string('user'),
    tier: m.word('service_tier', tiers),
    ...((openai || verbosity !== null) && {
      openai: { ...openai, ...(verbosity !== null && { verbosity }) },
    }),
    ...m.own(),
  };
}

/** Thinking is always handed on, to be sent back: asking for it says nothing more. */
function readInclude(m: Members): void {
  const include = m.read('include', (value) =>
    Array.isArray(value) && value.every((each) => each === 'reasoning.encrypted_content') ? value : null,
  );
  if (include) m.spell('include', include);
}

function readInstructions(m: Members): Turn[] {
  const text = m.string('instructions');
  const own = { members: {}, spelling: { as: 'instructions' } };
  return text === null ? [] : [{ role: 'system', parts: [{ kind: 'text', text }], own }];
}

function readInput(m: Members): Turn[] {
  const text = m.string('input');
  if (text === null) return (m.list('input') ?? []).map(readItem);
  m.spell('input', 'text');
  return [{ role: 'user', parts: [{ kind: 'text', text }] }];
}

function readItem(value: unknown): Turn {
  const unknown: Turn = { role: 'unknown', parts: [{ kind: 'unknown', at: 'input', value }] };
  const m = new Members(asObject(value) ?? {});
  const type = m.word('type', ['message', 'function_call', 'function_call_output', 'reasoning']);
  switch (type) {
    case 'function_call': {
      const call = readCall(m);
      return call ? { role: 'assistant', parts: [call] } : unknown;
    }
    case 'function_call_output': {
      const id = m.string('call_id');
      m.spell('id', m.string('id'));
      m.spell('status', m.string('status'));
      const parts = readContent(m, 'output');
      const own = m.own();
      return id === null
        ? unknown
        : { role: 'tool', parts: [{ kind: 'result', id, name: null, parts, isError: null, ...own }] };
    }
    case 'reasoning':
      return { role: 'assistant', parts: [readReasoning(m)] };
    default:
      return (type === 'message' || !m.has('type') ? readMessage(m) : null) ?? unknown;
  }
}

function readMessage(m: Members): Turn | null {
  const role = m.word('role', ['user', 'assistant', 'system', 'developer']);
  if (!role) return null;
  if (m.has('type')) m.spell('type', 'message');
  m.spell('role', role);
  m.spell('id', m.string('id'));
  m.spell('status', m.string('status'));
  return { role: role === 'developer' ? 'system' : role, parts: readContent(m, 'content'), ...m.own() };
}

function readTool(value: unknown): Tool {
  const m = new Members(asObject(value) ?? {});
  const name = m.word('type', ['function']) && m.string('name');
  if (typeof name !== 'string') return { kind: 'unknown', value };
  return {
    kind: 'function',
    name,
    description: m.string('description'),
    schema: m.object('parameters'),
    strict: m.boolean('strict'),
    ...m.own(),
  };
}

function readOutput(text: Members): JsonOutput | null {
  const format = text.within('format');
  const type = format?.word('type', ['json_schema', 'json_object']);
  if (!format || !type) return null;
  return type === 'json_object'
    ? { schema: null, name: null, description: null, strict: null }
    : {
        schema: format.object('schema'),
        name: format.string('name'),
        description: format.string('description'),
        strict: format.boolean('strict'),
      };
}

function readEffort(m: Members): Reasoning | null {
  const reasoning = m.within('reasoning');
  const effort = reasoning?.word('effort', efforts) ?? null;
  const summary = reasoning?.word('summary', ['auto', 'concise', 'detailed']) ?? null;
  if (effort === null && summary === null) return null;
  m.spell('summary', summary);
  return { effort, budget: null, show: summary === null ? null : true };
}
