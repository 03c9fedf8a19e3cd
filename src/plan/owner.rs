//! Whose an AWS object is where two declared objects claim it, or claim one name. The rightful owner goes on; only the
//! newcomer is refused, by the name of the owner.

use std::collections::BTreeMap;

use super::bind::{Binding, Bound};
use crate::desired::{Desired, NodeKey};
use crate::names::{Kind, NodeId, ObjectKey, TAG_RESOURCE, Tags};
use crate::observed::{Observed, Part};

/// Two or more objects of a kind that claim one thing.
struct Claim {
    kind: Kind,
    names: Vec<Box<str>>,
    /// What they claim.
    what: String,
    /// The AWS object, where it is there, and the object that its tag names.
    there: Option<(String, Option<String>)>,
}

impl Claim {
    /// The name of the owner, and how that is known: by the tag of the AWS object, by the only id among the objects, or by
    /// the age of the objects. `None`: nothing tells it.
    fn owner(&self, desired: &Desired) -> Option<(&str, &'static str)> {
        let names = || self.names.iter().map(|name| &**name);
        let tag = self.there.as_ref().and_then(|(_, tag)| tag.as_deref());
        if let Some(name) =
            names().find(|name| tag.is_some_and(|tag| tag == ObjectKey::new(self.kind, name).to_string()))
        {
            return Some((name, "whose tag it carries"));
        }
        let id = self.there.as_ref().map(|(id, _)| id.as_str());
        let claimant = |name: &str| desired.claimant(self.kind, name);
        let by_id: Vec<&str> =
            names().filter(|name| id.is_some() && claimant(name).and_then(|claimant| claimant.id) == id).collect();
        if let [one] = by_id.as_slice() {
            return Some((one, "which is bound to its id"));
        }
        let of = if by_id.is_empty() { names().collect() } else { by_id };
        let ages: Option<Vec<_>> = of.into_iter().map(|name| Some((claimant(name)?.created?, name))).collect();
        let mut ages = ages?;
        ages.sort_unstable();
        match ages.as_slice() {
            [(first, name), (second, _), ..] if first < second => Some((name, "which is the older object")),
            _ => None,
        }
    }
}

/// Leaves what two objects claim to its owner. Where nothing tells the owner, neither acts.
pub(super) fn settle(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let mut claims = shared(observed, binding);
    claims.extend(places(desired, observed, binding));
    for claim in claims {
        let owner = claim.owner(desired);
        for name in claim.names.iter().filter(|name| owner.is_none_or(|(owner, _)| owner != &***name)) {
            let key = ObjectKey::new(claim.kind, name);
            let (message, remedy) = match owner {
                Some((owner, why)) => (
                    format!("{} belongs to `{}/{owner}`, {why}", claim.what, claim.kind),
                    "remove this object, or let it declare something else",
                ),
                None => {
                    let others = claim.names.iter().filter(|other| *other != name).map(|other| &**other);
                    let others: Vec<&str> = others.collect();
                    (
                        format!("{} is also what `{}/{}` claims", claim.what, claim.kind, others.join("`, `")),
                        "keep one of the objects",
                    )
                }
            };
            binding.stick(&key);
            if owner.is_some() {
                binding.newcomers.insert(key.clone());
            }
            binding.refuse("shared", &key, message, remedy);
        }
    }
}

/// Objects that are bound to one AWS object.
fn shared(observed: &Observed, binding: &Binding) -> Vec<Claim> {
    fn of<Id: Ord + std::fmt::Display>(
        kind: Kind,
        bounds: &BTreeMap<Box<str>, Bound<Id>>,
        tags: impl Fn(&Id) -> Option<Tags>,
    ) -> Vec<Claim> {
        let mut by_id: BTreeMap<&Id, Vec<Box<str>>> = BTreeMap::new();
        for (name, bound) in bounds {
            if let Some(id) = bound.id() {
                by_id.entry(id).or_default().push(name.clone());
            }
        }
        let several = by_id.into_iter().filter(|(_, names)| names.len() > 1);
        several
            .map(|(id, names)| {
                let tag = tags(id).and_then(|tags| tags.get(TAG_RESOURCE).map(str::to_owned));
                Claim { kind, names, what: format!("`{id}`"), there: Some((id.to_string(), tag)) }
            })
            .collect()
    }
    let known = |part: Option<&Part<Tags>>| part.and_then(Part::get).cloned();
    let mut all = of(Kind::OrganizationalUnit, &binding.units, |id| known(observed.units.get(id).map(|u| &u.tags)));
    all.extend(of(Kind::Account, &binding.accounts, |id| known(observed.accounts.get(id).map(|a| &a.tags))));
    all.extend(of(Kind::OrganizationPolicy, &binding.policies, |id| {
        known(observed.policies.get(id).map(|policy| &policy.tags))
    }));
    all
}

/// Objects that are to be created, or renamed, under one name that nothing has yet.
fn places(desired: &Desired, observed: &Observed, binding: &Binding) -> Vec<Claim> {
    let mut units: BTreeMap<(&NodeKey, &str), Vec<Box<str>>> = BTreeMap::new();
    for (name, unit) in &desired.units {
        let to_be = match binding.units.get(name) {
            Some(Bound::Create) => true,
            Some(Bound::Found { id, .. }) => observed.units.get(id).is_some_and(|found| found.name != unit.spec.name),
            _ => false,
        };
        let taken = || {
            let parent = binding.node(&unit.spec.parent, observed);
            let at = |parent: &NodeId| {
                observed.units.values().any(|found| found.parent == *parent && found.name == unit.spec.name)
            };
            parent.as_ref().is_some_and(at)
        };
        if to_be && !taken() {
            units.entry((&unit.spec.parent, &unit.spec.name)).or_default().push(name.clone());
        }
    }
    let mut accounts: BTreeMap<String, Vec<Box<str>>> = BTreeMap::new();
    for (name, account) in &desired.accounts {
        if let (Some(Bound::Create), Some(email)) = (binding.accounts.get(name), &account.spec.email) {
            accounts.entry(email.to_lowercase()).or_default().push(name.clone());
        }
    }
    let mut policies: BTreeMap<(&str, &str), Vec<Box<str>>> = BTreeMap::new();
    for (name, policy) in &desired.policies {
        let spec = &policy.spec;
        let to_be = match binding.policies.get(name) {
            Some(Bound::Create) => true,
            Some(Bound::Found { id, .. }) => observed.policies.get(id).is_some_and(|found| found.name != spec.name),
            _ => false,
        };
        let taken = || observed.policies.values().any(|found| found.kind == spec.kind && found.name == spec.name);
        if to_be && !taken() {
            policies.entry((spec.kind.as_str(), &spec.name)).or_default().push(name.clone());
        }
    }
    let claim =
        |kind, names: Vec<Box<str>>, what| (names.len() > 1).then_some(Claim { kind, names, what, there: None });
    let units = units.into_iter().filter_map(|((parent, name), names)| {
        claim(Kind::OrganizationalUnit, names, format!("the name `{name}` below {parent}"))
    });
    let accounts =
        accounts.into_iter().filter_map(|(email, names)| claim(Kind::Account, names, format!("the e-mail `{email}`")));
    let policies = policies.into_iter().filter_map(|((kind, name), names)| {
        claim(Kind::OrganizationPolicy, names, format!("the name `{name}` of a {kind}"))
    });
    units.chain(accounts).chain(policies).collect()
}
