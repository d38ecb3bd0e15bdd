-- Names under which an organisation has stood in any version, for the search by a part of the name. Only added to:
-- whether a name leads to its organisation is decided when it is read, by the versions that are disclosed then.
CREATE TABLE organisation_name (
    credit_code text   NOT NULL,
    -- As organisation_version.name_key.
    name_key    text   NOT NULL,
    -- Pairs of neighbouring characters of name_key.
    bigrams     text[] NOT NULL,
    PRIMARY KEY (credit_code, name_key)
);

CREATE INDEX organisation_name_by_bigrams ON organisation_name USING gin (bigrams);

GRANT SELECT, INSERT ON organisation_name TO disclosure;
GRANT SELECT ON organisation_name TO disclosure_public;
