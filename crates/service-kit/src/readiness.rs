//! Readiness is the age of the oldest unfinished item of each lane; a TCP connect proves nothing.
//! Relays, consumers and pushers report here; `/readyz`, gRPC health and `/metrics` read.

use std::{
    collections::BTreeMap,
    sync::{Arc, RwLock},
    time::Duration,
};

/// All lanes of a process. Cheap to clone; clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    lanes: Arc<RwLock<BTreeMap<String, LaneState>>>,
}

#[derive(Clone, Debug)]
struct LaneState {
    limit: Duration,
    status: LaneStatus,
}

/// What a lane last reported.
#[derive(Clone, Debug, PartialEq)]
pub enum LaneStatus {
    /// Has not reported yet: the process is not ready before every lane has.
    Starting,
    /// Age of the oldest unfinished item; zero when nothing waits.
    Age(Duration),
    /// Cannot work, with the reason.
    Failing(String),
}

/// The handle by which one lane reports.
#[derive(Clone, Debug)]
pub struct Lane {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// Registers a lane that is ready while its oldest unfinished item is younger than `limit`.
    pub fn lane(&self, name: impl Into<String>, limit: Duration) -> Lane {
        let name = name.into();
        if let Ok(mut lanes) = self.lanes.write() {
            let status = LaneStatus::Starting;
            lanes.insert(name.clone(), LaneState { limit, status });
        }
        Lane {
            name,
            readiness: self.clone(),
        }
    }

    /// Why the process is not ready, one line a lane; empty when it is.
    pub fn unready_reasons(&self) -> Vec<String> {
        let Ok(lanes) = self.lanes.read() else {
            return vec!["readiness state is poisoned".to_owned()];
        };
        lanes
            .iter()
            .filter_map(|(name, lane)| match &lane.status {
                LaneStatus::Starting => Some(format!("{name}: starting")),
                LaneStatus::Failing(why) => Some(format!("{name}: {why}")),
                LaneStatus::Age(age) if *age > lane.limit => Some(format!(
                    "{name}: oldest unfinished item is {} s old, limit {} s",
                    age.as_secs(),
                    lane.limit.as_secs()
                )),
                LaneStatus::Age(_) => None,
            })
            .collect()
    }

    /// Name and age in seconds of each lane that has an age, for metrics.
    pub fn ages(&self) -> Vec<(String, f64)> {
        let Ok(lanes) = self.lanes.read() else {
            return Vec::new();
        };
        lanes
            .iter()
            .filter_map(|(name, lane)| match &lane.status {
                LaneStatus::Age(age) => Some((name.clone(), age.as_secs_f64())),
                _ => None,
            })
            .collect()
    }
}

impl Lane {
    /// The oldest unfinished item has this age; `None` when nothing waits.
    pub fn report_age(&self, age: Option<Duration>) {
        self.set(LaneStatus::Age(age.unwrap_or_default()));
    }

    /// The lane cannot work.
    pub fn report_failure(&self, why: impl Into<String>) {
        self.set(LaneStatus::Failing(why.into()));
    }

    /// The lane's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn set(&self, status: LaneStatus) {
        if let Ok(mut lanes) = self.readiness.lanes.write()
            && let Some(lane) = lanes.get_mut(&self.name)
        {
            lane.status = status;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_ready_only_with_a_young_oldest_item() {
        let readiness = Readiness::default();
        let lane = readiness.lane("outbox ingest", Duration::from_secs(30));
        assert_eq!(readiness.unready_reasons(), ["outbox ingest: starting"]);
        lane.report_age(None);
        assert!(readiness.unready_reasons().is_empty());
        lane.report_age(Some(Duration::from_secs(31)));
        assert_eq!(readiness.unready_reasons().len(), 1);
        lane.report_failure("stream missing");
        assert_eq!(
            readiness.unready_reasons(),
            ["outbox ingest: stream missing"]
        );
    }
}
