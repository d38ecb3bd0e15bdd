-- Who had originals read by a replay of rules, when, why and which (R-17). Written and committed
-- before the first is read; by privilege nobody changes or deletes a row.
create table original_access (
    access_id         uuid        primary key,
    accessed_at       timestamptz not null,
    -- Credit code of the office.
    organisation      text        not null,
    -- Account that the token names, and the reason given, sealed with access_id: either may name people.
    sealed_account    bytea       not null,
    sealed_reason     bytea       not null,
    item_code         text        not null,
    -- The definition that was tried out.
    item_version      integer     not null,
    definition_sha256 bytea       not null check (octet_length(definition_sha256) = 32),
    -- Which originals: empty or null is without limit.
    provider_code     text        not null,
    received_from     date,
    received_to       date,
    pinned_versions   integer[]   not null,
    most_originals    bigint
);

create index original_access_by_time on original_access (accessed_at);

grant select, insert on original_access to ingest;
