import { callId } from '../../ids.ts';
import type { JsonObject } from '../../json.ts';
import type { JsonOutput, NeutralRequest, Tool, Turn } from '../../neutral.ts';
import type { WriteTarget } from '../../neutral-dialect.ts';
import { effortFor, isReasoning } from '../../openai/models.ts';
import { openaiOutput, writeToolChoice } from '../../openai/neutral.ts';
import { type Pen, penFor } from '../../own.ts';
import { joinTurns } from '../../turns.ts';
import { writeAssistant } from './assistant.ts';
import { choiceForm } from './choice.ts';
import { writeContent } from './parts.ts';

export function writeRequest(request: NeutralRequest, target: WriteTarget): JsonObject {
  const pen = penFor(request.dialect, 'openai-chat');
  const turns = pen.same ? request.turns : joinTurns(request.turns);
  const limit = limitName(request, target.model, pen);
  const { stop } = request;
  const usage = pen.same ? pen.spelled(request, 'usage') : request.stream && target.askUsage ? true : null;
  return pen.give(
    {
      model: target.model,
      messages: turns.length > 0 ? turns.flatMap((turn) => writeTurn(turn, pen)) : null,
      stream: request.stream,
      stream_options: usage !== null && usage !== undefined ? { include_usage: usage } : null,
      [limit]: request.maxTokens,
      tools: request.tools.length > 0 ? request.tools.map((tool) => writeTool(tool, pen)) : null,
      tool_choice: request.toolChoice && writeToolChoice(request.toolChoice, choiceForm),
      parallel_tool_calls: request.parallelCalls,
      response_format: request.output && writeOutput(openaiOutput(request.output, request.dialect), pen),
      stop: stop && pen.spelled(request, 'stop') === 'one' ? stop[0] : stop,
      temperature: request.temperature,
      top_p: request.topP,
      seed: request.seed,
      frequency_penalty: request.frequencyPenalty,
      presence_penalty: request.presencePenalty,
      reasoning_effort: pen.same ? request.reasoning?.effort : effortFor(request.reasoning, target.model),
      user: request.user,
      service_tier: request.tier,
      ...request.openai,
    },
    request,
  );
}

/** OpenAI's models that think refuse the old name; many other providers know no other. */
function limitName(request: NeutralRequest, model: string, pen: Pen): string {
  const old = pen.same ? pen.spelled(request, 'limit') === 'max_tokens' : !isReasoning(model);
  return old ? 'max_tokens' : 'max_completion_tokens';
}

/** Results come in messages of their own, before what else is said in their turn. */
function writeTurn(turn: Turn, pen: Pen): unknown[] {
  const { role, parts } = turn;
  if (role === 'unknown') return parts.map((part) => (part.kind === 'unknown' ? part.value : null));
  if (role === 'assistant') return [pen.give({ role, ...writeAssistant(turn, pen) }, turn)];
  const results = parts.filter((part) => part.kind === 'result');
  const content = parts.filter(
    (part) => part.kind !== 'result' && part.kind !== 'call' && part.kind !== 'thinking',
  );
  const messages = results.map((part) => {
    const said = writeContent(part.parts, turn, pen) ?? (pen.same ? null : '');
    const id = pen.same ? part.id : callId(part.id, 'openai-chat');
    return pen.give({ role: 'tool', tool_call_id: id, content: said }, turn);
  });
  if (role === 'tool') return messages;
  const spelled = pen.spelled(turn, 'role') ?? role;
  if (content.length > 0 || messages.length === 0)
    messages.push(pen.give({ role: spelled, content: writeContent(content, turn, pen) }, turn));
  return messages;
}

export function writeTool(tool: Tool, pen: Pen): unknown {
  if (tool.kind === 'unknown') return tool.value;
  const { name, description, schema, strict } = tool;
  const f = pen.give({ name, description, parameters: schema, strict });
  const type = pen.spelled(tool, 'type') === 'none' ? null : 'function';
  return pen.give({ type, function: f }, tool);
}

function writeOutput(output: JsonOutput, pen: Pen): JsonObject {
  if (!output.schema && !output.name) return { type: 'json_object' };
  const { name, description, schema, strict } = output;
  return { type: 'json_schema', json_schema: pen.give({ name, description, schema, strict }) };
}
