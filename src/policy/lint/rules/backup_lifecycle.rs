//! Backups that are deleted before they may be.

use crate::policy::flaw::{join_index, join_key};
use crate::policy::json::{Node, Value};
use crate::policy::lint::subject::{Spot, Subject, member};
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "backup-lifecycle",
    severity: Severity::Error,
    summary: "a backup that is deleted less than 90 days after it moves to cold storage",
    explanation: "What was moved to cold storage stays there for at least 90 days: `delete_after_days` has to be at least \
        `move_to_cold_storage_after_days` and 90 more, or AWS Backup refuses the rule and nothing is backed up. Sources: \
        Organizations user guide, \"Backup policy syntax and examples\"; AWS Backup, \"Lifecycle\".",
    check,
    bad: &[
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"p": {"rules": {"r": {"lifecycle": {"move_to_cold_storage_after_days": {"@@assign": "30"}, "delete_after_days": {"@@assign": "90"}}}}}}}"#,
        ),
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"p": {"rules": {"r": {"copy_actions": {"arn:aws:backup:eu-west-1:$account:backup-vault:b": {"lifecycle": {"move_to_cold_storage_after_days": {"@@assign": 10}, "delete_after_days": {"@@assign": 99}}}}}}}}}"#,
        ),
    ],
    good: &[
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"p": {"rules": {"r": {"lifecycle": {"move_to_cold_storage_after_days": {"@@assign": "180"}, "delete_after_days": {"@@assign": "270"}}}}}}}"#,
        ),
        Sample::Whole(
            "BACKUP_POLICY",
            r#"{"plans": {"p": {"rules": {"r": {"lifecycle": {"delete_after_days": {"@@assign": "7"}}}}}}}"#,
        ),
    ],
};

/// Days that a backup stays in cold storage.
const LEAST: i64 = 90;

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.kind().as_str() == "BACKUP_POLICY" {
        look(subject.node, "", told);
    }
}

fn look(node: &Node, path: &str, told: &mut Told) {
    match &node.value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| look(item, &join_index(path, index), told));
        }
        Value::Object(members) => {
            for inner in members {
                let own = join_key(path, &inner.key);
                if inner.key == "lifecycle" {
                    lifecycle(&inner.node, &own, told);
                }
                look(&inner.node, &own, told);
            }
        }
        _ => {}
    }
}

fn lifecycle(node: &Node, path: &str, told: &mut Told) {
    let days = |name: &str| {
        let assigned = member(&member(node, name)?.node, "@@assign")?;
        let days = match &assigned.node.value {
            Value::String(text) | Value::Number(text) => text.parse::<i64>().ok()?,
            _ => return None,
        };
        let path = join_key(&join_key(path, name), "@@assign");
        Some((days, Spot { place: assigned.node.place, path, key: false }))
    };
    let (Some((cold, _)), Some((delete, spot))) = (days("move_to_cold_storage_after_days"), days("delete_after_days"))
    else {
        return;
    };
    let least = cold.saturating_add(LEAST);
    // Less than nothing is never.
    if cold >= 0 && delete >= 0 && delete < least {
        let message = format!("the backup is deleted after {delete} days, and moves to cold storage after {cold}");
        let help = format!("write {least} days or more: it stays there for at least {LEAST}");
        told.push(told.at(&spot, message).help(help));
    }
}
