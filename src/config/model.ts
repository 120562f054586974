import { z } from 'zod';
import { dialectNames, hints } from './dialects.ts';
import { duration, name, usd } from './values.ts';

/** How a model is asked for at a provider. */
const asked = {
  model: z.string().min(1).optional().describe('Its name at the provider; default: the same.'),
  dialect: z
    .enum(dialectNames)
    .optional()
    .describe(
      'What is spoken to the provider, where that is not what its family speaks: `openai-chat` with providers that have no Responses, `openai-responses` for models that have no other.',
    ),
  max_output_tokens: z
    .int()
    .positive()
    .optional()
    .describe(
      'Sent where the provider demands a limit and the call sets none (Anthropic). Default: the most that the model takes.',
    ),
  leave_out: z
    .array(z.enum([...hints, 'all']))
    .optional()
    .describe(
      'Hints that are left out of a request where the provider cannot say them, instead of refusing it (docs/translation.md).',
    ),
};

const deployment = z.strictObject({ provider: name.describe('Who serves it.'), ...asked });

/** What the config says of a model. */
export const modelSchema = z
  .strictObject({
    provider: name
      .optional()
      .describe(
        'Who serves it, whichever SDK asks for it; its price holds with this provider only. Default: whom the path of the call names.',
      ),
    ...asked,
    deployments: z
      .array(
        deployment.extend({
          weight: z.number().positive().default(1).describe('Its share of the calls, beside the others’.'),
        }),
      )
      .min(1)
      .optional()
      .describe(
        'In place of `provider`: several that serve it, over which calls are spread by weight; a conversation stays with one. Who fails is replaced by the others (docs/fallback.md).',
      ),
    fallback: z
      .array(deployment)
      .min(1)
      .optional()
      .describe(
        'Who takes a call that all before have failed with, in this order, if it must be another model.',
      ),
    first_byte_timeout: duration
      .optional()
      .describe(
        'With several that serve it: how long one may be silent before the next is tried. A plain answer is silent until it is whole. Default: for ever.',
      ),
    price: z
      .partialRecord(
        z.enum([
          'input_mtok',
          'output_mtok',
          'cache_read_mtok',
          'cache_write_mtok',
          'cache_write_1h_mtok',
          'input_audio_mtok',
          'output_audio_mtok',
          'output_image_mtok',
          'requests_kcount',
          'web_searches_kcount',
        ]),
        usd,
      )
      .optional()
      .describe('USD for a million tokens (`…_mtok`) or a thousand uses (`…_kcount`), in place of the list.'),
    context_window: z.int().positive().optional().describe('Tokens of prompt and answer together.'),
  })
  .refine(({ provider, deployments }) => provider === undefined || deployments === undefined, {
    error: 'expected provider or deployments, not both',
    path: ['deployments'],
  })
  .refine(({ provider, deployments, fallback }) => !fallback || provider !== undefined || deployments, {
    error: 'expected provider or deployments before it: who takes the call first',
    path: ['fallback'],
  });
