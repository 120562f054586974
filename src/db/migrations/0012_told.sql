-- Calls that applications tell of in spans of their own.
ALTER TABLE usage
  -- null: weir saw the call itself; 'span': an application told of it.
  ADD COLUMN origin text CHECK (origin = 'span');
-- Whether a call that was told of is one that weir saw: by the provider's id of the answer.
CREATE INDEX usage_response ON usage (response_id) WHERE response_id IS NOT NULL;
CREATE INDEX usage_told ON usage (response_id) WHERE origin = 'span';

-- What sums are made of, beside its time: with what they and their groups have come to need.
DROP INDEX usage_sums;
CREATE INDEX usage_sums ON usage (organization, started_at) INCLUDE (
  provider, model, requested_model, end_user, api_key, workload, operation, cache, outcome, complexity, purpose,
  usage_source, input_tokens, output_tokens, cache_read_tokens, cost_usd, tool_usd, saved_usd, baseline_usd,
  duration_ms, first_chunk_ms
);

-- Spans of others, kept for their traces (collector.traces). No prompts, no answers.
CREATE TABLE spans (
  trace_id text NOT NULL,
  span_id text NOT NULL,
  parent_span_id text,
  started_at timestamptz NOT NULL,
  duration_ms double precision NOT NULL,
  organization text NOT NULL,
  name text NOT NULL,
  -- As OTLP numbers it: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
  kind smallint NOT NULL,
  failed boolean NOT NULL,
  service text,
  attributes jsonb NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (trace_id, span_id, started_at)
);
CREATE INDEX spans_received ON spans (received_at);
