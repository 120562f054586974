import type { Stop } from '../../neutral-reply.ts';

const reasons: Record<string, Stop['reason']> = {
  stop: 'end',
  length: 'length',
  tool_calls: 'call',
  function_call: 'call',
  content_filter: 'filter',
};

export function readStop(reason: string | null): Stop | null {
  return reason === null ? null : { reason: reasons[reason] ?? 'end', sequence: null };
}

export const stopWords: Record<Stop['reason'], string> = {
  end: 'stop',
  stop: 'stop',
  length: 'length',
  call: 'tool_calls',
  filter: 'content_filter',
};
