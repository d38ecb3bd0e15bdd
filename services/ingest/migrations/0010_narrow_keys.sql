-- A record cost four tables and five indexes, three of them on keys that lie anywhere: the hash of the record key twice
-- (once for the head) and that of the submission id, each behind two columns of text that it already covers. Now the
-- original itself knows its submission, and the newest original of a key is its head: two tables, four indexes, two of
-- them anywhere, their keys as short as can be.

-- Ids and requests of accepted versions. Null in rows from before: theirs stand in `submission`.
alter table original
    -- Keyed hash of the provider and its submission id.
    add column submission_digest bytea,
    -- Digest of everything that was sent.
    add column request_digest bytea;
create unique index original_submission on original (submission_digest);

-- The digest of a key covers provider and item.
alter table original
    drop constraint original_provider_code_item_code_key_digest_revision_key,
    add unique (key_digest, revision);
drop table record_head;

-- From here on only ids that made no version: of unchanged records, of nil reports. The digest covers the provider.
alter table submission
    drop constraint submission_pkey,
    add primary key (submission_digest);

-- What is sealed cannot be compressed: PostgreSQL need not try.
alter table original alter column sealed_content set storage external;
