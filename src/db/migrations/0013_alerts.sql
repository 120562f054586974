-- What an organization wants to be told of. Addresses that anybody could post to are secrets: sealed.
CREATE TABLE alert_configs (
  id text PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  alert_type text NOT NULL,
  threshold_value numeric NOT NULL CHECK (threshold_value > 0),
  time_zone text NOT NULL DEFAULT 'UTC',
  filters jsonb NOT NULL DEFAULT '{}',
  slack_webhook_url bytea,
  webhook_url bytea,
  -- The key of the signature on what is posted to webhook_url.
  webhook_secret bytea,
  email_addresses text[] NOT NULL DEFAULT '{}',
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text
);
CREATE INDEX alert_configs_organization ON alert_configs (organization);

-- From when to when an alert was on; once a period.
CREATE TABLE alert_events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert text NOT NULL REFERENCES alert_configs (id) ON DELETE CASCADE,
  period text NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  value numeric NOT NULL,
  threshold numeric NOT NULL,
  facts jsonb NOT NULL,
  UNIQUE (alert, period)
);
CREATE INDEX alert_events_open ON alert_events (alert) WHERE ended_at IS NULL;

-- One message to one address. `dead`: it was tried for the last time.
CREATE TABLE alert_deliveries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  alert text NOT NULL REFERENCES alert_configs (id) ON DELETE CASCADE,
  event bigint REFERENCES alert_events (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('start', 'end', 'test')),
  channel text NOT NULL CHECK (channel IN ('slack', 'webhook', 'email')),
  recipient text NOT NULL,
  state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts integer NOT NULL DEFAULT 0,
  last_error text,
  created_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz,
  UNIQUE (event, kind, channel, recipient)
);
