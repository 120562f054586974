import { asArray, asObject, asString, firstCount, type JsonObject } from '../json.ts';
import { addUsage, noUsage, type TokenUsage, type UsagePart } from '../usage.ts';

/**
 * The `usage` object in normal form: its `input_tokens` leave out what was read from and written to the
 * cache. Compactions and advisors are billed and not in its own counts, but in `iterations`, each at
 * the price of its model.
 */
export function readUsage(value: unknown): { usage: TokenUsage | null; parts: UsagePart[] } {
  const usage = asObject(value);
  const own = usage && readCounts(usage);
  if (!own) return { usage: null, parts: [] };
  const iterations = asArray(usage.iterations).map(asObject);
  if (iterations.every((each) => each?.type === 'message')) return { usage: own, parts: [] };
  const parts = iterations.flatMap((each): UsagePart[] => {
    const counts = each && readCounts(each);
    return counts ? [{ model: asString(each.model), usage: counts }] : [];
  });
  const sum = parts.map((part) => part.usage).reduce(addUsage, noUsage);
  return { usage: { ...sum, reasoning: own.reasoning }, parts };
}

function readCounts(usage: JsonObject): TokenUsage | null {
  const input = firstCount(usage.input_tokens);
  const output = firstCount(usage.output_tokens);
  if (input === null && output === null) return null;
  const cacheRead = firstCount(usage.cache_read_input_tokens);
  const cacheWrite = firstCount(usage.cache_creation_input_tokens);
  const lifetimes = asObject(usage.cache_creation);
  const cacheWrite5m = firstCount(lifetimes?.ephemeral_5m_input_tokens);
  const cacheWrite1h = firstCount(lifetimes?.ephemeral_1h_input_tokens);
  // In a stream one may have been told anew without the other.
  const agree = (cacheWrite5m ?? 0) + (cacheWrite1h ?? 0) === (cacheWrite ?? 0);
  return {
    ...noUsage,
    input: (input ?? 0) + (cacheRead ?? 0) + (cacheWrite ?? 0),
    output,
    cacheRead,
    cacheWrite,
    ...(agree && { cacheWrite5m, cacheWrite1h }),
    reasoning: firstCount(asObject(usage.output_tokens_details)?.thinking_tokens),
  };
}

/** What the price depends on besides tokens. */
export function readTerms(value: unknown): {
  tools: Record<string, number>;
  serviceTier: string | null;
  terms: Record<string, string>;
} {
  const usage = asObject(value);
  const searches = firstCount(asObject(usage?.server_tool_use)?.web_search_requests) ?? 0;
  const geo = asString(usage?.inference_geo);
  const speed = asString(usage?.speed);
  return {
    tools: searches > 0 ? { web_searches: searches } : {},
    serviceTier: asString(usage?.service_tier),
    terms: {
      ...(geo !== null && geo !== 'not_available' && { inference_geo: geo }),
      ...(speed !== null && { speed }),
    },
  };
}
