-- The providers that catalog has registered (R-3), kept from its events, so that an objection to
-- a record of nobody is refused without asking another service.
create table provider (
    code     text    primary key,
    name     text    not null,
    enabled  boolean not null,
    revision bigint  not null check (revision > 0)
);

do $$
begin
    execute format('grant select, insert, update on provider to %I', current_schema());
end $$;
