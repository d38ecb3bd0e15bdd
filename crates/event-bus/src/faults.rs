//! Fault injection: named points at which tests simulate a crash, where one could lose or double
//! something if the discipline were wrong. Production passes [`FaultInjection::none`]; only the suites in
//! `tests/` pass a function.

use std::{fmt, sync::Arc};

/// A point in the processing of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultPoint {
    /// The outbox rows are written, nothing is committed.
    Appended,
    /// The producer's transaction is committed, nothing is published or answered.
    Committed,
    /// JetStream acknowledged, the relay's cursor is not moved.
    Published,
    /// The handler has done its work, nothing is committed.
    Handled,
    /// The consumer's transaction is committed, the message is not acknowledged.
    HandledCommitted,
}

impl FaultPoint {
    /// All points, in the order in which an event passes them.
    pub const ALL: [Self; 5] = [
        Self::Appended,
        Self::Committed,
        Self::Published,
        Self::Handled,
        Self::HandledCommitted,
    ];

    /// Stable name, for instance `appended`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Appended => "appended",
            Self::Committed => "committed",
            Self::Published => "published",
            Self::Handled => "handled",
            Self::HandledCommitted => "handled-committed",
        }
    }
}

type FaultCallback = Arc<dyn Fn(FaultPoint) + Send + Sync>;

/// What to call at each point.
#[derive(Clone, Default)]
pub struct FaultInjection(Option<FaultCallback>);

impl FaultInjection {
    /// Nothing happens at any point.
    pub fn none() -> Self {
        Self(None)
    }

    /// Calls `hook` at each point.
    pub fn with_callback(hook: impl Fn(FaultPoint) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }

    pub(crate) fn hit_fault_point(&self, point: FaultPoint) {
        if let Some(hook) = &self.0 {
            hook(point);
        }
    }
}

impl fmt::Debug for FaultInjection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Faults({})",
            if self.0.is_some() { "set" } else { "none" }
        )
    }
}
