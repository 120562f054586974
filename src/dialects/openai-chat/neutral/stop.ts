import type { Stop } from '../../neutral-reply.ts';

const reasons: Record<string, Stop['reason']> = {
  stop: 'end',
  length: 'length',
  tool_calls: 'call',
  function_call: 'call',
  content_filter: 'filter',
};

/** `called`: the answer holds calls. Some who speak like OpenAI call that the end as well. */
export function readStop(reason: string | null, called: boolean): Stop | null {
  if (reason === null) return null;
  const found = reasons[reason] ?? 'end';
  return { reason: found === 'end' && called ? 'call' : found, sequence: null };
}

export const stopWords: Record<Stop['reason'], string> = {
  end: 'stop',
  stop: 'stop',
  length: 'length',
  call: 'tool_calls',
  filter: 'content_filter',
};
