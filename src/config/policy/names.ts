import { nearest } from '../errors.ts';
import type { Path } from '../introspect.ts';
import type { PolicyCheck, PolicyWorld, Say } from './check.ts';
import { isGlob, matchesGlob } from './glob.ts';

/** Wherever a policy has a list `models` or `providers`, these are names or globs of such. */
export const checkNames: PolicyCheck = ({ document, world }, say) => {
  for (const { path, names } of listsOf(document, [])) {
    const isModels = path.at(-1) === 'models';
    for (const [index, name] of names.entries()) {
      const at = [...path, index];
      if (isModels) checkModel(name, at, world, say);
      else checkProvider(name, at, world, say);
    }
  }
};

interface NameList {
  path: Path;
  names: string[];
}

function listsOf(value: unknown, path: Path): NameList[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) {
    const names = value.filter((each) => typeof each === 'string');
    const named = ['models', 'providers'].includes(String(path.at(-1)));
    if (named && names.length === value.length) return [{ path, names }];
    return value.flatMap((each, index) => listsOf(each, [...path, index]));
  }
  return Object.entries(value).flatMap(([key, each]) => listsOf(each, [...path, key]));
}

/** A name that nobody knows is refused; a glob may be about what is to come. */
export function checkModel(name: string, at: Path, world: PolicyWorld, say: Say): void {
  if (isGlob(name)) {
    if (!world.models.some((each) => matchesGlob(name.toLowerCase(), each)))
      say.warn(at, `${name} matches no model that the config or the price table names`);
    return;
  }
  const known = world.knowsModel(name);
  if (known) return;
  const meant = nearest(name, world.models);
  if (known === null) {
    say.warn(at, `no price table names the model ${name}${meant ? `; did you mean ${meant}?` : ''}`);
    return;
  }
  const hint = meant ? `did you mean ${meant}?` : 'one of your own goes under models in weir.yaml';
  say.refuse(at, `no provider or price table knows the model ${name}; ${hint}`);
}

export function checkProvider(name: string, at: Path, world: PolicyWorld, say: Say): void {
  if (isGlob(name)) {
    if (!world.providers.some((each) => matchesGlob(name, each)))
      say.warn(at, `${name} matches no provider of the config: ${world.providers.join(', ')}`);
  } else if (!world.providers.includes(name)) {
    const meant = nearest(name, world.providers);
    const hint = meant ? `did you mean ${meant}?` : `known: ${world.providers.join(', ')}`;
    say.refuse(at, `there is no provider ${name} in weir.yaml; ${hint}`);
  } else if (!world.hasKey(name) && at.slice(0, -1).every((part) => typeof part === 'string')) {
    // Not within a list such as limits: there it is no promise that calls go through.
    say.warn(at, `weir has no key of ${name}: calls must bring their own; POST /provider-keys adds one`);
  }
}
