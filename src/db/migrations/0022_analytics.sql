-- One index in place of two: sums read these columns alone, and grouping by one small number is less work than by
-- two texts. Adding the columns writes the table anew, once.
ALTER TABLE usage
  -- As what a row counts in sums (src/analytics/sums.ts), in bits: 1 hit, 2 coalesced, 4 error, 8 unpriced, 16 no call.
  ADD COLUMN counts_as smallint GENERATED ALWAYS AS (
    CASE cache WHEN 'hit' THEN 1 WHEN 'coalesced' THEN 2 ELSE 0 END
    + CASE WHEN outcome IN ('completed', 'disconnected', 'unsettled') THEN 0 ELSE 4 END
    + CASE WHEN usage_source IS NOT NULL AND cost_usd IS NULL THEN 8 ELSE 0 END
    + CASE WHEN outcome = 'retried' THEN 16 ELSE 0 END
  ) STORED,
  -- The tags that fit into an index (src/collector/usage-rows.ts); null: they are longer.
  ADD COLUMN short_tags jsonb GENERATED ALWAYS AS (CASE WHEN octet_length(tags::text) <= 300 THEN tags END) STORED;
DROP INDEX usage_time, usage_sums;
CREATE INDEX usage_sums ON usage (organization, started_at) INCLUDE (
  counts_as, input_tokens, output_tokens, cache_read_tokens, cost_usd, tool_usd, saved_usd, baseline_usd, duration_ms,
  first_chunk_ms, provider, model, requested_model, end_user, api_key, workload, operation, cache, outcome, complexity,
  purpose, short_tags
);
CREATE INDEX usage_long_tags ON usage (organization, started_at) WHERE short_tags IS NULL;
-- How many groups there are: without, PostgreSQL takes each call for one of its own, and does not sum in parallel.
CREATE STATISTICS usage_hours ON (date_bin('1 hour', started_at, timestamptz 'epoch')) FROM usage;
CREATE STATISTICS usage_quarters ON (date_bin('15 minutes', started_at, timestamptz 'epoch')) FROM usage;
CREATE STATISTICS usage_durations ON (round(duration_ms)) FROM usage;
CREATE STATISTICS usage_first_chunks ON (round(first_chunk_ms)) FROM usage;
