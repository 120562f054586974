import { callId } from '../../ids.ts';
import type { JsonObject } from '../../json.ts';
import type { ContentPart, JsonOutput, NeutralRequest, Part, Tool, Turn } from '../../neutral.ts';
import type { WriteTarget } from '../../neutral-dialect.ts';
import { effortFor, isReasoning } from '../../openai/models.ts';
import { openaiOutput, writeToolChoice } from '../../openai/neutral.ts';
import { type Pen, penFor } from '../../own.ts';
import { joinTurns } from '../../turns.ts';
import { choiceForm } from './choice.ts';
import { writeCall, writeReasoning } from './items.ts';
import { writeContent } from './parts.ts';

export function writeRequest(request: NeutralRequest, target: WriteTarget): JsonObject {
  const pen = penFor(request.dialect, 'openai-responses');
  const { verbosity, ...shared } = request.openai ?? {};
  const output = request.output && openaiOutput(request.output, request.dialect);
  const text = pen.give({ format: output && writeOutput(output, pen), verbosity });
  const reasoning = writeEffort(request, target.model, pen);
  const [instructions, turns] = splitInstructions(request, pen);
  return pen.give(
    {
      model: target.model,
      instructions,
      input: writeInput(request, turns, pen),
      stream: request.stream,
      max_output_tokens: request.maxTokens,
      tools: request.tools.length > 0 ? request.tools.map((tool) => writeTool(tool, pen)) : null,
      tool_choice: request.toolChoice && writeToolChoice(request.toolChoice, choiceForm),
      parallel_tool_calls: request.parallelCalls,
      text: Object.keys(text).length > 0 ? text : null,
      temperature: request.temperature,
      top_p: request.topP,
      reasoning: Object.keys(reasoning).length > 0 ? reasoning : null,
      user: request.user,
      service_tier: request.tier,
      // Nobody else keeps what was said unless asked to.
      ...(!pen.same && { store: false }),
      include: pen.same
        ? pen.spelled(request, 'include')
        : isReasoning(target.model)
          ? ['reasoning.encrypted_content']
          : null,
      ...shared,
    },
    request,
  );
}

function splitInstructions(
  { turns }: NeutralRequest,
  pen: Pen,
): [instructions: string | null, turns: Turn[]] {
  const [first, ...rest] = turns;
  const [part] = first?.parts ?? [];
  return first && part?.kind === 'text' && pen.spelled(first, 'as') === 'instructions'
    ? [part.text, rest]
    : [null, pen.same ? turns : joinTurns(turns)];
}

function writeInput(request: NeutralRequest, turns: Turn[], pen: Pen): unknown {
  const [part] = turns[0]?.parts ?? [];
  if (pen.spelled(request, 'input') === 'text' && part?.kind === 'text') return part.text;
  return turns.length > 0 ? turns.flatMap((turn, index) => writeTurn(turn, index, pen)) : null;
}

/** An item for each thought, call and result, and a message for what is said between them. */
function writeTurn(turn: Turn, index: number, pen: Pen): unknown[] {
  if (turn.role === 'unknown') return turn.parts.map((part) => (part.kind === 'unknown' ? part.value : null));
  const items: unknown[] = [];
  let said: ContentPart[] = [];
  const endMessage = () => {
    if (said.length > 0) items.push(writeMessage(turn, said, pen));
    said = [];
  };
  for (const part of turn.parts) {
    if (part.kind !== 'thinking' && part.kind !== 'call' && part.kind !== 'result') {
      said.push(part);
      continue;
    }
    endMessage();
    items.push(writeItem(part, `rs_${index}`, pen));
  }
  endMessage();
  return items.length > 0 ? items : [writeMessage(turn, [], pen)];
}

function writeMessage(turn: Turn, parts: ContentPart[], pen: Pen): JsonObject {
  const of = (name: string) => pen.spelled(turn, name);
  const content = writeContent(parts, turn, turn.role, pen) ?? (pen.same ? null : '');
  return pen.give(
    { type: of('type'), id: of('id'), status: of('status'), role: of('role') ?? turn.role, content },
    turn,
  );
}

function writeItem(
  part: Extract<Part, { kind: 'thinking' | 'call' | 'result' }>,
  id: string,
  pen: Pen,
): JsonObject {
  switch (part.kind) {
    case 'thinking':
      return writeReasoning(part, id, pen);
    case 'call':
      return writeCall(part, pen);
    case 'result':
      return pen.give(
        {
          type: 'function_call_output',
          id: pen.spelled(part, 'id'),
          status: pen.spelled(part, 'status'),
          call_id: pen.same ? part.id : callId(part.id, 'openai-responses'),
          output: writeContent(part.parts, part, 'tool', pen) ?? (pen.same ? null : ''),
        },
        part,
      );
  }
}

function writeTool(tool: Tool, pen: Pen): unknown {
  if (tool.kind === 'unknown') return tool.value;
  const { name, description, schema, strict } = tool;
  return pen.give({ type: 'function', name, description, parameters: schema, strict }, tool, {
    parameters: null,
    strict: false,
  });
}

function writeOutput({ schema, name, description, strict }: JsonOutput, pen: Pen): JsonObject {
  return schema || name
    ? { type: 'json_schema', ...pen.give({ name, description, schema, strict }) }
    : { type: 'json_object' };
}

function writeEffort(request: NeutralRequest, model: string, pen: Pen): JsonObject {
  const { reasoning } = request;
  if (pen.same) return pen.give({ effort: reasoning?.effort, summary: pen.spelled(request, 'summary') });
  const summary = reasoning?.show === true && isReasoning(model) ? 'auto' : null;
  return pen.give({ effort: effortFor(reasoning, model), summary });
}
