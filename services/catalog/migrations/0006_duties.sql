-- What a catalogue has to follow (R-6): a law was amended, or functions moved. Append-only by privilege.
CREATE TABLE change_trigger (
    trigger_id       uuid        PRIMARY KEY,
    kind             text        NOT NULL CHECK (kind IN ('law_amended', 'functions_changed')),
    document_title   text        NOT NULL,
    document_number  text        NOT NULL,
    promulgated_on   date        NOT NULL,
    -- Set when the office lets the clock start from the day of effect, with its reason (D-17).
    effective_on     date,
    effective_reason text        NOT NULL,
    recorded_at      timestamptz NOT NULL,
    recorded_by      text        NOT NULL,
    UNIQUE (kind, document_number, promulgated_on),
    CHECK ((effective_on IS NULL) = (effective_reason = ''))
);

-- One item that has to follow one trigger.
CREATE TABLE duty (
    duty_id           uuid        PRIMARY KEY,
    trigger_id        uuid        NOT NULL REFERENCES change_trigger,
    item_code         text        NOT NULL,
    catalogue         text        NOT NULL,
    organ             text        NOT NULL,
    district_code     text        NOT NULL,
    -- The version that stood when the trigger came; a higher one closes the duty.
    base_version      bigint      NOT NULL,
    due_on            date        NOT NULL,
    -- The calendar of a year that it touches was not published when it was computed.
    provisional       boolean     NOT NULL,
    state             text        NOT NULL CHECK (state IN ('open', 'closed', 'dismissed')),
    opened_at         timestamptz NOT NULL,
    ended_at          timestamptz,
    -- Civil day of the end in Changsha.
    ended_on          date,
    -- None when the item was retired or the duty dismissed.
    closed_by_version bigint,
    reason            text        NOT NULL DEFAULT '',
    -- The due day for which it was announced as overdue.
    told_overdue_for  date,
    UNIQUE (trigger_id, item_code),
    CHECK ((state = 'open') = (ended_at IS NULL)),
    CHECK ((ended_at IS NULL) = (ended_on IS NULL)),
    CHECK (closed_by_version IS NULL OR (state = 'closed' AND closed_by_version > base_version)),
    CHECK (state <> 'dismissed' OR reason <> '')
);

CREATE INDEX duty_by_opening ON duty (opened_at, duty_id);
CREATE INDEX duty_open ON duty (item_code) WHERE state = 'open';

-- What happened to a duty, when and by whom. Append-only by privilege.
CREATE TABLE duty_change (
    duty_id uuid        NOT NULL REFERENCES duty,
    what    text        NOT NULL CHECK (what IN ('opened', 'rescheduled', 'overdue', 'closed', 'dismissed')),
    at      timestamptz NOT NULL,
    -- "<credit code>/<account>", "data-file", or "clock" where time itself did it.
    by      text        NOT NULL,
    due_on  date        NOT NULL
);

CREATE INDEX duty_change_by_duty ON duty_change (duty_id, at);

GRANT SELECT, INSERT ON change_trigger, duty, duty_change TO catalog;
GRANT UPDATE (due_on, provisional, state, ended_at, ended_on, closed_by_version, reason, told_overdue_for)
    ON duty TO catalog;
