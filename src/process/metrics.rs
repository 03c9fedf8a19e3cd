//! Figures for Prometheus, in OpenMetrics text.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// One AWS operation and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    operation: &'static str,
    outcome: &'static str,
}

/// One kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

/// Objects of a kind whose condition of a type has a status.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Condition {
    kind: &'static str,
    r#type: &'static str,
    status: &'static str,
}

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

/// What a message of AWS was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    outcome: &'static str,
}

/// All figures. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    passes: Family<Ended, Counter>,
    duration: Histogram,
    calls: Family<Call, Counter>,
    throttled: Counter,
    conditions: Family<Condition, Gauge>,
    drift: Family<OfKind, Gauge>,
    undeclared: Family<OfKind, Gauge>,
    statuses: Counter,
    leader: Gauge,
    events: Family<Heard, Counter>,
    event_lag: Histogram,
    ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let (passes, calls, throttled) = (Family::default(), Family::default(), Counter::default());
        let duration = Histogram::new(exponential_buckets(0.05, 2.0, 16));
        let (conditions, drift, undeclared) = (Family::default(), Family::default(), Family::default());
        let (statuses, leader, ready) = (Counter::default(), Gauge::default(), Gauge::default());
        let (events, event_lag) = (Family::default(), Histogram::new(exponential_buckets(0.25, 2.0, 14)));
        let mut registry = Registry::with_prefix("bylaw");
        registry.register("passes", "Passes, by how they ended", passes.clone());
        registry.register_with_unit("pass_duration", "Time of a pass", Unit::Seconds, duration.clone());
        registry.register("aws_requests", "AWS calls, by operation and outcome", calls.clone());
        registry.register("aws_throttled", "AWS calls that AWS refused as too many", throttled.clone());
        registry.register("condition", "Objects, by kind, condition and its status", conditions.clone());
        registry.register("drift_objects", "Objects that differ from what was last applied", drift.clone());
        let alone = "What AWS has and no object declares; a kind that is not shown is not known";
        registry.register("undeclared_objects", alone, undeclared.clone());
        registry.register("status_writes", "Statuses written to the API server", statuses.clone());
        registry.register("leader", "Whether this replica is the one that writes", leader.clone());
        registry.register("events", "Messages of AWS, by what they were", events.clone());
        let lag = "Time from a change in AWS to the arrival of its event";
        registry.register_with_unit("event_lag", lag, Unit::Seconds, event_lag.clone());
        registry.register("ready", "Whether this replica listed every kind to its end", ready.clone());
        let registry = std::sync::Arc::new(registry);
        Self {
            registry,
            passes,
            duration,
            calls,
            throttled,
            conditions,
            drift,
            undeclared,
            statuses,
            leader,
            ready,
            events,
            event_lag,
        }
    }
}

impl Metrics {
    /// A pass is over.
    pub fn pass(&self, outcome: &'static str, seconds: f64, statuses: usize) {
        self.passes.get_or_create(&Ended { outcome }).inc();
        self.duration.observe(seconds);
        self.statuses.inc_by(u64::try_from(statuses).unwrap_or_default());
    }

    /// AWS answered a call; `outcome` is `ok` or a class of errors.
    pub fn call(&self, operation: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&Call { operation, outcome }).inc();
        if outcome == "throttled" {
            self.throttled.inc();
        }
    }

    /// How many objects of a kind have a condition of that type and status.
    pub fn condition(&self, kind: &'static str, r#type: &'static str, status: &'static str, objects: usize) {
        let gauge = self.conditions.get_or_create(&Condition { kind, r#type, status });
        gauge.set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// How many objects of a kind drifted.
    pub fn drift(&self, kind: &'static str, objects: usize) {
        self.drift.get_or_create(&OfKind { kind }).set(i64::try_from(objects).unwrap_or(i64::MAX));
    }

    /// How many accounts, OUs, policies or attachments no object declares; `None` where that is not known.
    pub fn undeclared(&self, kind: &'static str, found: Option<usize>) {
        match found {
            Some(found) => {
                let gauge = self.undeclared.get_or_create(&OfKind { kind });
                gauge.set(i64::try_from(found).unwrap_or(i64::MAX));
            }
            None => drop(self.undeclared.remove(&OfKind { kind })),
        }
    }

    /// Whether this replica writes.
    pub fn leader(&self, is: bool) {
        self.leader.set(i64::from(is));
    }

    /// A message of AWS arrived.
    pub fn event(&self, outcome: &'static str) {
        self.events.get_or_create(&Heard { outcome }).inc();
    }

    /// So long after the change its event arrived.
    pub fn event_lag(&self, seconds: f64) {
        self.event_lag.observe(seconds.max(0.0));
    }

    /// Whether every kind was listed to its end: nothing is planned before.
    pub fn ready(&self, is: bool) {
        self.ready.set(i64::from(is));
    }

    /// The page that Prometheus reads.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_names_that_dashboards_use() {
        let metrics = Metrics::default();
        metrics.pass("done", 0.2, 3);
        metrics.call("ListRoots", "ok");
        metrics.call("ListRoots", "throttled");
        metrics.condition("Account", "Ready", "True", 5);
        metrics.drift("Account", 1);
        metrics.undeclared("Account", Some(3));
        metrics.undeclared("Attachment", Some(4));
        metrics.undeclared("Attachment", None);
        metrics.leader(true);
        metrics.event("hint");
        metrics.event_lag(1.5);
        metrics.ready(true);
        let text = metrics.text();
        for line in [
            "bylaw_passes_total{outcome=\"done\"} 1",
            "bylaw_pass_duration_seconds_count 1",
            "bylaw_aws_requests_total{operation=\"ListRoots\",outcome=\"ok\"} 1",
            "bylaw_aws_throttled_total 1",
            "bylaw_condition{kind=\"Account\",type=\"Ready\",status=\"True\"} 5",
            "bylaw_drift_objects{kind=\"Account\"} 1",
            "bylaw_undeclared_objects{kind=\"Account\"} 3",
            "bylaw_status_writes_total 3",
            "bylaw_leader 1",
            "bylaw_events_total{outcome=\"hint\"} 1",
            "bylaw_event_lag_seconds_count 1",
            "bylaw_ready 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("Attachment"), "what is not known is not shown as a number\n{text}");
    }
}
