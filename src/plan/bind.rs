//! Identity: which AWS object each declared object is. By id, then by bylaw's tag, then by name as its adoption policy
//! allows (design section 3). What cannot be told apart is refused, never guessed.

use std::cell::LazyCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;

use super::model::Refusal;
use super::partial::Partial;
use crate::api::common::AdoptionPolicy;
use crate::aws::port::AccountState;
use crate::desired::{Declared, Desired, NodeKey, model};
use crate::names::{AccountId, Kind, NodeId, ObjectKey, PolicyId, TAG_RESOURCE, Tags, UnitId};
use crate::observed::{Observed, Part, Scope, Unknown};

/// What a declared object is in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound<Id> {
    /// It is this one. `adopt`: it was found by name, and bylaw's tag is to be written.
    Found {
        /// Its id.
        id: Id,
        /// Its tag is still to be written.
        adopt: bool,
    },
    /// It is not there and is to be created.
    Create,
    /// It cannot be told, or must not be touched; a refusal or note says why.
    Stuck,
}

impl<Id> Bound<Id> {
    /// The id, if it is there.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Found { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// The AWS objects of all declared objects.
#[derive(Debug, Clone, Default)]
pub struct Binding {
    /// OUs by object name.
    pub units: BTreeMap<Box<str>, Bound<UnitId>>,
    /// Accounts by object name.
    pub accounts: BTreeMap<Box<str>, Bound<AccountId>>,
    /// Policies by object name.
    pub policies: BTreeMap<Box<str>, Bound<PolicyId>>,
    /// What could not be bound.
    pub refusals: Vec<Refusal>,
    /// Object of each bound node, the other way round.
    pub node_objects: BTreeMap<NodeId, NodeKey>,
    /// Object of each bound policy, the other way round.
    pub policy_objects: BTreeMap<PolicyId, Box<str>>,
}

impl Binding {
    /// Id of a node, if it is there.
    #[must_use]
    pub fn node(&self, key: &NodeKey, observed: &Observed) -> Option<NodeId> {
        match key {
            NodeKey::Root => Some(observed.root_node()),
            NodeKey::Unit(name) => self.units.get(name)?.id().cloned().map(NodeId::Unit),
            NodeKey::Account(name) => self.accounts.get(name)?.id().cloned().map(NodeId::Account),
        }
    }

    /// Whether a node is neither there nor to be created.
    #[must_use]
    pub fn is_stuck(&self, key: &NodeKey) -> bool {
        match key {
            NodeKey::Root => false,
            NodeKey::Unit(name) => !matches!(self.units.get(name), Some(Bound::Found { .. } | Bound::Create)),
            NodeKey::Account(name) => !matches!(self.accounts.get(name), Some(Bound::Found { .. } | Bound::Create)),
        }
    }

    fn refuse(&mut self, rule: &'static str, object: &ObjectKey, message: String, remedy: impl Into<String>) {
        self.refusals.push(Refusal {
            rule,
            object: object.clone(),
            message,
            remedy: remedy.into(),
            changes: vec![],
            hash: None,
            objects: vec![],
            cause: None,
        });
    }
}

/// Candidates of one kind, indexed by the tag.
struct Tagged<'a, Id> {
    by_tag: HashMap<&'a str, Vec<&'a Id>>,
    unreadable: Option<Partial>,
}

impl<'a, Id: std::fmt::Display> Tagged<'a, Id> {
    fn of(items: impl Iterator<Item = (&'a Id, &'a Part<Tags>)>) -> Self {
        let mut by_tag: HashMap<&str, Vec<&Id>> = HashMap::new();
        let mut unreadable = None;
        for (id, tags) in items {
            match tags {
                Part::Known { value, .. } => {
                    if let Some(tag) = value.get(TAG_RESOURCE) {
                        by_tag.entry(tag).or_default().push(id);
                    }
                }
                lost => unreadable = Partial::part(&tags_of(id), lost),
            }
        }
        Self { by_tag, unreadable }
    }
}

/// How one object is looked for: what the three kinds have in common.
struct Search<'a, 't, Id> {
    key: &'a ObjectKey,
    by_id: Option<Result<Id, Miss>>,
    /// Gone through only for what has no id yet: in the controller that is nothing as a rule.
    tagged: &'a dyn Deref<Target = Tagged<'t, Id>>,
    /// Asked only of what nothing else tells.
    by_name: &'a dyn Fn() -> Vec<(Id, Holder)>,
    adoption: AdoptionPolicy,
    gap: Option<Partial>,
    /// AWS has no second of that name anywhere: what has it is the one, whatever else could not be read.
    unique: bool,
    what: &'a dyn Fn() -> String,
}

/// Why an id that was declared binds nothing.
#[derive(Clone)]
enum Miss {
    /// It has not the form of an id.
    Malformed(String),
    /// It is not there, and nothing else can be the object.
    Final(String),
    /// It is not there; something else may have become the object.
    Gone,
}

/// Whom something found by name belongs to.
enum Holder {
    Nobody,
    Object(String),
    /// Its tags could not be read.
    Unreadable(Partial),
}

impl Holder {
    fn of(id: &impl std::fmt::Display, tags: Option<&Part<Tags>>) -> Self {
        match tags {
            Some(Part::Known { value, .. }) => {
                value.get(TAG_RESOURCE).map_or(Self::Nobody, |object| Self::Object(object.to_owned()))
            }
            lost => {
                let unknown = lost.and_then(Part::unknown).unwrap_or(Unknown::Unread);
                Self::Unreadable(Partial::of(&tags_of(id), unknown))
            }
        }
    }
}

fn tags_of(id: &impl std::fmt::Display) -> String {
    format!("the tags of `{id}`")
}

impl<Id: Clone + PartialEq + std::fmt::Display> Search<'_, '_, Id> {
    fn run(self, binding: &mut Binding) -> Bound<Id> {
        let found = |id: Id, adopt: bool| Bound::Found { id, adopt };
        match self.by_id.clone() {
            Some(Ok(id)) => return found(id, false),
            Some(Err(miss)) => match (miss, self.gap.clone()) {
                (Miss::Gone | Miss::Final(_), Some(gap)) => return self.uncertain(binding, gap),
                (Miss::Gone, None) => {}
                (Miss::Malformed(why) | Miss::Final(why), _) => {
                    binding.refuse("bound-id-missing", self.key, why, "check the id, or take it out of the manifest");
                    return Bound::Stuck;
                }
            },
            None => {}
        }
        match self.tagged.by_tag.get(self.key.to_string().as_str()).map(Vec::as_slice) {
            Some([id]) => return found((*id).clone(), false),
            Some(many) if many.len() > 1 => {
                let ids: Vec<String> = many.iter().map(ToString::to_string).collect();
                binding.refuse(
                    "ambiguous-tag",
                    self.key,
                    format!(
                        "{} AWS objects carry the tag `{TAG_RESOURCE}={}`: {}",
                        ids.len(),
                        self.key,
                        ids.join(", ")
                    ),
                    "remove the tag from all but the one that is meant",
                );
                return Bound::Stuck;
            }
            _ => {}
        }
        // What a gap hides, or what has unreadable tags, may be the object itself, renamed: then whatever has its name now
        // is somebody else's.
        let elsewhere = self.gap.clone().or_else(|| self.tagged.unreadable.clone());
        let by_name = (self.by_name)();
        if let (Some(why), false, false) = (&elsewhere, self.unique, by_name.is_empty()) {
            return self.uncertain(binding, why.clone());
        }
        match by_name.as_slice() {
            [] => {}
            [(_, Holder::Unreadable(why))] => return self.uncertain(binding, why.clone()),
            [(id, Holder::Nobody)] => {
                return match self.adoption {
                    AdoptionPolicy::Create => {
                        binding.refuse(
                            "exists",
                            self.key,
                            format!("{} exists already (`{id}`), and `adoptionPolicy` is `Create`", (self.what)()),
                            "set `adoptionPolicy: AdoptOrCreate` to take it over, or give another name",
                        );
                        Bound::Stuck
                    }
                    AdoptionPolicy::Adopt | AdoptionPolicy::AdoptOrCreate => found(id.clone(), true),
                };
            }
            [(id, Holder::Object(other))] => {
                binding.refuse(
                    "taken",
                    self.key,
                    format!("{} exists already (`{id}`) and belongs to `{other}`", (self.what)()),
                    "give another name, or remove the other object and its tag first",
                );
                return Bound::Stuck;
            }
            many => {
                let ids: Vec<String> = many.iter().map(|(id, _)| id.to_string()).collect();
                binding.refuse(
                    "ambiguous-name",
                    self.key,
                    format!("{} is there {} times: {}", (self.what)(), ids.len(), ids.join(", ")),
                    format!("bind one by the annotation `{}`", crate::names::ANNOTATION_ID),
                );
                return Bound::Stuck;
            }
        }
        if let Some(why) = elsewhere {
            return self.uncertain(binding, why);
        }
        if self.adoption == AdoptionPolicy::Adopt {
            binding.refuse(
                "missing",
                self.key,
                format!("{} is not there, and `adoptionPolicy` is `Adopt`", (self.what)()),
                "set `adoptionPolicy: AdoptOrCreate` to create it",
            );
            return Bound::Stuck;
        }
        Bound::Create
    }

    fn uncertain(&self, binding: &mut Binding, why: Partial) -> Bound<Id> {
        let why = why.so(&format!("{} cannot be told for certain", (self.what)()));
        binding.refusals.push(why.refusal(self.key, "nothing is created or taken over from a partial reading"));
        Bound::Stuck
    }
}

/// Finds the AWS object of every declared object.
#[must_use]
pub fn bind(desired: &Desired, observed: &Observed) -> Binding {
    let mut binding = Binding::default();
    bind_units(desired, observed, &mut binding);
    bind_accounts(desired, observed, &mut binding);
    bind_policies(desired, observed, &mut binding);
    refuse_shared(&mut binding);
    super::renamed::refuse_renamed(desired, observed, &mut binding);
    // Only now, so that one of two that mean the same account is not taken for the only one.
    for (name, account) in &desired.accounts {
        if binding.is_stuck(&account.spec.parent) {
            binding.accounts.insert(name.clone(), Bound::Stuck);
        }
    }
    let nodes =
        binding
            .units
            .iter()
            .filter_map(|(name, bound)| Some((NodeId::Unit(bound.id()?.clone()), NodeKey::Unit(name.clone()))))
            .chain(binding.accounts.iter().filter_map(|(name, bound)| {
                Some((NodeId::Account(bound.id()?.clone()), NodeKey::Account(name.clone())))
            }))
            .chain(std::iter::once((observed.root_node(), NodeKey::Root)))
            .collect();
    binding.node_objects = nodes;
    binding.policy_objects =
        binding.policies.iter().filter_map(|(name, bound)| Some((bound.id()?.clone(), name.clone()))).collect();
    binding
}

/// Two objects bound to one AWS object: neither may act on it.
fn refuse_shared(binding: &mut Binding) {
    fn shared<Id: Ord + Clone + std::fmt::Display>(bounds: &BTreeMap<Box<str>, Bound<Id>>) -> Vec<(Vec<Box<str>>, Id)> {
        let mut by_id: Vec<(&Id, &Box<str>)> =
            bounds.iter().filter_map(|(name, bound)| Some((bound.id()?, name))).collect();
        by_id.sort();
        let same = by_id.chunk_by(|(a, _), (b, _)| a == b).filter(|same| same.len() > 1);
        same.filter_map(|same| {
            let id = (*same.first()?.0).clone();
            Some((same.iter().map(|(_, name)| (*name).clone()).collect(), id))
        })
        .collect()
    }
    let mut all: Vec<(Kind, Vec<Box<str>>, String)> = Vec::new();
    all.extend(shared(&binding.units).into_iter().map(|(n, id)| (Kind::OrganizationalUnit, n, id.to_string())));
    all.extend(shared(&binding.accounts).into_iter().map(|(n, id)| (Kind::Account, n, id.to_string())));
    all.extend(shared(&binding.policies).into_iter().map(|(n, id)| (Kind::OrganizationPolicy, n, id.to_string())));
    for (kind, names, id) in all {
        for name in &names {
            match kind {
                Kind::OrganizationalUnit => drop(binding.units.insert(name.clone(), Bound::Stuck)),
                Kind::Account => drop(binding.accounts.insert(name.clone(), Bound::Stuck)),
                _ => drop(binding.policies.insert(name.clone(), Bound::Stuck)),
            }
            let others: Vec<&str> = names.iter().filter(|n| *n != name).map(|n| &**n).collect();
            binding.refuse(
                "shared",
                &ObjectKey::new(kind, name),
                format!("`{id}` is also what `{kind}/{}` is bound to", others.join("`, `")),
                "keep one of the objects",
            );
        }
    }
}

fn bind_units(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let tagged = LazyCell::new(|| Tagged::of(observed.units.iter().map(|(id, unit)| (id, &unit.tags))));
    let mut by_place: BTreeMap<(&NodeId, &str), Vec<&UnitId>> = BTreeMap::new();
    for (id, unit) in &observed.units {
        by_place.entry((&unit.parent, &unit.name)).or_default().push(id);
    }
    for name in parents_first(desired) {
        let Some(unit) = desired.units.get(&name) else { continue };
        let parent = binding.node(&unit.spec.parent, observed);
        let bound = if binding.is_stuck(&unit.spec.parent) {
            Bound::Stuck
        } else {
            let gap = observed.gaps.iter().find(|gap| matches!(gap.scope, Scope::UnitsBelow(_))).map(Partial::gap);
            let by_name = || {
                let there = parent.as_ref().and_then(|parent| by_place.get(&(parent, unit.spec.name.as_str())));
                let held = |id: &&UnitId| ((*id).clone(), Holder::of(id, observed.units.get(*id).map(|u| &u.tags)));
                there.into_iter().flatten().map(held).collect()
            };
            Search {
                key: &unit.key,
                by_id: declared_id(unit, |id: &UnitId| observed.units.contains_key(id)),
                tagged: &tagged,
                by_name: &by_name,
                adoption: unit.spec.adoption,
                gap,
                unique: false,
                what: &|| format!("an OU named `{}` below {}", unit.spec.name, unit.spec.parent),
            }
            .run(binding)
        };
        let bound = refuse_moved_unit(unit, bound, parent.as_ref(), observed, binding);
        binding.units.insert(name, bound);
    }
}

/// AWS has no call that moves an OU, and making a new one would leave accounts and policies behind.
fn refuse_moved_unit(
    unit: &Declared<model::Unit>,
    bound: Bound<UnitId>,
    parent: Option<&NodeId>,
    observed: &Observed,
    binding: &mut Binding,
) -> Bound<UnitId> {
    let Some(found) = bound.id().and_then(|id| observed.units.get(id)) else { return bound };
    if Some(&found.parent) == parent {
        return bound;
    }
    binding.refuse(
        "move-unit",
        &unit.key,
        format!(
            "the OU is below `{}` in AWS and below {} in the manifest; AWS cannot move an OU",
            observed.name(&found.parent),
            unit.spec.parent
        ),
        "declare a new OU there, move its accounts and policies over, then delete the old one",
    );
    Bound::Stuck
}

/// OU object names so that a parent comes before its children. The tree has no cycles.
#[must_use]
pub fn parents_first(desired: &Desired) -> Vec<Box<str>> {
    let depth = |name: &str| {
        let mut depth = 0;
        let mut at = desired.units.get(name);
        while let Some(unit) = at {
            depth += 1;
            at = match &unit.spec.parent {
                NodeKey::Unit(parent) if depth < 64 => desired.units.get(parent),
                _ => None,
            };
        }
        depth
    };
    let mut names: Vec<(usize, &Box<str>)> = desired.units.keys().map(|name| (depth(name), name)).collect();
    names.sort();
    names.into_iter().map(|(_, name)| name.clone()).collect()
}

/// The id that an object is bound to, if it is there.
fn declared_id<T, Id: std::str::FromStr>(
    object: &Declared<T>,
    exists: impl Fn(&Id) -> bool,
) -> Option<Result<Id, Miss>> {
    let text = object.id.as_ref()?;
    Some(match text.parse::<Id>() {
        Ok(id) if exists(&id) => Ok(id),
        Ok(_) => Err(Miss::Gone),
        Err(_) => Err(Miss::Malformed(format!("`{text}` is not an id of a {}", object.key.kind))),
    })
}

fn bind_accounts(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let tagged = LazyCell::new(|| Tagged::of(observed.accounts.iter().map(|(id, account)| (id, &account.tags))));
    let by_email = LazyCell::new(|| {
        let mut by_email: HashMap<String, Vec<&AccountId>> = HashMap::new();
        for (id, account) in &observed.accounts {
            by_email.entry(account.email.to_lowercase()).or_default().push(id);
        }
        by_email
    });
    let gap = observed.gaps.iter().find(|gap| gap.scope == Scope::Accounts);
    for (name, account) in &desired.accounts {
        let spec = &account.spec;
        let by_id = match &spec.account_id {
            Some(id) if observed.accounts.contains_key(id) => Some(Ok(id.clone())),
            Some(id) => Some(Err(Miss::Final(format!("account `{id}` is not in the organization")))),
            None => declared_id(account, |id| observed.accounts.contains_key(id)).map(|found| {
                found.map_err(|miss| match miss {
                    Miss::Gone => Miss::Final("the account it is bound to is not in the organization".into()),
                    miss => miss,
                })
            }),
        };
        let by_name = || {
            let there = spec.email.as_ref().and_then(|email| by_email.get(&email.to_lowercase()));
            let held = |id: &&AccountId| ((*id).clone(), Holder::of(id, observed.accounts.get(*id).map(|a| &a.tags)));
            there.into_iter().flatten().map(held).collect()
        };
        let bound = Search {
            key: &account.key,
            by_id,
            tagged: &tagged,
            by_name: &by_name,
            adoption: AdoptionPolicy::AdoptOrCreate,
            gap: gap.map(Partial::gap),
            unique: true,
            what: &|| match (&spec.account_id, &spec.email) {
                (Some(id), _) => format!("account `{id}`"),
                (None, email) => format!("an account with the e-mail `{}`", email.as_deref().unwrap_or("?")),
            },
        }
        .run(binding);
        let bound = refuse_inactive(account, bound, observed, binding);
        binding.accounts.insert(name.clone(), bound);
    }
}

/// AWS changes nothing in an account that is suspended, closed or not yet active.
fn refuse_inactive(
    account: &Declared<model::Account>,
    bound: Bound<AccountId>,
    observed: &Observed,
    binding: &mut Binding,
) -> Bound<AccountId> {
    let Some((id, found)) = bound.id().and_then(|id| Some((id, observed.accounts.get(id)?))) else { return bound };
    if found.state == AccountState::Active {
        return bound;
    }
    let state = serde_json::to_value(found.state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    binding.refuse(
        "account-inactive",
        &account.key,
        format!("account `{id}` is `{state}`: nothing in it can be changed"),
        "reopen it through AWS Support, or take the object out of the manifests",
    );
    Bound::Stuck
}

fn bind_policies(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let own = || observed.policies.iter().filter(|(_, policy)| !policy.aws_managed);
    let tagged = LazyCell::new(|| Tagged::of(own().map(|(id, policy)| (id, &policy.tags))));
    let mut by_name: BTreeMap<(&str, &str), Vec<&PolicyId>> = BTreeMap::new();
    for (id, policy) in own() {
        by_name.entry((policy.kind.as_str(), &policy.name)).or_default().push(id);
    }
    for (name, policy) in &desired.policies {
        let spec = &policy.spec;
        let gap = observed.gaps.iter().find(|gap| gap.scope == Scope::Policies(spec.kind.clone())).map(Partial::gap);
        let unlisted = || Partial::of(&format!("the list of policies of type `{}`", spec.kind), Unknown::Unread);
        let gap = gap.or_else(|| (!observed.listed_types.contains(&spec.kind)).then(unlisted));
        let candidates = || {
            let there = by_name.get(&(spec.kind.as_str(), spec.name.as_str()));
            let held = |id: &&PolicyId| ((*id).clone(), Holder::of(id, observed.policies.get(*id).map(|p| &p.tags)));
            there.into_iter().flatten().map(held).collect()
        };
        let bound = Search {
            key: &policy.key,
            by_id: declared_id(policy, |id| observed.policies.contains_key(id)),
            tagged: &tagged,
            by_name: &candidates,
            adoption: spec.adoption,
            gap,
            unique: false,
            what: &|| format!("a {} named `{}`", spec.kind, spec.name),
        }
        .run(binding);
        binding.policies.insert(name.clone(), bound);
    }
}
