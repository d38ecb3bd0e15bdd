-- Changes of feedback cases in the order of their transactions, for those who watch. Append-only.
CREATE TABLE feedback_feed (
    xid           xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq           bigint      GENERATED ALWAYS AS IDENTITY,
    provider_code text        NOT NULL,
    case_id       uuid        NOT NULL REFERENCES feedback_case,
    change        text        NOT NULL CHECK (change IN ('opened', 'reminded', 'overdue', 'closed')),
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (provider_code, xid, seq)
);
GRANT SELECT, INSERT ON feedback_feed TO validation;
