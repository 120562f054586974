import { noFacts, type ReplyFacts, type ReplyHead } from '../dialect.ts';
import { asArray, asObject, asString, firstCount, type JsonObject, parseJson } from '../json.ts';
import { errorType, readReportedCost, readUsage } from '../openai/usage.ts';
import { wholeText } from '../text.ts';
import { itemTexts } from './request.ts';

export function readReply(body: Uint8Array, { status }: ReplyHead): ReplyFacts {
  const reply = asObject(parseJson(body));
  if (!reply) return noFacts;
  const facts = responseFacts(reply);
  return { ...facts, complete: status === 200 && facts.complete };
}

/** What a response object tells, in whatever state it is. */
export function responseFacts(response: JsonObject): ReplyFacts {
  const state = asString(response.status);
  const output = asArray(response.output).map(asObject);
  const error = errorType(response, response.output !== undefined) ?? (state === 'failed' ? 'failed' : null);
  return {
    ...noFacts,
    model: asString(response.model),
    responseId: asString(response.id),
    finishReason: finishReason(response, output),
    usage: readUsage(response.usage),
    tools: toolUses(response, output),
    serviceTier: asString(response.service_tier),
    reportedUsd: readReportedCost(response.usage),
    error,
    pending: state === 'queued' || state === 'in_progress',
    complete: error === null && isComplete(response, output),
    text: wholeText(
      output.filter((item) => item?.role !== 'user').flatMap((item) => itemTexts({ ...item, role: null })),
    ),
  };
}

/** A good end, or one at the limit that the request may have set; a refusal is none. */
function isComplete(response: JsonObject, output: (JsonObject | null)[]): boolean {
  if (output.some((item) => asArray(item?.content).some((part) => asObject(part)?.type === 'refusal')))
    return false;
  const cut = response.status === 'incomplete' && finishReason(response, output) === 'length';
  return cut || response.status === 'completed' || response.object === 'response.compaction';
}

/** In the words of chat: `stop`, `length`, `tool_calls`, `content_filter`. */
function finishReason(response: JsonObject, output: (JsonObject | null)[]): string | null {
  const reason = asString(asObject(response.incomplete_details)?.reason);
  if (response.status === 'incomplete') return reason === 'max_output_tokens' ? 'length' : reason;
  if (response.status !== 'completed') return null;
  return output.some((item) => item?.type === 'function_call') ? 'tool_calls' : 'stop';
}

/**
 * Uses of hosted tools that are billed by the call. Newer answers tell them in `tool_usage`; else each
 * call is an item of the output.
 */
function toolUses(response: JsonObject, output: (JsonObject | null)[]): Record<string, number> {
  const told = asObject(response.tool_usage);
  const items = (type: string) => output.filter((item) => item?.type === type).length;
  const uses = {
    web_searches: firstCount(asObject(told?.web_search)?.num_requests) ?? items('web_search_call'),
    storage_searches: firstCount(asObject(told?.file_search)?.num_requests) ?? items('file_search_call'),
    code_executions: items('code_interpreter_call'),
    image_generations: items('image_generation_call'),
  };
  return Object.fromEntries(Object.entries(uses).filter(([, count]) => count > 0));
}
