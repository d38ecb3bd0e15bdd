//! What everyone may see, evaluated for the day of the call. Called by `grpc::public` with a
//! read-only transaction of the role `disclosure_public`.

use std::collections::HashMap;

use legal_clock::{shanghai_date, start_of_day};
use record_ref::VersionId;
use service_kit::{db::Conn, page::Page};
use time::{Date, Duration};
use vault::Keyring;

use super::{load_definitions, open_record, shown_reason};
use crate::{
    config::Config,
    domain::{
        fields::{Audience, ShownField, shown_fields},
        page::{NamePosition, RecordPosition},
        query::{PublicListFilter, SubjectQuery},
        version::kind_from_number,
        visibility::{DisclosureBounds, DisclosureRules, FIRST_DAY},
    },
    error::DisclosureError,
    store::{
        catalogue,
        public::{self, OrganisationCounts, PublicRow},
        revocations::{self, NoticeRow},
    },
};

const READING: &str = "查询公开信息";

/// What is disclosed on one day, and which items are counted how.
#[derive(Debug)]
pub struct PublicView<'a> {
    config: &'a Config,
    /// Rules of the items, for names, classes and terms.
    pub catalogue: DisclosureRules,
    bounds: DisclosureBounds,
}

/// Organisations found.
#[derive(Debug)]
pub struct FoundOrganisations {
    /// One page.
    pub organisations: Vec<OrganisationCounts>,
    /// Token of the next page; empty at the end.
    pub next_page_token: String,
    /// All that match.
    pub total: i64,
}

/// A page of records.
#[derive(Debug)]
pub struct FoundRecords {
    /// Newest decision first.
    pub rows: Vec<PublicRow>,
    /// Token of the next page; empty at the end.
    pub next_page_token: String,
}

/// A record that its provider revoked (D-24).
#[derive(Debug)]
pub struct PublicNotice {
    /// The columns that the notice shows.
    pub row: NoticeRow,
    /// Day of the revocation in Changsha.
    pub revoked_on: Date,
    /// The provider's reason, personal numbers masked.
    pub reason: String,
}

/// What the address of a record answers with.
#[derive(Debug)]
pub enum RecordOrNotice {
    /// The record with its public fields.
    Record(PublicRow, Vec<ShownField>),
    /// That it was revoked, and why.
    Revoked(PublicNotice),
}

impl<'a> PublicView<'a> {
    /// The view of `today`, the civil day of Changsha.
    pub async fn load(
        conn: &mut Conn,
        config: &'a Config,
        today: Date,
    ) -> Result<Self, DisclosureError> {
        let catalogue = catalogue::load_item_rules(conn)
            .await
            .map_err(DisclosureError::database(READING))?;
        let bounds = catalogue.public_bounds(today);
        Ok(Self {
            config,
            catalogue,
            bounds,
        })
    }

    async fn summaries(
        &self,
        conn: &mut Conn,
        codes: &[&str],
    ) -> Result<Vec<OrganisationCounts>, DisclosureError> {
        let (licences, penalties) = (&self.config.licence_items, &self.config.penalty_items);
        public::count_by_organisation(conn, &self.bounds, codes, licences, penalties)
            .await
            .map_err(DisclosureError::database(READING))
    }

    /// Organisations with at least one disclosed record, by code or by part of a name in such a record.
    pub async fn search_organisations(
        &self,
        conn: &mut Conn,
        query: &SubjectQuery,
        page: &Page<NamePosition>,
    ) -> Result<FoundOrganisations, DisclosureError> {
        let part = match query {
            SubjectQuery::Code(code) => {
                let organisations = self.summaries(conn, &[code]).await?;
                let total = i64::from(!organisations.is_empty());
                return Ok(FoundOrganisations {
                    organisations,
                    next_page_token: String::new(),
                    total,
                });
            }
            SubjectQuery::Name(part) => part,
        };
        let (total, mut hits) = public::search_names(conn, &self.bounds, part, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.truncate_rows(&mut hits, NamePosition::clone);
        let codes: Vec<&str> = hits.iter().map(|hit| hit.credit_code.as_str()).collect();
        let mut by_code: HashMap<String, OrganisationCounts> = self
            .summaries(conn, &codes)
            .await?
            .into_iter()
            .map(|summary| (summary.credit_code.clone(), summary))
            .collect();
        // Both statements see one state of the tables, so every hit has its summary.
        let organisations = codes
            .iter()
            .filter_map(|code| by_code.remove(*code))
            .collect();
        Ok(FoundOrganisations {
            organisations,
            next_page_token: next,
            total,
        })
    }

    /// An organisation, a page of its records, and with the first page the notices of recent revocations. One without
    /// any of them is not found, so that the answer does not reveal that there is an archive.
    pub async fn get_organisation(
        &self,
        conn: &mut Conn,
        keyring: &Keyring,
        credit_code: &str,
        page: &Page<RecordPosition>,
    ) -> Result<(OrganisationCounts, FoundRecords, Vec<PublicNotice>), DisclosureError> {
        let notices = if page.is_first() {
            self.notices_of(conn, keyring, credit_code).await?
        } else {
            Vec::new()
        };
        let summary = self.summaries(conn, &[credit_code]).await?.pop();
        let summary = match (summary, notices.first()) {
            (Some(summary), _) => summary,
            (None, Some(newest)) => OrganisationCounts::without_records(&newest.row),
            (None, None) => return Err(DisclosureError::NotFound),
        };
        let mut rows = public::list_records_of(conn, &self.bounds, credit_code, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.truncate_rows(&mut rows, PublicRow::position);
        Ok((
            summary,
            FoundRecords {
                rows,
                next_page_token: next,
            },
            notices,
        ))
    }

    /// Notices about an organisation within the days that the configuration gives them.
    async fn notices_of(
        &self,
        conn: &mut Conn,
        keyring: &Keyring,
        credit_code: &str,
    ) -> Result<Vec<PublicNotice>, DisclosureError> {
        let days = Duration::days(self.config.revocation_notice_days.into());
        let since = self.bounds.today.checked_sub(days).unwrap_or(FIRST_DAY);
        let rows =
            revocations::public_notices_of(conn, &self.bounds, credit_code, start_of_day(since))
                .await
                .map_err(DisclosureError::database(READING))?;
        rows.into_iter()
            .filter_map(|row| self.notice(keyring, row).transpose())
            .collect()
    }

    /// A notice with its reason; none of a record that ended before its disclosure began.
    fn notice(
        &self,
        keyring: &Keyring,
        row: NoticeRow,
    ) -> Result<Option<PublicNotice>, DisclosureError> {
        let revoked_on = shanghai_date(row.revoked_at);
        let rule = self.catalogue.rule(&row.item);
        if !rule.is_some_and(|rule| rule.had_begun(row.effective_date, revoked_on)) {
            return Ok(None);
        }
        Ok(Some(PublicNotice {
            revoked_on,
            reason: shown_reason(keyring, row.revocation_id, &row.sealed_reason)?,
            row,
        }))
    }

    /// A page of the records of one item that fit the filter, and how many do.
    pub async fn list_public_records(
        &self,
        conn: &mut Conn,
        filter: &PublicListFilter,
        page: &Page<RecordPosition>,
    ) -> Result<(i64, FoundRecords), DisclosureError> {
        let total = public::count_records(conn, &self.bounds, filter)
            .await
            .map_err(DisclosureError::database(READING))?;
        let mut rows = public::list_records(conn, &self.bounds, filter, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.truncate_rows(&mut rows, PublicRow::position);
        Ok((
            total,
            FoundRecords {
                rows,
                next_page_token: next,
            },
        ))
    }

    /// One record with its public fields, or the notice of its revocation.
    pub async fn get_public_record(
        &self,
        conn: &mut Conn,
        keyring: &Keyring,
        version_id: VersionId,
    ) -> Result<RecordOrNotice, DisclosureError> {
        let found = public::load_record(conn, &self.bounds, version_id)
            .await
            .map_err(DisclosureError::database(READING))?;
        let Some((row, sealed)) = found else {
            let revoked = revocations::public_notice(conn, &self.bounds, version_id)
                .await
                .map_err(DisclosureError::database(READING))?
                .ok_or(DisclosureError::NotFound)?;
            let notice = self.notice(keyring, revoked)?;
            return notice
                .map(RecordOrNotice::Revoked)
                .ok_or(DisclosureError::NotFound);
        };
        let kind = kind_from_number(row.subject_kind).ok_or(DisclosureError::NotFound)?;
        // The bounds come from the same table in the same state, so the definition is there.
        let item = load_definitions(conn, vec![&row.item])
            .await?
            .into_values()
            .next()
            .ok_or(DisclosureError::NotFound)?;
        let values = open_record(keyring, version_id, &sealed)?.values;
        let fields = shown_fields(&item, kind, &values, Audience::Public);
        Ok(RecordOrNotice::Record(row, fields))
    }
}
