-- The bus's own tables in each service's schema. Run by the owner; the service's login role is
-- named like the schema.

-- Events in the order of their transactions. Append-only: the relay keeps a cursor instead of a
-- mark on each row, so every event costs one insert, and streams can be rebuilt at any time.
create table outbox (
    xid         xid8        not null default pg_current_xact_id(),
    seq         bigint      generated always as identity,
    event_id    uuid        not null,
    event_type  text        not null,
    occurred_at timestamptz not null,
    traceparent text        not null,
    payload     bytea       not null,
    primary key (xid, seq)
);

-- How far the relay has published. generation grows with every rewind, so that the broker's
-- duplicate window cannot swallow a rebuild.
create table relay_cursor (
    only_row   boolean primary key default true check (only_row),
    xid        xid8    not null,
    seq        bigint  not null,
    generation bigint  not null default 0
);
insert into relay_cursor (xid, seq) values ('0', 0);

-- Events that a consumer of this schema has dealt with.
create table inbox (
    consumer   text        not null,
    event_id   uuid        not null,
    handled_at timestamptz not null,
    primary key (consumer, event_id)
);

-- Events that could not be dealt with: the lane went on, a human decides.
create table dead_letter (
    id          bigint      generated always as identity primary key,
    consumer    text        not null,
    event_id    uuid        not null,
    event_type  text        not null,
    occurred_at timestamptz not null,
    traceparent text        not null,
    payload     bytea       not null,
    reason      text        not null,
    attempts    integer     not null default 1,
    state       text        not null default 'parked'
                check (state in ('parked', 'retry', 'resolved', 'dropped')),
    parked_at   timestamptz not null,
    unique (consumer, event_id)
);
create index dead_letter_retry on dead_letter (consumer) where state = 'retry';

do $$
begin
    execute format('grant select, insert on outbox, inbox to %I', current_schema());
    execute format('grant select, update on relay_cursor to %I', current_schema());
    execute format('grant select, insert, update on dead_letter to %I', current_schema());
end $$;
