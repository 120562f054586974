-- The ledger: one row an exchange, a column a field of UsageRecord (src/usage/record.ts).
CREATE TABLE usage (
  trace_id text NOT NULL,
  span_id text NOT NULL,
  parent_span_id text,
  started_at timestamptz NOT NULL,
  duration_ms double precision NOT NULL,
  first_chunk_ms double precision,
  id uuid NOT NULL,

  organization text NOT NULL,
  api_key text,
  end_user text,
  tags jsonb NOT NULL DEFAULT '{}',

  provider text NOT NULL,
  server_address text NOT NULL,
  dialect text,
  operation text NOT NULL,
  method text NOT NULL,
  path text NOT NULL,
  stream boolean NOT NULL,
  requested_model text,
  model text,
  max_output_tokens bigint,
  reasoning_effort text,

  outcome text NOT NULL,
  status integer,
  error_code text,
  finish_reason text,
  attempts integer NOT NULL,

  cache text NOT NULL,
  cache_key text,

  -- Input includes cached reads and writes, output includes reasoning; null: not told.
  input_tokens bigint,
  output_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  reasoning_tokens bigint,
  input_audio_tokens bigint,
  output_audio_tokens bigint,
  cache_read_audio_tokens bigint,
  usage_source text,
  -- null: unpriced; never 0 for what is not known.
  cost_usd numeric,
  saved_usd numeric,
  price_model text,
  price_version text,
  service_tier text,

  response_id text,
  provider_request_id text,
  provider_organization text,
  provider_project text,
  credential_fingerprint text,

  received_at timestamptz NOT NULL DEFAULT now(),
  -- The identity of a record: sent again, it changes nothing.
  PRIMARY KEY (trace_id, span_id, started_at)
);
CREATE INDEX usage_organization_time ON usage (organization, started_at DESC, id DESC);
CREATE INDEX usage_id ON usage (id);
CREATE INDEX usage_unsettled ON usage (received_at) WHERE outcome = 'unsettled';

-- Spans that PostgreSQL will never take, with the reason.
CREATE TABLE dead_letters (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at timestamptz NOT NULL DEFAULT now(),
  reason text NOT NULL,
  span jsonb NOT NULL
);

-- The second witness: what Envoy's access log tells of calls that ended out of the ordinary.
CREATE TABLE witness (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  received_at timestamptz NOT NULL DEFAULT now(),
  -- null: no processor looked at this call.
  exchange_id uuid,
  started_at timestamptz NOT NULL,
  method text,
  path text,
  authority text,
  status integer,
  response_flags text,
  code_details text,
  upgrade text,
  bytes_received bigint,
  bytes_sent bigint,
  duration_ms bigint,
  upstream_cluster text,
  upstream_host text
);
CREATE INDEX witness_exchange ON witness (exchange_id);
CREATE INDEX witness_received ON witness (received_at);
