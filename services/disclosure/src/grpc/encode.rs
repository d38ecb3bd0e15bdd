//! Answers as messages. Called by the services of this folder.

use credit_record::{item::RecordClass, normalise::format_day};
use proto::credit::{
    common::v1 as common,
    disclosure::v1::{
        GetOrganisationResponse, GetPublicRecordResponse, GetStatisticsResponse,
        ListOwnRecordsResponse, ListPublicRecordsResponse, OrganisationSummary, OwnRecord,
        OwnRevocation, PublicRecord, PublishedField, RevocationNotice, SearchOrganisationsResponse,
    },
};
use service_kit::grpc::to_timestamp;
use time::{Date, OffsetDateTime};

use crate::{
    app::{
        own::{OwnNotice, OwnRecords},
        public::{FoundOrganisations, FoundRecords, PublicNotice, RecordOrNotice},
    },
    domain::{
        fields::ShownField,
        visibility::{DisclosureRule, DisclosureRules},
    },
    store::{
        own::OwnRow,
        public::{OrganisationCounts, PublicRow},
        statistics::VersionCounts,
    },
};

pub(super) fn found_organisations(found: FoundOrganisations) -> SearchOrganisationsResponse {
    let organisations = found.organisations.into_iter();
    SearchOrganisationsResponse {
        organisations: organisations.map(encode_summary).collect(),
        next_page_token: found.next_page_token,
        total: encode_count(found.total),
    }
}

pub(super) fn encode_organisation(
    catalogue: &DisclosureRules,
    (organisation, records, notices): (OrganisationCounts, FoundRecords, Vec<PublicNotice>),
) -> GetOrganisationResponse {
    let notices = notices.into_iter();
    GetOrganisationResponse {
        organisation: Some(encode_summary(organisation)),
        records: public_records(catalogue, records.rows),
        next_page_token: records.next_page_token,
        revocations: notices
            .map(|notice| encode_notice(catalogue, notice))
            .collect(),
    }
}

pub(super) fn records_list(
    catalogue: &DisclosureRules,
    (total, records): (i64, FoundRecords),
) -> ListPublicRecordsResponse {
    ListPublicRecordsResponse {
        records: public_records(catalogue, records.rows),
        next_page_token: records.next_page_token,
        total: encode_count(total),
    }
}

pub(super) fn record_or_notice(
    catalogue: &DisclosureRules,
    shown: RecordOrNotice,
) -> GetPublicRecordResponse {
    match shown {
        RecordOrNotice::Record(row, fields) => GetPublicRecordResponse {
            record: Some(public_record(catalogue, row, fields)),
            revocation: None,
        },
        RecordOrNotice::Revoked(notice) => GetPublicRecordResponse {
            record: None,
            revocation: Some(encode_notice(catalogue, notice)),
        },
    }
}

pub(super) fn own_records(own: OwnRecords) -> ListOwnRecordsResponse {
    let catalogue = &own.catalogue;
    let (records, revoked) = (own.rows.into_iter(), own.revoked.into_iter());
    ListOwnRecordsResponse {
        records: records
            .map(|(row, fields)| own_record(catalogue, row, fields))
            .collect(),
        revocations: revoked
            .map(|notice| own_revocation(catalogue, notice))
            .collect(),
        next_page_token: own.next,
        total: encode_count(own.total),
    }
}

pub(super) fn encode_statistics(
    counts: &VersionCounts,
    counted_at: OffsetDateTime,
) -> GetStatisticsResponse {
    GetStatisticsResponse {
        stored_versions: encode_count(counts.stored),
        disclosed_public: encode_count(counts.disclosed),
        query_only: encode_count(counts.query_only()),
        archived: encode_count(counts.archived),
        superseded: encode_count(counts.superseded),
        stored_revocations: encode_count(counts.revocations),
        revocations_in_force: encode_count(counts.revocations_in_force),
        counted_at: Some(to_timestamp(counted_at)),
    }
}

/// A count as messages hold it. Counts are never negative.
fn encode_count(count: i64) -> u64 {
    count.unsigned_abs()
}

fn optional_date(day: Option<Date>) -> String {
    day.map(format_day).unwrap_or_default()
}

fn encode_class(rule: Option<&DisclosureRule>) -> common::RecordClass {
    match rule.map(|rule| rule.record_class) {
        Some(RecordClass::Basic) => common::RecordClass::Basic,
        Some(RecordClass::Favourable) => common::RecordClass::Favourable,
        Some(RecordClass::Adverse) => common::RecordClass::Adverse,
        Some(RecordClass::Other) => common::RecordClass::Other,
        None => common::RecordClass::Unspecified,
    }
}

fn item_name(rule: Option<&DisclosureRule>) -> String {
    rule.map(|rule| rule.name.clone()).unwrap_or_default()
}

fn disclosed_until(
    rule: Option<&DisclosureRule>,
    effective: Date,
    publicity: Option<Date>,
) -> String {
    optional_date(rule.and_then(|rule| rule.disclosed_until(effective, publicity)))
}

fn encode_summary(summary: OrganisationCounts) -> OrganisationSummary {
    OrganisationSummary {
        credit_code: summary.credit_code,
        name: summary.name,
        licence_count: encode_count(summary.licences),
        penalty_count: encode_count(summary.penalties),
        other_count: encode_count(summary.records - summary.licences - summary.penalties),
    }
}

fn encode_fields(fields: Vec<ShownField>) -> Vec<PublishedField> {
    fields
        .into_iter()
        .map(|field| PublishedField {
            code: field.code,
            name: field.name,
            value: field.value,
        })
        .collect()
}

fn public_record(
    catalogue: &DisclosureRules,
    row: PublicRow,
    shown: Vec<ShownField>,
) -> PublicRecord {
    let rule = catalogue.rule(&row.item);
    PublicRecord {
        record_id: row.version_id.to_string(),
        record_address: row.address.to_string(),
        item_name: item_name(rule),
        record_class: encode_class(rule).into(),
        disclosed_until: disclosed_until(rule, row.effective_date, row.publicity_until),
        item_code: row.item.code.into(),
        organisation_code: row.organisation_code,
        organisation_name: row.organisation_name,
        document_number: row.document_number,
        decision_date: format_day(row.decision_date),
        effective_date: format_day(row.effective_date),
        expiry_date: optional_date(row.expiry_date),
        authority: row.authority,
        objection_pending: row.objection_pending,
        fields: encode_fields(shown),
    }
}

fn public_records(catalogue: &DisclosureRules, rows: Vec<PublicRow>) -> Vec<PublicRecord> {
    rows.into_iter()
        .map(|row| public_record(catalogue, row, Vec::new()))
        .collect()
}

fn own_record(catalogue: &DisclosureRules, row: OwnRow, shown: Vec<ShownField>) -> OwnRecord {
    let rule = catalogue.rule(&row.item);
    OwnRecord {
        record_id: row.version_id.to_string(),
        record_address: row.address.to_string(),
        item_name: item_name(rule),
        record_class: encode_class(rule).into(),
        disclosed_until: disclosed_until(rule, row.effective_date, row.publicity_until),
        item_code: row.item.code.into(),
        provider_code: row.provider.into(),
        decision_date: format_day(row.decision_date),
        effective_date: format_day(row.effective_date),
        objection_pending: row.objection_pending,
        fields: encode_fields(shown),
    }
}

fn encode_notice(catalogue: &DisclosureRules, notice: PublicNotice) -> RevocationNotice {
    let row = notice.row;
    let rule = catalogue.rule(&row.item);
    RevocationNotice {
        record_id: row.version_id.to_string(),
        record_address: row.address.to_string(),
        item_name: item_name(rule),
        record_class: encode_class(rule).into(),
        item_code: row.item.code.into(),
        organisation_code: row.organisation_code,
        organisation_name: row.organisation_name,
        document_number: row.document_number,
        provider_code: row.provider.into(),
        provider_name: row.provider_name,
        revoked_on: format_day(notice.revoked_on),
        reason: notice.reason,
    }
}

fn own_revocation(catalogue: &DisclosureRules, notice: OwnNotice) -> OwnRevocation {
    let row = notice.row;
    let rule = catalogue.rule(&row.item);
    OwnRevocation {
        record_id: row.version_id.to_string(),
        record_address: row.address.to_string(),
        item_name: item_name(rule),
        record_class: encode_class(rule).into(),
        item_code: row.item.code.into(),
        provider_code: row.provider.into(),
        decision_date: format_day(row.decision_date),
        revoked_on: format_day(notice.revoked_on),
        reason: notice.reason,
        objection_pending: row.objection_pending,
    }
}
