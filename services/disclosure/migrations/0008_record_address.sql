-- The address of a record: one for all its versions, for life, derived from the id of the first of them, which ingest sends
-- along. A revocation keeps none of its own: its notice has that of the version that it ended.
ALTER TABLE organisation_version ADD COLUMN record_address uuid;
ALTER TABLE person_version ADD COLUMN record_address uuid;

-- As record_ref::RecordAddress::of_first_version: a UUID of version 8 of the first 16 bytes of the hash. The first version of
-- a record may have been returned, so that it never came here; then the oldest that did stands for it.
WITH hashed AS (
    SELECT DISTINCT ON (key_digest) key_digest,
           sha256(convert_to('credit record address 1', 'UTF8') || uuid_send(record_id)) AS hash
    FROM (SELECT key_digest, revision, record_id FROM organisation_version
          UNION ALL SELECT key_digest, revision, record_id FROM person_version) version
    ORDER BY key_digest, revision
), address AS (
    SELECT key_digest,
           encode(substring(set_byte(set_byte(hash, 6, get_byte(hash, 6) & 15 | 128),
                                     8, get_byte(hash, 8) & 63 | 128) FROM 1 FOR 16), 'hex')::uuid AS record_address
    FROM hashed
), organisations AS (
    UPDATE organisation_version v SET record_address = a.record_address
    FROM address a WHERE a.key_digest = v.key_digest
)
UPDATE person_version v SET record_address = a.record_address
FROM address a WHERE a.key_digest = v.key_digest;

ALTER TABLE organisation_version ALTER COLUMN record_address SET NOT NULL;
ALTER TABLE person_version ALTER COLUMN record_address SET NOT NULL;

-- The views of 0007 with the address.
CREATE OR REPLACE VIEW organisation_revocation WITH (security_barrier) AS
SELECT r.record_id AS revocation_id, r.received_at AS revoked_at, r.sealed_reason,
       v.record_id, v.provider_code, coalesce(p.name, '') AS provider_name, v.item_code, v.item_version, v.key_digest,
       v.subject_kind, v.organisation_code, v.organisation_name, v.document_number, v.decision_date,
       v.effective_date, v.publicity_until, v.record_address
FROM organisation_version v
JOIN record_head h ON h.key_digest = v.key_digest
JOIN revocation r ON r.record_id = h.record_id AND r.operation = 2
LEFT JOIN provider p ON p.provider_code = v.provider_code
WHERE NOT v.current
  AND NOT EXISTS (SELECT FROM organisation_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current)
  AND NOT EXISTS (SELECT FROM person_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current);

CREATE OR REPLACE VIEW person_revocation WITH (security_barrier) AS
SELECT r.record_id AS revocation_id, r.received_at AS revoked_at, r.sealed_reason,
       v.record_id, v.provider_code, v.item_code, v.item_version, v.key_digest, v.blind_index, v.decision_date,
       v.effective_date, v.publicity_until, v.record_address
FROM person_version v
JOIN record_head h ON h.key_digest = v.key_digest
JOIN revocation r ON r.record_id = h.record_id AND r.operation = 2
WHERE NOT v.current
  AND NOT EXISTS (SELECT FROM person_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current)
  AND NOT EXISTS (SELECT FROM organisation_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current);

-- As the grants of 0006 and 0002: the columns of the tables are read by their readers, the address is altered by nobody.
GRANT SELECT ON organisation_revocation TO disclosure, disclosure_public;
GRANT SELECT ON person_revocation TO disclosure;
