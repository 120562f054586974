import { z } from 'zod';
import type { Finding, PolicyWorld, Say } from '../config/policy/check.ts';
import { checkModel, checkProvider } from '../config/policy/names.ts';
import { pointerTo } from '../config/policy/pointer.ts';
import { Problem } from './problem.ts';

/** What is wrong, or odd, at one place of a body. */
export const finding = z.object({
  pointer: z.string().describe('JSON pointer into the body.'),
  detail: z.string(),
});

/** Throws a Problem when something is wrong: it is understood, and could not work. */
export function refuseFindings(code: string, errors: Finding[]): void {
  if (errors.length === 0) return;
  const detail = errors.map(({ pointer, detail }) => `${pointer || 'the document'}: ${detail}`).join('; ');
  throw new Problem(422, code, detail, {}, { errors });
}

/** What is wrong with the models and providers that a body names. */
export function wrongNames(
  world: PolicyWorld,
  names: { models?: string[] | null | undefined; providers?: string[] | null | undefined; provider?: string },
): Finding[] {
  const errors: Finding[] = [];
  const say: Say = {
    refuse: (path, detail) => errors.push({ pointer: pointerTo(path), detail }),
    warn() {},
  };
  const { models, providers, provider } = names;
  for (const [index, name] of (models ?? []).entries()) checkModel(name, ['models', index], world, say);
  for (const [index, name] of (providers ?? []).entries())
    checkProvider(name, ['providers', index], world, say);
  if (provider !== undefined) checkProvider(provider, ['provider'], world, say);
  return errors;
}
