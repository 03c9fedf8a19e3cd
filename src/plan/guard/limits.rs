//! How much one pass may change (design section 4, invariant 2).

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Action, Change, NodeRef, PolicyRef, Reason, Verb};
use super::super::world::{Atom, Binds, Class, Interner, World, touches};
use super::rules::objects;
use super::windows::holds;
use super::{Court, Verdict, alone};

impl Court<'_> {
    /// Counted changes: past a limit all of the kind are held back, since half of them is nobody's intention. What is
    /// approved by itself does not count against the others.
    pub(super) fn limits(&mut self) {
        let limits = self.desired.organization.spec.limits.clone();
        let kinds: [(&'static str, &str, Verb, u32, &str); 6] = [
            ("limit-creates", "objects would be created", Verb::Create, limits.max_creates, "maxCreates"),
            ("limit-deletes", "objects would be deleted or closed", Verb::Delete, limits.max_deletes, "maxDeletes"),
            ("limit-moves", "accounts would be moved", Verb::Move, limits.max_moves, "maxMoves"),
            ("limit-detaches", "policies would be detached", Verb::Detach, limits.max_detaches, "maxDetaches"),
            ("limit-updates", "objects would be changed in place", Verb::Update, limits.max_updates, "maxUpdates"),
            ("limit-tags", "objects would be tagged", Verb::Tag, limits.max_tags, "maxTags"),
        ];
        for (rule, what, verb, max, field) in kinds {
            let approved = self.note_approved(rule, |change| change.action.verb() == verb);
            let counts = |change: &&Change| {
                change.action.verb() == verb && !self.is_birth(change) && !approved.contains(&change.id)
            };
            let counted: Vec<&Change> = self.kept.iter().filter(counts).collect();
            if counted.len() <= usize::try_from(max).unwrap_or(usize::MAX) {
                continue;
            }
            let ids = counted.iter().map(|change| change.id).collect();
            let message = format!("{} {what}, `spec.limits.{field}` is {max}: {}", counted.len(), objects(&counted));
            let remedy = format!("raise `spec.limits.{field}` in `{}`", self.desired.organization.key);
            let object = self.desired.organization.key.clone();
            self.hold_all(&ids, Verdict { rule, object, message, remedy, cause: None, approvable: true });
        }
    }

    /// Reach of policy changes: the small ones pass while all that pass together stay within `maxAffected`. What only puts
    /// back what was in force when the last pass ended is nothing new, however many accounts it reaches: a guard that
    /// somebody took off the root must come back without anybody's approval.
    pub(super) fn affected(&mut self, before: &World<'_>, atoms: &mut Interner) {
        let mut approved = self.note_approved(AFFECTED, |_| true);
        approved.extend(self.kept.iter().filter(|change| self.is_let_pass(change)).map(|change| change.id));
        let restored = |change: &&Change| {
            matches!(change.reason, Reason::Drift | Reason::Unfinished) || approved.contains(&change.id)
        };
        let bears = |change: &&Change| !restored(change) && bears(change);
        // What is restored may go into an OU that comes to be in the same pass; its creation alone binds nobody.
        let granted = |change: &&Change| restored(change) || change.action.verb() == Verb::Create;
        let start = before;
        let mut settled = before.clone();
        self.kept.iter().filter(granted).for_each(|change| settled.apply(change, atoms));
        let before = &settled;
        let special: BTreeSet<NodeRef> = self.kept.iter().flat_map(|change| touches(change, before)).collect();
        if !self.kept.iter().any(|change| bears(&change) || change.action.rewrites().is_some()) {
            return;
        }
        // What an interrupted run made and did not place was never meant to be without what guards it now.
        let mut classes = before.classes(&special);
        classes.iter_mut().for_each(|class| class.accounts.retain(|account| !self.newborn.contains(account)));
        classes.retain(|class| !class.accounts.is_empty());
        let total: usize = classes.iter().map(|class| class.accounts.len()).sum();
        let limit = self.allowance(total);
        let mut most = 0;
        let mut held: BTreeSet<u32> = BTreeSet::new();
        let mut passing = BTreeSet::new();
        // Changes can make up for one another, so what is left without those that are held is looked at again.
        loop {
            let left = || self.kept.iter().filter(|change| !held.contains(&change.id));
            let mut after = before.clone();
            left().for_each(|change| after.apply(change, atoms));
            let kept: Vec<&Change> = left().collect();
            let meanwhile = meanwhile([start, before, &after], &kept, &classes, atoms);
            let differs = |class: &Class| before.binds(&class.node) != after.binds(&class.node);
            let for_good: BTreeSet<usize> =
                classes.iter().enumerate().filter(|(_, class)| differs(class)).map(|(at, _)| at).collect();
            let (at, changed): (Vec<usize>, Vec<&Class>) = classes
                .iter()
                .enumerate()
                .filter(|(at, _)| for_good.contains(at) || meanwhile.values().any(|of| of.contains(at)))
                .unzip();
            let count = |classes: &BTreeSet<usize>| -> usize {
                classes.iter().filter_map(|at| changed.get(*at)).map(|class| class.accounts.len()).sum()
            };
            let everywhere: usize = changed.iter().map(|class| class.accounts.len()).sum();
            most = most.max(everywhere);
            if everywhere <= limit {
                break;
            }
            let mut reached: Vec<(usize, u32, BTreeSet<usize>)> = vec![];
            for change in left().filter(|change| bears(change) || meanwhile.contains_key(&change.id)) {
                let nodes = if bears(&change) { touches(change, before) } else { vec![] };
                let for_a_while = meanwhile.get(&change.id);
                let classes: BTreeSet<usize> = changed
                    .iter()
                    .zip(&at)
                    .enumerate()
                    .filter(|(_, (class, at))| {
                        let (was, will) = (before.chain(&class.node), after.chain(&class.node));
                        for_a_while.is_some_and(|of| of.contains(at))
                            || (for_good.contains(at)
                                && nodes.iter().any(|node| was.contains(node) || will.contains(node)))
                    })
                    .map(|(at, _)| at)
                    .collect();
                reached.push((count(&classes), change.id, classes));
            }
            reached.sort();
            let (mut passed, mut more) = (BTreeSet::new(), BTreeSet::new());
            for (alone, id, classes) in &reached {
                let together: BTreeSet<usize> = passed.union(classes).copied().collect();
                if *alone == 0 || count(&together) <= limit {
                    passed = together;
                } else {
                    more.insert(*id);
                }
            }
            if more.is_empty() {
                more.extend(reached.iter().map(|(_, id, _)| *id));
            }
            if more.is_empty() {
                break;
            }
            passing.extend(more.iter().copied().filter(|id| meanwhile.contains_key(id)));
            held.extend(more);
        }
        if held.is_empty() {
            return;
        }
        let everywhere = most;
        let changes: Vec<&Change> = self.kept.iter().filter(|change| held.contains(&change.id)).collect();
        let max = &self.desired.organization.spec.limits.max_affected;
        let for_a_while = if passing.is_empty() { "" } else { ", be it until the plan is through," };
        let message = format!(
            "what is allowed or denied would change{for_a_while} in {everywhere} of {total} accounts, \
             `spec.limits.maxAffected` ({} accounts, {} %) lets {limit} pass: {}",
            max.accounts,
            max.percent,
            objects(&changes)
        );
        let object = changes.first().map_or_else(|| self.desired.organization.key.clone(), |c| c.object.clone());
        let remedy = "target fewer accounts first, or raise `spec.limits.maxAffected`".to_owned();
        self.hold_all(&held, Verdict { rule: AFFECTED, object, message, remedy, cause: None, approvable: true });
    }

    /// Whether an approval let the change pass before, together with others.
    fn is_let_pass(&self, change: &Change) -> bool {
        !self.approved.is_empty() && self.approved.contains_key(&alone(AFFECTED, &change.approvable()))
    }

    /// A step in the birth of an account, which binds nobody yet.
    fn is_birth(&self, change: &Change) -> bool {
        let young = |node: &NodeRef| matches!(node, NodeRef::New(_)) || self.newborn.contains(node);
        match &change.action {
            _ if change.reason == Reason::Unfinished => true,
            Action::MoveAccount { account, .. } => young(account),
            Action::Detach { target, .. } => young(target),
            Action::PutContact { account, .. } => young(account),
            _ => false,
        }
    }

    /// The smaller of the two counts of `maxAffected`; a share is never read as fewer than 5 accounts unless it is 0.
    fn allowance(&self, total: usize) -> usize {
        let max = &self.desired.organization.spec.limits.max_affected;
        let accounts = usize::try_from(max.accounts).unwrap_or(usize::MAX);
        let percent = usize::try_from(max.percent).unwrap_or(100);
        let share = if percent == 0 { 0 } else { (total * percent / 100).max(5) };
        accounts.min(share)
    }
}

/// The rule of `maxAffected`.
const AFFECTED: &str = "limit-affected";

/// Hashes that approve, each alone, the changes of accounts that are not there yet. Nobody counts these; when a run ends
/// before all of them are made, and the accounts are there, the rest is still what was shown.
pub(in crate::plan) fn births(changes: &[Change]) -> BTreeSet<String> {
    let rules = |change: &Change| -> &'static [&'static str] {
        match &change.action {
            action if action.new_account().is_none() => &[],
            Action::Attach { .. } => &[AFFECTED],
            Action::Detach { .. } => &[AFFECTED, "limit-detaches"],
            Action::MoveAccount { .. } => &[AFFECTED, "limit-moves"],
            _ => &[],
        }
    };
    changes.iter().flat_map(|change| rules(change).iter().map(|rule| alone(rule, &change.approvable()))).collect()
}

/// Whether a change can bear on what is allowed or denied.
fn bears(change: &Change) -> bool {
    matches!(change.action.verb(), Verb::Attach | Verb::Detach | Verb::Move) || change.action.rewrites().is_some()
}

/// By change, the classes that it denies or allows something for a while that none of the `worlds` (before, restored, after)
/// does: a policy that is attached to what an account leaves later, that is made stricter where it is taken off later, or that
/// is made looser where an account comes to be before.
fn meanwhile(
    worlds: [&World<'_>; 3],
    changes: &[&Change],
    classes: &[Class],
    atoms: &mut Interner,
) -> BTreeMap<u32, BTreeSet<usize>> {
    let mut found: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    let [start, ..] = worlds;
    let passing = Passing::of(changes, classes);
    let mut world = start.clone();
    for change in changes.iter().filter(|change| bears(change) || change.action.verb() == Verb::Create) {
        world.apply(change, atoms);
        if !bears(change) {
            continue;
        }
        let nodes = touches(change, &world);
        for at in passing.exposed(change) {
            let Some(class) = classes.get(at) else { continue };
            if !world.chain(&class.node).iter().any(|node| nodes.contains(node)) {
                continue;
            }
            let all: Vec<Binds> = worlds.iter().map(|world| world.binds(&class.node)).collect();
            let now = world.binds(&class.node);
            let denied = |atom: &Atom| all.iter().any(|binds| holds(*atom, &binds.denies, atoms));
            let allowed = |allows: &Vec<Atom>| all.iter().any(|binds| binds.allows.contains(allows));
            if !now.denies.iter().all(denied) || !now.allows.iter().all(allowed) {
                found.entry(change.id).or_default().insert(at);
            }
        }
    }
    found
}

/// What a plan holds for a while only: where that is nothing, what is in force in between is in force before or after.
struct Passing<'a> {
    /// Policies whose text is replaced.
    rewritten: BTreeSet<PolicyRef>,
    /// Nodes that something is taken off.
    bared: BTreeSet<&'a NodeRef>,
    /// Classes of the accounts that are moved.
    moved: BTreeMap<&'a NodeRef, usize>,
    classes: usize,
}

impl<'a> Passing<'a> {
    fn of(changes: &[&'a Change], classes: &[Class]) -> Self {
        let rewritten = changes.iter().filter_map(|change| change.action.rewrites().cloned().map(PolicyRef::Known));
        let bared = changes.iter().filter_map(|change| match &change.action {
            Action::Detach { target, .. } => Some(target),
            _ => None,
        });
        let place: BTreeMap<&NodeRef, usize> =
            classes.iter().enumerate().map(|(at, class)| (&class.node, at)).collect();
        let moved = changes.iter().filter_map(|change| match &change.action {
            Action::MoveAccount { account, .. } => Some((account, *place.get(account)?)),
            _ => None,
        });
        Self { rewritten: rewritten.collect(), bared: bared.collect(), moved: moved.collect(), classes: classes.len() }
    }

    /// Classes that a change can do something for a while only: those that are moved, and all where what it touches is
    /// touched again.
    fn exposed(&self, change: &Change) -> Vec<usize> {
        let again = match &change.action {
            Action::MoveAccount { account, .. } => return self.moved.get(account).copied().into_iter().collect(),
            Action::Attach { policy, target, .. } => self.rewritten.contains(policy) || self.bared.contains(target),
            _ => true,
        };
        if again { (0..self.classes).collect() } else { self.moved.values().copied().collect() }
    }
}

/// Accounts that an interrupted run made and did not come to place: in the root, with bylaw's tags, and never settled.
pub(super) fn newborn(proposed: &[Change]) -> BTreeSet<NodeRef> {
    let unplaced = proposed.iter().filter(|change| change.reason == Reason::Unfinished);
    unplaced
        .filter_map(|change| match &change.action {
            Action::MoveAccount { account, .. } => Some(account.clone()),
            _ => None,
        })
        .collect()
}
