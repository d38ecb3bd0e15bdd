-- One verdict per record version, never changed: the service may insert and read, nothing else.
CREATE TABLE verdict (
    -- Given by ingest; also the context under which everything of the version is sealed.
    record_id       uuid        NOT NULL PRIMARY KEY,
    provider_code   text        NOT NULL,
    item_code       text        NOT NULL,
    item_version    integer     NOT NULL,
    -- Keyed hash of the provider's own record key, which may hold personal data.
    key_digest      bytea       NOT NULL CHECK (octet_length(key_digest) = 32),
    revision        bigint      NOT NULL CHECK (revision > 0),
    ledger_number   bigint      NOT NULL CHECK (ledger_number > 0),
    received_at     timestamptz NOT NULL,
    decided_at      timestamptz NOT NULL,
    outcome         text        NOT NULL CHECK (outcome IN ('accepted', 'returned')),
    -- Codes only, each once, to count by. What was found where is sealed.
    error_codes     text[]      NOT NULL,
    warning_codes   text[]      NOT NULL,
    -- Findings and applied normalisations, sealed; null when there are none.
    sealed_findings bytea,
    sealed_changes  bytea,
    UNIQUE (provider_code, item_code, key_digest, revision),
    CHECK (outcome = 'returned' OR cardinality(error_codes) = 0)
);

GRANT SELECT, INSERT ON verdict TO validation;
