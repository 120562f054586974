import { featureNames, featuresOf } from '../../src/routing/features.ts';
import { distinctBuckets } from '../../src/routing/ngrams.ts';
import { type ScorerModel, scoredPart } from '../../src/routing/scorer.ts';
import { evaluate } from '../../src/routing/trees.ts';
import type { Labelled } from './data.ts';
import { fitRidge } from './ridge.ts';
import { fitTrees } from './trees.ts';

/** Chosen by cross-validation on the development prompts. */
const penalty = 15;
/** So much of what is learnt of a prompt is the mean of its subject: one answer of either model is a noisy label. */
const evened = 0.4;
/** So many prompts of the mean of all count as well as those of a subject. */
const drawn = 20;
const blend = { ngrams: 0.6, trees: 0.4 };

/**
 * What a conversation has beside its question, and the labelled prompts have not: set by hand, small beside
 * the spread of the scores (a standard deviation of about 0.07), and bounded.
 */
const surroundings: ScorerModel['surroundings'] = {
  depth: { weight: 0.005, most: 0.04 },
  tools: { weight: 0.01, most: 0.05 },
  context: { weight: 0.004, most: 0.04 },
  schema: { weight: 0.02, most: 0.02 },
  media: { weight: 0.02, most: 0.02 },
  reasoning: { weight: 0.1, most: 0.1 },
};

/** A prompt as it is learnt from; made once for all folds. */
export interface Example extends Labelled {
  buckets: Uint16Array;
  features: Float64Array;
}

export function exampleOf(row: Labelled): Example {
  const text = scoredPart(row.prompt);
  return { ...row, buckets: distinctBuckets(text).slice(), features: featuresOf(text) };
}

export interface Fitted {
  weights: Float64Array;
  model: Omit<ScorerModel, 'ngrams' | 'step'>;
}

/**
 * Fits the two parts. Each set's mean gain is taken off before: the sets differ in form, and that form (answers to
 * choose from, or none) must not be learnt as difficulty. Labels are evened out by subject; a scorer is never told it.
 */
export function fit(examples: readonly Example[]): Fitted {
  const means = new Map<string, number>();
  const sizes = new Map<string, number>();
  for (const set of new Set(examples.map((each) => each.set))) {
    const gains = examples.filter((each) => each.set === set).map(({ gain }) => gain);
    sizes.set(set, gains.length);
    means.set(set, gains.reduce((sum, gain) => sum + gain, 0) / gains.length);
  }
  const own = examples.map(({ gain, set }) => gain - (means.get(set) ?? 0));
  const subjects = new Map<string, { sum: number; size: number }>();
  for (const [index, { subject }] of examples.entries()) {
    const { sum, size } = subjects.get(subject) ?? { sum: 0, size: 0 };
    subjects.set(subject, { sum: sum + (own[index] ?? 0), size: size + 1 });
  }
  const targets = examples.map(({ subject, set }, index) => {
    const { sum, size } = subjects.get(subject) ?? { sum: 0, size: 0 };
    const label = own[index] ?? 0;
    // A set of one subject has nothing to even out.
    const isAlone = size === sizes.get(set);
    return isAlone ? label : (1 - evened) * label + (evened * sum) / (size + drawn);
  });
  const documents = examples.map((each) => each.buckets);
  return {
    weights: fitRidge(documents, targets, penalty),
    model: {
      features: featureNames,
      bias: examples.reduce((sum, { gain }) => sum + gain, 0) / examples.length,
      blend,
      trees: fitTrees(
        examples.map((each) => each.features),
        targets,
      ),
      surroundings,
    },
  };
}

/** As the scorer reckons it, of a question alone. */
export function predict(
  { weights, model }: Fitted,
  { buckets, features }: Pick<Example, 'buckets' | 'features'>,
): number {
  let sum = 0;
  for (const bucket of buckets) sum += weights[bucket] ?? 0;
  const wording = sum / Math.sqrt(Math.max(1, buckets.length));
  return model.bias + model.blend.ngrams * wording + model.blend.trees * evaluate(model.trees, features);
}

/** The file: weights as signed bytes, the rest rounded to six figures. */
export function toFile({ weights, model }: Fitted): ScorerModel {
  const step = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0) / 127;
  const bytes = Int8Array.from(weights, (weight) => Math.round(weight / step));
  const short = (value: number) => Number(value.toPrecision(6));
  return {
    ...model,
    bias: short(model.bias),
    trees: model.trees.map((tree) => tree.map((node) => node.map(short) as typeof node)),
    step: short(step),
    ngrams: Buffer.from(bytes.buffer).toString('base64'),
  };
}
