import { z } from 'zod';
import { nearest } from '../config/errors.ts';
import { annotation } from './pod.ts';

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== ''),
);
const quantity = z.string().regex(/^\d+(\.\d+)?(m|[kMGT]i?)?$/, 'a quantity such as 100m or 128Mi');

/** What a pod may ask for in its annotations, behind `weir.dev/`. */
const wishes = z.strictObject({
  mode: z.enum(['sidecar', 'env']).optional(),
  'on-failure': z.enum(['auto', 'open', 'closed']).optional(),
  'excluded-ports': list
    .pipe(
      z.array(
        z
          .string()
          .regex(/^\d{1,5}$/, 'a port')
          .transform(Number),
      ),
    )
    .optional(),
  'excluded-cidrs': list
    .pipe(z.array(z.union([z.cidrv4(), z.cidrv6()], { error: 'a range such as 203.0.113.0/24' })))
    .optional(),
  'additional-providers': list.optional(),
  keys: z.enum(['workload', 'none']).optional(),
  'proxy-cpu-request': quantity.optional(),
  'proxy-cpu-limit': quantity.optional(),
  'proxy-memory-request': quantity.optional(),
  'proxy-memory-limit': quantity.optional(),
});
export type Wishes = z.output<typeof wishes>;

const prefix = 'weir.dev/';

/** Reads the annotations; `problems` in words, one each. */
export function readWishes(
  annotations: Record<string, string>,
  providers: readonly string[],
): { wishes: Wishes; problems: string[] } {
  const written: readonly string[] = Object.values(annotation);
  const own = Object.entries(annotations).filter(
    ([name]) => name.startsWith(prefix) && !written.includes(name),
  );
  const read = wishes.safeParse(
    Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value])),
  );
  if (!read.success) return { wishes: {}, problems: read.error.issues.map(told) };
  const unknown = (read.data['additional-providers'] ?? []).filter((name) => !providers.includes(name));
  return {
    wishes: read.data,
    problems: unknown.map(
      (name) =>
        `${prefix}additional-providers: weir.yaml knows no provider ${name}; there is ${providers.join(', ')}`,
    ),
  };
}

function told(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const known = Object.keys(wishes.shape);
    return issue.keys
      .map((key) => {
        const meant = nearest(key, known);
        return `${prefix}${key} is no annotation of weir's${meant ? `; did you mean ${prefix}${meant}?` : ''}`;
      })
      .join('; ');
  }
  return `${prefix}${String(issue.path[0])}: ${issue.message}`;
}
