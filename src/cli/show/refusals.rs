//! Refusals that are alike, told as one.

use std::collections::{BTreeMap, BTreeSet};

use super::view::{Item, View};
use super::words;
use crate::plan::Refusal;
use crate::plan::guard::approval;

/// Remedies of one block that are shown.
const MOST_REMEDIES: usize = 3;

/// A refusal, and the changes that it holds back.
pub(super) type Refused<'a> = (&'a Refusal, Vec<Item<'a>>);

/// Refusals of the same rule together, those that no approval lifts apart. The plan has them in that order.
pub(super) fn alike<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v [Refused<'a>]> {
    let of = |refusal: &Refusal| (refusal.rule, refusal.hash.is_some());
    view.refusals.chunk_by(move |(a, _), (b, _)| of(a) == of(b))
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
    pub(super) fn of(many: &'v [Refused<'_>]) -> Self {
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
