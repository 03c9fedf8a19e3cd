//! Refusals that are alike, told as one.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Item, View};
use super::words;
use crate::plan::Refusal;
use crate::plan::guard::approval;

/// Remedies of one block that are shown.
const MOST_REMEDIES: usize = 3;

/// A refusal, and the changes that it holds back.
pub(super) type Refused<'v, 'a> = &'v (&'a Refusal, Vec<Item<'a>>);

/// Refusals of the same rule together, those that no approval lifts apart, each group by the names of its objects. Groups
/// stand in the order of the plan.
pub(super) fn alike<'v, 'a>(view: &'v View<'a>) -> Vec<Vec<Refused<'v, 'a>>> {
    let mut groups: Vec<Vec<Refused<'v, 'a>>> = vec![];
    let mut places: BTreeMap<(&str, bool), usize> = BTreeMap::new();
    for refused in &view.refusals {
        let (refusal, _) = refused;
        let place = *places.entry((refusal.rule, refusal.hash.is_some())).or_insert_with(|| {
            groups.push(vec![]);
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(refused);
        }
    }
    for group in &mut groups {
        group.sort_by(|(a, _), (b, _)| a.object.cmp(&b.object));
    }
    groups
}

/// What is said of all refusals of a block.
pub(super) struct Block<'v> {
    pub(super) rule: &'static str,
    /// The message, where all have the same.
    pub(super) message: Option<&'v str>,
    /// What to do, each once.
    pub(super) remedies: Vec<&'v str>,
    /// Remedies that are left out.
    pub(super) more_remedies: usize,
    /// What is held back, counted.
    pub(super) held: Option<String>,
}

impl<'v> Block<'v> {
    pub(super) fn of(many: &[Refused<'v, '_>]) -> Self {
        let first = many.first().map(|(refusal, _)| *refusal);
        let message = first.map(|first| first.message.as_str());
        let message = message.filter(|message| many.iter().all(|(refusal, _)| refusal.message == *message));
        // A remedy that names its own hash is another for each; the hash stands beside its object.
        let mut remedies: BTreeSet<&str> = BTreeSet::new();
        for (refusal, _) in many {
            let cut = refusal.hash.as_ref().and_then(|hash| refusal.remedy.strip_suffix(&approval(hash)));
            remedies.insert(cut.unwrap_or(&refusal.remedy));
        }
        let all = remedies.len();
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, items) in many {
            for item in items {
                *held.entry(item.action).or_default() += 1;
            }
        }
        let held: Vec<String> =
            held.into_iter().map(|(action, count)| format!("{} {action}", words::grouped(count))).collect();
        Self {
            rule: first.map_or("", |first| first.rule),
            message,
            remedies: remedies.into_iter().take(MOST_REMEDIES).collect(),
            more_remedies: all.saturating_sub(MOST_REMEDIES),
            held: (!held.is_empty()).then(|| held.join(", ")),
        }
    }
}
