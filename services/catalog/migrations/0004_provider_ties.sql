-- Where a provider stands and how long it is one (R-3).
ALTER TABLE provider_revision
    -- Credit code of the organ above it; empty: none.
    ADD COLUMN parent_code text NOT NULL DEFAULT '',
    -- First and last day on which it may report; none: without limit.
    ADD COLUMN valid_from  date,
    ADD COLUMN valid_until date,
    ADD CHECK (valid_until >= valid_from),
    ADD CHECK (parent_code <> code);

-- Whom to call: personal data, sealed, and only the newest is kept. Who changed it last stands with it.
CREATE TABLE provider_contact (
    code            text        PRIMARY KEY,
    -- JSON sealed with "provider contacts <code>" as context.
    sealed_contacts bytea       NOT NULL,
    changed_at      timestamptz NOT NULL,
    changed_by      text        NOT NULL
);

GRANT SELECT, INSERT, UPDATE, DELETE ON provider_contact TO catalog;
