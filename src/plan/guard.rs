//! What may run. A proposed plan goes in; out comes one that can be applied, with everything that was held back and why.
//!
//! Each rule is one function over what is still kept. What a rule holds back is a [`Refusal`]; what depends on something
//! held back is held back with it; and last of all the order of what is left is walked step by step to see that no
//! account is less guarded on the way than both before and after (design section 4, invariant 3).

mod arrivals;
mod limits;
mod partial;
mod rules;
mod windows;

use arrivals::Arrivals;
pub(super) use limits::births;
pub(super) use partial::needs_full_access;
pub use rules::hold;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use k8s_openapi::jiff::Timestamp;

use super::kept::Made;
use super::model::{Action, Carries, Change, Guarded, NodeRef, Plan, PolicyRef, Proposed, Reason, Refusal, hash};
use super::partial::{Cause, told_once};
use super::world::{Interner, World, policy_of, touches};
use crate::desired::Desired;
use crate::names::{Kind, NodeId, ObjectKey, PolicyId};
use crate::observed::Observed;

/// What a person or an approval object lets pass.
#[derive(Debug, Clone, Default)]
pub struct Approvals {
    /// Hashes of refused changes.
    pub hashes: BTreeSet<String>,
    /// Hashes that count only for what one of these lets pass.
    pub only: BTreeMap<String, Vec<Word>>,
}

/// What one person lets pass by a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The object that is approved; an Organization stands for all of its objects.
    pub subject: ObjectKey,
    /// Objects that this person wrote: their changes are for somebody else to approve.
    pub wrote: BTreeSet<ObjectKey>,
}

impl Word {
    fn covers(&self, object: &ObjectKey) -> bool {
        (self.subject.kind == Kind::Organization || self.subject == *object) && !self.wrote.contains(object)
    }
}

impl Approvals {
    /// Approvals of whatever has these hashes.
    pub fn of(hashes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { hashes: hashes.into_iter().map(Into::into).collect(), only: BTreeMap::new() }
    }

    /// Whether what is refused under that hash is approved: by one person, for every object that it covers.
    fn hold<'o>(&self, hash: &str, objects: impl IntoIterator<Item = &'o ObjectKey>) -> bool {
        let objects: BTreeSet<&ObjectKey> = objects.into_iter().collect();
        let all = |word: &Word| objects.iter().all(|object| word.covers(object));
        self.hashes.contains(hash) && self.only.get(hash).is_none_or(|words| words.iter().any(all))
    }
}

/// Judges a plan.
#[must_use]
pub fn guard(
    plan: Plan<Proposed>,
    desired: &Desired,
    observed: &Observed,
    approvals: &Approvals,
    now: Timestamp,
) -> Plan<Guarded> {
    // Where nothing changes there is nothing to judge, and the organization is not worked out for it.
    let (changes, refusals, approved) = if plan.changes.is_empty() {
        (vec![], plan.refusals, BTreeMap::new())
    } else {
        let asked = Asked { desired, observed, approvals, carries: &plan.carries, now };
        judge(plan.changes, plan.refusals, &asked)
    };
    let mut refusals = told_once(refusals, &plan.organization);
    refusals.sort_by(|a, b| a.place().cmp(&b.place()));
    Plan {
        organization: plan.organization,
        changes,
        refusals,
        drift: plan.drift,
        notes: plan.notes,
        undeclared: plan.undeclared,
        facts: plan.facts,
        carries: plan.carries,
        approved,
        state: PhantomData,
    }
}

/// What changes are judged by.
struct Asked<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    approvals: &'a Approvals,
    carries: &'a Carries,
    now: Timestamp,
}

fn judge(
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
    asked: &Asked<'_>,
) -> (Vec<Change>, Vec<Refusal>, BTreeMap<String, String>) {
    let &Asked { desired, observed, approvals, carries, now } = asked;
    let mut atoms = Interner::default();
    let before = World::of(observed, &mut atoms);
    let mut court = Court {
        desired,
        observed,
        approvals,
        carries,
        now,
        newborn: limits::newborn(&changes),
        proposed: changes.clone(),
        kept: changes,
        refusals,
        approved: BTreeMap::new(),
        made: OnceCell::new(),
    };
    court.measure(&before);
    court.management();
    court.holds(&before);
    court.partial(&before);
    court.dependents();
    court.slots(&before);
    court.dependents();
    court.limits();
    court.dependents();
    court.affected(&before, &mut atoms);
    court.dependents();
    // What one of these holds back can be what another relied on, or what made up for the reach of another.
    let mut count = usize::MAX;
    while court.kept.len() < count {
        count = court.kept.len();
        court.windows(&before, &mut atoms);
        court.blocks_everything(&before, &mut atoms);
        court.dependents();
        if court.kept.len() < count {
            court.affected(&before, &mut atoms);
            court.dependents();
        }
    }
    (court.kept, court.refusals, court.approved)
}

/// Of the approvals that a plan was judged with, those without which the same would be refused.
///
/// What one approval lets pass can be refused by another rule, under a hash that is known only then: so the plan is
/// judged without any approval first, and again with those that were met, until no more are.
#[must_use]
pub fn idle(
    given: &Approvals,
    plan: &Plan<Guarded>,
    desired: &Desired,
    observed: &Observed,
    now: Timestamp,
) -> BTreeSet<String> {
    let mut idle = given.hashes.clone();
    let mut met = Approvals { hashes: BTreeSet::new(), only: given.only.clone() };
    while !idle.is_empty() {
        let judged = guard(unjudged(plan), desired, observed, &met, now);
        let before = idle.len();
        for refusal in &judged.refusals {
            let hash = refusal.hash.as_ref().filter(|hash| given.hold(hash, refusal.changes.iter().map(|c| &c.object)));
            if let Some(hash) = hash.filter(|hash| idle.remove(*hash)) {
                met.hashes.insert(hash.clone());
            }
        }
        if idle.len() == before {
            break;
        }
    }
    idle
}

/// The plan as it was proposed: what was held back is in it again.
fn unjudged(plan: &Plan<Guarded>) -> Plan<Proposed> {
    let mut proposed = plan.clone().only(&BTreeSet::new());
    let held = proposed.refusals.iter_mut().flat_map(|refusal| std::mem::take(&mut refusal.changes));
    proposed.changes = plan.changes.iter().cloned().chain(held).collect();
    proposed.changes.sort_by_key(|change| change.id);
    // A refusal of its own proposal holds no change back.
    proposed.refusals.clear();
    proposed
}

/// Rule of what waits for something that is refused.
pub(super) const DEPENDS: &str = "depends";

/// The changes on trial.
struct Court<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    approvals: &'a Approvals,
    carries: &'a Carries,
    now: Timestamp,
    /// Accounts that an interrupted run made and did not come to place.
    newborn: BTreeSet<NodeRef>,
    /// All that was proposed: what holds "after" is judged by it, whatever is held back now.
    proposed: Vec<Change>,
    kept: Vec<Change>,
    refusals: Vec<Refusal>,
    approved: BTreeMap<String, String>,
    made: OnceCell<Made>,
}

/// The hash that approves one change alone: that of a refusal of nothing else.
pub(super) fn alone(rule: &'static str, print: &str) -> String {
    hash(&(rule, [print]))
}

/// What the remedy of a refusal ends with, where an approval of that hash lets it pass.
#[must_use]
pub fn approval(hash: &str) -> String {
    format!(", or approve exactly these changes: `--approve {hash}`")
}

/// How a refusal reads.
struct Verdict {
    rule: &'static str,
    object: ObjectKey,
    message: String,
    remedy: String,
    /// The reading that failed, where that is why.
    cause: Option<Cause>,
    /// An approval of the changes' hash lets them pass.
    approvable: bool,
}

impl Court<'_> {
    /// Holds back every kept change that `judge` says so of, one refusal for each distinct verdict object.
    fn hold_each(&mut self, mut judge: impl FnMut(&Change) -> Option<Verdict>) {
        let (mut kept, mut refused) = (vec![], vec![]);
        for change in std::mem::take(&mut self.kept) {
            match judge(&change) {
                None => kept.push(change),
                Some(verdict) => refused.push((verdict, vec![change])),
            }
        }
        self.kept = kept;
        for (verdict, changes) in refused {
            self.refuse(verdict, changes);
        }
    }

    /// Holds back the changes with these ids together, unless they are approved.
    fn hold_all(&mut self, ids: &BTreeSet<u32>, verdict: Verdict) {
        if ids.is_empty() {
            return;
        }
        let (held, kept): (Vec<Change>, Vec<Change>) =
            std::mem::take(&mut self.kept).into_iter().partition(|change| ids.contains(&change.id));
        self.kept = kept;
        self.refuse(verdict, held);
    }

    fn refuse(&mut self, verdict: Verdict, changes: Vec<Change>) {
        let prints: BTreeSet<String> = changes.iter().map(Change::fingerprint).collect();
        let hash = verdict.approvable.then(|| hash(&(verdict.rule, &prints)));
        if let Some(hash) = hash.as_ref().filter(|hash| self.is_approved(hash, &verdict, &changes)) {
            self.approved.extend(prints.iter().map(|print| (alone(verdict.rule, print), hash.clone())));
            self.kept.extend(changes);
            self.kept.sort_by_key(|change| change.id);
            return;
        }
        self.refusals.push(Refusal {
            rule: verdict.rule,
            object: verdict.object,
            message: verdict.message,
            remedy: match &hash {
                Some(hash) => format!("{}{}", verdict.remedy, approval(hash)),
                None => verdict.remedy,
            },
            changes,
            hash,
            objects: vec![],
            cause: verdict.cause,
        });
    }

    /// Whether the changes are approved together, or each alone: so is what is left of them when the others are done.
    fn is_approved(&self, hash: &str, verdict: &Verdict, changes: &[Change]) -> bool {
        let alone = || changes.iter().all(|change| self.is_approved_alone(verdict.rule, change));
        self.approvals.hold(hash, changes.iter().map(|change| &change.object)) || (!changes.is_empty() && alone())
    }

    /// Whether the change is approved by itself, under the hash that it has or had before what it touches was made.
    fn is_approved_alone(&self, rule: &'static str, change: &Change) -> bool {
        let made = || self.made.get_or_init(|| Made::of(self.desired, self.observed));
        let held = |print: &String| self.approvals.hold(&alone(rule, print), [&change.object]);
        !self.approvals.hashes.is_empty() && made().fingerprints(change).iter().any(held)
    }

    /// How many accounts each change reaches.
    fn measure(&mut self, before: &World<'_>) {
        let counts = before.counts();
        for change in &mut self.kept {
            let nodes = touches(change, before);
            change.reach = before.reach(&nodes, &counts);
        }
    }

    /// Holds back what needs something whose creation is held back.
    fn dependents(&mut self) {
        loop {
            let (mut nodes, mut policies) = (BTreeSet::new(), BTreeSet::new());
            for change in &self.kept {
                match &change.action {
                    Action::CreateUnit { key, .. } => {
                        nodes.insert(NodeRef::New(crate::desired::NodeKey::Unit(key.clone())));
                    }
                    Action::CreateAccount { key, .. } => {
                        nodes.insert(NodeRef::New(crate::desired::NodeKey::Account(key.clone())));
                    }
                    Action::CreatePolicy { .. } => policies.extend(policy_of(change)),
                    _ => {}
                }
            }
            let gone = Gone::of(&self.proposed, &self.kept, self.observed);
            let arrivals = Arrivals::of(self);
            let waits = |change: &Change| {
                let missing = missing(change, &nodes, &policies).into_iter();
                let missing = missing.chain(gone.strands(change)).chain(arrivals.lack(change)).min();
                missing.map(|missing| (change.id, missing))
            };
            let mut waiting: BTreeMap<u32, String> = self.kept.iter().filter_map(waits).collect();
            if waiting.is_empty() {
                return;
            }
            let mut held: BTreeMap<String, Vec<Change>> = BTreeMap::new();
            let mut kept = vec![];
            for change in std::mem::take(&mut self.kept) {
                match waiting.remove(&change.id) {
                    Some(missing) => held.entry(missing).or_default().push(change),
                    None => kept.push(change),
                }
            }
            self.kept = kept;
            for (missing, changes) in held {
                let Some(object) = changes.first().map(|change| change.object.clone()) else { continue };
                let verdict = Verdict {
                    rule: DEPENDS,
                    object,
                    message: format!("waits for {missing}, which does not run"),
                    remedy: "see the refusal of that change".into(),
                    cause: None,
                    approvable: false,
                };
                self.refuse(verdict, changes);
            }
        }
    }
}

/// What proposed changes, held back by now, would have made ready for others.
#[derive(Default)]
struct Gone<'a> {
    moved: BTreeSet<&'a NodeRef>,
    detached: BTreeSet<&'a PolicyId>,
    deleted: BTreeSet<&'a PolicyId>,
    mended: BTreeSet<&'a PolicyId>,
    /// Nodes that something would have left.
    emptied: BTreeSet<NodeId>,
}

impl<'a> Gone<'a> {
    fn of(proposed: &'a [Change], kept: &[Change], observed: &Observed) -> Self {
        let kept: BTreeSet<u32> = kept.iter().map(|change| change.id).collect();
        let mut gone = Self::default();
        for change in proposed.iter().filter(|change| !kept.contains(&change.id)) {
            gone.mended.extend(change.action.rewrites());
            match &change.action {
                Action::MoveAccount { account, from, .. } => {
                    gone.moved.insert(account);
                    if let NodeRef::Known(from) = from {
                        gone.emptied.insert(from.clone());
                    }
                }
                Action::Detach { policy, .. } => drop(gone.detached.insert(policy)),
                Action::DeletePolicy { policy, .. } => drop(gone.deleted.insert(policy)),
                Action::DeleteUnit { unit, .. } => {
                    gone.emptied.extend(observed.units.get(unit).map(|unit| unit.parent.clone()));
                }
                _ => {}
            }
        }
        gone
    }

    /// What a change would be left without: a new account its way out of the root (where nothing that is meant for it
    /// binds it), a deletion what empties its object.
    fn strands(&self, change: &Change) -> Option<String> {
        let (lost, what) = match &change.action {
            Action::CreateAccount { key, .. } => {
                let own = NodeRef::New(crate::desired::NodeKey::Account(key.clone()));
                (self.moved.contains(&own), "its move out of the root")
            }
            // It would bind by what the policy says now.
            Action::Attach { policy: PolicyRef::Known(policy), .. } if change.needs_text => {
                (self.mended.contains(policy), "the correction of what the policy says")
            }
            Action::DeletePolicy { policy, .. } => (self.detached.contains(policy), "a detachment of the policy"),
            // Half a removal is nobody's wish: it would only take the guard away.
            Action::Detach { policy, .. } if change.reason == Reason::Removed => {
                (self.deleted.contains(policy), "the deletion of the policy")
            }
            Action::DeleteUnit { unit, .. } => {
                (self.emptied.contains(&NodeId::Unit(unit.clone())), "what is in the OU to leave it")
            }
            _ => return None,
        };
        lost.then(|| what.to_owned())
    }
}

/// What a change needs that nobody creates.
fn missing(change: &Change, nodes: &BTreeSet<NodeRef>, policies: &BTreeSet<PolicyRef>) -> Vec<String> {
    let nodes = change.action.nodes().into_iter().filter_map(|node| match node {
        NodeRef::New(key) if !nodes.contains(node) => Some(format!("the creation of `{key}`")),
        _ => None,
    });
    let policy = change.action.policy().and_then(|policy| match policy {
        PolicyRef::New(key) if !policies.contains(policy) => Some(format!("the creation of `{key}`")),
        _ => None,
    });
    nodes.chain(policy).collect()
}
