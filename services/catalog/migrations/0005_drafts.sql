-- Drafts of item versions on their way through the review of the credit office (R-6).
CREATE TABLE draft (
    draft_id      uuid        PRIMARY KEY,
    item_code     text        NOT NULL,
    item_version  bigint      NOT NULL CHECK (item_version > 0),
    catalogue     text        NOT NULL,
    organ         text        NOT NULL,
    district_code text        NOT NULL,
    -- TOML as it was written; may be incomplete until it is submitted.
    definition    text        NOT NULL,
    state         text        NOT NULL
                  CHECK (state IN ('draft', 'submitted', 'returned', 'published', 'withdrawn')),
    revision      bigint      NOT NULL CHECK (revision > 0),
    -- Credit code of the organisation that began it.
    created_by    text        NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    -- Reasons of the last return: [{"field": …, "text": …}].
    reasons       text        NOT NULL DEFAULT '[]'
);

CREATE INDEX draft_by_change ON draft (changed_at, draft_id);
CREATE INDEX draft_waiting ON draft (changed_at) WHERE state = 'submitted';

-- Who did what with a draft and when. Append-only by privilege.
CREATE TABLE draft_change (
    draft_id uuid        NOT NULL REFERENCES draft,
    revision bigint      NOT NULL,
    state    text        NOT NULL,
    at       timestamptz NOT NULL,
    -- "<credit code>/<account>".
    by       text        NOT NULL,
    reasons  text        NOT NULL,
    note     text        NOT NULL,
    PRIMARY KEY (draft_id, revision)
);

GRANT SELECT, INSERT ON draft, draft_change TO catalog;
GRANT UPDATE (item_code, item_version, catalogue, organ, district_code, definition, state, revision, changed_at,
    reasons) ON draft TO catalog;
