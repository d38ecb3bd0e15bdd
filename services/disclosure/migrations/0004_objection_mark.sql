-- Objections against record versions: pending ones mark their record as 异议处理中 (D-5).
CREATE TABLE objection_mark (
    objection_id uuid    NOT NULL PRIMARY KEY,
    record_id    uuid    NOT NULL,
    pending      boolean NOT NULL,
    revision     bigint  NOT NULL
);

CREATE INDEX objection_mark_pending ON objection_mark (record_id) WHERE pending;

GRANT SELECT, INSERT, UPDATE ON objection_mark TO disclosure;
GRANT SELECT ON objection_mark TO disclosure_public;
