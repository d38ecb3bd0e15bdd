-- Who read which single original, when, as what and why (R-12, R-17). Committed before the original is looked for,
-- also when there is none; by privilege nobody changes or deletes a row.
create table original_read (
    access_id      uuid        primary key,
    accessed_at    timestamptz not null,
    -- Credit code of the reader's organisation.
    organisation   text        not null,
    reader         text        not null check (reader in ('provider', 'credit-office', 'auditor')),
    -- Account that the token names, and the reason given, sealed with access_id: either may name people.
    sealed_account bytea       not null,
    sealed_reason  bytea       not null,
    -- The version that was asked for, which need not exist.
    record_id      uuid        not null
);

create index original_read_by_time on original_read (accessed_at);
create index original_read_by_record on original_read (record_id, accessed_at);

grant select, insert on original_read to ingest;
