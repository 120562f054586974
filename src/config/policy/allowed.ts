import { z } from 'zod';

const globs = z.array(z.string().min(1).max(256)).max(1_000);

/** Names, or globs of names: `*` stands for any characters, `?` for one. */
export const providersPolicy = globs
  .prefault(['*'])
  .describe('Providers that may be called, as weir.yaml names them; globs.');

export const modelsPolicy = globs
  .prefault(['*'])
  .describe(
    'Models that may be asked for, as the provider names them; globs, upper and lower case alike. With less than `*`, calls are refused whose model cannot be seen.',
  );
