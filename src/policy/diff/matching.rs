//! Which statement of one document became which of another.

use std::collections::{BTreeMap, BTreeSet};

use super::elements::elements;
use crate::policy::canonical::{fold, statement_text};
use crate::policy::statement::Statement;

/// Pairs past which likeness is not weighed: who rewrites that much has written a new policy.
const MOST_PAIRS: usize = 40_000;
/// The least likeness, in percent of the values that either has.
const LEAST_LIKENESS: usize = 25;

/// For each statement of `after` the one of `before` that it was, both by index.
pub(super) fn pairs(before: &[Statement], after: &[Statement]) -> BTreeMap<usize, usize> {
    let mut out = BTreeMap::new();
    let mut old: BTreeSet<usize> = (0..before.len()).collect();

    let by_sid: BTreeMap<&str, usize> =
        before.iter().enumerate().filter_map(|(index, statement)| Some((statement.sid.as_deref()?, index))).collect();
    for (index, statement) in after.iter().enumerate() {
        if let Some(from) = statement.sid.as_deref().and_then(|sid| by_sid.get(sid))
            && old.remove(from)
        {
            out.insert(index, *from);
        }
    }

    let by_meaning: BTreeMap<String, usize> = open(before, &old).map(|(i, s)| (statement_text(&fold(s)), i)).collect();
    for (index, statement) in after.iter().enumerate().filter(|(index, _)| !out.contains_key(index)).collect::<Vec<_>>()
    {
        if let Some(from) = by_meaning.get(&statement_text(&fold(statement)))
            && old.remove(from)
        {
            out.insert(index, *from);
        }
    }

    let new: BTreeSet<usize> = (0..after.len()).filter(|index| !out.contains_key(index)).collect();
    if old.len().saturating_mul(new.len()) > MOST_PAIRS {
        return out;
    }
    let old_traits: Vec<_> = open(before, &old).map(|(index, statement)| (index, traits(statement))).collect();
    let new_traits: Vec<_> = open(after, &new).map(|(index, statement)| (index, traits(statement))).collect();
    let mut candidates: Vec<(usize, usize, usize)> = vec![];
    for (index, own) in &new_traits {
        for (from, theirs) in &old_traits {
            let common = own.intersection(theirs).count();
            let all = own.len() + theirs.len() - common;
            let likeness = (common * 100).checked_div(all).unwrap_or(0);
            if likeness >= LEAST_LIKENESS {
                candidates.push((100 - likeness, *index, *from));
            }
        }
    }
    candidates.sort_unstable();
    for (_, index, from) in candidates {
        if old.contains(&from) && !out.contains_key(&index) {
            old.remove(&from);
            out.insert(index, from);
        }
    }
    out
}

fn open<'a>(
    statements: &'a [Statement],
    left: &'a BTreeSet<usize>,
) -> impl Iterator<Item = (usize, &'a Statement)> + 'a {
    statements.iter().enumerate().filter(|(index, _)| left.contains(index))
}

/// What tells a statement from others: its values, but not the effect and the `*` that most have.
fn traits(statement: &Statement) -> BTreeSet<String> {
    elements(&fold(statement))
        .into_iter()
        .filter(|element| element.element != "Effect")
        .flat_map(|element| {
            let name = element.element;
            element.values.into_iter().map(move |value| format!("{name} {value}"))
        })
        .filter(|text| !matches!(text.as_str(), "Resource *" | "Principal *"))
        .collect()
}
