// `npm run evaluate:routing`: how well each scorer tells which prompts are worth a strong model, by 5-fold
// cross-validation on the labelled prompts.
import { readConversation } from '../../src/dialects/conversation.ts';
import { baseComplexity, levels } from '../../src/routing/complexity.ts';
import { createScorer } from '../../src/routing/scorer.ts';
import { createTokens } from '../../src/routing/tokens.ts';
import { foldOf, labelled, routingDataMissing } from './data.ts';
import { type Metrics, metricsOf } from './metrics.ts';
import { type Example, exampleOf, fit, predict, toFile } from './train.ts';

const folds = 5;
const repeats = Number(process.argv[2] ?? 10);

if (routingDataMissing) {
  console.log(`skipped: ${routingDataMissing}`);
  process.exit(0);
}
const sets = { mmlu: labelled('mmlu').map(exampleOf), gsm8k: labelled('gsm8k').map(exampleOf) };
const all = Object.values(sets).flat();

/** Scores of prompts by what was learnt from the others. */
function crossValidated(seed: number): { scores: Map<Example, number>; fold: Map<Example, number> } {
  const fold = new Map(all.map((each) => [each, foldOf(each.prompt, folds, seed)]));
  const scores = new Map<Example, number>();
  for (let at = 0; at < folds; at++) {
    const fitted = fit(all.filter((each) => fold.get(each) !== at));
    for (const each of all) if (fold.get(each) === at) scores.set(each, predict(fitted, each));
  }
  return { scores, fold };
}

/** What knowing the true subject would give: its mean gain in the other folds, drawn to the mean of all. */
function bySubject(fold: Map<Example, number>): Map<Example, number> {
  const scores = new Map<Example, number>();
  for (let at = 0; at < folds; at++) {
    const others = sets.mmlu.filter((each) => fold.get(each) !== at);
    const mean = others.reduce((sum, { gain }) => sum + gain, 0) / others.length;
    const sums = new Map<string, { gain: number; size: number }>();
    for (const { subject, gain } of others) {
      const sum = sums.get(subject) ?? { gain: 0, size: 0 };
      sums.set(subject, { gain: sum.gain + gain, size: sum.size + 1 });
    }
    for (const each of sets.mmlu) {
      if (fold.get(each) !== at) continue;
      const { gain, size } = sums.get(each.subject) ?? { gain: 0, size: 0 };
      scores.set(each, (gain + 20 * mean) / (size + 20));
    }
  }
  return scores;
}

const gains = (examples: Example[]) => examples.map(({ gain }) => gain);
const round = (value: number) => value.toFixed(3);

/** Mean, and standard deviation over several figures. */
function spread(values: number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  return values.length === 1 ? round(mean) : `${round(mean)} ± ${round(deviation)}`;
}

function row(metrics: Metrics[]): Record<string, string> {
  return {
    APGR: spread(metrics.map(({ apgr }) => apgr)),
    CPT50: spread(metrics.map(({ cpt50 }) => cpt50)),
    CPT80: spread(metrics.map(({ cpt80 }) => cpt80)),
  };
}

const tokens = await createTokens();
const base = (prompt: string) => levels.indexOf(baseComplexity(tokens.upTo([prompt], 500), [prompt]));
const runs = Array.from({ length: repeats }, (_, seed) => crossValidated(seed + 1));

for (const [name, examples] of Object.entries(sets)) {
  const fixed = (score: (each: Example) => number) => [metricsOf(examples.map(score), gains(examples))];
  const table: Record<string, Record<string, string>> = {
    'random (expected)': row(fixed(() => 0)),
    'base rules': row(fixed(({ prompt }) => base(prompt))),
    'prompt length': row(fixed(({ prompt }) => prompt.length)),
    ...(name === 'mmlu' && {
      'the true subject, cross-validated': row(
        runs.map(({ fold }) => {
          const scores = bySubject(fold);
          return metricsOf(
            examples.map((each) => scores.get(each) ?? 0),
            gains(examples),
          );
        }),
      ),
    }),
    'scorer, cross-validated': row(
      runs.map(({ scores }) =>
        metricsOf(
          examples.map((each) => scores.get(each) ?? 0),
          gains(examples),
        ),
      ),
    ),
    'scorer, each fold by itself': row(
      runs.flatMap(({ scores, fold }) =>
        Array.from({ length: folds }, (_, at) => {
          const part = examples.filter((each) => fold.get(each) === at);
          return metricsOf(
            part.map((each) => scores.get(each) ?? 0),
            gains(part),
          );
        }),
      ),
    ),
  };
  console.log(
    `\n${name}: ${examples.length} prompts, ${repeats} times ${folds} folds (mean ± standard deviation)`,
  );
  console.table(table);
}

/** Where the classes begin when half of the gap, and four fifths, shall go to strong models; and what a score means. */
const scores = runs.flatMap((run) =>
  sets.mmlu.map((each) => ({ score: run.scores.get(each) ?? 0, gain: each.gain })),
);
scores.sort((a, b) => b.score - a.score);
const { cpt50, cpt80 } = metricsOf(
  scores.map(({ score }) => score),
  scores.map(({ gain }) => gain),
);
const at = (share: number) => round(scores[Math.floor(share * scores.length)]?.score ?? 0);
console.log(`\nthresholds: complex from ${at(cpt50)}, medium from ${at(cpt80)}`);
const fifths = Array.from({ length: 5 }, (_, index) =>
  scores.slice((index * scores.length) / 5, ((index + 1) * scores.length) / 5),
);
console.table(
  fifths.map((part) => ({
    'mean score': round(part.reduce((sum, { score }) => sum + score, 0) / part.length),
    'mean gain': round(part.reduce((sum, { gain }) => sum + gain, 0) / part.length),
  })),
);

const text = all
  .map(({ prompt }) => prompt)
  .join('\n')
  .slice(0, 10_240);
const conversation = readConversation({ messages: [{ role: 'user', content: text }] });
const scorer = createScorer(toFile(fit(all)));
if (conversation) {
  for (let warm = 0; warm < 200; warm++) scorer.score(conversation);
  // Of this process alone: others may run beside it.
  const before = process.cpuUsage();
  for (let at = 0; at < 1_000; at++) scorer.score(conversation);
  const { user, system } = process.cpuUsage(before);
  console.log(`scoring 10 KB takes ${((user + system) / 1e6).toFixed(3)} ms of CPU time`);
}
tokens.free();
