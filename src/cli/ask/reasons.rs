//! Why a call is decided as it is, in sentences.

use std::collections::BTreeSet;

use super::words;
use crate::cli::show::safe::plain;
use crate::judge::{ACTION, Answer, Layer, Needed, PRINCIPAL, Part, RESOURCE, RESOURCE_POLICY, Verdict};
use crate::policy::call::Reach;
use crate::policy::eval::{Decision, Truth};
use crate::policy::statement::Effect;

/// What a call hangs on, whichever of its authorizations does; nothing where it is decided.
#[must_use]
pub fn depends_on(answer: &Answer<'_>) -> BTreeSet<String> {
    let open = answer.open().filter(|_| answer.decision == Decision::Depends);
    open.flat_map(|part| part.verdict.depends_on.iter().cloned()).collect()
}

/// Why a call is decided so: of each authorization that is not allowed, those that are decided alike together.
#[must_use]
pub fn reasons(answer: &Answer<'_>) -> Vec<String> {
    let Some(deciding) = answer.deciding() else { return vec![] };
    let mut lines = vec![];
    if !answer.asked_as.is_empty() {
        let names: Vec<String> = answer.asked_as.iter().map(|name| format!("`{}`", plain(name))).collect();
        lines.push(format!("policies know this call as {}", names.join(" or ")));
    }
    if answer.decision == Decision::Allowed {
        let unasked = deciding.verdict.unasked.map(str::to_owned);
        lines.extend(verdict(&deciding.verdict).into_iter().chain(unasked));
        return lines;
    }
    let mut groups: Vec<(Decision, Vec<String>, Vec<&Part<'_>>)> = vec![];
    for part in answer.open() {
        let decided = part.verdict.decision;
        // Of a call that is denied, what denies it is told and not what might.
        let denies = decided == Decision::Denied && (part.needed.is_sure() || std::ptr::eq(part, deciding));
        if answer.decision == Decision::Denied && !denies {
            continue;
        }
        let why = verdict(&part.verdict);
        match groups.iter_mut().find(|(decision, told, _)| *decision == decided && *told == why) {
            Some((_, _, parts)) => parts.push(part),
            None => groups.push((decided, why, vec![part])),
        }
    }
    let own = |part: &&&Part<'_>| !matches!(part.needed, Needed::Besides { .. });
    let all_own = answer.parts.iter().filter(|part| own(&part)).count();
    for (decided, why, parts) in &groups {
        // What is so of every resource of the call needs no list of them.
        let everywhere = parts.iter().filter(|part| own(part)).count() == all_own && parts.len() >= all_own;
        if !(everywhere && parts.iter().all(|part| own(&part))) {
            let denied = *decided == Decision::Denied && answer.decision == Decision::Depends;
            lines.push(format!("{}on {}:", if denied { "denied " } else { "" }, on(parts)));
        }
        lines.extend(why.iter().cloned());
        let untagged = parts.iter().any(|part| part.tags == Some(Reach::No));
        if untagged && parts.iter().any(|part| asks_for_tags(&part.verdict)) {
            lines.push("(a request's tags are in the context of what it creates alone)".to_owned());
        }
    }
    if answer.decision == Decision::Depends {
        lines.extend(deciding.verdict.unasked.map(str::to_owned));
    }
    lines
}

/// The arguments that tell what a call hangs on.
#[must_use]
pub fn remedy(answer: &Answer<'_>) -> Option<String> {
    let tell = |key: &String| match key.as_str() {
        RESOURCE => "--resource".to_owned(),
        ACTION => "--action".to_owned(),
        PRINCIPAL => "--principal".to_owned(),
        RESOURCE_POLICY => "--resource-policy".to_owned(),
        key => format!("--context {}=…", plain(key)),
    };
    let told: Vec<String> = depends_on(answer).iter().map(tell).collect();
    (!told.is_empty()).then(|| format!("tell it with {}", told.join(" ")))
}

/// Whether a statement that denies, or may, looks at the tags that the request sends.
fn asks_for_tags(verdict: &Verdict<'_>) -> bool {
    let denying = verdict.rulings.iter().filter(|ruling| words::denies(ruling)).filter_map(|ruling| ruling.statement);
    denying.flat_map(|statement| &statement.condition).any(|clause| {
        let key = clause.key.to_ascii_lowercase();
        key == "aws:tagkeys" || key.starts_with("aws:requesttag/")
    })
}

/// `` `vpc`, `snapshot` if the call has one ``.
fn on(parts: &[&Part<'_>]) -> String {
    /// Those that are told one by one.
    const MOST: usize = 6;
    let mut told: Vec<String> = parts.iter().take(MOST).map(|part| words::part(part)).collect();
    if let Some(more @ 1..) = parts.len().checked_sub(MOST) {
        told.push(format!("and {more} more"));
    }
    told.join(", ")
}

/// Why one authorization is decided so, in sentences.
#[must_use]
pub fn verdict(verdict: &Verdict<'_>) -> Vec<String> {
    let mut lines: Vec<String> = verdict.exempt.iter().map(|why| (*why).to_owned()).collect();
    if let Some(ruling) = verdict.denied() {
        lines.push(format!("by {}", words::ruling(ruling)));
        return lines;
    }
    match verdict.decision {
        Decision::Denied => {
            if let Some(node) = verdict.stopped_at {
                let declared = if verdict.declared_only { "declared " } else { "" };
                lines.push(format!("no {declared}service control policy at {node} allows it"));
            }
            for lacking in verdict.lacking.iter().filter(|layer| **layer != Layer::ServiceControl) {
                lines.push(format!("{} do not allow it", words::layer(*lacking)));
            }
        }
        Decision::Depends => {
            for ruling in
                verdict.rulings.iter().filter(|ruling| ruling.applies == Truth::Depends && words::denies(ruling))
            {
                lines.push(format!("denied if {}, by {}", words::open(ruling), words::ruling(ruling)));
            }
            for ruling in
                verdict.rulings.iter().filter(|ruling| ruling.applies == Truth::Depends && !words::denies(ruling))
            {
                let alone = !verdict.rulings.iter().any(|other| {
                    other.effect == Effect::Allow
                        && other.applies == Truth::Yes
                        && other.node.map(|n| &n.id) == ruling.node.map(|n| &n.id)
                });
                if alone {
                    lines.push(format!("allowed only if {}, by {}", words::open(ruling), words::ruling(ruling)));
                }
            }
            lines.extend(verdict.gaps.iter().map(|gap| format!("not known: {}", plain(gap))));
        }
        Decision::Allowed => {}
    }
    lines
}
