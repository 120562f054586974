import { LRUCache } from 'lru-cache';
import { Percentile } from './percentile.ts';

/** Models of organizations that are remembered. */
const remembered = 5_000;
/** After the ledger could not be read. */
const retryMs = 60_000;
/** Answers of a model after which its own are relied on. */
const enough = 20;
/** Before that: long answers are rare, and prose has three to four characters a token. */
const unknown = { output: 4_096, tokensPerChar: 0.5 };
/** What a request's form costs beside its text. */
const overhead = 16;

/** Whose answers are alike. */
export interface Kind {
  organization: string;
  provider: string;
  model: string | null;
}

/** What calls use, by those before. */
export interface Estimates {
  /**
   * `maxOutputTokens`: what the request names counts; null: it names nothing, and the 95th percentile of the
   * model's answers does; undefined: it makes no text.
   */
  tokens(
    kind: Kind,
    request: { textChars: number; maxOutputTokens: number | null | undefined },
  ): { input: number; output: number };
  /** What a call has used by the provider's own counts. */
  learn(kind: Kind, call: { textChars: number; input: number; output: number }): void;
}

interface Learned {
  output: Percentile;
  /** Thousandths of a token a character. */
  perChar: Percentile;
}

/** `history`: the latest output tokens of an organization by model, from the ledger. */
export function createEstimates(
  history: (organization: string) => Promise<(Omit<Kind, 'organization'> & { output: number })[]>,
): Estimates {
  const learned = new LRUCache<string, Learned>({ max: remembered });
  const read = new LRUCache<string, true>({ max: remembered });

  const keyOf = ({ organization, provider, model }: Kind) => JSON.stringify([organization, provider, model]);

  function of(kind: Kind): Learned {
    const key = keyOf(kind);
    let known = learned.get(key);
    if (!known) {
      known = { output: new Percentile(), perChar: new Percentile() };
      learned.set(key, known);
    }
    return known;
  }

  /** What was before this process began; nobody waits for it. */
  function readHistory(organization: string): void {
    if (read.has(organization)) return;
    read.set(organization, true);
    history(organization).then(
      (calls) => {
        for (const { output, ...kind } of calls) of({ ...kind, organization }).output.add(output);
      },
      () => read.set(organization, true, { ttl: retryMs }),
    );
  }

  return {
    tokens(kind, { textChars, maxOutputTokens }) {
      readHistory(kind.organization);
      const { output, perChar } = of(kind);
      const ratio = perChar.count < enough ? unknown.tokensPerChar : perChar.at(0.95) / 1_000;
      return {
        input: Math.ceil(textChars * ratio) + overhead,
        output:
          maxOutputTokens === undefined
            ? 0
            : (maxOutputTokens ?? (output.count < enough ? unknown.output : output.at(0.95))),
      };
    },
    learn(kind, { textChars, input, output }) {
      const known = of(kind);
      known.output.add(output);
      if (textChars > 0) known.perChar.add((Math.max(0, input - overhead) * 1_000) / textChars);
    },
  };
}
