import type { JsonObject } from '../../json.ts';
import type { FunctionTool, NeutralRequest, Turn } from '../../neutral.ts';
import type { WriteTarget } from '../../neutral-dialect.ts';
import { penFor } from '../../own.ts';
import { strictSchema } from '../../schema.ts';
import { joinTurns, splitSystem } from '../../turns.ts';
import { documentNamer, writeBlocks } from './blocks.ts';
import { thinkingOf } from './thinking.ts';

interface Message {
  role: 'user' | 'assistant';
  content: JsonObject[];
}

/** What its invocation logs take as a value (docs.aws.amazon.com, Converse, `requestMetadata`). */
const loggable = /^[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}$/;

/** The body of Converse and ConverseStream: the model and whether it streams are in the path. */
export function writeRequest(request: NeutralRequest, { model, maxTokens }: WriteTarget): JsonObject {
  const { give } = penFor(request.dialect, 'bedrock-converse');
  const { system, rest } = splitSystem(joinTurns(request.turns));
  const nameOf = documentNamer();
  const instructions = system.flatMap(({ parts }) => parts.flatMap((part) => writeBlocks(part, nameOf)));
  const inference = give({
    maxTokens: request.maxTokens ?? maxTokens,
    temperature: request.temperature,
    topP: request.topP,
    stopSequences: request.stop && request.stop.length > 0 ? request.stop : null,
  });
  const user = request.user !== null && loggable.test(request.user) ? { user: request.user } : null;
  return give({
    system: instructions.length > 0 ? instructions : null,
    messages: writeMessages(rest, nameOf),
    inferenceConfig: Object.keys(inference).length > 0 ? inference : null,
    toolConfig: writeTools(request),
    outputConfig: writeOutput(request),
    additionalModelRequestFields: thinkingOf(model)?.(request, model) ?? null,
    serviceTier: request.tier && { type: request.tier },
    requestMetadata: user,
  });
}

/**
 * Whether files stand where Converse takes none (docs.aws.amazon.com, Message): beside no text, or in what the model
 * said.
 */
export function misplacesFiles({ turns }: NeutralRequest): boolean {
  const { rest } = splitSystem(joinTurns(turns));
  return writeMessages(rest, documentNamer()).some(({ role, content }) => {
    const has = (name: string) => content.some((block) => name in block);
    if (role === 'assistant') return has('image') || has('document') || has('video');
    return has('document') && !has('text');
  });
}

/** User and assistant take turns; results stand at the beginning of theirs. */
function writeMessages(turns: Turn[], nameOf: ReturnType<typeof documentNamer>): Message[] {
  const messages: Message[] = [];
  for (const { role, parts } of turns) {
    const ordered = parts.toSorted((a, b) => Number(b.kind === 'result') - Number(a.kind === 'result'));
    const content = ordered.flatMap((part) => writeBlocks(part, nameOf));
    const speaker = role === 'assistant' ? 'assistant' : 'user';
    const last = messages.at(-1);
    if (content.length === 0) continue;
    if (last?.role === speaker) last.content.push(...content);
    else messages.push({ role: speaker, content });
  }
  return messages;
}

function writeTools({ tools, toolChoice }: NeutralRequest): JsonObject | null {
  const offered = tools.filter((tool) => tool.kind === 'function');
  if (offered.length === 0 || toolChoice?.mode === 'none') return null;
  const [name] = toolChoice?.names ?? [];
  const choice = name === undefined ? toolChoice && { [toolChoice.mode]: {} } : { tool: { name } };
  return { tools: offered.map(writeTool), ...(choice && { toolChoice: choice }) };
}

function writeTool({ name, description, schema, strict }: FunctionTool): JsonObject {
  return {
    toolSpec: {
      name,
      ...(description !== null && description !== '' && { description }),
      inputSchema: { json: schema ?? { type: 'object', properties: {} } },
      ...(strict === true && { strict }),
    },
  };
}

function writeOutput({ output }: NeutralRequest): JsonObject | null {
  if (!output?.schema) return null;
  const { name, description, schema } = strictSchema(output);
  const jsonSchema = { name, schema: JSON.stringify(schema), ...(description !== null && { description }) };
  return { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
}
