-- Versions side by side (R-6): what a question about them needs stands beside the definition.
ALTER TABLE item_version
    -- First day of receipt that the version is for (Asia/Shanghai).
    ADD COLUMN starts_on     date,
    ADD COLUMN catalogue     text NOT NULL DEFAULT 'city',
    -- Credit code of the organ whose catalogue it is; empty in the city's.
    ADD COLUMN organ         text NOT NULL DEFAULT '',
    -- GB/T 2260 code, in a district's catalogue only.
    ADD COLUMN district_code text NOT NULL DEFAULT '';

-- Until now a version was in force from its publication; Changsha is at UTC+8 all year.
UPDATE item_version SET starts_on = ((published_at AT TIME ZONE 'UTC') + interval '8 hours')::date;

ALTER TABLE item_version
    ALTER COLUMN starts_on SET NOT NULL,
    ALTER COLUMN catalogue DROP DEFAULT,
    ALTER COLUMN organ DROP DEFAULT,
    ALTER COLUMN district_code DROP DEFAULT,
    ADD CHECK ((catalogue = 'city' AND organ = '' AND district_code = '')
        OR (catalogue = 'department' AND organ <> '' AND district_code = '')
        OR (catalogue = 'district' AND organ <> '' AND district_code <> ''));

-- The end of an item. Append-only by privilege; an item ends once.
CREATE TABLE item_retirement (
    code           text        PRIMARY KEY,
    from_date      date        NOT NULL,
    reason         text        NOT NULL CHECK (reason <> ''),
    -- The item that takes its place; empty: none.
    successor_code text        NOT NULL CHECK (successor_code <> code),
    decided_at     timestamptz NOT NULL,
    -- "<credit code>/<account>" of the officer.
    decided_by     text        NOT NULL
);

-- Published versions of code lists. Append-only by privilege: a version never changes.
CREATE TABLE code_list_version (
    code         text        NOT NULL,
    version      bigint      NOT NULL CHECK (version > 0),
    -- The whole list as JSON, exactly as it was announced.
    definition   text        NOT NULL,
    published_at timestamptz NOT NULL,
    published_by text        NOT NULL,
    PRIMARY KEY (code, version)
);

GRANT SELECT, INSERT ON item_retirement, code_list_version TO catalog;
