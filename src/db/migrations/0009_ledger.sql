-- What is built on a call later (src/usage/record.ts).
ALTER TABLE usage
  ADD COLUMN cache_expires_at timestamptz,
  ADD COLUMN prefix_hashes jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN temperature double precision,
  ADD COLUMN top_p double precision;

-- Whether a call that a witness alone saw has become a row of usage.
ALTER TABLE witness ADD COLUMN recorded boolean NOT NULL DEFAULT false;
CREATE INDEX witness_unrecorded ON witness (received_at) WHERE NOT recorded AND upstream_host IS NOT NULL;

-- A later read settles also what could only be counted, such as a stream that was left.
DROP INDEX usage_pending;
CREATE INDEX usage_pending ON usage (organization, provider, response_id)
  WHERE usage_source IS DISTINCT FROM 'provider' AND response_id IS NOT NULL;
CREATE INDEX late_usage_received ON late_usage (received_at);

-- What lies before the greatest `until` is closed: its sums do not change any more.
CREATE TABLE closed_periods (
  until timestamptz PRIMARY KEY,
  closed_at timestamptz NOT NULL DEFAULT now()
);

-- What is added to the sums at `booked_at` for a call that lies in a closed period. A call that comes late, or
-- whose numbers do, is taken out at its own time and counted when it came.
CREATE TABLE usage_adjustments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  trace_id text NOT NULL,
  span_id text NOT NULL,
  started_at timestamptz NOT NULL,
  booked_at timestamptz NOT NULL,
  made_at timestamptz NOT NULL DEFAULT now(),
  reason text NOT NULL CHECK (reason IN ('reprice', 'late')),
  input_tokens bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cache_read_tokens bigint NOT NULL DEFAULT 0,
  list_usd numeric,
  cost_usd numeric,
  tool_usd numeric,
  saved_usd numeric,
  price_version text
);
CREATE INDEX usage_adjustments_call ON usage_adjustments (trace_id, span_id, started_at);
CREATE INDEX usage_adjustments_booked ON usage_adjustments (booked_at);
