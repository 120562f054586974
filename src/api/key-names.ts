import type { Finding, PolicyWorld, Say } from '../config/policy/check.ts';
import { checkModel, checkProvider } from '../config/policy/names.ts';
import { pointerTo } from '../config/policy/pointer.ts';
import { Problem } from './problem.ts';

/** Throws a Problem for a key that names models or providers nobody knows: it could make no call. */
export function checkKeyNames(
  { models, providers }: { models?: string[] | null | undefined; providers?: string[] | null | undefined },
  world: PolicyWorld,
): void {
  const errors: Finding[] = [];
  const say: Say = {
    refuse: (path, detail) => errors.push({ pointer: pointerTo(path), detail }),
    warn() {},
  };
  for (const [index, name] of (models ?? []).entries()) checkModel(name, ['models', index], world, say);
  for (const [index, name] of (providers ?? []).entries())
    checkProvider(name, ['providers', index], world, say);
  if (errors.length === 0) return;
  const detail = errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; ');
  throw new Problem(422, 'key_invalid', detail, {}, { errors });
}
