//! Identity: which AWS object each declared object is. By id, then by bylaw's tag, then by name as its adoption policy
//! allows (design section 3). What cannot be told apart is refused, never guessed.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;

use super::model::Refusal;
use super::owner;
use super::partial::Partial;
use crate::api::common::AdoptionPolicy;
use crate::aws::port::AccountState;
use crate::desired::{Broken, Declared, Desired, NodeKey, model};
use crate::names::{
    ANNOTATION_TAKE_OVER, AccountId, Kind, NodeId, ObjectKey, PolicyId, TAG_MANAGED_BY, TAG_RESOURCE, Tags, UnitId,
};
use crate::observed::{Observed, Part, Scope, Unknown};

/// What a declared object is in AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound<Id> {
    /// It is this one. `adopt`: it does not carry bylaw's tags, which are to be written.
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
    /// Stuck objects that claim what is another declared object's: nothing in AWS is theirs.
    pub newcomers: BTreeSet<ObjectKey>,
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

    pub(super) fn stick(&mut self, key: &ObjectKey) {
        let name = key.name.clone();
        match key.kind {
            Kind::Organization => {}
            Kind::OrganizationalUnit => drop(self.units.insert(name, Bound::Stuck)),
            Kind::Account => drop(self.accounts.insert(name, Bound::Stuck)),
            Kind::OrganizationPolicy => drop(self.policies.insert(name, Bound::Stuck)),
        }
    }

    /// Whether a node is that of a [newcomer](Self::newcomers).
    #[must_use]
    pub fn is_newcomer(&self, node: &NodeKey) -> bool {
        node.object().is_some_and(|key| self.newcomers.contains(&key))
    }

    pub(super) fn refuse(
        &mut self,
        rule: &'static str,
        object: &ObjectKey,
        message: String,
        remedy: impl Into<String>,
    ) {
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

/// Candidates of one kind, indexed by the tag: those of this Organization object, and those that another one manages.
struct Tagged<'a, Id> {
    ours: HashMap<&'a str, Vec<&'a Id>>,
    others: HashMap<&'a str, Vec<&'a Id>>,
    unreadable: Option<Partial>,
}

impl<'a, Id: std::fmt::Display> Tagged<'a, Id> {
    fn of(desired: &Desired, items: impl Iterator<Item = (&'a Id, &'a Part<Tags>)>) -> Self {
        let mut found = Self { ours: HashMap::new(), others: HashMap::new(), unreadable: None };
        for (id, tags) in items {
            match tags {
                Part::Known { value, .. } => {
                    if let Some(tag) = value.get(TAG_RESOURCE) {
                        let foreign = manager(value).is_some_and(|name| name != &*desired.organization.key.name);
                        let by_tag = if foreign { &mut found.others } else { &mut found.ours };
                        by_tag.entry(tag).or_default().push(id);
                    }
                }
                lost => found.unreadable = Partial::part(&tags_of(id), lost),
            }
        }
        found
    }
}

/// The Organization object that the tags say manages an AWS object.
pub(super) fn manager(tags: &Tags) -> Option<&str> {
    tags.get(TAG_MANAGED_BY)
}

/// How one object is looked for: what the three kinds have in common.
struct Search<'a, 't, Id> {
    desired: &'a Desired,
    key: &'a ObjectKey,
    /// Annotation `bylaw.dev/take-over` of the object.
    take_over: Option<&'a str>,
    tags: &'a dyn Fn(&Id) -> Option<&'a Part<Tags>>,
    by_id: Option<Result<Id, Miss>>,
    /// Gone through only for what has no id yet: in the controller that is nothing as a rule.
    tagged: &'a dyn Deref<Target = Tagged<'t, Id>>,
    /// Asked only of what nothing else tells.
    by_name: &'a dyn Fn() -> Vec<Id>,
    adoption: AdoptionPolicy,
    /// What to do where adoption is not wanted and the name is in use, besides adopting.
    instead: &'a dyn Fn(&Id) -> String,
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

/// Whom an AWS object belongs to, as its tags say.
enum Holder {
    Nobody,
    /// An object of this Organization object.
    Object(String),
    /// Another Organization object.
    Other(String),
    /// Its tags could not be read.
    Unreadable(Partial),
}

fn tags_of(id: &impl std::fmt::Display) -> String {
    format!("the tags of `{id}`")
}

impl<Id: Clone + PartialEq + std::fmt::Display> Search<'_, '_, Id> {
    fn run(self, binding: &mut Binding) -> Bound<Id> {
        let found = |id: Id, adopt: bool| Bound::Found { id, adopt };
        match self.by_id.clone() {
            Some(Ok(id)) => return self.of_id(binding, id),
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
        let key = self.key.to_string();
        let mut tagged = self.tagged.ours.get(key.as_str()).cloned().unwrap_or_default();
        if tagged.is_empty() && self.word().is_some() {
            // What another manages is found by its tag only where a person said to take it over.
            let others = self.tagged.others.get(key.as_str()).into_iter().flatten().copied();
            tagged = others.filter(|id| matches!(self.holder(id), Holder::Other(of) if self.takes_over(&of))).collect();
        }
        match tagged.as_slice() {
            [id] => return self.of_id(binding, (*id).clone()),
            many if many.len() > 1 => {
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
            [id] => {
                return match self.holder(id) {
                    Holder::Unreadable(why) => self.uncertain(binding, why),
                    Holder::Other(other) => self.of_other(binding, id.clone(), &other),
                    Holder::Object(other) => self.taken(binding, id, &other),
                    Holder::Nobody if self.broken_owner(id).is_some() => {
                        self.taken(binding, id, &self.broken_owner(id).unwrap_or_default())
                    }
                    Holder::Nobody if self.adoption == AdoptionPolicy::Create => {
                        binding.refuse(
                            "exists",
                            self.key,
                            format!("{} exists already (`{id}`), and `adoptionPolicy` is `Create`", (self.what)()),
                            format!("set `adoptionPolicy: AdoptOrCreate` to take it over, or {}", (self.instead)(id)),
                        );
                        Bound::Stuck
                    }
                    Holder::Nobody => found(id.clone(), true),
                };
            }
            many => {
                let ids: Vec<String> = many.iter().map(ToString::to_string).collect();
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

    fn holder(&self, id: &Id) -> Holder {
        match (self.tags)(id) {
            Some(Part::Known { value, .. }) => match manager(value) {
                Some(other) if other != &*self.desired.organization.key.name => Holder::Other(other.to_owned()),
                _ => value.get(TAG_RESOURCE).map_or(Holder::Nobody, |object| Holder::Object(object.to_owned())),
            },
            lost => {
                let unknown = lost.and_then(Part::unknown).unwrap_or(Unknown::Unread);
                Holder::Unreadable(Partial::of(&tags_of(id), unknown))
            }
        }
    }

    /// What the object's own id or tag leads to.
    fn of_id(&self, binding: &mut Binding, id: Id) -> Bound<Id> {
        let key = self.key.to_string();
        match self.holder(&id) {
            Holder::Unreadable(why) => self.uncertain(binding, why),
            Holder::Other(other) => self.of_other(binding, id, &other),
            Holder::Object(object) if object == key => Bound::Found { id, adopt: false },
            // An id in a manifest is no more than a word; the tag was written by whoever had it before.
            Holder::Object(object) if object.parse().is_ok_and(|other| self.desired.is_declared(&other)) => {
                self.taken(binding, &id, &object)
            }
            Holder::Object(_) | Holder::Nobody => match self.broken_owner(&id) {
                Some(other) => self.taken(binding, &id, &other),
                None => Bound::Found { id, adopt: true },
            },
        }
    }

    /// The object with errors that is bound to the id.
    fn broken_owner(&self, id: &Id) -> Option<String> {
        let id = id.to_string();
        let bound = |broken: &&Broken| broken.id.as_deref() == Some(id.as_str());
        let keys = self.desired.broken.iter().filter(bound).filter_map(|broken| broken.key.as_ref());
        keys.filter(|key| key.kind == self.key.kind && *key != self.key).map(ToString::to_string).next()
    }

    /// What the object, or else its Organization, says in `bylaw.dev/take-over`.
    fn word(&self) -> Option<&str> {
        self.take_over.or(self.desired.organization.take_over.as_deref())
    }

    fn takes_over(&self, other: &str) -> bool {
        self.word().is_some_and(|word| word == "true" || word == other)
    }

    fn taken(&self, binding: &mut Binding, id: &Id, other: &str) -> Bound<Id> {
        if other.parse().is_ok_and(|other| self.desired.is_declared(&other)) {
            binding.newcomers.insert(self.key.clone());
            binding.refuse(
                "shared",
                self.key,
                format!("{} is there (`{id}`) and belongs to `{other}`, which is declared too", (self.what)()),
                "remove this object, or let it declare something else",
            );
            return Bound::Stuck;
        }
        binding.refuse(
            "taken",
            self.key,
            format!("{} exists already (`{id}`) and belongs to `{other}`", (self.what)()),
            "give another name, or remove the other object and its tag first",
        );
        Bound::Stuck
    }

    /// What another Organization object manages, whether or not that one is at work: no second writer without a person's
    /// word.
    fn of_other(&self, binding: &mut Binding, id: Id, other: &str) -> Bound<Id> {
        if self.takes_over(other) {
            return Bound::Found { id, adopt: true };
        }
        binding.refuse(
            "managed-by-another",
            self.key,
            format!("`{id}` is managed by the Organization object `{other}`, as its tag `{TAG_MANAGED_BY}` says"),
            format!(
                "let that one go on with it, or say with the annotation `{ANNOTATION_TAKE_OVER}: {other}` that this object takes it over"
            ),
        );
        Bound::Stuck
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
    owner::settle(desired, observed, &mut binding);
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

fn bind_units(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let tagged = LazyCell::new(|| Tagged::of(desired, observed.units.iter().map(|(id, unit)| (id, &unit.tags))));
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
                there.into_iter().flatten().map(|id| (*id).clone()).collect()
            };
            Search {
                desired,
                key: &unit.key,
                take_over: unit.take_over.as_deref(),
                tags: &|id| observed.units.get(id).map(|unit| &unit.tags),
                instead: &|_| "give another name".to_owned(),
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

/// Rule that refuses an OU whose parent was changed.
pub(super) const MOVED: &str = "move-unit";

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
        MOVED,
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

/// Fewest ids by which manifests show themselves as those of another organization.
const FEWEST_FOREIGN: usize = 3;

/// Why the manifests must be those of another organization, in words: they name ids of AWS, and not one of them is there.
/// `None`: one is there, too few are named, or not all was read that could hold them.
#[must_use]
pub fn foreign_ids(desired: &Desired, observed: &Observed) -> Option<String> {
    if !observed.gaps.is_empty() {
        return None;
    }
    let accounts = desired.accounts.values().filter_map(|account| {
        let declared = account.spec.account_id.as_ref().map(AccountId::as_str).or(account.id.as_deref())?;
        let there = declared.parse().is_ok_and(|id: AccountId| observed.accounts.contains_key(&id));
        Some((declared, there))
    });
    let units = desired.units.values().filter_map(|unit| {
        let id = unit.id.as_deref()?;
        Some((id, id.parse().is_ok_and(|id: UnitId| observed.units.contains_key(&id))))
    });
    let policies = desired.policies.values().filter_map(|policy| {
        let id = policy.id.as_deref().filter(|_| observed.listed_types.contains(&policy.spec.kind))?;
        Some((id, id.parse().is_ok_and(|id: PolicyId| observed.policies.contains_key(&id))))
    });
    let mut named = vec![];
    for (id, there) in accounts.chain(units).chain(policies) {
        if there {
            return None;
        }
        named.push(id);
    }
    let first = named.first().filter(|_| named.len() >= FEWEST_FOREIGN)?;
    Some(format!("none of the {} ids that they name (`{first}` is one) is there", named.len()))
}

fn bind_accounts(desired: &Desired, observed: &Observed, binding: &mut Binding) {
    let tagged =
        LazyCell::new(|| Tagged::of(desired, observed.accounts.iter().map(|(id, account)| (id, &account.tags))));
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
        // It is only named, and never changed.
        let management = &observed.organization.management_account;
        if spec.account_id.as_ref() == Some(management) && observed.accounts.contains_key(management) {
            binding.accounts.insert(name.clone(), Bound::Found { id: management.clone(), adopt: false });
            continue;
        }
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
            there.into_iter().flatten().map(|id| (*id).clone()).collect()
        };
        let bound = Search {
            desired,
            key: &account.key,
            take_over: account.take_over.as_deref(),
            tags: &|id| observed.accounts.get(id).map(|account| &account.tags),
            instead: &|id| format!("declare `accountId: \"{id}\"`, or give another e-mail"),
            by_id,
            tagged: &tagged,
            by_name: &by_name,
            adoption: spec.adoption,
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
    let tagged = LazyCell::new(|| Tagged::of(desired, own().map(|(id, policy)| (id, &policy.tags))));
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
            there.into_iter().flatten().map(|id| (*id).clone()).collect()
        };
        let bound = Search {
            desired,
            key: &policy.key,
            take_over: policy.take_over.as_deref(),
            tags: &|id| observed.policies.get(id).map(|policy| &policy.tags),
            instead: &|_| "give another name".to_owned(),
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
