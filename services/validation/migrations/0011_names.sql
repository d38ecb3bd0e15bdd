-- Columns say what they hold. The service may read and insert as before: the tables' grants cover the columns.

-- Name of the attester and what he relies on, sealed under the record id.
ALTER TABLE confirmation RENAME COLUMN sealed_word TO sealed_attestation;
-- False once the registration was revoked or withdrawn. The row stays, because it orders revisions.
ALTER TABLE base_subject RENAME COLUMN standing TO active;
-- False once the key's record ended or is about something else.
ALTER TABLE natural_claim RENAME COLUMN held TO active;
