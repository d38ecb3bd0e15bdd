-- From which day a version of an item is in force, what it says, until when an item is taken, and
-- when a provider may report. Rows from before this migration say nothing of it: their versions are
-- in force since their publication, their definitions are unknown, their providers without limit.
alter table item_version
    -- First day of receipt (Asia/Shanghai); null: from its publication.
    add column effective_from date,
    -- The whole definition as JSON, as catalog announced it; null: not known here.
    add column definition     text;

-- A later announcement of the same version fills in what an earlier one did not say.
grant update (effective_from, definition) on item_version to ingest;

create table item_retirement (
    code           text        primary key,
    -- First day on which no record of the item is taken.
    from_date      date        not null,
    -- Item that takes its place; empty: none.
    successor_code text        not null,
    -- When catalog decided it: of two the later one counts, in whatever order they come.
    decided_at     timestamptz not null
);

grant select, insert, update on item_retirement to ingest;

alter table provider
    -- First and last day on which it may report; null: without limit.
    add column valid_from  date,
    add column valid_until date;
