import type { Logger } from 'pino';
import type { UsageRecord } from '../usage/record.ts';

/** One line a call: who, what, how it ended, what it cost. Never a key, never a prompt. */
export function logCall(log: Logger, record: UsageRecord): void {
  log.info(
    {
      exchange: record.id,
      organization: record.organization,
      provider: record.provider,
      operation: record.operation,
      model: record.model ?? record.requestedModel,
      status: record.status,
      outcome: record.outcome,
      cache: record.cache,
      ...(record.errorCode !== null && { error: record.errorCode }),
      input_tokens: record.usage.input,
      output_tokens: record.usage.output,
      cost_usd: record.costUsd,
      duration_ms: Math.round(record.endedAt - record.startedAt),
    },
    'call',
  );
}
