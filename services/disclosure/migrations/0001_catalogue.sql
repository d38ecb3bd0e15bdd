-- What disclosure keeps of the catalogue: item versions (never changed) and providers (newest revision).
CREATE TABLE item_version (
    item_code       text     NOT NULL,
    item_version    integer  NOT NULL CHECK (item_version > 0),
    name            text     NOT NULL,
    -- 1 basic, 2 favourable, 3 adverse, 4 other: numbers of credit.common.v1.RecordClass.
    record_class    smallint NOT NULL CHECK (record_class BETWEEN 1 AND 4),
    -- Calendar years of disclosure; null when the item names no term.
    term_years      integer  CHECK (term_years >= 0),
    -- Kinds of subject whose records the item publishes: numbers of credit.common.v1.SubjectKind.
    -- A natural person (3) can never be among them (R-14).
    published_kinds smallint[] NOT NULL CHECK (published_kinds <@ ARRAY[1, 2]::smallint[]),
    -- The whole definition, as crate credit-record reads it.
    definition      jsonb    NOT NULL,
    PRIMARY KEY (item_code, item_version)
);

CREATE TABLE provider (
    provider_code text    NOT NULL PRIMARY KEY,
    name          text    NOT NULL,
    level         text    NOT NULL CHECK (level IN ('city', 'district')),
    district_code text    NOT NULL,
    enabled       boolean NOT NULL,
    revision      bigint  NOT NULL
);

GRANT USAGE ON SCHEMA disclosure TO disclosure, disclosure_public;
GRANT SELECT, INSERT ON item_version TO disclosure;
GRANT SELECT, INSERT, UPDATE ON provider TO disclosure;
GRANT SELECT ON item_version TO disclosure_public;
