-- What a version costs is the number of places it is written to: of its six indexes two repeated the key of its record
-- and its head's key stood behind two columns of text that the digest covers. The head alone now says which version is
-- current, under the lock that every transaction takes first (store/versions.rs), and names the version that it
-- replaces; versions are found by their key only when they are current no more.

CREATE INDEX organisation_version_former_key ON organisation_version (key_digest, revision) WHERE NOT current;
CREATE INDEX person_version_former_key ON person_version (key_digest, revision) WHERE NOT current;

-- The views of 0006, by the digest alone. While a revocation is the head no version of its record is current, so the
-- versions to compare with are all in the index above.
CREATE OR REPLACE VIEW organisation_revocation WITH (security_barrier) AS
SELECT r.record_id AS revocation_id, r.received_at AS revoked_at, r.sealed_reason,
       v.record_id, v.provider_code, coalesce(p.name, '') AS provider_name, v.item_code, v.item_version, v.key_digest,
       v.subject_kind, v.organisation_code, v.organisation_name, v.document_number, v.decision_date,
       v.effective_date, v.publicity_until
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
       v.effective_date, v.publicity_until
FROM person_version v
JOIN record_head h ON h.key_digest = v.key_digest
JOIN revocation r ON r.record_id = h.record_id AND r.operation = 2
WHERE NOT v.current
  AND NOT EXISTS (SELECT FROM person_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current)
  AND NOT EXISTS (SELECT FROM organisation_version n
                  WHERE n.key_digest = v.key_digest AND n.revision > v.revision AND NOT n.current);

ALTER TABLE record_head
    DROP CONSTRAINT record_head_pkey,
    DROP COLUMN provider_code,
    DROP COLUMN item_code,
    ADD PRIMARY KEY (key_digest);

ALTER TABLE organisation_version
    DROP CONSTRAINT organisation_version_provider_code_item_code_key_digest_rev_key;
DROP INDEX organisation_version_one_current;
ALTER TABLE person_version DROP CONSTRAINT person_version_provider_code_item_code_key_digest_revision_key;
DROP INDEX person_version_one_current;

-- Document numbers are many and items few.
DROP INDEX organisation_version_by_document;
CREATE INDEX organisation_version_by_document
    ON organisation_version (document_key, item_code) WHERE current AND organisation_code <> '';

-- What is sealed cannot be compressed: PostgreSQL need not try.
ALTER TABLE organisation_version ALTER COLUMN sealed_record SET STORAGE EXTERNAL;
ALTER TABLE person_version ALTER COLUMN sealed_record SET STORAGE EXTERNAL;
