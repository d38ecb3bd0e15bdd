//! Objection marks (D-5). Called by `app`; read inside the statements of `public` and `own`.

use record_ref::VersionId;
use service_kit::db::{Conn, Error};
use uuid::Uuid;

/// State of one objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectionMark {
    /// The objection.
    pub objection_id: Uuid,
    /// The version objected to.
    pub version_id: VersionId,
    /// From acceptance until the provider's answer.
    pub pending: bool,
    /// Grows with every change.
    pub revision: i64,
}

/// Stores the newest state of each objection; `marks` holds each objection once, in order.
pub async fn upsert_marks(conn: &mut Conn, marks: &[ObjectionMark]) -> Result<(), Error> {
    let objections: Vec<Uuid> = marks.iter().map(|mark| mark.objection_id).collect();
    let versions: Vec<Uuid> = marks.iter().map(|mark| mark.version_id.as_uuid()).collect();
    let pending: Vec<bool> = marks.iter().map(|mark| mark.pending).collect();
    let revisions: Vec<i64> = marks.iter().map(|mark| mark.revision).collect();
    sqlx::query(
        "INSERT INTO objection_mark AS m (objection_id, record_id, pending, revision) \
         SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::int8[]) \
         ON CONFLICT (objection_id) DO UPDATE SET record_id = EXCLUDED.record_id, \
         pending = EXCLUDED.pending, revision = EXCLUDED.revision WHERE m.revision < EXCLUDED.revision",
    )
    .bind(&objections)
    .bind(&versions)
    .bind(&pending)
    .bind(&revisions)
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether an objection against any version of the record of `v` (in the same table) is pending: a new report while
/// an objection runs must not shed the mark. For the newest version of a record: the others are current no more.
macro_rules! pending_sql {
    ($table:literal) => {
        concat!(
            "(EXISTS (SELECT FROM objection_mark m WHERE m.pending AND m.record_id = v.record_id) \
             OR EXISTS (SELECT FROM ",
            $table,
            " s JOIN objection_mark m ON m.record_id = s.record_id \
             WHERE m.pending AND NOT s.current AND s.key_digest = v.key_digest)) AS objection_pending"
        )
    };
}
pub(crate) use pending_sql;
