-- More parts of the usage, and what the price is made of (src/usage/record.ts).
ALTER TABLE usage
  ADD COLUMN cache_write_5m_tokens bigint,
  ADD COLUMN cache_write_1h_tokens bigint,
  ADD COLUMN input_image_tokens bigint,
  ADD COLUMN input_video_tokens bigint,
  ADD COLUMN input_tool_tokens bigint,
  ADD COLUMN output_image_tokens bigint,
  ADD COLUMN cache_read_image_tokens bigint,
  ADD COLUMN cache_read_video_tokens bigint,
  -- By model, where an answer was billed in parts.
  ADD COLUMN parts jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN tools jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN terms jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN region text,
  -- cost_usd is what is billed of the list price.
  ADD COLUMN list_usd numeric,
  ADD COLUMN cost_upper_usd numeric,
  ADD COLUMN tool_usd numeric,
  ADD COLUMN reported_usd numeric,
  ADD COLUMN cost_disputed boolean,
  ADD COLUMN price_factors text;

-- The numbers of an answer that was made in the background: they come with a later read of it, and
-- settle its first row once.
CREATE TABLE late_usage (
  organization text NOT NULL,
  provider text NOT NULL,
  response_id text NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  -- Columns of usage and their values.
  facts jsonb NOT NULL,
  PRIMARY KEY (organization, provider, response_id)
);
CREATE INDEX usage_pending ON usage (organization, provider, response_id)
  WHERE usage_source IS NULL AND response_id IS NOT NULL;
