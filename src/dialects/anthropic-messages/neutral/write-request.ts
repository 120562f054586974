import type { JsonObject } from '../../json.ts';
import type { NeutralRequest, Part, Tool, Turn } from '../../neutral.ts';
import type { WriteTarget } from '../../neutral-dialect.ts';
import { type Pen, penFor } from '../../own.ts';
import { joinTurns, splitSystem } from '../../turns.ts';
import { mostTokens } from '../versions.ts';
import { writeContent } from './blocks.ts';
import { writeThinking } from './thinking.ts';

export function writeRequest(request: NeutralRequest, target: WriteTarget): JsonObject {
  const pen = penFor(request.dialect, 'anthropic-messages');
  const { system, rest } = splitTurns(request, pen);
  const most = request.maxTokens ?? target.maxTokens ?? mostTokens(target.model);
  const maxTokens = pen.same ? request.maxTokens : most;
  const { thinking, effort } = writeThinking(request, { model: target.model, maxTokens: most }, pen);
  const format = request.output?.schema ? { type: 'json_schema', schema: request.output.schema } : null;
  const config = pen.give({ effort, format });
  return pen.give(
    {
      model: target.model,
      max_tokens: maxTokens,
      system: writeSystem(system, pen),
      messages: rest.length > 0 ? rest.map((turn) => writeTurn(turn, pen)) : null,
      stream: request.stream,
      tools: request.tools.length > 0 ? request.tools.map((tool) => writeTool(tool, pen)) : null,
      tool_choice: writeChoice(request, pen),
      thinking,
      output_config: Object.keys(config).length > 0 ? config : null,
      stop_sequences: request.stop,
      temperature: request.temperature,
      top_p: request.topP,
      top_k: request.topK,
      metadata: request.user === null ? null : { user_id: request.user },
      service_tier: request.tier === 'default' ? 'standard_only' : null,
    },
    request,
  );
}

function splitTurns(request: NeutralRequest, pen: Pen): { system: Turn[]; rest: Turn[] } {
  if (!pen.same) return splitSystem(joinTurns(request.turns));
  const [first, ...others] = request.turns;
  return first && pen.spelled(first, 'as') === 'system'
    ? { system: [first], rest: others }
    : { system: [], rest: request.turns };
}

function writeSystem(system: Turn[], pen: Pen): unknown {
  const [first] = system;
  return first
    ? writeContent(
        said(
          system.flatMap(({ parts }) => parts),
          pen,
        ),
        first,
        pen,
      )
    : null;
}

/** Anthropic wants results at the beginning of their turn, and no empty texts. */
function said(parts: Part[], pen: Pen): Part[] {
  if (pen.same) return parts;
  const there = parts.filter((part) => part.kind !== 'text' || part.text !== '');
  const isResult = ({ kind }: Part) => kind === 'result';
  return [...there.filter(isResult), ...there.filter((part) => !isResult(part))];
}

function writeTurn(turn: Turn, pen: Pen): unknown {
  const { role, parts } = turn;
  if (role === 'unknown') return parts[0]?.kind === 'unknown' ? parts[0].value : null;
  const content = writeContent(said(parts, pen), turn, pen);
  return pen.give({ role: role === 'tool' ? 'user' : role, content }, turn);
}

export function writeTool(tool: Tool, pen: Pen): unknown {
  if (tool.kind === 'unknown') return tool.value;
  const { name, description, schema, strict } = tool;
  const input_schema = schema ?? { type: 'object', properties: {} };
  return pen.give({ type: pen.spelled(tool, 'type'), name, description, input_schema, strict }, tool);
}

/** Whether calls may be parallel is said with the choice. */
function writeChoice({ toolChoice, parallelCalls, tools }: NeutralRequest, pen: Pen): JsonObject | null {
  const alone = pen.same && parallelCalls === true ? false : parallelCalls === false ? true : null;
  if (!toolChoice && (alone === null || (!pen.same && tools.length === 0))) return null;
  const [name] = toolChoice?.names ?? [];
  const type = name === undefined ? (toolChoice?.mode ?? 'auto') : 'tool';
  return pen.give({ type, name, disable_parallel_tool_use: type === 'none' && !pen.same ? null : alone });
}
