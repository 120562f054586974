-- What limits and budgets need to know of a call (src/usage/record.ts).
ALTER TABLE usage
  -- `cluster/namespace/service-account`.
  ADD COLUMN IF NOT EXISTS workload text,
  -- The process that saw it: what a budget hears from a process and what the ledger has of it are compared.
  ADD COLUMN processor text,
  -- The limit or budget that refused it; of a call that was let pass, one that in shadow would have.
  ADD COLUMN limited_by text;
