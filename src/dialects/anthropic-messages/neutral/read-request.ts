import { asObject, type JsonObject } from '../../json.ts';
import type { JsonOutput, NeutralRequest, Part, Tool, ToolChoice, Turn } from '../../neutral.ts';
import { Members } from '../../own.ts';
import { readBlock, readContent } from './blocks.ts';
import { readThinking } from './thinking.ts';

export function readRequest(body: JsonObject): NeutralRequest {
  const m = new Members(body);
  const config = m.within('output_config');
  const choice = m.within('tool_choice');
  const toolChoice = choice && readChoice(choice);
  const alone = choice?.boolean('disable_parallel_tool_use') ?? null;
  const tier = m.word('service_tier', ['standard_only']);
  return {
    dialect: 'anthropic-messages',
    model: m.string('model'),
    stream: m.boolean('stream'),
    turns: [...readSystem(m), ...(m.list('messages') ?? []).map(readMessage)],
    tools: (m.list('tools') ?? []).map(readTool),
    toolChoice,
    parallelCalls: alone === null ? null : !alone,
    output: config && readOutput(config),
    maxTokens: m.number('max_tokens'),
    stop: m.strings('stop_sequences'),
    temperature: m.number('temperature'),
    topP: m.number('top_p'),
    topK: m.number('top_k'),
    seed: null,
    frequencyPenalty: null,
    presencePenalty: null,
    reasoning: readThinking(m, config),
    user: m.within('metadata')?.string('user_id') ?? null,
    tier: tier && 'default',
    ...m.own(),
  };
}

/** The member `system` is a turn before all others. */
function readSystem(m: Members): Turn[] {
  const text = m.string('system');
  const list = text === null ? m.list('system') : null;
  if (text === null && !list) return [];
  const parts: Part[] = list ? list.map(readBlock) : [{ kind: 'text', text: text ?? '' }];
  return [
    {
      role: 'system',
      parts,
      own: { members: {}, spelling: { as: 'system', content: list ? 'list' : 'text' } },
    },
  ];
}

function readMessage(value: unknown): Turn {
  const m = new Members(asObject(value) ?? {});
  const role = m.word('role', ['user', 'assistant', 'system']);
  if (!role) return { role: 'unknown', parts: [{ kind: 'unknown', at: 'messages', value }] };
  const parts = readContent(m);
  const isResults = role === 'user' && parts.length > 0 && parts.every(({ kind }) => kind === 'result');
  return { role: isResults ? 'tool' : role, parts, ...m.own() };
}

export function readTool(value: unknown): Tool {
  const m = new Members(asObject(value) ?? {});
  if (m.has('type') && m.word('type', ['custom']) === null) return { kind: 'unknown', value };
  if (m.has('type')) m.spell('type', 'custom');
  const name = m.string('name');
  const schema = m.object('input_schema');
  if (name === null || !schema) return { kind: 'unknown', value };
  return {
    kind: 'function',
    name,
    description: m.string('description'),
    schema,
    strict: m.boolean('strict'),
    ...m.own(),
  };
}

function readChoice(m: Members): ToolChoice | null {
  const type = m.word('type', ['auto', 'any', 'tool', 'none']);
  if (type !== 'tool') return type && { mode: type, names: null };
  return { mode: 'any', names: [m.string('name') ?? ''] };
}

function readOutput(config: Members): JsonOutput | null {
  const format = config.within('format');
  const schema = format?.word('type', ['json_schema']) ? format.object('schema') : null;
  return schema && { schema, name: null, description: null, strict: null };
}
