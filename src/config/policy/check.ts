import { ZodError } from 'zod';
import type { Path } from '../introspect.ts';
import { report } from '../report.ts';
import { checkCache } from './cache.ts';
import { checkNames } from './names.ts';
import { pointerTo } from './pointer.ts';
import { type Policy, policySchema } from './policy.ts';
import { resolvePolicy } from './resolve.ts';
import { checkRouting } from './routing.ts';

/** What a policy can be about: this installation, as one organization sees it. */
export interface PolicyWorld {
  /** Names of the providers of the config. */
  providers: readonly string[];
  /** Whether weir has a key of theirs to put in. */
  hasKey(provider: string): boolean;
  /** Models that the config or the price table name. */
  models: readonly string[];
  /** null: nobody can tell, for the models of a provider are listed nowhere. */
  knowsModel(model: string): boolean | null;
}

/** What is wrong, or odd, at one place of a policy document. */
export interface Finding {
  /** JSON pointer (RFC 6901): `/limits/0/requests`. */
  pointer: string;
  detail: string;
}

export interface Verdict {
  /** Why it cannot work; empty: it can. */
  refused: Finding[];
  /** What may not be meant. */
  warnings: Finding[];
}

export interface Say {
  refuse(path: Path, detail: string): void;
  warn(path: Path, detail: string): void;
}

/** Finds what the schema cannot see. `document` is as it was given, `policy` with the defaults under it. */
export type PolicyCheck = (
  subject: { document: unknown; policy: Policy; world: PolicyWorld },
  say: Say,
) => void;

/** A member of the policy brings its check and puts it here. */
const checks: readonly PolicyCheck[] = [checkCache, checkNames, checkRouting];

/** All that is wrong with a policy document, at once. */
export function checkPolicy(document: unknown, defaults: Policy, world: PolicyWorld): Verdict {
  const refused: Finding[] = [];
  const warnings: Finding[] = [];
  const say: Say = {
    refuse: (path, detail) => refused.push({ pointer: pointerTo(path), detail }),
    warn: (path, detail) => warnings.push({ pointer: pointerTo(path), detail }),
  };
  try {
    const policy = resolvePolicy(defaults, document);
    for (const check of checks) check({ document, policy, world }, say);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    for (const issue of error.issues) report(issue, policySchema, document, say.refuse);
  }
  return { refused, warnings };
}
