//! Approvals that approve nothing: a hash mistyped, or of changes that are others by now or done.

use k8s_openapi::jiff::Timestamp;

use super::terminal::Terminal;
use crate::desired::Desired;
use crate::pass::Planned;
use crate::plan::guard::idle;
use crate::plan::kept::Known;
use crate::plan::{Approvals, Guarded, Plan};

/// Most hashes that are listed.
const MOST: usize = 5;

/// Warns of each hash that no refusal has, and lists those that refusals have.
pub fn warn_of_idle(given: &[String], planned: &Planned, desired: &Desired, now: Timestamp, terminal: &Terminal) {
    let mut approvals = Approvals::of(given);
    // What is left of what was approved before counts by the hash that was approved.
    for (alone, lifted) in &planned.plan.approved {
        approvals.cover(&lifted.hash, [alone.clone()]);
    }
    let idle = idle(&approvals, &planned.plan, desired, &planned.observed, now);
    for hash in &idle {
        // Somebody may have pasted more than a hash.
        let hash = crate::names::words::plain(hash);
        terminal.warn(&format!("no refusal has the hash `{hash}`: this approval lets nothing pass"));
    }
    if !idle.is_empty() {
        terminal.help(&remedy(&planned.plan));
    }
}

/// Warns where changes that a kept plan shows are refused by now, under a hash that the approvals it keeps do not have.
pub fn warn_of_outdated(known: &Known, now: &Plan<Guarded>, terminal: &Terminal) {
    for hash in outdated(known, now) {
        terminal.warn(&format!(
            "changes of the plan are refused by now, and no approval that it keeps has their hash `{hash}`"
        ));
        terminal
            .help(&format!("look at them again; `bylaw plan -f … --approve {hash} --out FILE` keeps a plan with them"));
    }
}

fn outdated<'a>(known: &Known, now: &'a Plan<Guarded>) -> Vec<&'a str> {
    let refused = now.refusals.iter().filter(|refusal| refusal.changes.iter().any(|change| known.holds(change)));
    refused.filter_map(|refusal| refusal.hash.as_deref()).collect()
}

fn remedy(plan: &Plan<Guarded>) -> String {
    let together = plan.bundles.iter().map(|bundle| &bundle.hash);
    let each = plan.refusals.iter().filter_map(|refusal| refusal.hash.as_ref());
    let hashes: Vec<String> = together.chain(each).map(|hash| format!("`{hash}`")).collect();
    let which = match hashes.get(..MOST) {
        _ if hashes.is_empty() => "nothing is refused that an approval could let pass; leave it out".to_owned(),
        Some(first) if hashes.len() > MOST => {
            format!("refused are {} and {} more", first.join(", "), hashes.len() - MOST)
        }
        _ => format!("refused are {}", hashes.join(", ")),
    };
    format!("a hash is of exactly the changes that it was shown with, and ends when they are done or others; {which}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::aws::offline::{Offline, Options as World};
    use crate::cli::show::saved::SavedPlan;
    use crate::cli::sources;
    use crate::desired::{build, read};
    use crate::pass::{self, Options};
    use crate::plan::Memory;
    use crate::plan::kept::Made;

    /// The example on an empty organization, with as little allowed in one pass as can be said.
    async fn planned(approve: &[&str]) -> (Planned, Desired) {
        let (mut sources, _) = sources::load(&["examples/data-science".into()], &mut std::io::empty());
        for source in &mut sources {
            let text = String::from_utf8(source.bytes.clone()).unwrap();
            source.bytes =
                text.replace("maxCreates: 20", "maxCreates: 1").replace("accounts: 2", "accounts: 0").into_bytes();
        }
        let (desired, issues) = build(read(&sources).0, None);
        let desired = desired.unwrap_or_else(|| panic!("{issues:#?}"));
        let world = Offline::new(World {
            management: Some("111111111111".parse().unwrap()),
            creation_delay: Duration::ZERO,
            ..World::default()
        });
        let options = Options { approvals: Approvals::of(approve.iter().copied()), ..Options::default() };
        let now = || Timestamp::from_second(1_767_225_600).unwrap();
        let planned = pass::plan(&world, &desired, None, &Memory::default(), &options, &now).await.unwrap();
        (planned, desired)
    }

    fn idle_of(given: &[&str], planned: &Planned, desired: &Desired) -> Vec<String> {
        let given = Approvals::of(given.iter().copied());
        let now = Timestamp::from_second(1_767_225_600).unwrap();
        idle(&given, &planned.plan, desired, &planned.observed, now).into_iter().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn an_approval_is_idle_when_nothing_would_be_refused_without_it() {
        let (planned_at_first, desired) = planned(&["0000000000000000"]).await;
        let hash = |planned: &Planned| {
            let refusal = planned.plan.refusals.iter().find(|refusal| refusal.hash.is_some());
            refusal.map(|refusal| (refusal.rule, refusal.hash.clone().unwrap()))
        };
        let (rule, first) = hash(&planned_at_first).expect("more is created than the limit allows");
        assert_eq!(rule, "limit-creates");
        assert_eq!(idle_of(&["0000000000000000"], &planned_at_first, &desired), ["0000000000000000"]);
        assert!(remedy(&planned_at_first.plan).contains(&first));

        let (approved, desired) = planned(&[&first]).await;
        assert!(approved.plan.changes.len() > planned_at_first.plan.changes.len());
        assert_eq!(idle_of(&[&first, "x"], &approved, &desired), ["x"]);

        let saved = SavedPlan::new(&approved, &desired, &[], &Options::default(), approved.observed.oldest());
        let outdated_of = |now: &Planned| {
            let known = Known::of(&now.plan, &saved.fingerprints(), &Made::of(&desired, &now.observed));
            outdated(&known, &now.plan).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(outdated_of(&planned_at_first), std::slice::from_ref(&first));
        assert!(outdated_of(&approved).is_empty());

        // Whatever is refused behind the first approval has a hash that only shows with it.
        let mut hashes = vec![first];
        let mut last = approved;
        while let Some((_, next)) = hash(&last) {
            assert!(!hashes.contains(&next) && hashes.len() < 10);
            hashes.push(next);
            let all: Vec<&str> = hashes.iter().map(String::as_str).collect();
            last = planned(&all).await.0;
        }
        let all: Vec<&str> = hashes.iter().map(String::as_str).chain(["x"]).collect();
        assert_eq!(idle_of(&all, &last, &desired), ["x"], "{all:?}");
        assert!(remedy(&last.plan).contains("leave it out"));
    }
}
