import { budgets, effortOf } from '../../effort.ts';
import type { JsonObject } from '../../json.ts';
import { type Effort, efforts, type JsonOutput, type NeutralRequest, type Reasoning } from '../../neutral.ts';
import type { Members, Pen } from '../../own.ts';
import { fromOpenApi } from '../../schema.ts';
import { thinksByBudget } from '../versions.ts';

type Configured = Pick<
  NeutralRequest,
  | 'output'
  | 'maxTokens'
  | 'stop'
  | 'temperature'
  | 'topP'
  | 'topK'
  | 'seed'
  | 'frequencyPenalty'
  | 'presencePenalty'
  | 'reasoning'
>;

/** What `generationConfig` says; `m` is the request. */
export function readConfig(m: Members): Configured {
  const config = m.within('generationConfig', 'generation_config');
  const number = (name: string, alias: string) => config?.number(name, alias) ?? null;
  return {
    output: config && readOutput(config, m),
    maxTokens: number('maxOutputTokens', 'max_output_tokens'),
    stop: config?.strings('stopSequences', 'stop_sequences') ?? null,
    temperature: number('temperature', 'temperature'),
    topP: number('topP', 'top_p'),
    topK: number('topK', 'top_k'),
    seed: number('seed', 'seed'),
    frequencyPenalty: number('frequencyPenalty', 'frequency_penalty'),
    presencePenalty: number('presencePenalty', 'presence_penalty'),
    reasoning: config && readThinking(config, m),
  };
}

function readOutput(config: Members, m: Members): JsonOutput | null {
  if (config.word('responseMimeType', ['application/json'], 'response_mime_type') === null) return null;
  const json = config.object('responseJsonSchema', 'response_json_schema');
  const open = json ? null : config.object('responseSchema', 'response_schema');
  m.spell('responseSchema', open);
  return { schema: json ?? (open && fromOpenApi(open)), name: null, description: null, strict: null };
}

function readThinking(config: Members, m: Members): Reasoning | null {
  const thinking = config.within('thinkingConfig', 'thinking_config');
  if (!thinking) return null;
  const budget = thinking.number('thinkingBudget', 'thinking_budget');
  const level = thinking.string('thinkingLevel', 'thinking_level');
  const show = thinking.boolean('includeThoughts', 'include_thoughts');
  m.spell('thinkingLevel', level);
  const effort = efforts.find((each) => each === level?.toLowerCase()) ?? null;
  return { effort: budget === 0 ? 'none' : effort, budget, show };
}

export function writeConfig(request: NeutralRequest, model: string, pen: Pen): JsonObject | null {
  const { output, reasoning } = request;
  const open = pen.spelled(request, 'responseSchema');
  const thinking = reasoning && pen.give(writeThinking(request, reasoning, model, pen));
  const config = pen.give({
    maxOutputTokens: request.maxTokens,
    stopSequences: request.stop,
    temperature: request.temperature,
    topP: request.topP,
    topK: request.topK,
    seed: request.seed,
    frequencyPenalty: request.frequencyPenalty,
    presencePenalty: request.presencePenalty,
    responseMimeType: output && 'application/json',
    responseJsonSchema: open ? null : output?.schema,
    responseSchema: open,
    thinkingConfig: thinking && Object.keys(thinking).length > 0 ? thinking : null,
  });
  return Object.keys(config).length > 0 ? config : null;
}

const levels: Record<Effort, string> = {
  none: 'MINIMAL',
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
  max: 'HIGH',
};

function writeThinking(request: NeutralRequest, reasoning: Reasoning, model: string, pen: Pen): JsonObject {
  const { budget, show } = reasoning;
  if (pen.same)
    return {
      thinkingBudget: budget,
      thinkingLevel: pen.spelled(request, 'thinkingLevel'),
      includeThoughts: show,
    };
  const effort = effortOf(reasoning);
  const amount = thinksByBudget(model)
    ? { thinkingBudget: budget ?? (effort && budgets[effort]) }
    : { thinkingLevel: effort && levels[effort] };
  return { ...amount, includeThoughts: effort === 'none' ? null : show };
}
