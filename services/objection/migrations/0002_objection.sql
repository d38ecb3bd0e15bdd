-- Objections (R-18, R-19). Of the applicant only a blind index is in clear; statement, evidence,
-- answer and the applicant itself are sealed, each with the objection's id and its own place as
-- context. Due days are not stored: they are computed from the days kept here when they are read.
create table objection (
    objection_id      uuid        primary key,
    record_id         uuid        not null,
    provider_code     text        not null,
    applicant_kind    text        not null check (applicant_kind in ('organisation', 'person')),
    applicant_blind   bytea       not null check (octet_length(applicant_blind) = 32),
    sealed_applicant  bytea       not null,
    -- Keyed hashes of the caller's request id and of all that was handed in, for safe retries.
    request_digest    bytea       not null check (octet_length(request_digest) = 32),
    content_digest    bytea       not null check (octet_length(content_digest) = 32),
    sealed_statement  bytea       not null,
    statement_sha256  bytea       not null check (octet_length(statement_sha256) = 32),
    -- Version of the regulation's numbers that governs it.
    rule_set          text        not null,
    state             text        not null
                      check (state in ('filed', 'transferred', 'answered_kept', 'answered_correct')),
    -- Instants, and the civil days in Changsha that the law counts from.
    filed_at          timestamptz not null,
    filed_on          date        not null,
    transferred_at    timestamptz,
    transferred_on    date,
    answered_at       timestamptz,
    sealed_answer     bytea,
    answer_sha256     bytea       check (octet_length(answer_sha256) = 32),
    revision          bigint      not null check (revision > 0),
    unique (applicant_blind, request_digest),
    check ((state = 'filed') = (transferred_at is null)),
    check ((transferred_at is null) = (transferred_on is null)),
    check ((state in ('answered_kept', 'answered_correct')) = (answered_at is not null)),
    check ((answered_at is null) = (sealed_answer is null)),
    check ((answered_at is null) = (answer_sha256 is null))
);

-- The lists: oldest first for the office, the provider and the applicant, and the open clocks.
create index objection_by_age on objection (filed_at, objection_id);
create index objection_by_provider on objection (provider_code, filed_at, objection_id)
    where transferred_at is not null;
create index objection_by_applicant on objection (applicant_blind, filed_at, objection_id);
create index objection_to_transfer on objection (filed_on) where state = 'filed';
create index objection_to_answer on objection (transferred_on) where state = 'transferred';

-- What was handed in, byte for byte.
create table evidence (
    objection_id   uuid     not null references objection,
    ordinal        smallint not null check (ordinal between 1 and 5),
    -- credit.objection.v1.EvidenceInfo: a file's name may hold a person's.
    sealed_info    bytea    not null,
    sealed_content bytea    not null,
    sha256         bytea    not null check (octet_length(sha256) = 32),
    primary key (objection_id, ordinal)
);

do $$
begin
    -- Handed in is handed in: only the way of an objection goes on.
    execute format('grant select, insert on objection, evidence to %I', current_schema());
    execute format('grant update (state, transferred_at, transferred_on, answered_at, sealed_answer,
        answer_sha256, revision) on objection to %I', current_schema());
end $$;
