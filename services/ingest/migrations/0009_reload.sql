-- Full reloads of an item (全量, R-11): begun once, ended once.
create table reload (
    reload_no     bigint      generated always as identity primary key,
    provider_code text        not null,
    -- Keyed hash of the provider's own id of the reload.
    reload_digest bytea       not null check (octet_length(reload_digest) = 32),
    item_code     text        not null,
    -- As asked for; 0: the version in force.
    item_version  integer     not null,
    begun_at      timestamptz not null,
    -- From here on null until the reload has ended.
    ended_at      timestamptz,
    -- Records that the caller said it had sent.
    declared      bigint,
    -- The provider's last ledger number at the end: versions after it change nothing of what was missing.
    up_to         bigint,
    unchanged     bigint,
    accepted      bigint,
    refused       bigint,
    -- Records of the provider that the reload did not name; null until they were listed once.
    missing       bigint,
    unique (provider_code, reload_digest)
);

-- One a record that a reload named, as narrow as can be: of an unchanged record nothing else is written.
-- Append-only by privilege: with it the same record under the same reload is answered the same for ever.
create table reload_line (
    reload_no  bigint  not null,
    key_digest bytea   not null,
    -- The version that the record was answered with.
    record_id  uuid    not null,
    unchanged  boolean not null,
    primary key (reload_no, key_digest)
);

grant select, insert on reload, reload_line to ingest;
grant update (ended_at, declared, up_to, unchanged, accepted, refused, missing) on reload to ingest;
