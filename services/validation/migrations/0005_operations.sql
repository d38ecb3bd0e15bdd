-- What a version does to its record (D-24), and what it is about.

-- 'revoke' and 'withdraw' end a record; everything from before is an upsert.
ALTER TABLE verdict
    ADD COLUMN operation text NOT NULL DEFAULT 'upsert',
    -- Keyed hash of the natural key and of the subject of an accepted version; null where it ends its record,
    -- where it was returned, and from before this migration.
    ADD COLUMN identity bytea,
    ADD CONSTRAINT verdict_operation CHECK (operation IN ('upsert', 'revoke', 'withdraw')) NOT VALID,
    ADD CONSTRAINT verdict_identity CHECK (octet_length(identity) = 32) NOT VALID;

-- Whether the newest accepted revision ends the record.
ALTER TABLE rereport_head ADD COLUMN ended boolean NOT NULL DEFAULT false;

-- How a case was closed. Null in a closed case from before: by a re-report.
ALTER TABLE feedback_case
    ADD COLUMN closed_as text CHECK (closed_as IN ('rereport', 'confirmation', 'withdrawal'));
GRANT UPDATE (closed_as) ON feedback_case TO validation;
