-- Where the queue of alerts (graphile-worker) keeps its version. It looks there before it makes the table, which would
-- be an error in PostgreSQL's log at each first start. The columns are those of its release 0.17.
CREATE SCHEMA IF NOT EXISTS graphile_worker;
CREATE TABLE IF NOT EXISTS graphile_worker.migrations (
  id integer PRIMARY KEY,
  ts timestamptz NOT NULL DEFAULT now(),
  breaking boolean NOT NULL DEFAULT false
);
