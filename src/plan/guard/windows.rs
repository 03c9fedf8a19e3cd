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
        let guarded: Vec<(Class, BTreeSet<Atom>)> = before
            .classes(&special)
            .into_iter()
            .filter_map(|class| {
                let (was, will) = (before.binds(&class.node).denies, after.binds(&class.node).denies);
                let must: BTreeSet<Atom> = was.into_iter().filter(|atom| holds(*atom, &will, atoms)).collect();
                (!must.is_empty()).then_some((class, must))
            })
            .collect();
        while let Some((id, verdict)) = self.first_window(before, &guarded, atoms) {
            self.hold_all(&BTreeSet::from([id]), verdict);
        }
    }

    fn first_window(
        &self,
        before: &World<'_>,
        guarded: &[(Class, BTreeSet<Atom>)],
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
            for (class, must) in guarded {
                let chain = world.chain(&class.node);
                if !nodes.iter().any(|node| chain.contains(node)) {
                    continue;
                }
                let now = world.binds(&class.node).denies;
                let Some(lost) = must.iter().find(|atom| !holds(**atom, &now, atoms)) else { continue };
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
                        shorten(atoms.text(*lost))
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
