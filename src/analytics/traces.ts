import type { Pool } from '../db/pool.ts';

/** A span of a trace: of others, or an exchange. */
export interface TraceSpan {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  kind: number;
  service: string | null;
  started_at: Date;
  duration_ms: number;
  failed: boolean;
  attributes: Record<string, unknown>;
  /** The exchange that it is; null: it is none. */
  exchange: string | null;
  cost_usd: string | null;
}

/** Spans at most. */
const most = 5_000;
const client = 3;

// A call that an application told of has both, a span and a row.
const select = `
  SELECT s.span_id, s.parent_span_id, s.name, s.kind, s.service, s.started_at, s.duration_ms, s.failed, s.attributes,
         u.id AS exchange, trim_scale(u.cost_usd)::text AS cost_usd
    FROM spans s LEFT JOIN usage u USING (organization, trace_id, span_id, started_at)
   WHERE s.trace_id = $2 AND s.organization = $1
  UNION ALL
  SELECT span_id, parent_span_id, concat_ws(' ', operation, coalesce(requested_model, model)), ${client}, 'weir', started_at,
         duration_ms, outcome NOT IN ('completed', 'disconnected', 'unsettled'), '{}', id, trim_scale(cost_usd)::text
    FROM usage u
   WHERE trace_id = $2 AND organization = $1
     AND NOT EXISTS (SELECT FROM spans s WHERE (s.trace_id, s.span_id, s.started_at) = (u.trace_id, u.span_id, u.started_at))
   ORDER BY started_at, span_id LIMIT ${most}`;

/** All that is known of a trace, in the order of time. */
export async function traceOf(pool: Pool, organization: string, traceId: string): Promise<TraceSpan[]> {
  const { rows } = await pool.query<TraceSpan>(select, [organization, traceId]);
  return rows;
}
