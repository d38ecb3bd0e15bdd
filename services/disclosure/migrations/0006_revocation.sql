-- Revocations and withdrawals: versions that end their record instead of saying something of it (D-24, penalty law
-- art. 48). The record's newest version of all kinds stands in record_head, as ever; so while a revocation is the
-- newest, no version of its record has the flag `current`, and no list, search or page shows one. What it ended stays
-- where it is: nothing of a record is copied here, so that it does not matter which of the two arrives first.
CREATE TABLE revocation (
    -- Id of the version that revokes.
    record_id     uuid        NOT NULL PRIMARY KEY,
    provider_code text        NOT NULL,
    item_code     text        NOT NULL,
    item_version  integer     NOT NULL,
    key_digest    bytea       NOT NULL CHECK (length(key_digest) = 32),
    revision      bigint      NOT NULL CHECK (revision > 0),
    -- Numbers of credit.common.v1.Operation: 2 revoked, its reason is published; 3 withdrawn, its reason is not.
    operation     smallint    NOT NULL CHECK (operation IN (2, 3)),
    received_at   timestamptz NOT NULL,
    stored_at     timestamptz NOT NULL,
    -- The provider's reason, sealed with record_id: it may name people.
    sealed_reason bytea       NOT NULL,
    UNIQUE (provider_code, item_code, key_digest, revision)
);

-- Versions that are current no more by their subject: a notice finds what it ended by them. Partial, so that a version
-- that arrives as the current one of its record costs nothing. On a database that has run, build both beforehand,
-- CONCURRENTLY.
CREATE INDEX IF NOT EXISTS organisation_version_former
    ON organisation_version (organisation_code) WHERE NOT current AND organisation_code <> '';
CREATE INDEX IF NOT EXISTS person_version_former
    ON person_version (blind_index) WHERE NOT current;

-- What was revoked of organisations, and not reported again since: the newest version before a revocation that is
-- the newest version of its record. Without withdrawals, so that the public role cannot read why a record was
-- reported by mistake; and without records whose last version was about a natural person (R-14). A view has its owner's
-- rights, so the role needs none on the tables.
CREATE VIEW organisation_revocation WITH (security_barrier) AS
SELECT r.record_id AS revocation_id, r.received_at AS revoked_at, r.sealed_reason,
       v.record_id, v.provider_code, coalesce(p.name, '') AS provider_name, v.item_code, v.item_version, v.key_digest,
       v.subject_kind, v.organisation_code, v.organisation_name, v.document_number, v.decision_date,
       v.effective_date, v.publicity_until
FROM organisation_version v
JOIN record_head h
    ON h.provider_code = v.provider_code AND h.item_code = v.item_code AND h.key_digest = v.key_digest
JOIN revocation r ON r.record_id = h.record_id AND r.operation = 2
LEFT JOIN provider p ON p.provider_code = v.provider_code
WHERE NOT v.current
  AND NOT EXISTS (SELECT FROM organisation_version n
                  WHERE n.provider_code = v.provider_code AND n.item_code = v.item_code
                  AND n.key_digest = v.key_digest AND n.revision > v.revision)
  AND NOT EXISTS (SELECT FROM person_version n
                  WHERE n.provider_code = v.provider_code AND n.item_code = v.item_code
                  AND n.key_digest = v.key_digest AND n.revision > v.revision);

-- The same of natural persons, for the persons themselves.
CREATE VIEW person_revocation WITH (security_barrier) AS
SELECT r.record_id AS revocation_id, r.received_at AS revoked_at, r.sealed_reason,
       v.record_id, v.provider_code, v.item_code, v.item_version, v.key_digest, v.blind_index, v.decision_date,
       v.effective_date, v.publicity_until
FROM person_version v
JOIN record_head h
    ON h.provider_code = v.provider_code AND h.item_code = v.item_code AND h.key_digest = v.key_digest
JOIN revocation r ON r.record_id = h.record_id AND r.operation = 2
WHERE NOT v.current
  AND NOT EXISTS (SELECT FROM person_version n
                  WHERE n.provider_code = v.provider_code AND n.item_code = v.item_code
                  AND n.key_digest = v.key_digest AND n.revision > v.revision)
  AND NOT EXISTS (SELECT FROM organisation_version n
                  WHERE n.provider_code = v.provider_code AND n.item_code = v.item_code
                  AND n.key_digest = v.key_digest AND n.revision > v.revision);

-- A revocation is kept as it came.
GRANT SELECT, INSERT ON revocation TO disclosure;
GRANT SELECT ON organisation_revocation TO disclosure, disclosure_public;
GRANT SELECT ON person_revocation TO disclosure;
