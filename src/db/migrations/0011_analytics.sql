-- What sums are made of, beside its time: they need not look at the wide rows.
CREATE INDEX usage_sums ON usage (organization, started_at) INCLUDE (
  provider, model, requested_model, end_user, api_key, operation, cache, outcome, usage_source,
  input_tokens, output_tokens, cache_read_tokens, cost_usd, tool_usd, saved_usd, duration_ms
);
