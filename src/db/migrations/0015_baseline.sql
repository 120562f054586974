-- Where the models of 0010_routing.sql are asked for: their price depends on it.
ALTER TABLE usage
  ADD COLUMN routing_provider text,
  ADD COLUMN baseline_provider text,
  -- By the tokenizer of the baseline's model, where baseline_source is `counted`.
  ADD COLUMN baseline_input_tokens bigint,
  ADD COLUMN baseline_output_tokens bigint;

ALTER TABLE usage_adjustments
  ADD COLUMN baseline_usd numeric,
  ADD COLUMN routing_usd numeric;
