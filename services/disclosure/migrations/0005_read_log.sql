-- Who read records of a subject, when and which (R-17). Written and committed before the answer leaves;
-- by privilege nobody changes or deletes a row.
CREATE TABLE read_log (
    read_id            uuid        NOT NULL PRIMARY KEY,
    read_at            timestamptz NOT NULL,
    rpc                text        NOT NULL,
    -- 1 an organisation, 3 a natural person read its own records.
    reader_kind        smallint    NOT NULL CHECK (reader_kind IN (1, 3)),
    -- Credit code of the organisation; empty for persons.
    reader_code        text        NOT NULL,
    -- Blind index of the person's document; null for organisations.
    reader_blind_index bytea,
    -- Account that the token names, sealed with read_id: issuers may name accounts after people.
    sealed_account     bytea       NOT NULL,
    -- The versions that were shown.
    record_ids         uuid[]      NOT NULL
);

CREATE INDEX read_log_by_time ON read_log (read_at);

GRANT SELECT, INSERT ON read_log TO disclosure;
