-- One row: what this installation keeps to itself. hash_key makes fingerprints of credentials, so that
-- two can be told apart without either being stored.
CREATE TABLE installation (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  hash_key bytea NOT NULL
);
INSERT INTO installation (hash_key) VALUES (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

CREATE TABLE organizations (
  id text PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  id text PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name text NOT NULL,
  -- The first characters, by which people know a key again.
  prefix text NOT NULL,
  -- SHA-256 of the key. Keys are random, of more than 160 bits: guessing is out of reach without a slow hash.
  hash bytea NOT NULL UNIQUE,
  scope text NOT NULL CHECK (scope IN ('call', 'admin')),
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
CREATE INDEX api_keys_organization ON api_keys (organization);
