-- Feedback cases live on: kinds, reminders, overdue, confirmation (R-13, domain 6.1).

ALTER TABLE feedback_case
    ADD COLUMN kind text NOT NULL DEFAULT 'returned' CHECK (kind IN ('returned', 'contradicted')),
    -- Each set once, by the job that looks at due days.
    ADD COLUMN reminded_at timestamptz,
    ADD COLUMN overdue_at timestamptz,
    ADD COLUMN urged_at timestamptz,
    -- What a contradicted version is told, sealed under the record id; a returned one has its verdict's.
    ADD COLUMN sealed_findings bytea,
    -- The original of a returned version, sealed under the record id, for a confirmation to judge again.
    ADD COLUMN sealed_content bytea,
    ADD COLUMN content_type text,
    DROP CONSTRAINT feedback_case_record_id_key,
    ADD CONSTRAINT feedback_case_once UNIQUE (record_id, kind);
GRANT UPDATE (reminded_at, overdue_at, urged_at) ON feedback_case TO validation;

CREATE INDEX feedback_case_due ON feedback_case (due_on) WHERE closed_at IS NULL;

-- A named official of the provider answered for a version as it is. Never changed.
CREATE TABLE confirmation (
    case_id         uuid        NOT NULL PRIMARY KEY REFERENCES feedback_case,
    record_id       uuid        NOT NULL REFERENCES verdict,
    confirmed_at    timestamptz NOT NULL,
    -- Name of the attester and what he relies on, sealed under the record id.
    sealed_word     bytea       NOT NULL,
    -- The findings that remain, sealed under the record id; null when there are none.
    sealed_findings bytea,
    -- Whether the version was accepted by it. A contradicted one was accepted already.
    accepts         boolean     NOT NULL,
    identity        bytea       CHECK (octet_length(identity) = 32)
);
CREATE INDEX confirmation_record ON confirmation (record_id);
GRANT SELECT, INSERT ON confirmation TO validation;
