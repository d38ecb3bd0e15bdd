-- Feedback cases (R-13): an anomaly with an owner (its provider) and an age until a re-report closes it.
CREATE TABLE feedback_case (
    case_id           uuid        NOT NULL PRIMARY KEY,
    record_id         uuid        NOT NULL UNIQUE REFERENCES verdict,
    provider_code     text        NOT NULL,
    item_code         text        NOT NULL,
    item_version      integer     NOT NULL,
    key_digest        bytea       NOT NULL,
    revision          bigint      NOT NULL,
    ledger_number     bigint      NOT NULL,
    -- The provider's own key of the record, sealed.
    sealed_record_key bytea       NOT NULL,
    opened_at         timestamptz NOT NULL,
    -- Null before the regulation came into force (R-25): then nothing is due.
    due_on            date,
    due_provisional   boolean     NOT NULL,
    closed_at         timestamptz,
    -- The accepted re-report that closed it.
    closed_by         uuid        REFERENCES verdict,
    CHECK ((closed_at IS NULL) = (closed_by IS NULL))
);

-- Pages of one provider, newest first; of all its cases and of the open ones.
CREATE INDEX feedback_case_page ON feedback_case (provider_code, opened_at DESC, ledger_number DESC);
CREATE INDEX feedback_case_open_page ON feedback_case (provider_code, opened_at DESC, ledger_number DESC)
    WHERE closed_at IS NULL;
-- Cases that an accepted re-report may close.
CREATE INDEX feedback_case_open_key ON feedback_case (provider_code, item_code, key_digest)
    WHERE closed_at IS NULL;

-- The newest accepted revision of each key that was ever returned or reported again. Its row is also the
-- lock that makes two batches with versions of one key wait for each other. Keys that were reported once
-- and accepted, which are most, have no row.
CREATE TABLE rereport_head (
    provider_code     text   NOT NULL,
    item_code         text   NOT NULL,
    key_digest        bytea  NOT NULL,
    -- 0 while none was accepted.
    accepted_revision bigint NOT NULL,
    accepted_record   uuid,
    PRIMARY KEY (provider_code, item_code, key_digest)
);

GRANT SELECT, INSERT ON feedback_case TO validation;
GRANT UPDATE (closed_at, closed_by) ON feedback_case TO validation;
GRANT SELECT, INSERT, UPDATE ON rereport_head TO validation;
