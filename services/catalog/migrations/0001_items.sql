-- Published versions of catalogue items (R-6). Append-only by privilege: a version never changes.
CREATE TABLE item_version (
    code         text        NOT NULL,
    version      bigint      NOT NULL CHECK (version > 0),
    -- The whole definition as JSON, exactly as it was announced to the other services.
    definition   text        NOT NULL,
    published_at timestamptz NOT NULL,
    -- "<credit code>/<account>" of the officer, or "data-file".
    published_by text        NOT NULL,
    PRIMARY KEY (code, version)
);

GRANT SELECT, INSERT ON item_version TO catalog;
