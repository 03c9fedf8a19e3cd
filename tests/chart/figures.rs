//! Alerts and dashboards name figures that the program shows, with labels that they have.

use std::collections::{BTreeMap, BTreeSet};

use bylaw::api::conditions;
use bylaw::names::Kind;
use bylaw::process::Metrics;
use k8s_openapi::jiff::Timestamp;
use regex::Regex;

use super::*;

/// Labels that Prometheus adds by itself.
const ADDED: [&str; 4] = ["namespace", "pod", "job", "instance"];

/// Names of samples of the page, each with its labels.
fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let metrics = Metrics::default();
    metrics.pass("acme", "done", 0.1, Timestamp::UNIX_EPOCH, 1);
    metrics.call("ListRoots", "throttled");
    metrics.condition("Account", "Ready", "True", 1);
    metrics.drift("Account", 1);
    metrics.undeclared("acme", "Account", 1);
    metrics.vanished("acme", 1);
    metrics.leader(true);
    metrics.ready(true);
    metrics.event("hint");
    metrics.event_lag(1.0);
    let (sample, label) = (Regex::new(r"^([a-z_]+)(?:\{(.*)\})? ").unwrap(), Regex::new(r#"([a-z_]+)=""#).unwrap());
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in metrics.text().lines().filter(|line| !line.starts_with('#')) {
        let found = sample.captures(line).unwrap_or_else(|| panic!("{line}"));
        let labels = found.get(2).map_or("", |labels| labels.as_str());
        let labels = label.captures_iter(labels).map(|label| label[1].to_owned());
        out.entry(found[1].to_owned()).or_default().extend(labels);
    }
    out
}

/// What is wrong with an expression.
fn wrong(expression: &str) -> Vec<String> {
    let shown = shown();
    let selector = Regex::new(r"\b(bylaw_[a-z_]+)(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"([a-z_]+)\s*(=~|!=|=)\s*"([^"]*)""#).unwrap();
    let grouping = Regex::new(r"\bby \(([^)]*)\)").unwrap();
    let sources: String =
        ["process/metrics.rs", "controller/mod.rs", "controller/leader.rs", "controller/events.rs", "aws/error.rs"]
            .map(|name| read(&format!("src/{name}")))
            .concat();
    let types = [conditions::READY, conditions::RECONCILING, conditions::STALLED, conditions::DRIFTED];
    let mut out = vec![];
    let mut labels: BTreeSet<&str> = ADDED.into();
    let mut seen = 0;
    for found in selector.captures_iter(expression) {
        seen += 1;
        let Some(own) = shown.get(&found[1]) else {
            out.push(format!("no `{}` is shown", &found[1]));
            continue;
        };
        labels.extend(own.iter().map(String::as_str));
        for matched in matcher.captures_iter(found.get(2).map_or("", |inside| inside.as_str())) {
            let (label, value) = (&matched[1], &matched[3]);
            if !own.contains(label) && !ADDED.contains(&label) {
                out.push(format!("`{}` has no label `{label}`", &found[1]));
            }
            let known = |value: &str| match label {
                "kind" => Kind::ALL.iter().any(|kind| kind.as_str() == value),
                "type" => types.contains(&value),
                "status" => ["True", "False", "Unknown"].contains(&value),
                "outcome" => sources.contains(&format!("\"{value}\"")),
                _ => true,
            };
            out.extend(value.split('|').filter(|v| !known(v)).map(|v| format!("`{label}` is never `{v}`")));
        }
    }
    for group in grouping.captures_iter(expression) {
        let unknown = group[1].split(',').map(str::trim).filter(|label| !labels.contains(label) && *label != "le");
        out.extend(unknown.map(|label| format!("nothing has a label `{label}` to group by")));
    }
    if seen == 0 {
        out.push("it names none of bylaw's figures".to_owned());
    }
    out
}

/// Everything under a key, wherever it stands.
fn all<'a>(key: &str, value: &'a Value, out: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (name, below) in map {
                if name == key {
                    out.extend(below.as_str());
                }
                all(key, below, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all(key, item, out)),
        _ => {}
    }
}

#[test]
fn every_figure_of_the_alerts_and_the_dashboard_is_one_that_the_program_shows() {
    let objects = chart(ALL);
    let rules = of_kind(&objects, "PrometheusRule")[0];
    let maps = of_kind(&objects, "ConfigMap");
    let text = maps.iter().find_map(|map| map["data"]["bylaw.json"].as_str()).unwrap();
    let dashboard: Value = serde_json::from_str(text).unwrap();
    let (mut alerts, mut panels) = (vec![], vec![]);
    all("expr", rules, &mut alerts);
    all("expr", &dashboard, &mut panels);
    all("query", &dashboard, &mut panels);
    panels.retain(|query| *query != "prometheus");
    assert!(alerts.len() >= 6 && panels.len() >= 12, "{} {}", alerts.len(), panels.len());
    for expression in alerts.iter().chain(&panels) {
        assert_eq!(wrong(expression), Vec::<String>::new(), "{expression}");
    }
    // And none is left out of the dashboard.
    for name in shown().keys().filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")) {
        assert!(panels.iter().any(|expression| expression.contains(name.as_str())), "no panel shows `{name}`");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let objects = chart(ALL);
    let rules = of_kind(&objects, "PrometheusRule")[0]["spec"]["groups"][0]["rules"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for rule in rules {
        assert!(names.insert(rule["alert"].as_str().unwrap()), "{rule:#}");
        assert!(["warning", "critical"].contains(&rule["labels"]["severity"].as_str().unwrap()), "{rule:#}");
        assert_eq!(rule["labels"]["team"], "platform");
        assert!(rule["for"].is_string() && rule["annotations"]["summary"].is_string(), "{rule:#}");
        assert!(rule["annotations"]["description"].as_str().unwrap().len() > 40, "{rule:#}");
        assert!(rule["expr"].as_str().unwrap().contains("namespace=\"bylaw-system\""), "{rule:#}");
    }
}

#[test]
fn an_expression_that_shows_nothing_is_found() {
    for (bad, told) in [
        ("bylaw_passes{outcome=\"done\"}", "no `bylaw_passes`"),
        ("max by (pod) (bylaw_leader{outcome=\"done\"})", "no label `outcome`"),
        ("sum by (operation) (bylaw_condition)", "no label `operation`"),
        ("bylaw_condition{type=\"Drifting\"}", "never `Drifting`"),
        ("bylaw_aws_requests_total{outcome=~\"denied|refused\"}", "never `refused`"),
        ("up == 0", "none of bylaw's"),
    ] {
        let found = wrong(bad);
        let any = found.iter().any(|found| found.contains(told)) || told.contains("operation") && !found.is_empty();
        assert!(any, "{bad}: {found:?}");
    }
}
