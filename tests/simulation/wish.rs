//! What a person declares, drawn at random and edited at random, always valid.

mod render;

use std::collections::{BTreeMap, BTreeSet};

use bylaw::api::organization::{Ignore, Limits, MaxAffected};
use bylaw::api::{AdoptionPolicy, BaseAccess, Mode};
use bylaw::aws::dice::Dice;
use bylaw::desired::NodeKey;
use bylaw::names::{AccountId, Kind, PolicyType};

pub const MANAGEMENT: &str = "111111111111";
pub const UNIT_NAMES: [&str; 6] = ["Prod", "Dev", "Security", "Workloads", "Sandbox", "Old"];
const ACTIONS: [&str; 6] =
    ["s3:DeleteBucket", "s3:PutBucketPolicy", "kms:DisableKey", "sts:AssumeRole", "s3:*", "ec2:RunInstances"];

pub fn kind(index: usize) -> PolicyType {
    match index {
        0 => PolicyType::scp(),
        1 => PolicyType::rcp(),
        _ => PolicyType::new("TAG_POLICY"),
    }
}

/// A document: for statement types each bit of `mask` is a deny, and `allow` is nothing, everything or a list.
pub fn text(kind: usize, mask: u8, allow: u8) -> String {
    if kind == 2 {
        return format!(r#"{{"tags":{{"Owner":{{"tag_value":{{"@@assign":["v{mask}"]}}}}}}}}"#);
    }
    let principal = if kind == 1 { r#""Principal":"*","# } else { "" };
    let mask = if mask == 0 && (allow == 0 || kind == 1) { 1 } else { mask };
    let mut statements = vec![];
    for (bit, action) in ACTIONS.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0) {
        let condition = if bit == 5 { r#","Condition":{"Bool":{"aws:SecureTransport":"false"}}"# } else { "" };
        // RCPs reach only some services.
        let action = if kind == 1 && bit == 5 { "sqs:SendMessage" } else { action };
        statements.push(format!(r#"{{"Effect":"Deny",{principal}"Action":"{action}","Resource":"*"{condition}}}"#));
    }
    if kind == 0 {
        match allow {
            1 => statements.push(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#.into()),
            2 => statements.push(r#"{"Effect":"Allow","Action":["s3:*","ec2:*"],"Resource":"*"}"#.into()),
            _ => {}
        }
    }
    format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","))
}

#[derive(Debug, Clone)]
pub struct WishUnit {
    pub name: String,
    pub parent: Option<usize>,
    pub exclusive: bool,
    pub base: Option<BaseAccess>,
    pub adoption: AdoptionPolicy,
    pub delete: bool,
    pub suspend: bool,
    pub tag: Option<u8>,
    /// Value of the label that selectors look at.
    pub label: u8,
}

#[derive(Debug, Clone)]
pub struct WishAccount {
    pub id: Option<AccountId>,
    pub name: String,
    pub parent: Option<usize>,
    pub base: Option<BaseAccess>,
    pub close: bool,
    pub suspend: bool,
    /// One bit for each kind of alternate contact.
    pub contacts: u8,
    pub administers: bool,
    pub tag: Option<u8>,
    /// Value of the label that selectors look at.
    pub label: u8,
}

#[derive(Debug, Clone)]
pub struct WishPolicy {
    pub kind: usize,
    pub name: String,
    pub mask: u8,
    pub allow: u8,
    pub targets: BTreeSet<NodeKey>,
    /// Everything with this label is a target as well.
    pub selects: Option<u8>,
    pub excluding: BTreeSet<NodeKey>,
    pub adoption: AdoptionPolicy,
    pub delete: bool,
    pub suspend: bool,
    pub tag: Option<u8>,
}

/// The manifests, before they are rendered.
#[derive(Debug, Clone)]
pub struct Wish {
    pub units: BTreeMap<usize, WishUnit>,
    pub accounts: BTreeMap<usize, WishAccount>,
    pub policies: BTreeMap<usize, WishPolicy>,
    pub broken: Vec<(Kind, String)>,
    pub exclusive: bool,
    pub base: Option<BaseAccess>,
    pub limits: Limits,
    pub mode: Mode,
    pub suspend: bool,
    pub ignore: Ignore,
    /// One bit for each of [`SERVICES`].
    pub services: u8,
    /// Which delegation policy, if any.
    pub delegation: Option<u8>,
}

/// Services that are trusted, and the one that has administrators.
pub const SERVICES: [&str; 3] = ["guardduty.amazonaws.com", "sso.amazonaws.com", "config.amazonaws.com"];

pub fn wide() -> Limits {
    Limits {
        max_creates: 1000,
        max_deletes: 1000,
        max_moves: 1000,
        max_detaches: 1000,
        max_updates: 1000,
        max_tags: 1000,
        max_affected: MaxAffected { accounts: 1000, percent: 100 },
    }
}

fn some<T>(dice: &mut Dice, chance: f64, make: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    dice.chance(chance).then(|| make(dice))
}

fn base(dice: &mut Dice) -> BaseAccess {
    if dice.chance(0.8) { BaseAccess::Full } else { BaseAccess::AllowList }
}

fn label(dice: &mut Dice) -> u8 {
    u8::try_from(dice.below(4)).unwrap()
}

fn contacts(dice: &mut Dice) -> u8 {
    if dice.chance(0.15) { u8::try_from(dice.below(8)).unwrap() } else { 0 }
}

fn adoption(dice: &mut Dice) -> AdoptionPolicy {
    match dice.below(30) {
        0 => AdoptionPolicy::Adopt,
        1 => AdoptionPolicy::Create,
        _ => AdoptionPolicy::AdoptOrCreate,
    }
}

impl Wish {
    pub fn random(dice: &mut Dice, known: &[AccountId]) -> Self {
        let mut wish = Self {
            units: BTreeMap::new(),
            accounts: BTreeMap::new(),
            policies: BTreeMap::new(),
            broken: vec![],
            exclusive: dice.chance(0.2),
            base: some(dice, 0.2, base),
            limits: wide(),
            mode: Mode::Enforce,
            suspend: false,
            ignore: Ignore::default(),
            services: if dice.chance(0.2) { u8::try_from(dice.below(8)).unwrap() } else { 0 },
            delegation: some(dice, 0.1, |dice| u8::try_from(dice.below(3)).unwrap()),
        };
        // Most that goes wrong goes wrong among few.
        let size = [3, 4, 6][dice.below(3)];
        for _ in 0..dice.below(size) {
            wish.add_unit(dice);
        }
        for _ in 0..dice.below(size) {
            wish.add_account(dice, known);
        }
        for _ in 0..dice.below(size) {
            wish.add_policy(dice);
        }
        wish.draw_limits(dice);
        if dice.chance(0.15) {
            wish.ignore.organizational_units.push(UNIT_NAMES[dice.below(6)].into());
        }
        if dice.chance(0.1) {
            wish.ignore.policies.push("pol1*".into());
        }
        if dice.chance(0.05) {
            wish.ignore.accounts.push(["acc1*", "*222210"][dice.below(2)].into());
        }
        if dice.chance(0.05) {
            wish.ignore.tags.push("team*".into());
        }
        wish
    }

    fn draw_limits(&mut self, dice: &mut Dice) {
        self.limits = wide();
        if dice.chance(0.4) {
            let few = |dice: &mut Dice| u32::try_from(dice.below(4)).unwrap();
            self.limits.max_creates = few(dice) * 2;
            self.limits.max_deletes = few(dice);
            self.limits.max_moves = few(dice);
            self.limits.max_detaches = few(dice);
            self.limits.max_updates = few(dice);
            self.limits.max_tags = few(dice) * 2;
            self.limits.max_affected.accounts = few(dice);
        }
    }

    fn some_unit(&self, dice: &mut Dice) -> Option<usize> {
        if dice.chance(0.3) { None } else { dice.pick(self.units.keys()).copied() }
    }

    fn depth(&self, unit: Option<usize>) -> usize {
        unit.map_or(0, |unit| 1 + self.depth(self.units[&unit].parent))
    }

    fn is_free(&self, parent: Option<usize>, name: &str) -> bool {
        !self.units.values().any(|unit| unit.parent == parent && unit.name == name)
    }

    fn add_unit(&mut self, dice: &mut Dice) {
        let parent = self.some_unit(dice).filter(|unit| self.depth(Some(*unit)) < 3);
        let name = UNIT_NAMES[dice.below(6)].to_owned();
        let index = dice.below(7);
        if self.units.contains_key(&index) || !self.is_free(parent, &name) {
            return;
        }
        let unit = WishUnit {
            name,
            parent,
            exclusive: dice.chance(0.25),
            base: some(dice, 0.15, base),
            adoption: adoption(dice),
            delete: dice.chance(0.5),
            suspend: dice.chance(0.05),
            tag: some(dice, 0.3, |dice| u8::try_from(dice.below(3)).unwrap()),
            label: label(dice),
        };
        self.units.insert(index, unit);
    }

    fn add_account(&mut self, dice: &mut Dice, known: &[AccountId]) {
        let index = dice.below(8);
        if self.accounts.contains_key(&index) {
            return;
        }
        let id = some(dice, 0.2, |dice| dice.pick(known.iter()).cloned()).flatten();
        let id = id.filter(|id| self.accounts.values().all(|account| account.id.as_ref() != Some(id)));
        let account = WishAccount {
            id,
            name: format!("acc{}", dice.below(5)),
            parent: self.some_unit(dice),
            base: some(dice, 0.08, base),
            close: dice.chance(0.3),
            suspend: dice.chance(0.05),
            contacts: contacts(dice),
            administers: dice.chance(0.1),
            tag: some(dice, 0.3, |dice| u8::try_from(dice.below(3)).unwrap()),
            label: label(dice),
        };
        self.accounts.insert(index, account);
    }

    fn some_node(&self, dice: &mut Dice) -> NodeKey {
        let mut nodes = vec![NodeKey::Root];
        nodes.extend(self.units.keys().map(|unit| NodeKey::Unit(format!("u{unit}").into())));
        nodes.extend(self.accounts.keys().map(|account| NodeKey::Account(format!("a{account}").into())));
        nodes.swap_remove(dice.below(nodes.len()))
    }

    fn draw_content(dice: &mut Dice) -> (u8, u8) {
        let mask = u8::try_from(dice.below(64)).unwrap() & u8::try_from(dice.below(64)).unwrap();
        (mask, [0, 0, 0, 1, 2][dice.below(5)])
    }

    fn add_policy(&mut self, dice: &mut Dice) {
        let index = dice.below(7);
        if self.policies.contains_key(&index) {
            return;
        }
        let (mask, allow) = Self::draw_content(dice);
        let policy = WishPolicy {
            // Few enough of each that the slots suffice where nobody else takes any.
            kind: [0, 0, 0, 0, 0, 1, 2][index],
            name: format!("pol{index}"),
            mask,
            allow,
            targets: (0..dice.below(4)).map(|_| self.some_node(dice)).collect(),
            selects: some(dice, 0.2, label),
            excluding: (0..usize::from(dice.chance(0.2))).map(|_| self.some_node(dice)).collect(),
            adoption: adoption(dice),
            delete: dice.chance(0.5),
            suspend: dice.chance(0.05),
            tag: some(dice, 0.3, |dice| u8::try_from(dice.below(3)).unwrap()),
        };
        self.policies.insert(index, policy);
        self.broken.retain(|(_, name)| *name != format!("p{index}"));
    }

    /// One to four edits, as a commit has them.
    pub fn edit(&mut self, dice: &mut Dice, known: &[AccountId]) {
        self.broken.clear();
        self.mode = if dice.chance(0.04) { Mode::Observe } else { Mode::Enforce };
        self.suspend = dice.chance(0.03);
        for _ in 0..1 + dice.below(4) {
            self.one_edit(dice, known);
        }
        if dice.chance(0.2) {
            self.draw_limits(dice);
        }
    }

    fn one_edit(&mut self, dice: &mut Dice, known: &[AccountId]) {
        match dice.below(20) {
            0 => self.add_unit(dice),
            1 => self.add_account(dice, known),
            2 | 3 => self.add_policy(dice),
            4 => {
                if let Some(unit) = dice.pick(self.units.keys()).copied() {
                    self.remove_unit(unit);
                }
            }
            5 => {
                if let Some(index) = dice.pick(self.accounts.keys()).copied() {
                    self.accounts.remove(&index);
                }
            }
            6 => {
                if let Some(index) = dice.pick(self.policies.keys()).copied() {
                    let gone = self.policies.remove(&index);
                    // Unreadable rather than gone.
                    if dice.chance(0.3) && gone.is_some() {
                        self.broken.push((Kind::OrganizationPolicy, format!("p{index}")));
                    }
                }
            }
            7 => {
                let name = UNIT_NAMES[dice.below(6)];
                if let Some(index) = dice.pick(self.units.keys()).copied()
                    && self.is_free(self.units[&index].parent, name)
                {
                    self.units.get_mut(&index).unwrap().name = name.into();
                }
            }
            8 | 9 => {
                let parent = self.some_unit(dice);
                if let Some(index) = dice.pick(self.accounts.keys()).copied() {
                    self.accounts.get_mut(&index).unwrap().parent = parent;
                }
            }
            10 => {
                let (mask, allow) = Self::draw_content(dice);
                if let Some(index) = dice.pick(self.policies.keys()).copied() {
                    let policy = self.policies.get_mut(&index).unwrap();
                    (policy.mask, policy.allow) = (mask, allow);
                }
            }
            // Statements change places between two policies, or one goes over.
            11 => {
                let (a, b) = (dice.pick(self.policies.keys()).copied(), dice.pick(self.policies.keys()).copied());
                let (Some(a), Some(b)) = (a, b) else { return };
                let (of_a, of_b) = (self.policies[&a].mask, self.policies[&b].mask);
                self.policies.get_mut(&b).unwrap().mask |= of_a;
                self.policies.get_mut(&a).unwrap().mask = if dice.chance(0.5) { of_b } else { of_a & 1 };
            }
            12 | 13 => {
                let node = self.some_node(dice);
                if let Some(index) = dice.pick(self.policies.keys()).copied() {
                    let targets = &mut self.policies.get_mut(&index).unwrap().targets;
                    if dice.chance(0.5) {
                        targets.clear();
                    }
                    targets.insert(node);
                }
            }
            14 => {
                let node = self.some_node(dice);
                if let Some(index) = dice.pick(self.policies.keys()).copied() {
                    let policy = self.policies.get_mut(&index).unwrap();
                    policy.excluding = BTreeSet::from([node]);
                    policy.name = format!("pol{index}-{}", dice.below(2));
                }
            }
            15 => {
                if let Some(index) = dice.pick(self.units.keys()).copied() {
                    let unit = self.units.get_mut(&index).unwrap();
                    unit.exclusive = dice.chance(0.5);
                    unit.delete = dice.chance(0.6);
                    unit.base = some(dice, 0.3, base);
                    unit.suspend = dice.chance(0.1);
                }
            }
            16 => self.swap_names(dice),
            // A label that selectors look at is edited: what it selected changes for every policy at once.
            17 => {
                let label = label(dice);
                if dice.chance(0.5)
                    && let Some(index) = dice.pick(self.units.keys()).copied()
                {
                    self.units.get_mut(&index).unwrap().label = label;
                } else if let Some(index) = dice.pick(self.accounts.keys()).copied() {
                    self.accounts.get_mut(&index).unwrap().label = label;
                }
            }
            18 => {
                self.services = u8::try_from(dice.below(8)).unwrap();
                self.delegation = some(dice, 0.5, |dice| u8::try_from(dice.below(3)).unwrap());
                self.exclusive = dice.chance(0.3);
            }
            _ => {
                if let Some(index) = dice.pick(self.accounts.keys()).copied() {
                    let account = self.accounts.get_mut(&index).unwrap();
                    account.name = format!("acc{}", dice.below(5));
                    account.close = dice.chance(0.5);
                    account.contacts |= contacts(dice);
                    account.administers = dice.chance(0.2);
                    account.tag = Some(u8::try_from(dice.below(4)).unwrap());
                }
            }
        }
    }

    /// The names of two of a kind change places, or go round among three.
    fn swap_names(&mut self, dice: &mut Dice) {
        let picked = |keys: Vec<usize>, dice: &mut Dice| -> BTreeSet<usize> {
            (0..2 + dice.below(2)).filter_map(|_| dice.pick(keys.iter()).copied()).collect()
        };
        let around = |names: &mut Vec<String>| {
            let one = usize::from(!names.is_empty());
            names.rotate_left(one);
        };
        match dice.below(3) {
            0 => {
                let Some(parent) = dice.pick(self.units.values()).map(|unit| unit.parent) else { return };
                let siblings = self.units.iter().filter(|(_, unit)| unit.parent == parent).map(|(index, _)| *index);
                let picked = picked(siblings.collect(), dice);
                let mut names: Vec<String> = picked.iter().map(|index| self.units[index].name.clone()).collect();
                around(&mut names);
                picked.iter().zip(names).for_each(|(index, name)| self.units.get_mut(index).unwrap().name = name);
            }
            1 => {
                let Some(kind) = dice.pick(self.policies.values()).map(|policy| policy.kind) else { return };
                let same = self.policies.iter().filter(|(_, policy)| policy.kind == kind).map(|(index, _)| *index);
                let picked = picked(same.collect(), dice);
                let mut names: Vec<String> = picked.iter().map(|index| self.policies[index].name.clone()).collect();
                around(&mut names);
                picked.iter().zip(names).for_each(|(index, name)| self.policies.get_mut(index).unwrap().name = name);
            }
            _ => {
                let picked = picked(self.accounts.keys().copied().collect(), dice);
                let mut names: Vec<String> = picked.iter().map(|index| self.accounts[index].name.clone()).collect();
                around(&mut names);
                picked.iter().zip(names).for_each(|(index, name)| self.accounts.get_mut(index).unwrap().name = name);
            }
        }
    }

    fn remove_unit(&mut self, unit: usize) {
        self.units.remove(&unit);
        let orphans: Vec<usize> = self.units.iter().filter(|(_, u)| u.parent == Some(unit)).map(|(i, _)| *i).collect();
        orphans.into_iter().for_each(|child| self.remove_unit(child));
        for account in self.accounts.values_mut().filter(|account| account.parent == Some(unit)) {
            account.parent = None;
        }
    }

    pub(super) fn has(&self, node: &NodeKey) -> bool {
        match node {
            NodeKey::Root => true,
            NodeKey::Unit(name) => self.units.keys().any(|unit| **name == format!("u{unit}")),
            NodeKey::Account(name) => self.accounts.keys().any(|account| **name == format!("a{account}")),
        }
    }

    pub(super) fn above(&self, node: &NodeKey) -> Option<NodeKey> {
        let parent = match node {
            NodeKey::Root => return None,
            NodeKey::Unit(name) => self.units.iter().find(|(u, _)| **name == format!("u{u}"))?.1.parent,
            NodeKey::Account(name) => self.accounts.iter().find(|(a, _)| **name == format!("a{a}"))?.1.parent,
        };
        Some(unit_key(parent))
    }
}

fn unit_key(unit: Option<usize>) -> NodeKey {
    unit.map_or(NodeKey::Root, |unit| NodeKey::Unit(format!("u{unit}").into()))
}
