-- A record's own name for life, the same for all its versions (crate record-ref, RecordAddress). Events bring it; for what
-- is here already it is derived from the first version of the key that was judged, as ingest derives it: a UUID of version
-- 8 of the first 16 bytes of SHA-256 over 'credit record address 1' and the 16 bytes of the version's id.
ALTER TABLE verdict ADD COLUMN record_address uuid;
ALTER TABLE feedback_case ADD COLUMN record_address uuid;
ALTER TABLE base_subject ADD COLUMN record_address uuid;

UPDATE verdict AS v SET record_address = a.address
FROM (
    SELECT key_digest,
           encode(set_byte(set_byte(bytes, 6, (get_byte(bytes, 6) & 15) | 128),
                           8, (get_byte(bytes, 8) & 63) | 128), 'hex')::uuid AS address
    FROM (
        SELECT DISTINCT ON (key_digest) key_digest,
               substring(sha256('credit record address 1'::bytea || uuid_send(record_id)) FROM 1 FOR 16) AS bytes
        FROM verdict ORDER BY key_digest, revision
    ) AS first
) AS a
WHERE v.key_digest = a.key_digest;
UPDATE feedback_case AS c SET record_address = v.record_address FROM verdict AS v WHERE v.record_id = c.record_id;
UPDATE base_subject AS b SET record_address = v.record_address FROM verdict AS v WHERE v.record_id = b.record_id;

ALTER TABLE verdict ALTER COLUMN record_address SET NOT NULL;
ALTER TABLE feedback_case ALTER COLUMN record_address SET NOT NULL;
ALTER TABLE base_subject ALTER COLUMN record_address SET NOT NULL;
-- The tables' grants cover the column.
