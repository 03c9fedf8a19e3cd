//! Figures of all objects of the cluster, counted when somebody reads them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::watch::Cluster;
use crate::api::conditions::{DRIFTED, READY, RECONCILING, STALLED};
use crate::names::Kind;
use crate::plan::undeclared::Sort;
use crate::process::Metrics;

/// Conditions and their statuses that are counted.
const COUNTED: [(&str, &str); 6] = [
    (READY, "True"),
    (READY, "False"),
    (READY, "Unknown"),
    (RECONCILING, "True"),
    (STALLED, "True"),
    (DRIFTED, "True"),
];

/// Sets the gauges of objects by condition, and of drift; and whether there is anything to count.
pub fn count(metrics: &Metrics, cluster: &Cluster) {
    let mut counts: BTreeMap<(Kind, &str, &str), usize> = BTreeMap::new();
    let mut of_organizations: Vec<(Box<str>, Value)> = vec![];
    for kind in Kind::ALL {
        counts.extend(COUNTED.map(|(condition, status)| ((kind, condition, status), 0)));
    }
    {
        let objects = cluster.objects();
        metrics.ready(objects.whole().is_some());
        let Some(entries) = objects.whole() else { return };
        for (key, entry) in entries {
            if key.kind == Kind::Organization {
                of_organizations.push((key.name.clone(), entry.status.clone()));
            }
            let conditions = entry.status.get("conditions").and_then(Value::as_array).into_iter().flatten();
            for found in conditions {
                let is = |field: &str, word: &str| found.get(field).and_then(Value::as_str) == Some(word);
                for (condition, status) in COUNTED {
                    if is("type", condition) && is("status", status) {
                        *counts.entry((key.kind, condition, status)).or_default() += 1;
                    }
                }
            }
        }
    }
    for ((kind, condition, status), objects) in counts {
        metrics.condition(kind.as_str(), condition, status, objects);
        if condition == DRIFTED {
            metrics.drift(kind.as_str(), objects);
        }
    }
    metrics.count_anew();
    for (organization, status) in &of_organizations {
        for sort in Sort::ALL {
            if let Some(found) = undeclared_of(status, sort) {
                metrics.undeclared(organization, sort.as_str(), found);
            }
        }
        if let Some(found) = status.get("vanished").and_then(|vanished| vanished.get("objects")?.as_u64()) {
            metrics.vanished(organization, usize::try_from(found).unwrap_or(usize::MAX));
        }
    }
}

/// What the status of an Organization tells of a sort; `None` where it is not known.
fn undeclared_of(status: &Value, sort: Sort) -> Option<usize> {
    let field = match sort {
        Sort::Account => "accounts",
        Sort::OrganizationalUnit => "organizationalUnits",
        Sort::OrganizationPolicy => "policies",
        Sort::Attachment => "attachments",
    };
    usize::try_from(status.get("undeclared")?.get(field)?.as_u64()?).ok()
}
