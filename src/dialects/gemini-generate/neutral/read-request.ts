import { asObject, type JsonObject } from '../../json.ts';
import type { NeutralRequest, Tool, ToolChoice, Turn } from '../../neutral.ts';
import { Members } from '../../own.ts';
import { fromOpenApi } from '../../schema.ts';
import { modelInPath } from '../request.ts';
import { readConfig } from './config.ts';
import { readParts } from './parts.ts';

const modes = { AUTO: 'auto', VALIDATED: 'auto', ANY: 'any', NONE: 'none' } as const;
const tiers = { standard: 'default', flex: 'flex', priority: 'priority' } as const;

export function readRequest(body: JsonObject, endpoint: string): NeutralRequest {
  const m = new Members(body);
  const tier = m.word('serviceTier', ['standard', 'flex', 'priority'], 'service_tier');
  return {
    dialect: 'gemini-generate',
    model: modelInPath(endpoint),
    stream: /:streamGenerateContent$/.test(endpoint),
    turns: [...readSystem(m), ...(m.list('contents') ?? []).map(readContent)],
    tools: readTools(m),
    toolChoice: readChoice(m),
    parallelCalls: null,
    ...readConfig(m),
    user: null,
    tier: tier && tiers[tier],
    ...m.own(),
  };
}

function readSystem(m: Members): Turn[] {
  const system = m.within('systemInstruction', 'system_instruction');
  const parts = system?.list('parts');
  if (!system || !parts) return [];
  const own = { members: {}, spelling: { role: system.string('role') } };
  return [{ role: 'system', parts: readParts(parts), own }];
}

function readContent(value: unknown): Turn {
  const m = new Members(asObject(value) ?? {});
  const role = m.word('role', ['user', 'model', 'function']);
  const list = m.list('parts');
  if (!list) return { role: 'unknown', parts: [{ kind: 'unknown', at: 'contents', value }] };
  const parts = readParts(list);
  m.spell('role', role);
  const isResults = parts.every(({ kind }) => kind === 'result');
  return { role: role === 'model' ? 'assistant' : isResults ? 'tool' : 'user', parts, ...m.own() };
}

/** Each of `tools` holds functions, tools of Google's, or both: what it was is kept to write it so again. */
function readTools(m: Members): Tool[] {
  const list = m.list('tools') ?? [m.object('tools')].filter((one) => one !== null);
  const groups: unknown[] = [];
  const tools = list.flatMap((value, group) => {
    const tool = new Members(asObject(value) ?? {});
    const functions = tool.list('functionDeclarations', 'function_declarations') ?? [];
    const { own } = tool.own();
    groups.push(asObject(value) ? { own } : value);
    const others = own?.members ?? {};
    return [
      ...functions.map((each) => readFunction(each, group)),
      ...(Object.keys(others).length > 0 ? [{ kind: 'unknown' as const, value: others }] : []),
    ];
  });
  if (list.length > 0) m.spell('tools', { groups, single: !m.isList('tools') });
  return tools;
}

function readFunction(value: unknown, group: number): Tool {
  const m = new Members(asObject(value) ?? {});
  const name = m.string('name');
  const json = m.object('parametersJsonSchema', 'parameters_json_schema');
  const open = json ? null : m.object('parameters');
  m.spell('group', group);
  m.spell('parameters', open);
  const description = m.string('description');
  const own = m.own();
  if (name === null) return { kind: 'unknown', value, own: { members: {}, spelling: { group } } };
  const schema = json ?? (open && fromOpenApi(open));
  return { kind: 'function', name, description, schema, strict: null, ...own };
}

function readChoice(m: Members): ToolChoice | null {
  const calling = m
    .within('toolConfig', 'tool_config')
    ?.within('functionCallingConfig', 'function_calling_config');
  const mode = calling?.word('mode', ['AUTO', 'ANY', 'NONE', 'VALIDATED']);
  if (!calling || !mode) return null;
  m.spell('mode', mode);
  return { mode: modes[mode], names: calling.strings('allowedFunctionNames', 'allowed_function_names') };
}
