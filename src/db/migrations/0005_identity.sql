-- Who may do what: users, keys with scopes and tags, policies in versions, the providers' keys (encrypted),
-- and which workload belongs to which organization.
ALTER TABLE organizations
  -- weir.yaml declares it: the API shows it and does not change it.
  ADD COLUMN declared boolean NOT NULL DEFAULT false;

-- People. A user belongs to one organization; what it may do there its role says.
CREATE TABLE users (
  id text PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  email text NOT NULL,
  name text NOT NULL DEFAULT '',
  role text NOT NULL CHECK (role IN ('viewer', 'member', 'admin')),
  invited_by text,
  created_at timestamptz NOT NULL DEFAULT now(),
  removed_at timestamptz
);
CREATE UNIQUE INDEX users_email ON users (organization, lower(email)) WHERE removed_at IS NULL;

-- A key of scope `call` makes calls; one of scope `api` asks the API, with the role of its user, else its own.
ALTER TABLE api_keys DROP CONSTRAINT api_keys_scope_check;
ALTER TABLE api_keys
  ADD CONSTRAINT api_keys_scope_check CHECK (scope IN ('call', 'admin', 'api')),
  ADD COLUMN user_id text REFERENCES users (id) ON DELETE CASCADE,
  -- Of scope `api`, without a user.
  ADD COLUMN role text CHECK (role IN ('viewer', 'member', 'admin')),
  ADD COLUMN tags jsonb NOT NULL DEFAULT '{}',
  -- Whether the header x-weir-tags may add to them.
  ADD COLUMN caller_tags boolean NOT NULL DEFAULT true,
  -- Globs; null: what the policy allows.
  ADD COLUMN models text[],
  ADD COLUMN providers text[],
  ADD COLUMN last_used_at timestamptz,
  ADD COLUMN created_by text,
  ADD COLUMN declared boolean NOT NULL DEFAULT false;

-- Every version of an organization's policy; the highest is in force. The document is as it was given:
-- what it leaves open, the defaults decide.
CREATE TABLE policies (
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  version integer NOT NULL,
  document jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text,
  PRIMARY KEY (organization, version)
);

-- The providers' keys, put in at egress. Sealed with a key that is not in the database.
CREATE TABLE provider_keys (
  id text PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  provider text NOT NULL,
  name text NOT NULL,
  -- The last four characters, by which people know it again.
  hint text NOT NULL,
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text,
  revoked_at timestamptz
);
CREATE INDEX provider_keys_organization ON provider_keys (organization);

-- Which workload belongs to whom: globs over cluster, namespace and service account; the most exact match counts.
CREATE TABLE workload_bindings (
  id text PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  cluster text NOT NULL DEFAULT '*',
  namespace text NOT NULL,
  service_account text NOT NULL DEFAULT '*',
  tags jsonb NOT NULL DEFAULT '{}',
  -- The provider key that these workloads use; null: any of the organization.
  provider_key text REFERENCES provider_keys (id) ON DELETE SET NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text,
  declared boolean NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX workload_bindings_match ON workload_bindings (cluster, namespace, service_account);

-- Who did what, when, from where. No secrets.
CREATE TABLE activity (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  at timestamptz NOT NULL DEFAULT now(),
  -- The user, else the key.
  actor text NOT NULL,
  action text NOT NULL,
  target text,
  details jsonb NOT NULL DEFAULT '{}',
  address text
);
CREATE INDEX activity_organization ON activity (organization, id DESC);

-- Processors listen: what changes here is in force everywhere within two seconds.
CREATE FUNCTION weir_identity_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_identity', '');
  RETURN NULL;
END $$;
CREATE TRIGGER identity_changed AFTER INSERT OR UPDATE OR DELETE ON organizations
  FOR EACH STATEMENT EXECUTE FUNCTION weir_identity_changed();
-- When a key was last used is no change to what it may do.
CREATE TRIGGER identity_changed AFTER INSERT OR DELETE OR UPDATE OF revoked_at, expires_at, tags, caller_tags, models, providers, organization ON api_keys
  FOR EACH STATEMENT EXECUTE FUNCTION weir_identity_changed();
CREATE TRIGGER identity_changed AFTER INSERT OR UPDATE OR DELETE ON policies
  FOR EACH STATEMENT EXECUTE FUNCTION weir_identity_changed();
CREATE TRIGGER identity_changed AFTER INSERT OR UPDATE OR DELETE ON provider_keys
  FOR EACH STATEMENT EXECUTE FUNCTION weir_identity_changed();
CREATE TRIGGER identity_changed AFTER INSERT OR UPDATE OR DELETE ON workload_bindings
  FOR EACH STATEMENT EXECUTE FUNCTION weir_identity_changed();
