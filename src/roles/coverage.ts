import { z } from 'zod';
import { createApiClient } from './api-client.ts';
import { print, printTable } from './print.ts';
import type { Role } from './run.ts';

const count = z.number();
const answer = z.object({
  coverage: z.array(
    z.object({ workload: z.string(), host: z.string(), inspected: count, refused: count, passed: count }),
  ),
});

/** `weir coverage`: what sidecars see of LLM traffic, and what they do not; what escapes first. */
export const showCoverage: Role = async ({ settings, options }) => {
  const ask = createApiClient(settings, options);
  const { coverage } = answer.parse(
    await ask('GET', `/coverage?days=${encodeURIComponent(options.days ?? '30')}`),
  );
  if (options.json !== undefined) return print(coverage);
  printTable(
    ['WORKLOAD', 'HOST', 'READ', 'REFUSED', 'UNREAD'],
    coverage.map(({ workload, host, inspected, refused, passed }) => [
      workload,
      host,
      ...[inspected, refused, passed].map(String),
    ]),
  );
  return undefined;
};
