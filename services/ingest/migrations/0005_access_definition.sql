-- The definition that was tried out, sealed with access_id: the digest alone cannot show what was asked.
-- Null for accesses from before this migration.
alter table original_access add column sealed_definition bytea;
