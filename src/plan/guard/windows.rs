//! Invariant 3: at every step each deny that an account has both before and after the plan still holds.

use std::collections::BTreeSet;

use super::super::model::NodeRef;
use super::super::world::{Atom, Class, Interner, World, touches};
use super::{Court, Verdict};

impl Court<'_> {
    /// Walks the kept changes in their order and holds back each that would open a window.
    pub(super) fn windows(&mut self, before: &World<'_>, atoms: &mut Interner) {
        if !self.kept.iter().any(|change| change.action.loosens()) {
            return;
        }
        let mut after = before.clone();
        self.proposed.iter().for_each(|change| after.apply(change, atoms));
        let special: BTreeSet<NodeRef> = self.proposed.iter().flat_map(|change| touches(change, before)).collect();
        let guarded: Vec<(Class, Guarded)> = before
            .classes(&special)
            .into_iter()
            .filter_map(|class| {
                let (was, will) = (before.binds(&class.node).denies, after.binds(&class.node).denies);
                Some((class, Guarded::of(was, will, atoms)?))
            })
            .collect();
        while let Some((id, verdict)) = self.first_window(before, &guarded, atoms) {
            self.hold_all(&BTreeSet::from([id]), verdict);
        }
    }

    fn first_window(
        &self,
        before: &World<'_>,
        guarded: &[(Class, Guarded)],
        atoms: &mut Interner,
    ) -> Option<(u32, Verdict)> {
        let mut world = before.clone();
        for change in &self.kept {
            let mut nodes = touches(change, &world);
            world.apply(change, atoms);
            if !change.action.loosens() {
                continue;
            }
            nodes.extend(touches(change, &world));
            for (class, guarded) in guarded {
                let chain = world.chain(&class.node);
                if !nodes.iter().any(|node| chain.contains(node)) {
                    continue;
                }
                let now = world.binds(&class.node).denies;
                let Some(lost) = guarded.lost(&now, atoms) else { continue };
                let name = match &class.node {
                    NodeRef::Known(id) => self.observed.name(id).to_owned(),
                    NodeRef::New(key) => key.to_string(),
                };
                let verdict = Verdict {
                    rule: "window",
                    object: change.object.clone(),
                    message: format!(
                        "after it `{name}`{} would lose for a while, or for as long as another change is held back, what \
                         is denied both before and after: {}",
                        match class.accounts.len() {
                            0 | 1 => String::new(),
                            more => format!(" and {} more accounts", more - 1),
                        },
                        shorten(atoms.text(lost))
                    ),
                    remedy: "do it in two steps: first add the deny in its new place, then take it out of the old one"
                        .into(),
                    cause: None,
                    approvable: false,
                };
                return Some((change.id, verdict));
            }
        }
        None
    }
}

/// What an account is denied both before and after: of every deny before and every deny after the requests that both speak of.
/// These are all of them, since a request that is denied in both is denied by one of each.
struct Guarded {
    /// Denies that one of the other side holds: those before that are kept, and those after that are narrower than what was.
    must: BTreeSet<Atom>,
    /// Of the rest, those before and those after that may have requests in common: all of one side have to be in force.
    either: Vec<(Vec<Atom>, Vec<Atom>)>,
}

/// Pairs of denies that are looked at one by one; of more each is taken to have requests in common with each.
const MOST_PAIRS: usize = 4_000;

impl Guarded {
    /// `None`: nothing.
    fn of(was: BTreeSet<Atom>, will: BTreeSet<Atom>, atoms: &Interner) -> Option<Self> {
        let (mut must, gone): (BTreeSet<Atom>, Vec<Atom>) = partition(&was, |atom| holds(atom, &will, atoms));
        let (narrower, new) = partition(&will, |atom| holds(atom, &was, atoms));
        must.extend(narrower);
        let texts = |of: &[Atom]| of.iter().map(|atom| atoms.text(*atom)).collect::<Vec<_>>();
        let either: Vec<(Vec<Atom>, Vec<Atom>)> = if gone.len().saturating_mul(new.len()) > MOST_PAIRS {
            vec![(gone, new)]
        } else {
            let pairs = crate::policy::meeting(&texts(&gone), &texts(&new)).into_iter();
            pairs.filter_map(|(one, other)| Some((vec![*gone.get(one)?], vec![*new.get(other)?]))).collect()
        };
        (!must.is_empty() || !either.is_empty()).then_some(Self { must, either })
    }

    /// What is in force no more.
    fn lost(&self, now: &BTreeSet<Atom>, atoms: &Interner) -> Option<Atom> {
        let gone = |atom: &Atom| !holds(*atom, now, atoms);
        let first = |of: &[Atom]| of.iter().copied().find(|atom| gone(atom));
        let of_either =
            || self.either.iter().find_map(|(before, after)| first(before).filter(|_| first(after).is_some()));
        self.must.iter().copied().find(|atom| gone(atom)).or_else(of_either)
    }
}

fn partition(all: &BTreeSet<Atom>, is: impl Fn(Atom) -> bool) -> (BTreeSet<Atom>, Vec<Atom>) {
    let (yes, no): (Vec<Atom>, Vec<Atom>) = all.iter().partition(|atom| is(**atom));
    (yes.into_iter().collect(), no)
}

/// Whether one of the denies in force denies all that `atom` denies.
pub(super) fn holds(atom: Atom, denies: &BTreeSet<Atom>, atoms: &Interner) -> bool {
    denies.contains(&atom) || denies.iter().any(|held| crate::policy::covers(atoms.text(*held), atoms.text(atom)))
}

fn shorten(text: &str) -> String {
    if text.chars().count() <= 160 {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(157).collect();
    short.push('…');
    short
}
