//! What validation decides, without a database, a bus or a clock. Called by `app` and `handlers`.
//!
//! - [`submission`]: a record version as ingest announced it, checked for form;
//! - [`mod@check`]: what it says by itself, and the facts by which it is compared; [`mod@reason`]: why a record ends;
//! - [`comparison`]: its comparison with all others; [`registration`]: the base register; [`competence`]: who may
//!   report;
//! - [`figures`]: what supervision counts of it; [`document_series`]: document numbers taken apart;
//! - [`verdict`]: the verdict on it, with everything personal sealed, and what others may know of it;
//! - [`sealed`]: findings and changes as rows keep them under seal;
//! - [`feedback`]: the cases that it opens, and their days; [`confirmation`]: who answers for them; [`page`]: their list.

pub mod check;
pub mod comparison;
pub mod competence;
pub mod confirmation;
pub mod document_series;
pub mod feedback;
pub mod figures;
pub mod page;
pub mod reason;
pub mod registration;
pub mod sealed;
pub mod submission;
pub mod verdict;

pub use check::CheckedVersion;
pub use feedback::{CaseKind, CasePolicy, FeedbackCase};
pub use figures::SupervisionFigures;
pub use submission::SubmittedVersion;
pub use verdict::{SealedVerdict, decide_verdict};
