import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Match } from '../config/policy/match.ts';
import type { LimitedCall } from './limits.ts';

type Subject = Omit<LimitedCall, 'asks' | 'mayCost' | 'id' | 'startedAt'>;

/** The value that calls are counted by; null: the call has none. */
export function subjectOf(per: string, call: Subject): string | null {
  switch (per) {
    case 'ip':
      return call.ip;
    case 'organization':
      return call.organization;
    case 'api_key':
      return call.apiKey;
    case 'user':
      return call.user;
    case 'workload':
      return call.workload;
    case 'model':
      return call.model;
    default:
      return call.tags[per.slice('tag:'.length)] ?? null;
  }
}

/** Whether a limit or a budget is about a call. */
export function isAbout(match: Match | undefined, call: Subject): boolean {
  if (!match) return true;
  const { models, providers, workloads, users, tags } = match;
  return (
    fits(models, call.model) &&
    fits(providers, call.provider) &&
    fits(workloads, call.workload) &&
    fits(users, call.user) &&
    Object.entries(tags ?? {}).every(([name, globs]) => fits(globs, call.tags[name] ?? null))
  );
}

function fits(globs: string[] | undefined, value: string | null): boolean {
  return globs === undefined || (value !== null && globs.some((glob) => pattern(glob).test(value)));
}

const patterns = new LRUCache<string, RegExp>({ max: 1_000 });

function pattern(glob: string): RegExp {
  let known = patterns.get(glob);
  if (!known) {
    const source = glob
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.');
    known = new RegExp(`^${source}$`, 's');
    patterns.set(glob, known);
  }
  return known;
}

/**
 * The hash tag of an organization: keys of one call lie on one node of a Cluster. Encoded, since braces
 * would end it.
 */
export function hashTag(organization: string): string {
  return `{${encodeURIComponent(organization)}}`;
}

/** A subject as it stands in keys: it may be long, and nobody need read it in Redis. */
export function subjectHash(per: string, subject: string | null): string {
  return createHash('sha256')
    .update(JSON.stringify([per, subject]))
    .digest('base64url')
    .slice(0, 22);
}
