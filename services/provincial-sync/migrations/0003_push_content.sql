-- What is pushed stands apart from how it stands: a claim and a settlement each write the row of `push` anew, and would
-- otherwise copy the record both times. Rows from before keep theirs in `push`.
create table push_content (
    -- Written in the statement that writes the row of push. No foreign key: its check would cost more than the row.
    record_id     uuid  primary key,
    -- As push.sealed_record.
    sealed_record bytea not null
);
alter table push alter column sealed_record drop not null;

do $$
begin
    execute format('grant select, insert on push_content to %I', current_schema());
end $$;
