-- That a provider had nothing to report of an item in a period (零报告, R-11), for ever: append-only by privilege.
-- Its submission id stands in `submission` like that of a record, with report_id in place of the record id, so
-- that one id is never both.
create table nil_report (
    report_id            uuid        primary key,
    provider_code        text        not null,
    item_code            text        not null,
    -- First and last day.
    period_from          date        not null,
    period_to            date        not null check (period_to >= period_from),
    received_at          timestamptz not null,
    -- The provider's own submission id, sealed with report_id.
    sealed_submission_id bytea       not null
);

-- Lists are newest first, of all items or of one.
create index nil_report_newest on nil_report (provider_code, received_at, report_id);
create index nil_report_newest_of_item on nil_report (provider_code, item_code, received_at, report_id);

-- Whether anything was received in a period: originals lie in the order of their receipt, so a range of blocks is
-- enough, and taking records in hardly pays for it. On a large table build it CONCURRENTLY beforehand.
create index if not exists original_received_at on original using brin (received_at);

grant select, insert on nil_report to ingest;
