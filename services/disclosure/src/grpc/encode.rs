//! Answers as messages. Called by the services of this folder.

use credit_record::{item::RecordClass, normalise::format_date};
use proto::credit::{
    common::v1 as common,
    disclosure::v1::{
        OrganisationSummary, OwnRecord, OwnRevocation, PublicRecord, PublishedField,
        RevocationNotice,
    },
};
use time::Date;

use crate::{
    app::{own::OwnNotice, public::Notice},
    domain::{
        fields::ShownField,
        visibility::{Catalogue, ItemRule},
    },
    store::{
        own::OwnRow,
        public::{PublicRow, Summary},
    },
};

/// A count as messages hold it. Counts are never negative.
pub(super) fn count(count: i64) -> u64 {
    count.unsigned_abs()
}

fn optional_date(day: Option<Date>) -> String {
    day.map(format_date).unwrap_or_default()
}

fn class(rule: Option<&ItemRule>) -> common::RecordClass {
    match rule.map(|rule| rule.record_class) {
        Some(RecordClass::Basic) => common::RecordClass::Basic,
        Some(RecordClass::Favourable) => common::RecordClass::Favourable,
        Some(RecordClass::Adverse) => common::RecordClass::Adverse,
        Some(RecordClass::Other) => common::RecordClass::Other,
        None => common::RecordClass::Unspecified,
    }
}

fn item_name(rule: Option<&ItemRule>) -> String {
    rule.map(|rule| rule.name.clone()).unwrap_or_default()
}

fn disclosed_until(rule: Option<&ItemRule>, effective: Date, publicity: Option<Date>) -> String {
    optional_date(rule.and_then(|rule| rule.disclosed_until(effective, publicity)))
}

pub(super) fn summary(summary: Summary) -> OrganisationSummary {
    OrganisationSummary {
        credit_code: summary.credit_code,
        name: summary.name,
        licence_count: count(summary.licences),
        penalty_count: count(summary.penalties),
        other_count: count(summary.records - summary.licences - summary.penalties),
    }
}

pub(super) fn fields(fields: Vec<ShownField>) -> Vec<PublishedField> {
    fields
        .into_iter()
        .map(|field| PublishedField {
            code: field.code,
            name: field.name,
            value: field.value,
        })
        .collect()
}

pub(super) fn public_record(
    catalogue: &Catalogue,
    row: PublicRow,
    shown: Vec<ShownField>,
) -> PublicRecord {
    let rule = catalogue.rule(&row.item_code, row.item_version);
    PublicRecord {
        record_id: row.record_id.to_string(),
        item_name: item_name(rule),
        record_class: class(rule).into(),
        disclosed_until: disclosed_until(rule, row.effective_date, row.publicity_until),
        item_code: row.item_code,
        organisation_code: row.organisation_code,
        organisation_name: row.organisation_name,
        document_number: row.document_number,
        decision_date: format_date(row.decision_date),
        effective_date: format_date(row.effective_date),
        expiry_date: optional_date(row.expiry_date),
        authority: row.authority,
        objection_pending: row.objection_pending,
        fields: fields(shown),
    }
}

pub(super) fn public_records(catalogue: &Catalogue, rows: Vec<PublicRow>) -> Vec<PublicRecord> {
    rows.into_iter()
        .map(|row| public_record(catalogue, row, Vec::new()))
        .collect()
}

pub(super) fn own_record(catalogue: &Catalogue, row: OwnRow, shown: Vec<ShownField>) -> OwnRecord {
    let rule = catalogue.rule(&row.item_code, row.item_version);
    OwnRecord {
        record_id: row.record_id.to_string(),
        item_name: item_name(rule),
        record_class: class(rule).into(),
        disclosed_until: disclosed_until(rule, row.effective_date, row.publicity_until),
        item_code: row.item_code,
        provider_code: row.provider_code,
        decision_date: format_date(row.decision_date),
        effective_date: format_date(row.effective_date),
        objection_pending: row.objection_pending,
        fields: fields(shown),
    }
}

pub(super) fn notice(catalogue: &Catalogue, notice: Notice) -> RevocationNotice {
    let row = notice.row;
    let rule = catalogue.rule(&row.item_code, row.item_version);
    RevocationNotice {
        record_id: row.record_id.to_string(),
        item_name: item_name(rule),
        record_class: class(rule).into(),
        item_code: row.item_code,
        organisation_code: row.organisation_code,
        organisation_name: row.organisation_name,
        document_number: row.document_number,
        provider_code: row.provider_code,
        provider_name: row.provider_name,
        revoked_on: format_date(notice.revoked_on),
        reason: notice.reason,
    }
}

pub(super) fn own_revocation(catalogue: &Catalogue, notice: OwnNotice) -> OwnRevocation {
    let row = notice.row;
    let rule = catalogue.rule(&row.item_code, row.item_version);
    OwnRevocation {
        record_id: row.record_id.to_string(),
        item_name: item_name(rule),
        record_class: class(rule).into(),
        item_code: row.item_code,
        provider_code: row.provider_code,
        decision_date: format_date(row.decision_date),
        revoked_on: format_date(notice.revoked_on),
        reason: notice.reason,
        objection_pending: row.objection_pending,
    }
}
