import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { amountText } from '../../limits/budgets/amounts.ts';
import type { BudgetReport } from '../../limits/budgets/report.ts';
import { principalOf } from '../access.ts';

const amount = z.string().describe('Decimal: USD, or tokens');

const budget = z.object({
  name: z.string(),
  per: z.string(),
  subject: z.string().nullable().describe('Whose calls; null: those without the value'),
  mode: z.enum(['hard', 'soft']),
  unit: z.enum(['usd', 'tokens']),
  starts_at: z.date().describe('Since when spending counts'),
  resets_at: z.date().describe('When more of it is there'),
  limit: amount,
  spent: amount.describe('By the ledger'),
  reserved: amount
    .nullable()
    .describe('For running calls and lent to processors; null: not known outside of the processor'),
  remaining: amount,
});

/** How an organization's budgets stand. */
export function budgetRoutes(
  report: (organization: string) => Promise<BudgetReport[]>,
): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/budgets',
      {
        schema: {
          summary: 'How the budgets stand',
          tags: ['budgets'],
          response: { 200: z.object({ budgets: z.array(budget) }) },
        },
      },
      async (request) => {
        const { organization } = principalOf(request);
        return { budgets: (await report(organization)).map(present) };
      },
    );
  };
}

function present({ budget, window, subject, spent, reserved, remaining }: BudgetReport) {
  const { name, per, mode } = budget.config;
  const text = (amount: bigint) => amountText(amount, budget.unit);
  return {
    name,
    per,
    subject,
    mode,
    unit: budget.unit,
    starts_at: new Date(window.from),
    resets_at: new Date(window.resetsAt),
    limit: text(budget.limit),
    spent: text(spent),
    reserved: reserved === null ? null : text(reserved),
    remaining: text(remaining),
  };
}
