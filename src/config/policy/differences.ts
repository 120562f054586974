import { isDeepStrictEqual } from 'node:util';
import type { Path } from '../introspect.ts';
import { isRecord } from './complete.ts';
import { pointerTo } from './pointer.ts';

/** One place where two documents differ; `before` or `after` undefined: it is not in that one. */
export interface Difference {
  /** JSON pointer. */
  pointer: string;
  before: unknown;
  after: unknown;
}

/** Where two documents differ, in the smallest parts; lists are compared place by place. */
export function differences(before: unknown, after: unknown, path: Path = []): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]));
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length);
    return Array.from({ length }, (_, index) =>
      differences(before[index], after[index], [...path, index]),
    ).flat();
  }
  return [{ pointer: pointerTo(path), before, after }];
}
