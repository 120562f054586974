import { isRecord } from './complete.ts';

/** Applies a JSON merge patch (RFC 7396): `null` removes, keys are changed one by one, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const before = isRecord(target) ? target : {};
  const changed = Object.entries(patch).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(Object.entries(before).filter(([key]) => patch[key] !== null)),
    ...Object.fromEntries(changed.map(([key, value]) => [key, mergePatch(before[key], value)])),
  };
}
