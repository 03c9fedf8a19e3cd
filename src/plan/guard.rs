//! What may run. A proposed plan goes in; out comes one that can be applied, with everything that was held back and why.
//!
//! Each rule is one function over what is still kept. What a rule holds back is a [`Refusal`]; what depends on something
//! held back is held back with it; and last of all the order of what is left is walked step by step to see that no
//! account is less guarded on the way than both before and after (design section 4, invariant 3).

mod arrivals;
mod bundles;
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
use super::model::{
    Action, Carries, Change, Guarded, Lifted, NodeRef, Plan, PolicyRef, Proposed, Reason, Refusal, hash,
};
use super::partial::{Cause, told_once};
use super::world::{Interner, World, policy_of, touches};
use crate::desired::Desired;
use crate::names::{Kind, NodeId, ObjectKey, PolicyId};
use crate::observed::Observed;

/// What a person or an approval object lets pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvals {
    /// Hashes of refused changes.
    pub hashes: BTreeSet<String>,
    /// Hashes that count only for what one of these lets pass.
    pub only: BTreeMap<String, Vec<Word>>,
    /// Hashes of single changes that count while one of these hashes does, in whose name they were let pass before.
    pub covers: BTreeMap<String, BTreeSet<String>>,
}

/// What one person lets pass by a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Who says it.
    pub approver: String,
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
        Self { hashes: hashes.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Whether what is refused under that hash is approved: by one person, for every object that it covers.
    fn hold<'o>(&self, hash: &str, objects: impl IntoIterator<Item = &'o ObjectKey>) -> bool {
        let objects: BTreeSet<&ObjectKey> = objects.into_iter().collect();
        let all = |word: &Word| objects.iter().all(|object| word.covers(object));
        self.hashes.contains(hash) && self.only.get(hash).is_none_or(|words| words.iter().any(all))
    }

    /// The hash by which a change of the object is approved that has this hash alone.
    fn by<'a>(&'a self, alone: &'a str, object: &ObjectKey) -> Option<&'a str> {
        if self.hold(alone, [object]) {
            return Some(alone);
        }
        self.covers.get(alone)?.iter().map(String::as_str).find(|hash| self.hold(hash, [object]))
    }

    /// Those whose word for the object the hash is.
    fn approvers(&self, hash: &str, object: &ObjectKey) -> BTreeSet<String> {
        let words = self.only.get(hash).into_iter().flatten();
        words.filter(|word| word.covers(object)).map(|word| word.approver.clone()).collect()
    }

    /// Lets the hash count for changes of which each has one of these hashes alone.
    pub fn cover(&mut self, hash: &str, alone: impl IntoIterator<Item = impl Into<String>>) {
        for alone in alone {
            self.covers.entry(alone.into()).or_default().insert(hash.to_owned());
        }
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
    let (judged, bundles) = if plan.changes.is_empty() {
        (Judged { refusals: plan.refusals, ..Judged::default() }, vec![])
    } else {
        let asked = Asked { desired, observed, approvals, carries: &plan.carries, now };
        bundles::judge_with(plan.changes, plan.refusals, &asked)
    };
    let Judged { changes, refusals, approved } = judged;
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
        bundles,
        state: PhantomData,
    }
}

/// What came of a trial.
#[derive(Default)]
struct Judged {
    changes: Vec<Change>,
    refusals: Vec<Refusal>,
    approved: BTreeMap<String, Lifted>,
}

/// What changes are judged by.
#[derive(Clone, Copy)]
struct Asked<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    approvals: &'a Approvals,
    carries: &'a Carries,
    now: Timestamp,
}

fn judge(changes: Vec<Change>, refusals: Vec<Refusal>, asked: &Asked<'_>) -> Judged {
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
    court.weigh(&before, &mut atoms);
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
    Judged { changes: court.kept, refusals: court.refusals, approved: court.approved }
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
    let mut met = Approvals { hashes: BTreeSet::new(), ..given.clone() };
    let made = OnceCell::new();
    while !idle.is_empty() {
        let judged = guard(unjudged(plan), desired, observed, &met, now);
        let held = |hash: &&str, changes: &[&Change]| given.hold(hash, changes.iter().map(|change| &change.object));
        let mut found: BTreeSet<&str> = BTreeSet::new();
        for refusal in judged.refusals.iter().filter(|refusal| refusal.hash.is_some()) {
            let changes: Vec<&Change> = refusal.changes.iter().collect();
            found.extend(refusal.hash.as_deref().filter(|hash| held(hash, &changes)));
            let made = made.get_or_init(|| Made::of(desired, observed));
            let alone = |change: &&Change| given.by_alone(refusal.rule, change, made);
            found.extend(changes.iter().filter_map(alone));
        }
        let bundles = judged.bundles.iter().filter(|bundle| held(&bundle.hash.as_str(), &bundle.changes()));
        found.extend(bundles.map(|bundle| bundle.hash.as_str()));
        let before = idle.len();
        met.hashes.extend(found.into_iter().filter(|hash| idle.remove(*hash)).map(str::to_owned));
        if idle.len() == before {
            break;
        }
    }
    idle
}

impl Approvals {
    /// The hash by which the change is approved by itself, under the hash that it has or had before what it touches was made.
    fn by_alone(&self, rule: &'static str, change: &Change, made: &Made) -> Option<&str> {
        let found = |print: String| self.known(&alone(rule, &print)).and_then(|alone| self.by(alone, &change.object));
        made.forms(change).iter().map(Change::approvable).find_map(found)
    }

    /// The hash of a change alone as it stands among the approvals.
    fn known(&self, alone: &str) -> Option<&str> {
        let covered = self.covers.get_key_value(alone).map(|(alone, _)| alone.as_str());
        self.hashes.get(alone).map(String::as_str).or(covered)
    }
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
    approved: BTreeMap<String, Lifted>,
    made: OnceCell<Made>,
}

/// The hash that approves one change alone: that of a refusal of nothing else.
pub(super) fn alone(rule: &'static str, print: &str) -> String {
    hash(&(rule, [print]))
}

impl Refusal {
    /// Each of its changes with the hash that approves it alone; none where no approval lets it pass.
    pub fn each_alone(&self) -> impl Iterator<Item = (String, &Change)> {
        let approvable = self.changes.iter().filter(|_| self.hash.is_some());
        approvable.map(|change| (alone(self.rule, &change.approvable()), change))
    }
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
        let prints: BTreeSet<String> = changes.iter().map(Change::approvable).collect();
        let hash = verdict.approvable.then(|| hash(&(verdict.rule, &prints)));
        if hash.as_ref().is_some_and(|hash| self.is_approved(hash, verdict.rule, &changes)) {
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
    fn is_approved(&mut self, hash: &str, rule: &'static str, changes: &[Change]) -> bool {
        let together = self.approvals.hold(hash, changes.iter().map(|change| &change.object));
        let lift = |change: &Change| {
            let by = if together { hash } else { self.approved_alone(rule, change)? };
            Some(self.lifted(rule, change, by))
        };
        let Some(lifted) = changes.iter().map(lift).collect::<Option<Vec<_>>>() else { return false };
        let is = !lifted.is_empty();
        self.approved.extend(lifted);
        is
    }

    /// The hash by which the change is approved by itself.
    fn approved_alone(&self, rule: &'static str, change: &Change) -> Option<&str> {
        if self.approvals.hashes.is_empty() {
            return None;
        }
        let made = self.made.get_or_init(|| Made::of(self.desired, self.observed));
        self.approvals.by_alone(rule, change, made)
    }

    fn lifted(&self, rule: &'static str, change: &Change, hash: &str) -> (String, Lifted) {
        let approvers = self.approvals.approvers(hash, &change.object);
        let lifted = Lifted { change: change.id, rule, hash: hash.to_owned(), approvers };
        (alone(rule, &change.approvable()), lifted)
    }

    /// The changes that are approved past the rule by themselves, each noted as such.
    fn note_approved(&mut self, rule: &'static str, is: impl Fn(&Change) -> bool) -> BTreeSet<u32> {
        let of = |change: &Change| Some((change.id, self.lifted(rule, change, self.approved_alone(rule, change)?)));
        let found: Vec<(u32, (String, Lifted))> = self.kept.iter().filter(|change| is(change)).filter_map(of).collect();
        let ids = found.iter().map(|(id, _)| *id).collect();
        self.approved.extend(found.into_iter().map(|(_, lifted)| lifted));
        ids
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
