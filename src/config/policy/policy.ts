import { z } from 'zod';
import { modelsPolicy, providersPolicy } from './allowed.ts';
import { budgetsPolicy } from './budgets.ts';
import { cachePolicy } from './cache.ts';
import { limitsPolicy } from './limits.ts';
import { routingPolicy } from './routing.ts';

/** What an organization has decided. */
export const policySchema = z.strictObject({
  providers: providersPolicy,
  models: modelsPolicy,
  cache: cachePolicy.prefault({}),
  limits: limitsPolicy,
  budgets: budgetsPolicy,
  routing: routingPolicy.prefault({}),
});

/** A policy with everything decided: what an organization leaves open is as `defaults` says. */
export type Policy = z.output<typeof policySchema>;
