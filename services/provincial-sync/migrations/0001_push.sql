-- One row a record version: how it stands with the province (R-10). What is pushed is the sealed
-- normalised record; the upstream's words about it may quote it, so they are sealed as well.
create table push (
    record_id         uuid        primary key,
    provider_code     text        not null,
    item_code         text        not null,
    item_version      integer     not null check (item_version > 0),
    key_digest        bytea       not null check (octet_length(key_digest) = 32),
    revision          bigint      not null check (revision > 0),
    sealed_record     bytea       not null,
    traceparent       text        not null,
    state             text        not null default 'due'
                      check (state in ('due', 'acknowledged', 'refused')),
    -- Grows with every claim, so it also tells one lease from the next.
    attempts          integer     not null default 0,
    -- When it may be claimed: after a failure the end of the pause, after a claim the end of the lease.
    next_attempt_at   timestamptz not null,
    leased            boolean     not null default false,
    sealed_last_error bytea,
    acknowledgement   text,
    acknowledged_at   timestamptz,
    created_at        timestamptz not null,
    check ((state = 'acknowledged') = (acknowledgement is not null)),
    check ((state = 'acknowledged') = (acknowledged_at is not null))
);

-- The sender's queue, and the age of its oldest entry.
create index push_due on push (next_attempt_at) where state = 'due';
create index push_oldest_due on push (created_at) where state = 'due';

do $$
begin
    -- What was stored is pushed as it was stored: only the standing may change, nothing is deleted.
    execute format('grant select, insert on push to %I', current_schema());
    execute format('grant update (state, attempts, next_attempt_at, leased, sealed_last_error,
        acknowledgement, acknowledged_at) on push to %I', current_schema());
end $$;
