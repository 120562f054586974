-- How hard a call was, which model took it and why, and what it is compared with.
ALTER TABLE usage
  ADD COLUMN complexity text,
  ADD COLUMN complexity_score double precision,
  ADD COLUMN routing_mode text,
  ADD COLUMN routing_model text,
  ADD COLUMN routing_reason text,
  -- In shadow: what the chosen model would have cost.
  ADD COLUMN routing_usd numeric CHECK (routing_usd BETWEEN 0 AND 1e9),
  ADD COLUMN baseline_model text,
  ADD COLUMN baseline_usd numeric CHECK (baseline_usd BETWEEN 0 AND 1e9),
  ADD COLUMN baseline_source text,
  -- Calls of weir's own, and the exchange that they are about.
  ADD COLUMN purpose text,
  ADD COLUMN purpose_of text;

-- Routed calls that were sent to the model asked for as well. No prompt, no answer.
CREATE TABLE routing_comparisons (
  -- The routed call.
  exchange_id uuid PRIMARY KEY,
  organization text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  complexity text,
  requested_model text NOT NULL,
  routed_model text NOT NULL,
  -- The call to the model asked for.
  replay_id uuid,
  judge_model text,
  -- 1: the routed answer is the better one, 0: neither, -1: the other; null: nobody judged.
  verdict smallint CHECK (verdict BETWEEN -1 AND 1)
);
CREATE INDEX routing_comparisons_organization ON routing_comparisons (organization, at);
