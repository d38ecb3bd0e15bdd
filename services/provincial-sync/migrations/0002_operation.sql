-- Revocations and withdrawals are pushed as versions are (D-24): what a version does to its record, by the numbers of
-- credit.common.v1.Operation. What stood here before were records, so 1 is right for all of it, and the check, which is
-- not validated over them, has nothing to find: no rewrite, no scan.
alter table push add column operation smallint not null default 1;
alter table push add constraint push_operation_known check (operation in (1, 2, 3)) not valid;

comment on column push.sealed_record is
    'The normalised record; of a revocation or withdrawal the provider''s reason. Sealed with record_id.';

-- The grants of 0001 hold: insert and select of whole rows, no update of this column.
