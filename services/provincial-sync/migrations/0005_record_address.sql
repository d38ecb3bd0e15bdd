-- The address of the record that a version belongs to, the same for all its versions (record_ref::RecordAddress): a UUID
-- of version 8 made of the id of the first version, which rows from before have where revision 1 of their key came here;
-- where it did not, the row's own id stands in for it.
alter table push add column record_address uuid;

update push p
set record_address = encode(
        set_byte(set_byte(h.hash, 6, get_byte(h.hash, 6) & 15 | 128), 8, get_byte(h.hash, 8) & 63 | 128),
        'hex')::uuid
from (
    select record_id,
           substring(sha256('credit record address 1'::bytea || uuid_send(
               case when first_value(revision) over by_revision = 1
                    then first_value(record_id) over by_revision
                    else record_id end)) from 1 for 16) as hash
    from push
    window by_revision as (partition by provider_code, item_code, key_digest order by revision, record_id)
) as h
where h.record_id = p.record_id;

alter table push alter column record_address set not null;

-- The grants of 0001 hold: insert and select of whole rows, no update of this column.
