-- The registry of providers (R-3), one row for each revision, so that who was entitled to report at
-- any past moment, and who decided it, stays on record. Append-only by privilege.
CREATE TABLE provider_revision (
    code          text        NOT NULL CHECK (length(code) = 18),
    revision      bigint      NOT NULL CHECK (revision > 0),
    name          text        NOT NULL CHECK (name <> ''),
    level         text        NOT NULL,
    -- GB/T 2260 code of the district; empty at city level.
    district_code text        NOT NULL,
    enabled       boolean     NOT NULL,
    recorded_at   timestamptz NOT NULL,
    -- "<credit code>/<account>" of the officer.
    recorded_by   text        NOT NULL,
    PRIMARY KEY (code, revision),
    CHECK ((level = 'city' AND district_code = '') OR (level = 'district' AND district_code <> ''))
);

GRANT SELECT, INSERT ON provider_revision TO catalog;
