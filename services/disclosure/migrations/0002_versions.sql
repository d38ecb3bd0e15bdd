-- Every accepted version, once. Natural persons have a table of their own that the public role cannot read.

-- Newest version of each record over all kinds of subject: the version guard.
CREATE TABLE record_head (
    provider_code text   NOT NULL,
    item_code     text   NOT NULL,
    key_digest    bytea  NOT NULL,
    revision      bigint NOT NULL,
    record_id     uuid   NOT NULL,
    PRIMARY KEY (provider_code, item_code, key_digest)
);

-- Versions about organisations and individual businesses (D-11).
CREATE TABLE organisation_version (
    record_id         uuid        NOT NULL PRIMARY KEY,
    provider_code     text        NOT NULL,
    item_code         text        NOT NULL,
    item_version      integer     NOT NULL,
    key_digest        bytea       NOT NULL CHECK (length(key_digest) = 32),
    revision          bigint      NOT NULL CHECK (revision > 0),
    -- 1 organisation, 2 individual business.
    subject_kind      smallint    NOT NULL CHECK (subject_kind IN (1, 2)),
    -- Unified social credit code; empty where the subject has none (D-12).
    organisation_code text        NOT NULL,
    organisation_name text        NOT NULL,
    -- Letters, digits and ideographs of the name's normal form: what a part of a name is looked for in.
    name_key          text        NOT NULL,
    document_number   text        NOT NULL,
    -- Normal form of the document number, so that 〔2024〕 and [2024] are one.
    document_key      text        NOT NULL,
    authority         text        NOT NULL,
    decision_date     date        NOT NULL,
    effective_date    date        NOT NULL,
    expiry_date       date,
    -- Last day on which the provider wants it disclosed (公示截止期); it may only shorten the item's term (D-9).
    publicity_until   date,
    received_at       timestamptz NOT NULL,
    stored_at         timestamptz NOT NULL,
    -- Newest of its record; only such versions are disclosed.
    current           boolean     NOT NULL,
    sealed_record     bytea       NOT NULL,
    UNIQUE (provider_code, item_code, key_digest, revision)
);

CREATE UNIQUE INDEX organisation_version_one_current
    ON organisation_version (provider_code, item_code, key_digest) WHERE current;
-- List pages: newest decision first. The included columns decide visibility, so that counting stays in the index.
CREATE INDEX organisation_version_by_item
    ON organisation_version (item_code, decision_date DESC, record_id DESC)
    INCLUDE (item_version, subject_kind, effective_date, publicity_until)
    WHERE current AND organisation_code <> '';
CREATE INDEX organisation_version_by_organisation
    ON organisation_version (organisation_code, decision_date DESC, record_id DESC)
    INCLUDE (item_code, item_version, subject_kind, effective_date, publicity_until)
    WHERE current AND organisation_code <> '';
CREATE INDEX organisation_version_by_document
    ON organisation_version (item_code, document_key) WHERE current AND organisation_code <> '';

-- Versions about natural persons: a keyed hash of the document and dates, nothing else in clear (R-14).
CREATE TABLE person_version (
    record_id       uuid        NOT NULL PRIMARY KEY,
    provider_code   text        NOT NULL,
    item_code       text        NOT NULL,
    item_version    integer     NOT NULL,
    key_digest      bytea       NOT NULL CHECK (length(key_digest) = 32),
    revision        bigint      NOT NULL CHECK (revision > 0),
    blind_index     bytea       NOT NULL CHECK (length(blind_index) = 32),
    decision_date   date        NOT NULL,
    effective_date  date        NOT NULL,
    expiry_date     date,
    -- As organisation_version.publicity_until.
    publicity_until date,
    received_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL,
    current         boolean     NOT NULL,
    sealed_record   bytea       NOT NULL,
    UNIQUE (provider_code, item_code, key_digest, revision)
);

CREATE UNIQUE INDEX person_version_one_current
    ON person_version (provider_code, item_code, key_digest) WHERE current;
CREATE INDEX person_version_by_person
    ON person_version (blind_index, decision_date DESC, record_id DESC) WHERE current;

-- Versions are append-only but for the flag.
GRANT SELECT, INSERT, UPDATE (revision, record_id) ON record_head TO disclosure;
GRANT SELECT, INSERT, UPDATE (current) ON organisation_version TO disclosure;
GRANT SELECT, INSERT, UPDATE (current) ON person_version TO disclosure;
GRANT SELECT ON organisation_version TO disclosure_public;
