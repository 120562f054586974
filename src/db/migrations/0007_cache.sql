-- The cold tier of the cache: answers, sealed (src/cache/entry.ts), with what is counted of them.
CREATE TABLE cache_entries (
  -- SHA-256; the organization is part of it.
  key bytea PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  -- The newest purge that was known when the provider was asked.
  generation bigint NOT NULL,
  provider text NOT NULL,
  dialect text NOT NULL,
  requested_model text,
  model text,
  streamed boolean NOT NULL,
  stored_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  -- When its retention ends, or it expires: it is deleted then.
  delete_at timestamptz NOT NULL,
  -- Of the answer, as it was.
  bytes bigint NOT NULL,
  entry bytea NOT NULL,
  -- How often it was given again, and what that saved.
  hits bigint NOT NULL DEFAULT 0,
  saved_tokens bigint NOT NULL DEFAULT 0,
  saved_usd numeric NOT NULL DEFAULT 0,
  last_hit_at timestamptz
);
-- It is compressed already.
ALTER TABLE cache_entries ALTER COLUMN entry SET STORAGE EXTERNAL;
CREATE INDEX cache_entries_organization ON cache_entries (organization, stored_at);
CREATE INDEX cache_entries_delete_at ON cache_entries (delete_at);

-- What came of the cache, by day in UTC.
CREATE TABLE cache_totals (
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  day date NOT NULL,
  hits bigint NOT NULL DEFAULT 0,
  coalesced bigint NOT NULL DEFAULT 0,
  misses bigint NOT NULL DEFAULT 0,
  saved_tokens bigint NOT NULL DEFAULT 0,
  saved_usd numeric NOT NULL DEFAULT 0,
  -- In mode shadow.
  would_be_hits bigint NOT NULL DEFAULT 0,
  would_be_saved_tokens bigint NOT NULL DEFAULT 0,
  would_be_saved_usd numeric NOT NULL DEFAULT 0,
  PRIMARY KEY (organization, day)
);

-- What was purged. An answer is not given any more, nor kept when it comes late, when a purge of a higher
-- generation than its own is about it: all that is said of key, model and age must hold.
CREATE TABLE cache_purges (
  generation bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  organization text NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  key text,
  model text,
  stored_before timestamptz,
  at timestamptz NOT NULL DEFAULT now(),
  -- Redis has been told to delete them.
  hot_purged boolean NOT NULL DEFAULT false
);
CREATE INDEX cache_purges_pending ON cache_purges (generation) WHERE NOT hot_purged;

CREATE FUNCTION weir_cache_purged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_cache', '');
  RETURN NULL;
END $$;
CREATE TRIGGER cache_purged AFTER INSERT ON cache_purges
  FOR EACH STATEMENT EXECUTE FUNCTION weir_cache_purged();
