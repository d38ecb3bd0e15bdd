-- The end of an item may be moved or withdrawn until its day has come: each decision is one more row, the newest
-- counts. A withdrawal has the day 9999-12-31, which never comes. Append-only by privilege, as before.
ALTER TABLE item_retirement
    ADD COLUMN decision bigint NOT NULL DEFAULT 1 CHECK (decision > 0);
ALTER TABLE item_retirement
    ALTER COLUMN decision DROP DEFAULT,
    DROP CONSTRAINT item_retirement_pkey,
    ADD PRIMARY KEY (code, decision);

-- The newest decision about each item.
CREATE VIEW item_end AS
SELECT DISTINCT ON (code) code, decision, from_date, reason, successor_code, decided_at
FROM item_retirement ORDER BY code, decision DESC;

GRANT SELECT ON item_end TO catalog;
