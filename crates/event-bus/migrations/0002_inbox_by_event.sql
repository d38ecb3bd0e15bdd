-- An event's id tells it apart at the first look; the name of the consumer, which is nearly always the same, does not.
alter table inbox
    drop constraint inbox_pkey,
    add primary key (event_id, consumer);

-- Payloads are mostly sealed content, which cannot be compressed: PostgreSQL need not try.
alter table outbox alter column payload set storage external;
