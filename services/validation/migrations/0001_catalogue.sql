-- What validation knows of the catalogue, from catalog's events.

-- Item versions are never changed once published, so the first event wins and nothing is ever updated.
CREATE TABLE item_version (
    code       text    NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    -- The whole definition as crate credit-record reads it.
    definition jsonb   NOT NULL,
    PRIMARY KEY (code, version)
);

-- The newest revision of each provider (R-3): the owners of feedback cases.
CREATE TABLE provider (
    code          text    NOT NULL PRIMARY KEY,
    name          text    NOT NULL,
    level         text    NOT NULL,
    district_code text    NOT NULL,
    enabled       boolean NOT NULL,
    revision      bigint  NOT NULL
);

GRANT SELECT, INSERT ON item_version TO validation;
GRANT SELECT, INSERT, UPDATE ON provider TO validation;
