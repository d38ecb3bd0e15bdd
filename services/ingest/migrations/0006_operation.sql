-- What a version does to its record (D-24): 1 upsert, 2 revoke, 3 withdraw. Rows from before this migration are
-- upserts; the default stands for them without the table being written anew.
alter table original add column operation smallint not null default 1;

-- Not validated over old rows, which have the default: that would read the whole table under a lock.
alter table original add constraint original_operation check (operation between 1 and 3) not valid;
