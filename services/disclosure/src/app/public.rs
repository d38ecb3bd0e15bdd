//! What everyone may see, evaluated for the day of the call. Called by `grpc::public` with a
//! read-only transaction of the role `disclosure_public`.

use std::collections::HashMap;

use service_kit::db::Conn;
use time::Date;
use uuid::Uuid;
use vault::Keyring;

use super::{definitions, open};
use crate::{
    config::Config,
    domain::{
        fields::{Audience, ShownField, shown_fields},
        page::{NamePosition, Page, RecordPosition},
        query::{ListFilter, SubjectQuery},
        version::kind_of_number,
        visibility::{Bounds, Catalogue},
    },
    error::DisclosureError,
    store::{
        catalogue,
        public::{self, PublicRow, Summary},
    },
};

const READING: &str = "查询公开信息";

/// What is disclosed on one day, and which items are counted how.
#[derive(Debug)]
pub struct View<'a> {
    config: &'a Config,
    /// Rules of the items, for names, classes and terms.
    pub catalogue: Catalogue,
    bounds: Bounds,
}

/// Organisations found.
#[derive(Debug)]
pub struct Found {
    /// One page.
    pub organisations: Vec<Summary>,
    /// Token of the next page; empty at the end.
    pub next: String,
    /// All that match.
    pub total: i64,
}

/// A page of records.
#[derive(Debug)]
pub struct Records {
    /// Newest decision first.
    pub rows: Vec<PublicRow>,
    /// Token of the next page; empty at the end.
    pub next: String,
}

impl<'a> View<'a> {
    /// The view of `today`, the civil day of Changsha.
    pub async fn on(
        conn: &mut Conn,
        config: &'a Config,
        today: Date,
    ) -> Result<Self, DisclosureError> {
        let catalogue = catalogue::load(conn)
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
    ) -> Result<Vec<Summary>, DisclosureError> {
        let (licences, penalties) = (&self.config.licence_items, &self.config.penalty_items);
        public::summaries(conn, &self.bounds, codes, licences, penalties)
            .await
            .map_err(DisclosureError::database(READING))
    }

    /// Organisations with at least one disclosed record, by code or by part of a name in such a record.
    pub async fn search(
        &self,
        conn: &mut Conn,
        query: &SubjectQuery,
        page: &Page<NamePosition>,
    ) -> Result<Found, DisclosureError> {
        let part = match query {
            SubjectQuery::Code(code) => {
                let organisations = self.summaries(conn, &[code]).await?;
                let total = i64::from(!organisations.is_empty());
                return Ok(Found {
                    organisations,
                    next: String::new(),
                    total,
                });
            }
            SubjectQuery::Name(part) => part,
        };
        let (total, mut hits) = public::search_names(conn, &self.bounds, part, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.cut(&mut hits, NamePosition::clone);
        let codes: Vec<&str> = hits.iter().map(|hit| hit.credit_code.as_str()).collect();
        let mut by_code: HashMap<String, Summary> = self
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
        Ok(Found {
            organisations,
            next,
            total,
        })
    }

    /// An organisation and a page of its records. One without disclosed records is not found, so that the answer
    /// does not tell that there is an archive.
    pub async fn organisation(
        &self,
        conn: &mut Conn,
        credit_code: &str,
        page: &Page<RecordPosition>,
    ) -> Result<(Summary, Records), DisclosureError> {
        let summary = self
            .summaries(conn, &[credit_code])
            .await?
            .pop()
            .ok_or(DisclosureError::NotFound)?;
        let mut rows = public::records_of(conn, &self.bounds, credit_code, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.cut(&mut rows, PublicRow::position);
        Ok((summary, Records { rows, next }))
    }

    /// A page of the records of one item that fit the filter, and how many do.
    pub async fn list(
        &self,
        conn: &mut Conn,
        filter: &ListFilter,
        page: &Page<RecordPosition>,
    ) -> Result<(i64, Records), DisclosureError> {
        let total = public::count(conn, &self.bounds, filter)
            .await
            .map_err(DisclosureError::database(READING))?;
        let mut rows = public::list(conn, &self.bounds, filter, page)
            .await
            .map_err(DisclosureError::database(READING))?;
        let next = page.cut(&mut rows, PublicRow::position);
        Ok((total, Records { rows, next }))
    }

    /// One record with its public fields.
    pub async fn record(
        &self,
        conn: &mut Conn,
        keyring: &Keyring,
        record_id: Uuid,
    ) -> Result<(PublicRow, Vec<ShownField>), DisclosureError> {
        let (row, sealed) = public::record(conn, &self.bounds, record_id)
            .await
            .map_err(DisclosureError::database(READING))?
            .ok_or(DisclosureError::NotFound)?;
        let kind = kind_of_number(row.subject_kind).ok_or(DisclosureError::NotFound)?;
        let key = (row.item_code.as_str(), row.item_version);
        // The bounds come from the same table in the same state, so the definition is there.
        let item = definitions(conn, vec![key])
            .await?
            .into_values()
            .next()
            .ok_or(DisclosureError::NotFound)?;
        let values = open(keyring, record_id, &sealed)?.values;
        let fields = shown_fields(&item, kind, &values, Audience::Public);
        Ok((row, fields))
    }
}
