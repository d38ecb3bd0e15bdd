//! Counters of the bus, one family a fact with a label a lane. Made once a process, by `Bus`.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use service_kit::telemetry::Telemetry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct LaneLabel {
    lane: &'static str,
}

/// Events by lane: a relay is named by its service, a consumer by its durable name.
#[derive(Clone, Debug, Default)]
pub(crate) struct BusMetrics {
    published: Family<LaneLabel, Counter>,
    handled: Family<LaneLabel, Counter>,
    parked: Family<LaneLabel, Counter>,
}

impl BusMetrics {
    pub fn register(telemetry: &Telemetry) -> Self {
        let this = Self::default();
        telemetry.register(|registry| {
            registry.register(
                "credit_bus_published_events",
                "Events that JetStream acknowledged",
                this.published.clone(),
            );
            registry.register(
                "credit_bus_handled_events",
                "Events that a consumer has dealt with, parked ones included",
                this.handled.clone(),
            );
            registry.register(
                "credit_bus_parked_events",
                "Events that went to the dead letters",
                this.parked.clone(),
            );
        });
        this
    }

    pub fn count_published(&self, lane: &'static str, events: usize) {
        add(&self.published, lane, events);
    }

    pub fn count_handled(&self, lane: &'static str, events: usize) {
        add(&self.handled, lane, events);
    }

    pub fn count_parked(&self, lane: &'static str, events: usize) {
        add(&self.parked, lane, events);
    }
}

fn add(family: &Family<LaneLabel, Counter>, lane: &'static str, events: usize) {
    family
        .get_or_create(&LaneLabel { lane })
        .inc_by(events as u64);
}
