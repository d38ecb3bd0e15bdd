//! Legal time: which days are working days, when a duty is due, when a disclosure term ends.
//!
//! Pure: no clock is read here, "today" and "now" always come in as arguments. Called by the
//! services that set or check a due day (`objection`, `catalog`, `validation`) and by those that
//! check at read time whether a record may still be shown (`disclosure`, `web`).
//!
//! - [`calendar`]: the working-day calendar, which is data, and the arithmetic over it.
//! - [`terms`]: terms in calendar years, such as the three years of R-16.
//! - [`civil`]: the civil day of Changsha (UTC+8) and its first and last instant.
//! - [`rules`]: the numbers of the regulation as a versioned rule set with their legal basis.
//!
//! `R-n` is article n of 长政办发〔2017〕26号 (see [`rules::LegalRuleSet::changsha_2017`]).

pub mod calendar;
pub mod civil;
pub mod rules;
pub mod terms;

pub use calendar::{
    Calendar, CalendarError, Deadline, NoCalendar, WorkingDay, WorkingDayTable, WorkingDays,
};
pub use civil::{end_of_day, format_day, parse_day, shanghai_date, start_of_day};
pub use rules::{Basis, BasisKind, Law, LegalDuty, LegalRuleSet};
pub use terms::{earliest_effective_in_term, has_taken_effect, is_within_term, last_disclosed_day};
