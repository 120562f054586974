import { readFileSync } from 'node:fs';
import type { Conversation } from '../dialects/conversation.ts';
import { featureNames, featuresOf, surroundings } from './features.ts';
import { buckets, distinctBuckets, eachBucket } from './ngrams.ts';
import { evaluate, type Tree } from './trees.ts';

/** What `npm run train:routing` writes (scorer.json). A score is the expected gain: the share of such prompts that a strong model answers right and a weak one does not, less the reverse. */
export interface ScorerModel {
  features: readonly string[];
  bias: number;
  /** Weight of n-grams and of trees. */
  blend: { ngrams: number; trees: number };
  trees: Tree[];
  /** One signed byte a bucket, in base64, times `step`. */
  ngrams: string;
  step: number;
  /** Set by hand, since no labelled prompt has them: weight of each unit, and the most that it may add. */
  surroundings: Record<string, { weight: number; most: number }>;
}

/** One reason for a score. The contributions and the bias add up to it. */
export interface Contribution {
  name: string;
  kind: 'wording' | 'feature' | 'surroundings';
  value: number;
  contribution: number;
}

export interface Explanation {
  score: number;
  bias: number;
  contributions: Contribution[];
}

export interface Scorer {
  score(conversation: Conversation): number;
  explain(conversation: Conversation): Explanation;
}

/** So much of the beginning of a long question is scored, and of its end: it bounds what a score costs. */
const beginningChars = 2_048;
const endChars = 6_144;

/** The most telling words that an explanation names; the rest is one sum. */
const namedWords = 10;

export function createScorer(model: ScorerModel = readModel()): Scorer {
  if (model.features.join() !== featureNames.join())
    throw new Error('scorer.json is of other features than this release has: run npm run train:routing');
  const bytes = Buffer.from(model.ngrams, 'base64');
  const weights = Float32Array.from({ length: buckets }, (_, bucket) => bytes.readInt8(bucket) * model.step);
  const { blend, bias, trees } = model;

  function around(conversation: Conversation): Contribution[] {
    return Object.entries(surroundings(conversation)).map(([name, value]) => {
      const { weight, most } = model.surroundings[name] ?? { weight: 0, most: 0 };
      return { name, kind: 'surroundings', value, contribution: Math.min(most, weight * value) };
    });
  }

  return {
    score(conversation) {
      const question = scoredPart(conversation.question);
      const found = distinctBuckets(question);
      let sum = 0;
      for (const bucket of found) sum += weights[bucket] ?? 0;
      return (
        bias +
        (blend.ngrams * sum) / Math.sqrt(Math.max(1, found.length)) +
        blend.trees * evaluate(trees, featuresOf(question)) +
        around(conversation).reduce((total, { contribution }) => total + contribution, 0)
      );
    },
    explain(conversation) {
      const question = scoredPart(conversation.question);
      const features = featuresOf(question);
      const moved = new Float64Array(featureNames.length);
      evaluate(trees, features, (feature, by) => {
        moved[feature] = (moved[feature] ?? 0) + by * blend.trees;
      });
      const roots = trees.reduce((sum, tree) => sum + (tree[0]?.[0] ?? 0), 0) * blend.trees;
      const contributions: Contribution[] = [
        ...featureNames.map((name, index) => ({
          name,
          kind: 'feature' as const,
          value: features[index] ?? 0,
          contribution: moved[index] ?? 0,
        })),
        ...wording(question, weights, blend.ngrams),
        ...around(conversation),
      ].filter(({ contribution }) => contribution !== 0);
      const score = contributions.reduce((sum, each) => sum + each.contribution, bias + roots);
      contributions.sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
      return { score, bias: bias + roots, contributions };
    },
  };
}

/** What of a question is looked at. */
export function scoredPart(question: string): string {
  if (question.length <= beginningChars + endChars) return question;
  return `${question.slice(0, beginningChars)}\n${question.slice(-endChars)}`;
}

/** What each word adds by its n-grams; one that two words share is the first one's. */
function wording(question: string, weights: Float32Array, blend: number): Contribution[] {
  const seen = new Set<number>();
  const words = new Map<string, number>();
  eachBucket(question, (bucket, word) => {
    if (seen.has(bucket)) return;
    seen.add(bucket);
    const name = word.slice(0, 40);
    words.set(name, (words.get(name) ?? 0) + (weights[bucket] ?? 0));
  });
  const root = Math.sqrt(Math.max(1, seen.size));
  const all = [...words]
    .map(([name, sum]) => ({ name, kind: 'wording' as const, value: 1, contribution: (blend * sum) / root }))
    .sort((a, b) => Math.abs(b.contribution) - Math.abs(a.contribution));
  const rest = all.slice(namedWords).reduce((sum, { contribution }) => sum + contribution, 0);
  const others = {
    name: 'other words',
    kind: 'wording' as const,
    value: all.length - namedWords,
    contribution: rest,
  };
  return all.length > namedWords ? [...all.slice(0, namedWords), others] : all;
}

function readModel(): ScorerModel {
  return JSON.parse(readFileSync(new URL('./scorer.json', import.meta.url), 'utf8')) as ScorerModel;
}
