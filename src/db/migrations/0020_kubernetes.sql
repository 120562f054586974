-- Of whom a line of a sidecar's access log is, as its token has proved: cluster/namespace/service account.
ALTER TABLE witness ADD COLUMN workload text;

-- Connections of workloads to hosts that are LLM providers' or look like it, by day.
CREATE TABLE connections (
  workload text NOT NULL,
  host text NOT NULL,
  -- inspected: its calls were read; refused: the client did not take weir's certificate; passed: unread.
  kind text NOT NULL CHECK (kind IN ('inspected', 'refused', 'passed')),
  day date NOT NULL,
  connections bigint NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (workload, host, kind, day)
);
