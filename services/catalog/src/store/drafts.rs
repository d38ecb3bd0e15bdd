//! Drafts and their history. Called by `app`.

use record_ref::ProviderCode;
use service_kit::db::{Conn, Error};
use sqlx::FromRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{decode_item, decode_owner, unknown_value};
use crate::domain::{
    draft::{DraftHeader, DraftHistoryEntry, DraftReturnReason, ItemDraft, ItemDraftState},
    page::DraftKey,
    rights::CatalogScope,
};

#[derive(FromRow)]
struct DraftRow {
    draft_id: Uuid,
    item_code: String,
    item_version: i64,
    catalogue: String,
    organ: String,
    district_code: String,
    definition: String,
    state: String,
    revision: i64,
    created_by: String,
    created_at: OffsetDateTime,
    changed_at: OffsetDateTime,
    reasons: String,
}

/// One draft, locked against other writers until the end of the transaction.
pub async fn lock_draft(conn: &mut Conn, id: Uuid) -> Result<Option<ItemDraft>, Error> {
    let row: Option<DraftRow> =
        sqlx::query_as("SELECT * FROM draft WHERE draft_id = $1 FOR UPDATE")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    row.map(decode_draft).transpose()
}

/// One draft.
pub async fn load_draft(conn: &mut Conn, id: Uuid) -> Result<Option<ItemDraft>, Error> {
    let row: Option<DraftRow> = sqlx::query_as("SELECT * FROM draft WHERE draft_id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await?;
    row.map(decode_draft).transpose()
}

/// Which drafts a list shows.
#[derive(Debug, Clone)]
pub struct DraftListFilter {
    /// Those that the caller may see. A provider sees what it began itself too.
    pub scope: CatalogScope,
    /// Only those in this state.
    pub state: Option<ItemDraftState>,
    /// Only those for the catalogue of this organ.
    pub organ: Option<ProviderCode>,
    /// Only those after this one in the order of the list.
    pub after: DraftKey,
    /// At most so many.
    pub limit: i64,
}

/// Drafts without their definitions, latest change first.
pub async fn list_drafts(
    conn: &mut Conn,
    filter: &DraftListFilter,
) -> Result<Vec<ItemDraft>, Error> {
    let rows: Vec<DraftRow> = sqlx::query_as(
        "SELECT draft_id, item_code, item_version, catalogue, organ, district_code, \
           '' AS definition, state, revision, created_by, created_at, changed_at, reasons \
         FROM draft \
         WHERE ($1 OR ($2 <> '' AND district_code = $2) OR ($3 <> '' AND (organ = $3 OR created_by = $3))) \
           AND ($4::text IS NULL OR state = $4) AND ($5 = '' OR organ = $5) \
           AND (changed_at, draft_id) < ($6, $7) \
         ORDER BY changed_at DESC, draft_id DESC LIMIT $8",
    )
    .bind(filter.scope.all)
    .bind(&filter.scope.district_code)
    .bind(&filter.scope.organ)
    .bind(filter.state.map(ItemDraftState::as_str))
    .bind(filter.organ.as_ref().map_or("", ProviderCode::as_str))
    .bind(filter.after.changed_at)
    .bind(filter.after.draft_id)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(decode_draft).collect()
}

/// Stores a draft as it is now, and the step that made it so.
pub async fn upsert_draft(
    conn: &mut Conn,
    draft: &ItemDraft,
    by: &str,
    note: &str,
) -> Result<(), Error> {
    let reasons = encode_reasons(&draft.reasons)?;
    sqlx::query(
        "WITH now AS ( \
           INSERT INTO draft (draft_id, item_code, item_version, catalogue, organ, district_code, \
             definition, state, revision, created_by, created_at, changed_at, reasons) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
           ON CONFLICT (draft_id) DO UPDATE SET item_code = excluded.item_code, \
             item_version = excluded.item_version, catalogue = excluded.catalogue, \
             organ = excluded.organ, district_code = excluded.district_code, \
             definition = excluded.definition, state = excluded.state, \
             revision = excluded.revision, changed_at = excluded.changed_at, \
             reasons = excluded.reasons \
           RETURNING draft_id, revision, state, changed_at) \
         INSERT INTO draft_change (draft_id, revision, state, at, by, reasons, note) \
         SELECT draft_id, revision, state, changed_at, $14, \
           CASE WHEN state = 'returned' THEN $13 ELSE '[]' END, $15 FROM now",
    )
    .bind(draft.id)
    .bind(draft.head.item.code.as_str())
    .bind(i64::from(draft.head.item.version()))
    .bind(draft.head.owner.as_str())
    .bind(draft.head.owner.organ())
    .bind(draft.head.owner.district())
    .bind(&draft.definition)
    .bind(draft.state.as_str())
    .bind(draft.revision.cast_signed())
    .bind(&draft.created_by)
    .bind(draft.created_at)
    .bind(draft.changed_at)
    .bind(reasons)
    .bind(by)
    .bind(note)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores the submitted definition verbatim; its step is stored already.
pub async fn insert_submission(conn: &mut Conn, draft: &ItemDraft) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO draft_submission (draft_id, revision, definition) VALUES ($1, $2, $3)",
    )
    .bind(draft.id)
    .bind(draft.revision.cast_signed())
    .bind(&draft.definition)
    .execute(conn)
    .await?;
    Ok(())
}

/// How many drafts an organisation began that are neither published nor withdrawn.
pub async fn count_open_drafts(conn: &mut Conn, organisation: &str) -> Result<i64, Error> {
    sqlx::query_scalar(
        "SELECT count(*) FROM draft \
         WHERE created_by = $1 AND state IN ('draft', 'submitted', 'returned')",
    )
    .bind(organisation)
    .fetch_one(conn)
    .await
}

/// The steps of a draft, oldest first.
pub async fn list_draft_history(
    conn: &mut Conn,
    id: Uuid,
) -> Result<Vec<DraftHistoryEntry>, Error> {
    type DraftHistoryRow = (String, i64, OffsetDateTime, String, String, String);
    let rows: Vec<DraftHistoryRow> = sqlx::query_as(
        "SELECT state, revision, at, by, reasons, note FROM draft_change \
         WHERE draft_id = $1 ORDER BY revision",
    )
    .bind(id)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(state, revision, at, by, reasons, note)| {
            Ok(DraftHistoryEntry {
                state: decode_state(&state)?,
                revision: revision.cast_unsigned(),
                at,
                by,
                reasons: decode_reasons(&reasons)?,
                note,
            })
        })
        .collect()
}

/// How many drafts wait for the review, and since when the oldest does.
pub async fn count_waiting_drafts(conn: &mut Conn) -> Result<(i64, Option<OffsetDateTime>), Error> {
    sqlx::query_as("SELECT count(*), min(changed_at) FROM draft WHERE state = 'submitted'")
        .fetch_one(conn)
        .await
}

fn decode_draft(row: DraftRow) -> Result<ItemDraft, Error> {
    Ok(ItemDraft {
        id: row.draft_id,
        head: DraftHeader {
            item: decode_item(row.item_code, row.item_version)?,
            owner: decode_owner(&row.catalogue, row.organ, row.district_code)?,
        },
        definition: row.definition,
        state: decode_state(&row.state)?,
        revision: row.revision.cast_unsigned(),
        created_by: row.created_by,
        created_at: row.created_at,
        changed_at: row.changed_at,
        reasons: decode_reasons(&row.reasons)?,
    })
}

fn decode_state(text: &str) -> Result<ItemDraftState, Error> {
    let found = ItemDraftState::ALL
        .into_iter()
        .find(|state| state.as_str() == text);
    found.ok_or_else(|| unknown_value("state", text))
}

fn encode_reasons(reasons: &[DraftReturnReason]) -> Result<String, Error> {
    serde_json::to_string(reasons).map_err(|error| Error::Encode(Box::new(error)))
}

fn decode_reasons(text: &str) -> Result<Vec<DraftReturnReason>, Error> {
    serde_json::from_str(text).map_err(|error| Error::Decode(Box::new(error)))
}
