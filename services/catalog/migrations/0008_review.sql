-- What was submitted to the review, word by word (R-6): a draft is changed after it came back, and who asks later why
-- it did has to read what the reviewer read. Append-only by privilege.
CREATE TABLE draft_submission (
    draft_id   uuid   NOT NULL,
    -- The revision that the submission made, as in draft_change.
    revision   bigint NOT NULL,
    -- TOML as it was submitted.
    definition text   NOT NULL,
    PRIMARY KEY (draft_id, revision),
    FOREIGN KEY (draft_id, revision) REFERENCES draft_change
);

-- What waits now is known still; what was returned before this day was not kept.
INSERT INTO draft_submission (draft_id, revision, definition)
SELECT draft_id, revision, definition FROM draft WHERE state = 'submitted';

-- For the limit of open drafts.
CREATE INDEX draft_open_of ON draft (created_by) WHERE state IN ('draft', 'submitted', 'returned');

GRANT SELECT, INSERT ON draft_submission TO catalog;
