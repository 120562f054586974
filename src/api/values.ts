import { z } from 'zod';

const oneLine = 'expected one line of text';

/** What people call a thing: one line of text. */
export const label = z
  .string()
  .trim()
  .min(1)
  .max(200)
  // Without classes of Unicode: not every reader of the description knows them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be in it.
  .regex(/^[^\u0000-\u001f\u007f-\u009f]+$/, oneLine)
  .refine((text) => text.isWellFormed(), oneLine);

export const id = z.string().min(1).max(100);
export const byId = z.object({ id });

const tagName = z.string().regex(/^[\w.-]{1,64}$/, 'expected a name of letters, digits, _, . and -');
const maxTags = 32;

/** As `x-weir-tags` takes them: src/exchange/tags.ts. */
export const tags = z
  .record(tagName, label.max(256))
  .refine((all) => Object.keys(all).length <= maxTags, `expected at most ${maxTags} tags`);

export const globs = z.array(label).min(1).max(200);

/** An instant to come; `null`: never. */
export const expiry = z.iso
  .datetime({ offset: true, error: 'expected an instant such as 2027-01-31T00:00:00Z' })
  .nullable();
