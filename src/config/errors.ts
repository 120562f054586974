/** One thing that is wrong with the config, and what would be right. */
export interface Problem {
  /** `listen.egress`; empty for the document as a whole. */
  path: string;
  /** Line in the file, from 1; absent for what the environment says. */
  line?: number;
  message: string;
}

/** All that is wrong with a config; its message has a line for each problem. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly problems: Problem[];

  constructor(source: string, problems: Problem[]) {
    super(
      problems
        .map(
          ({ path, line, message }) =>
            `${source}${line ? `:${line}` : ''}: ${path ? `${path}: ` : ''}${message}`,
        )
        .join('\n'),
    );
    this.problems = problems;
  }
}

/** The nearest of the right words, when it is near enough to be meant. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const ranked = words
    .map((each) => ({ each, far: distance(word.toLowerCase(), each.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  const [best] = ranked;
  return best && best.far <= Math.max(2, Math.floor(word.length / 3)) ? best.each : undefined;
}

/** Edits that turn one word into the other (Levenshtein), a swap of neighbours counting two. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitute, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
