import { z } from 'zod';
import type { Path } from '../introspect.ts';
import { name } from '../values.ts';
import type { PolicyCheck } from './check.ts';
import { checkModel } from './names.ts';

/** One model, or several in the order in which they are liked. */
const models = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1)], {
    error: 'expected a model such as gpt-4o or groq/llama-3.1-8b-instant, or a list of them',
  })
  .transform((value) => (typeof value === 'string' ? [value] : value));

const row = z.strictObject({
  cost: models.describe('The cheapest that is good enough; of several, the one that is estimated cheapest.'),
  latency: models.describe('The fastest; of several, the one that is measured fastest.'),
  quality: models.describe('The best; of several, the first that can.'),
});

const table = z.strictObject({
  simple: row.describe('For simple calls.'),
  medium: row.describe('For medium calls.'),
  complex: row.describe('For complex calls.'),
});

export const optimizations = ['cost', 'latency', 'quality'] as const;

/** Which model takes a call. */
export const routingPolicy = z.strictObject({
  mode: z
    .enum(['off', 'shadow', 'on'])
    .default('off')
    .describe(
      'Of calls that name a model: `on` may give them to another, `shadow` writes down what it would do and changes nothing. Calls for `auto` are routed in any case.',
    ),
  profile: name.default('default').describe('The table of models: `default`, `current`, or one of `tables`.'),
  optimize_for: z.enum(optimizations).default('cost').describe('What counts, where a call does not say it.'),
  scorer: z
    .enum(['rules', 'learned'])
    .default('rules')
    .describe('Who tells simple, medium and complex calls apart: the base rules, or the trained scorer.'),
  thresholds: z
    .strictObject({
      medium: z
        .number()
        .default(0.118)
        .describe('From this score of the trained scorer on a call is medium.'),
      complex: z.number().default(0.147).describe('From this score on a call is complex.'),
    })
    .prefault({}),
  providers: z
    .array(name)
    .optional()
    .describe('Only these providers take calls that are routed. Default: all that have a key.'),
  baseline_model: z
    .string()
    .min(1)
    .optional()
    .describe(
      'What calls for `auto` are compared with, to reckon the saving. Default: the first model of the profile for complex calls and quality.',
    ),
  replay_percent: z
    .number()
    .min(0)
    .max(100)
    .default(0)
    .describe('So many of a hundred routed calls are also sent to the model asked for, to prove the saving.'),
  judge_model: z
    .string()
    .min(1)
    .optional()
    .describe('Compares the two answers of a replayed call. Without one, only their costs are compared.'),
  tables: z
    .record(name, table)
    .prefault({})
    .describe(
      'Profiles of your own, by name. A model with a provider before it, as in `groq/…`, is asked for there.',
    ),
});

/** Profiles that weir brings. */
export const builtinProfiles = ['default', 'current'] as const;

export const checkRouting: PolicyCheck = ({ policy: { routing }, world }, say) => {
  for (const { path, entry } of entriesOf(routing)) {
    // Who names a provider knows what it serves.
    const isPlaced = world.providers.includes(entry.slice(0, Math.max(0, entry.indexOf('/'))));
    if (!isPlaced) checkModel(entry, ['routing', ...path], world, say);
  }
  const profiles = [...builtinProfiles, ...Object.keys(routing.tables)];
  if (!profiles.includes(routing.profile))
    say.refuse(
      ['routing', 'profile'],
      `there is no profile ${routing.profile}; known: ${profiles.join(', ')}`,
    );
  const { medium, complex } = routing.thresholds;
  if (medium > complex)
    say.refuse(['routing', 'thresholds', 'medium'], `expected at most that of complex, ${complex}`);
  if (routing.judge_model !== undefined && routing.replay_percent === 0)
    say.warn(['routing', 'judge_model'], 'nothing is judged while routing.replay_percent is 0');
};

/** Every model that a policy names, and where. */
function entriesOf({ tables, judge_model, baseline_model }: RoutingPolicy): { path: Path; entry: string }[] {
  const single = Object.entries({ judge_model, baseline_model }).flatMap(([name, entry]) =>
    entry === undefined ? [] : [{ path: [name], entry }],
  );
  const cells = Object.entries(tables).flatMap(([profile, levels]) =>
    Object.entries(levels).flatMap(([level, row]) =>
      Object.entries(row).flatMap(([optimizeFor, entries]) =>
        entries.map((entry, at) => ({
          path: ['tables', profile, level, optimizeFor, ...(entries.length > 1 ? [at] : [])],
          entry,
        })),
      ),
    ),
  );
  return [...single, ...cells];
}

export type RoutingPolicy = z.output<typeof routingPolicy>;
export type OptimizeFor = (typeof optimizations)[number];
export type RoutingTable = RoutingPolicy['tables'][string];
