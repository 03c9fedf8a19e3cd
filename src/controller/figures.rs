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
    let mut undeclared: BTreeMap<Sort, Option<usize>> = BTreeMap::new();
    for kind in Kind::ALL {
        counts.extend(COUNTED.map(|(condition, status)| ((kind, condition, status), 0)));
    }
    {
        let objects = cluster.objects();
        metrics.ready(objects.whole().is_some());
        let Some(entries) = objects.whole() else { return };
        for (key, entry) in entries {
            if key.kind == Kind::Organization {
                for sort in Sort::ALL {
                    add(undeclared.entry(sort).or_insert(Some(0)), undeclared_of(&entry.status, sort));
                }
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
    for sort in Sort::ALL {
        metrics.undeclared(sort.as_str(), undeclared.get(&sort).copied().flatten());
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

/// A sum of which one part is not known is not known.
fn add(sum: &mut Option<usize>, part: Option<usize>) {
    *sum = sum.zip(part).map(|(sum, part)| sum + part);
}
