-- Which workload made a call: `cluster/namespace/service-account`, and the pod.
ALTER TABLE usage
  ADD COLUMN IF NOT EXISTS workload text,
  ADD COLUMN pod text,
  ADD COLUMN pod_uid text;

-- Counts the changes of what processors hold in memory: one that missed a notification sees it by that.
ALTER TABLE installation ADD COLUMN identity_version bigint NOT NULL DEFAULT 0;
CREATE OR REPLACE FUNCTION weir_identity_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE installation SET identity_version = identity_version + 1;
  PERFORM pg_notify('weir_identity', '');
  RETURN NULL;
END $$;
