-- What one record says is compared with what others said (R-7, R-13).

-- The base register: what the standing registration of a credit code says. Organisations and individual
-- businesses only (D-11), whose registered names are public.
CREATE TABLE base_subject (
    code              text    NOT NULL PRIMARY KEY,
    name              text    NOT NULL,
    -- The form under which spellings are equal, without the mark of individual businesses.
    name_core         text    NOT NULL,
    former_cores      text[]  NOT NULL,
    status            text,
    ended_on          date,
    since             date    NOT NULL,
    -- The version that says so.
    record_id         uuid    NOT NULL,
    provider_code     text    NOT NULL,
    item_code         text    NOT NULL,
    item_version      integer NOT NULL,
    key_digest        bytea   NOT NULL CHECK (octet_length(key_digest) = 32),
    revision          bigint  NOT NULL CHECK (revision > 0),
    ledger_number     bigint  NOT NULL,
    -- The provider's own key, sealed under record_id: for the case that a contradiction opens.
    sealed_record_key bytea   NOT NULL,
    -- False once the registration was revoked or withdrawn. The row stays, because it orders revisions.
    standing          boolean NOT NULL
);
-- A revocation finds what its key had registered.
CREATE INDEX base_subject_key ON base_subject (provider_code, item_code, key_digest);

-- Which key holds a fact in the world. The digest is keyed: it covers document numbers of persons.
CREATE TABLE natural_claim (
    digest        bytea   NOT NULL PRIMARY KEY CHECK (octet_length(digest) = 32),
    provider_code text    NOT NULL,
    item_code     text    NOT NULL,
    key_digest    bytea   NOT NULL CHECK (octet_length(key_digest) = 32),
    revision      bigint  NOT NULL,
    ledger_number bigint  NOT NULL,
    -- False once the key's record ended or is about something else.
    held          boolean NOT NULL
);

-- Whose catalogue an item stands in, and from which day of receipt it is for. Null: not told, and then nothing
-- follows from it.
ALTER TABLE item_version
    ADD COLUMN catalogue text,
    ADD COLUMN organ text,
    ADD COLUMN district_code text,
    ADD COLUMN effective_from date,
    ADD COLUMN published_on date;
-- The organ above a provider; empty: none.
ALTER TABLE provider ADD COLUMN parent_code text NOT NULL DEFAULT '';

GRANT SELECT, INSERT, UPDATE ON base_subject TO validation;
GRANT SELECT, INSERT, UPDATE ON natural_claim TO validation;
