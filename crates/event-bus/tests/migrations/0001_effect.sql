-- What the test's handler leaves behind: one row a handled event, so that a double effect is two rows.
create table effect (
    number   bigint generated always as identity primary key,
    event_id uuid   not null,
    code     text   not null constraint effect_takes check (code not like 'refused%')
);
grant select, insert on effect to bus_test;
