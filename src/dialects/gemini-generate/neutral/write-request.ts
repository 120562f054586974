import { asArray, asObject, type JsonObject } from '../../json.ts';
import type { NeutralRequest, Tool, Turn } from '../../neutral.ts';
import type { WriteTarget } from '../../neutral-dialect.ts';
import { type Own, type Pen, penFor } from '../../own.ts';
import { callNames, joinTurns, splitSystem } from '../../turns.ts';
import { wantsSignatures } from '../versions.ts';
import { writeConfig } from './config.ts';
import { writeParts } from './parts.ts';

const tiers = { default: 'standard', flex: 'flex', priority: 'priority' } as const;

export function writeRequest(request: NeutralRequest, { model }: WriteTarget): JsonObject {
  const pen = penFor(request.dialect, 'gemini-generate');
  const { system, rest } = splitSystem(pen.same ? request.turns : joinTurns(request.turns));
  const context = { names: callNames(request.turns), signs: !pen.same && wantsSignatures(model) };
  const [first] = system;
  const instruction = system.flatMap(({ parts }) => writeParts(parts, pen, context));
  return pen.give(
    {
      systemInstruction:
        instruction.length > 0
          ? pen.give({ role: first && pen.spelled(first, 'role'), parts: instruction })
          : null,
      contents: rest.length > 0 ? rest.map((turn) => writeContent(turn, pen, context)) : null,
      generationConfig: writeConfig(request, model, pen),
      tools: writeTools(request, pen),
      toolConfig: writeChoice(request, pen),
      serviceTier: request.tier && tiers[request.tier],
    },
    request,
  );
}

function writeContent(turn: Turn, pen: Pen, context: Parameters<typeof writeParts>[2]): unknown {
  const [first] = turn.parts;
  if (turn.role === 'unknown') return first?.kind === 'unknown' ? first.value : null;
  const role = pen.same ? pen.spelled(turn, 'role') : turn.role === 'assistant' ? 'model' : 'user';
  return pen.give({ role, parts: writeParts(turn.parts, pen, context) }, turn);
}

function writeTools(request: NeutralRequest, pen: Pen): unknown {
  const { tools } = request;
  if (!pen.same)
    return tools.length > 0 ? [{ functionDeclarations: tools.map((tool) => writeTool(tool, pen)) }] : null;
  const spelled = asObject(pen.spelled(request, 'tools'));
  if (!spelled) return null;
  const written = asArray(spelled.groups).map((group, index) => {
    const within = tools.filter((tool) => pen.spelled(tool, 'group') === index);
    const functionDeclarations = within.length > 0 ? within.map((tool) => writeTool(tool, pen)) : null;
    return asObject(group) ? pen.give({ functionDeclarations }, group as { own?: Own }) : group;
  });
  return spelled.single === true ? written[0] : written;
}

function writeTool(tool: Tool, pen: Pen): unknown {
  if (tool.kind === 'unknown') return tool.value;
  const { name, description, schema } = tool;
  const open = pen.spelled(tool, 'parameters');
  return pen.give({ name, description, parametersJsonSchema: open ? null : schema, parameters: open }, tool);
}

/** `VALIDATED`: the model decides, and what it calls follows the schema. */
function writeChoice(request: NeutralRequest, pen: Pen): JsonObject | null {
  const { toolChoice, tools } = request;
  const isStrict = !pen.same && tools.some((tool) => tool.kind === 'function' && tool.strict === true);
  if (!toolChoice && !isStrict) return null;
  const { mode, names } = toolChoice ?? { mode: 'auto', names: null };
  const words = { auto: isStrict ? 'VALIDATED' : 'AUTO', any: 'ANY', none: 'NONE' };
  return {
    functionCallingConfig: pen.give({
      mode: pen.spelled(request, 'mode') ?? words[mode],
      allowedFunctionNames: names,
    }),
  };
}
