//! Counts over all versions. Called by `app`.

use service_kit::db::{Conn, Error};
use sqlx::FromRow;

use super::bind_bounds;
use crate::domain::visibility::DisclosureBounds;

/// Exact counts of one state of the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct VersionCounts {
    /// All versions.
    pub stored: i64,
    /// Versions that a newer one replaced or ended.
    pub superseded: i64,
    /// Current versions whose term or whose provider's own deadline (D-9) has ended.
    pub archived: i64,
    /// Current versions that the public sees.
    pub disclosed: i64,
    /// Revocations and withdrawals, not counted among the versions.
    pub revocations: i64,
    /// Of them those that are the newest version of their record.
    pub revocations_in_force: i64,
}

impl VersionCounts {
    /// Current versions that are neither archive nor public: of natural persons, of items or subjects that
    /// are not published (D-12), whose terms have not begun, and of item versions not known yet.
    pub fn query_only(&self) -> i64 {
        self.stored - self.superseded - self.archived - self.disclosed
    }
}

/// Counts in one statement; `bounds` are those of all item versions and kinds.
pub async fn count_versions(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
) -> Result<VersionCounts, Error> {
    let query = sqlx::query_as(
        "WITH rule AS (SELECT * FROM unnest($1::text[], $2::int4[], $3::int2[], $4::date[], $5::date[], $7::bool[]) \
         AS r (item_code, item_version, subject_kind, earliest, latest, published)), \
         version AS ( \
         SELECT v.current, coalesce(v.effective_date < r.earliest OR v.publicity_until < $6, false) AS ended, \
         coalesce(r.published AND v.effective_date <= r.latest AND v.organisation_code <> '', false) AS shown \
         FROM organisation_version v LEFT JOIN rule r ON r.item_code = v.item_code \
         AND r.item_version = v.item_version AND r.subject_kind = v.subject_kind \
         UNION ALL \
         SELECT v.current, coalesce(v.effective_date < r.earliest OR v.publicity_until < $6, false), false \
         FROM person_version v LEFT JOIN rule r ON r.item_code = v.item_code \
         AND r.item_version = v.item_version AND r.subject_kind = 3) \
         SELECT count(*) AS stored, count(*) FILTER (WHERE NOT current) AS superseded, \
         count(*) FILTER (WHERE current AND ended) AS archived, \
         count(*) FILTER (WHERE current AND NOT ended AND shown) AS disclosed, \
         (SELECT count(*) FROM revocation) AS revocations, \
         (SELECT count(*) FROM revocation r JOIN record_head h ON h.key_digest = r.key_digest \
         AND h.record_id = r.record_id) \
         AS revocations_in_force FROM version",
    );
    bind_bounds!(query, bounds)
        .bind(&bounds.published)
        .fetch_one(conn)
        .await
}
