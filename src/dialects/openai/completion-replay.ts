import { CannotGather, type Combine, dropped, first, gather, last, objects, same } from '../gather.ts';
import { asArray, asObject, type JsonObject } from '../json.ts';
import { asKept, dataEvent, type Forms, objectsOf, textOf } from '../replay.ts';
import { usageFilter } from './ask-usage.ts';

/** How chat and legacy completions differ. */
export interface CompletionForms {
  object: { whole: string; chunk: string };
  /** The choices of a whole answer, of those of all chunks. */
  choices: Combine;
  /** The deltas that make up a choice: the members of it in each chunk. */
  deltas(choice: JsonObject): JsonObject[];
}

/** Answers of the OpenAI family with choices: plain, and streamed as chunks that end with `[DONE]`. */
export function completionForms(forms: CompletionForms): Forms {
  return {
    plainType: 'application/json',
    streamType: () => 'text/event-stream; charset=utf-8',
    whole: (kept) => wholeOf(objectsOf(kept), forms),
    stream: (answer, wanted) => streamOf(answer, wanted.usage, forms),
    same(kept, wanted) {
      if (!wanted.streamed || wanted.usage === null) return asKept(kept);
      // Told of itself or not, beside the choices or under `x_groq`: never inside of a text, where it is escaped.
      const tells = /"usage"\s*:\s*\{/.test(textOf(kept));
      if (wanted.usage) return tells ? asKept(kept) : null;
      if (!tells) return asKept(kept);
      const filter = usageFilter();
      const end = kept.chunks.length - 1;
      const chunks = kept.chunks.map((chunk, index) => filter.push(chunk, index === end));
      return { contentType: kept.contentType, chunks: chunks.filter(({ length }) => length > 0) };
    },
  };
}

function wholeOf(chunks: JsonObject[], { object, choices }: CompletionForms): JsonObject {
  const parts = chunks.map(withUsageOfGroq);
  const whole = gather(
    parts,
    {
      created: first,
      object: () => object.whole,
      choices,
      usage: last,
      x_groq: objects({}, same),
      obfuscation: dropped,
    },
    same,
  );
  if (!asObject(whole.usage)) throw new CannotGather('a plain answer tells its usage');
  const reasons = asArray(whole.choices).map((choice) => asObject(choice)?.finish_reason ?? null);
  if (reasons.length === 0 || reasons.includes(null)) throw new CannotGather('it has no end');
  return whole;
}

/** Groq tells the usage of a stream under `x_groq`, and of a plain answer where all do. */
function withUsageOfGroq(chunk: JsonObject): JsonObject {
  const groq = asObject(chunk.x_groq);
  if (!groq?.usage) return chunk;
  const { usage, ...others } = groq;
  return { ...chunk, x_groq: others, usage: chunk.usage ?? usage };
}

/** What each chunk repeats. */
const envelope = ['id', 'object', 'created', 'model', 'service_tier', 'system_fingerprint', 'provider'];

function streamOf(answer: JsonObject, asked: boolean | null, forms: CompletionForms): string[] | null {
  const { choices, usage, ...others }: JsonObject = { ...answer, object: forms.object.chunk };
  if (asked && !asObject(usage)) return null;
  const repeated = Object.entries(others).filter(([name]) => envelope.includes(name));
  const told = Object.entries(others).filter(([name]) => !envelope.includes(name));
  const chunk = (list: unknown[], more: JsonObject) => {
    return dataEvent({ ...Object.fromEntries(repeated), choices: list, ...more });
  };
  // OpenAI says so in each chunk, where the usage was asked for.
  const noUsage = asked ? { usage: null } : {};
  const parts = asArray(choices).flatMap((choice) => forms.deltas(asObject(choice) ?? {}));
  return [
    ...parts.map((part, index) =>
      chunk([part], { ...(index === 0 && Object.fromEntries(told)), ...noUsage }),
    ),
    ...(asked === false || !asObject(usage) ? [] : [chunk([], { usage })]),
    'data: [DONE]\n\n',
  ];
}
