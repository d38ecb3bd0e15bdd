//! Counts for the credit office. Called by `grpc::statistics` with a read-only transaction.

use service_kit::db::Conn;
use time::Date;

use crate::{
    error::DisclosureError,
    store::{
        catalogue,
        statistics::{self, VersionCounts},
    },
};

/// Counts all versions by their state on `today`, the civil day of Changsha.
pub async fn get_statistics(
    conn: &mut Conn,
    today: Date,
) -> Result<VersionCounts, DisclosureError> {
    let doing = "统计信用信息";
    let catalogue = catalogue::load_item_rules(conn)
        .await
        .map_err(DisclosureError::database(doing))?;
    statistics::count_versions(conn, &catalogue.all_bounds(today))
        .await
        .map_err(DisclosureError::database(doing))
}
