//! Separates transient failures from those caused by one event. The consumer asks, because the
//! first are waited out and the second are isolated and parked.

use service_kit::db;

/// What to do with a batch that failed.
pub(crate) enum BatchFailure {
    /// Transient: retry the same batch later.
    Retry(String),
    /// One of its events is poison.
    Poison(String),
}

impl BatchFailure {
    pub fn from_database(error: db::Error) -> Self {
        if db::is_transient(&error) || is_not_about_data(&error) {
            return Self::Retry(error.to_string());
        }
        Self::Poison(sql_state(&error).unwrap_or_else(|| error.to_string()))
    }
}

/// Whether the database refused for a reason that no event can have: a table or right that is
/// missing, a standby that takes no writes. Parking events for it would empty the whole lane into
/// the dead letters; the lane waits instead, and its lag shows it.
fn is_not_about_data(error: &db::Error) -> bool {
    let code = error.as_database_error().and_then(|e| e.code());
    code.is_some_and(|code| {
        // 21 cardinality, 22 data, 23 integrity, 44 check option, 54 program limit, P0 raised.
        !["21", "22", "23", "44", "54", "P0"]
            .iter()
            .any(|class| code.starts_with(class))
    })
}

/// Only the SQLSTATE and constraint: the message of a data error may quote the data.
fn sql_state(error: &db::Error) -> Option<String> {
    let database = error.as_database_error()?;
    let code = database.code()?;
    let constraint = database.constraint().unwrap_or("none");
    Some(format!(
        "database refused: SQLSTATE {code}, constraint {constraint}"
    ))
}
