//! Figures for Prometheus, in OpenMetrics text.

use k8s_openapi::jiff::Timestamp;
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

/// How a pass of an Organization ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    organization: String,
    outcome: &'static str,
}

/// One Organization, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    organization: String,
}

/// What an Organization has of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindOf {
    organization: String,
    kind: &'static str,
}

/// What a message of AWS was.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    outcome: &'static str,
}

/// Outcome of a pass that did what there was to do.
pub const DONE: &str = "done";
/// Outcome of a pass that is made again sooner.
pub const FAILED: &str = "failed";

/// All figures. Clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    passes: Family<Ended, Counter>,
    duration: Family<Of, Histogram, fn() -> Histogram>,
    last_good: Family<Of, Gauge>,
    calls: Family<Call, Counter>,
    throttled: Counter,
    conditions: Family<Condition, Gauge>,
    drift: Family<OfKind, Gauge>,
    undeclared: Family<KindOf, Gauge>,
    vanished: Family<Of, Gauge>,
    statuses: Counter,
    leader: Gauge,
    events: Family<Heard, Counter>,
    event_lag: Histogram,
    ready: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let (passes, calls, throttled) = (Family::default(), Family::default(), Counter::default());
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.05, 2.0, 16));
        let (duration, last_good) = (Family::new_with_constructor(buckets), Family::default());
        let (conditions, drift) = (Family::default(), Family::default());
        let (undeclared, vanished) = (Family::default(), Family::default());
        let (statuses, leader, ready) = (Counter::default(), Gauge::default(), Gauge::default());
        let (events, event_lag) = (Family::default(), Histogram::new(exponential_buckets(0.25, 2.0, 14)));
        let mut registry = Registry::with_prefix("bylaw");
        registry.register("passes", "Passes, by Organization and how they ended", passes.clone());
        let time = "Time of a pass, by Organization";
        registry.register_with_unit("pass_duration", time, Unit::Seconds, duration.clone());
        let good = "When the last pass that did not fail ended (Unix time), by Organization";
        registry.register_with_unit("last_good_pass_timestamp", good, Unit::Seconds, last_good.clone());
        registry.register("aws_requests", "AWS calls, by operation and outcome", calls.clone());
        registry.register("aws_throttled", "AWS calls that AWS refused as too many", throttled.clone());
        registry.register("condition", "Objects, by kind, condition and its status", conditions.clone());
        registry.register("drift_objects", "Objects that differ from what was last applied", drift.clone());
        let alone = "What AWS has and no object declares; a kind that is not shown is not known";
        registry.register("undeclared_objects", alone, undeclared.clone());
        let gone = "What bylaw keeps in AWS for objects that are no longer in the cluster, by Organization";
        registry.register("vanished_objects", gone, vanished.clone());
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
            last_good,
            calls,
            throttled,
            conditions,
            drift,
            undeclared,
            vanished,
            statuses,
            leader,
            ready,
            events,
            event_lag,
        }
    }
}

impl Metrics {
    /// A pass of an Organization is over: after so many seconds, at this time, with so many statuses written.
    pub fn pass(&self, organization: &str, outcome: &'static str, seconds: f64, now: Timestamp, statuses: usize) {
        let of = Of { organization: organization.to_owned() };
        self.passes.get_or_create(&Ended { organization: organization.to_owned(), outcome }).inc();
        self.duration.get_or_create(&of).observe(seconds);
        if outcome == DONE {
            self.last_good.get_or_create(&of).set(now.as_second());
        }
        self.statuses.inc_by(u64::try_from(statuses).unwrap_or_default());
    }

    /// Nobody keeps the Organization any more: what its passes counted is shown no longer.
    pub fn forget(&self, organization: &str) {
        let of = Of { organization: organization.to_owned() };
        for outcome in [DONE, FAILED] {
            self.passes.remove(&Ended { organization: organization.to_owned(), outcome });
        }
        self.duration.remove(&of);
        self.last_good.remove(&of);
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

    /// What Organizations have is about to be counted anew: those that are not counted are shown no longer.
    pub fn count_anew(&self) {
        self.undeclared.clear();
        self.vanished.clear();
    }

    /// How many accounts, OUs, policies or attachments of an Organization no object declares; called only where that is
    /// known.
    pub fn undeclared(&self, organization: &str, kind: &'static str, found: usize) {
        let gauge = self.undeclared.get_or_create(&KindOf { organization: organization.to_owned(), kind });
        gauge.set(i64::try_from(found).unwrap_or(i64::MAX));
    }

    /// How much bylaw keeps in AWS for objects of an Organization that are no longer in the cluster; called only where that
    /// is known.
    pub fn vanished(&self, organization: &str, found: usize) {
        let gauge = self.vanished.get_or_create(&Of { organization: organization.to_owned() });
        gauge.set(i64::try_from(found).unwrap_or(i64::MAX));
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
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        metrics.pass("acme", DONE, 0.2, now, 3);
        metrics.pass("other", FAILED, 0.2, now, 0);
        metrics.pass("gone", DONE, 0.2, now, 0);
        metrics.forget("gone");
        metrics.call("ListRoots", "ok");
        metrics.call("ListRoots", "throttled");
        metrics.condition("Account", "Ready", "True", 5);
        metrics.drift("Account", 1);
        metrics.undeclared("gone", "Attachment", 4);
        metrics.vanished("gone", 1);
        metrics.count_anew();
        metrics.undeclared("acme", "Account", 3);
        metrics.vanished("acme", 2);
        metrics.leader(true);
        metrics.event("hint");
        metrics.event_lag(1.5);
        metrics.ready(true);
        let text = metrics.text();
        for line in [
            "bylaw_passes_total{organization=\"acme\",outcome=\"done\"} 1",
            "bylaw_passes_total{organization=\"other\",outcome=\"failed\"} 1",
            "bylaw_pass_duration_seconds_count{organization=\"acme\"} 1",
            "bylaw_last_good_pass_timestamp_seconds{organization=\"acme\"} 1767225600",
            "bylaw_aws_requests_total{operation=\"ListRoots\",outcome=\"ok\"} 1",
            "bylaw_aws_throttled_total 1",
            "bylaw_condition{kind=\"Account\",type=\"Ready\",status=\"True\"} 5",
            "bylaw_drift_objects{kind=\"Account\"} 1",
            "bylaw_undeclared_objects{organization=\"acme\",kind=\"Account\"} 3",
            "bylaw_vanished_objects{organization=\"acme\"} 2",
            "bylaw_status_writes_total 3",
            "bylaw_leader 1",
            "bylaw_events_total{outcome=\"hint\"} 1",
            "bylaw_event_lag_seconds_count 1",
            "bylaw_ready 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("Attachment"), "what is not known is not shown as a number\n{text}");
        assert!(!text.contains("gone"), "of an Organization that is gone nothing is shown\n{text}");
        let good = text.lines().filter(|line| line.starts_with("bylaw_last_good_pass")).count();
        assert_eq!(good, 1, "a failed pass is not good\n{text}");
    }
}
