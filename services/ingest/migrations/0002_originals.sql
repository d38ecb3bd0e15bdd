-- The bytes as received, for ever (R-12). Append-only by privilege: the service has INSERT and
-- SELECT. Content and the provider's own keys are sealed, because they can hold personal data.
create table original (
    record_id         uuid        primary key,
    provider_code     text        not null,
    item_code         text        not null,
    item_version      integer     not null,
    key_digest        bytea       not null,
    revision          bigint      not null,
    ledger_number     bigint      not null,
    content_type      text        not null,
    content_sha256    bytea       not null,
    sealed_content    bytea       not null,
    -- record key and submission id of the provider, sealed
    sealed_labels     bytea       not null,
    received_at       timestamptz not null,
    unique (provider_code, ledger_number),
    unique (provider_code, item_code, key_digest, revision)
);

-- The provider's own submission ids, for ever: the same id with the same request answers with the
-- same receipt. The id itself is kept as a keyed hash.
create table submission (
    provider_code     text  not null,
    submission_digest bytea not null,
    request_digest    bytea not null,
    record_id         uuid  not null,
    unchanged         boolean not null,
    primary key (provider_code, submission_digest)
);

-- The current version of each key.
create table record_head (
    provider_code  text    not null,
    item_code      text    not null,
    key_digest     bytea   not null,
    revision       bigint  not null,
    record_id      uuid    not null,
    primary key (provider_code, item_code, key_digest)
);

-- The last number of each provider's ledger. Locked for the length of a batch, so numbers have
-- no gaps and batches of one provider follow one another.
create table provider_ledger (
    provider_code text   primary key,
    last_number   bigint not null
);

grant select, insert on original, submission to ingest;
grant select, insert, update on record_head, provider_ledger to ingest;
