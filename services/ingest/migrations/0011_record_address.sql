-- The address of a record, the same for all its versions, for life: links, objections and the province name it.
alter table original add column record_address uuid;

-- Versions from before get that of the record's first version, as `RecordAddress::of_first_version` computes it: the
-- first 16 bytes of a hash over the id, with version 8 and the variant of RFC 9562 in their places.
with first_version as (
    select key_digest,
           substring(sha256('credit record address 1'::bytea || uuid_send(record_id)) for 16) as hash
    from original where revision = 1)
update original o
    set record_address = encode(
        set_byte(
            set_byte(f.hash, 6, (get_byte(f.hash, 6) & 15) | 128),
            8, (get_byte(f.hash, 8) & 63) | 128),
        'hex')::uuid
    from first_version f where f.key_digest = o.key_digest;

-- The table's grants cover the column.
alter table original alter column record_address set not null;
