//! OUs and accounts: one file a top-level OU, parents first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Cx, key, main_file, quoted};
use crate::aws::port::{AccountState, Contact, ContactKind, Resource};
use crate::cli::import::yaml::{Fields, Yaml};
use crate::names::{AccountId, Kind, NodeId, UnitId};
use crate::observed::missing::tells_contacts;
use crate::observed::{Account, Part, Unit};

impl<'a> Cx<'a> {
    pub(super) fn nodes(&mut self) {
        let observed = self.observed;
        let root = observed.root_node();
        let names = self.names;
        let mut units: BTreeMap<&NodeId, Vec<(&str, &UnitId)>> = BTreeMap::new();
        for (id, unit) in &observed.units {
            units.entry(&unit.parent).or_default().push((names.units.get(id).map_or("", String::as_str), id));
        }
        let mut accounts: BTreeMap<Option<&NodeId>, Vec<(&str, &AccountId)>> = BTreeMap::new();
        for (id, account) in &observed.accounts {
            let name = names.accounts.get(id).map_or("", String::as_str);
            accounts.entry(account.parent.as_ref()).or_default().push((name, id));
        }
        for list in units.values_mut() {
            list.sort_unstable();
        }
        for list in accounts.values_mut() {
            list.sort_unstable();
        }
        self.accounts(accounts.get(&Some(&root)), None, Path::new("accounts.yaml"));
        let mut files = BTreeSet::from(["organization".to_owned(), "accounts".to_owned()]);
        // Depth first with a stack of its own: children of a node stand right below it, and no chain is too long.
        let mut stack: Vec<(&str, &UnitId, Option<&UnitId>)> = vec![];
        let push =
            |stack: &mut Vec<(&'a str, &'a UnitId, Option<&'a UnitId>)>, node: &NodeId, parent: Option<&'a UnitId>| {
                for (name, id) in units.get(node).into_iter().flatten().rev() {
                    stack.push((name, id, parent));
                }
            };
        push(&mut stack, &root, None);
        let mut seen: BTreeSet<&UnitId> = BTreeSet::new();
        while let Some((name, id, parent)) = stack.pop() {
            if !seen.insert(id) {
                continue;
            }
            let Some(unit) = observed.units.get(id) else { continue };
            let file = match parent {
                Some(parent) => self.units.get(parent).cloned(),
                None => {
                    let mut stem = name.to_owned();
                    while !files.insert(stem.clone()) {
                        stem = format!("ou-{stem}");
                    }
                    Some(PathBuf::from(format!("{stem}.yaml")))
                }
            };
            let node = NodeId::Unit(id.clone());
            if let Some(file) = file.filter(|_| self.takes(&node, unit, parent.is_none())) {
                self.unit(name, id, unit, parent, &file);
                self.accounts(accounts.get(&Some(&node)), Some(id), &file);
            } else {
                self.lost(accounts.get(&Some(&node)), unit);
            }
            push(&mut stack, &node, Some(id));
        }
        self.unplaced(&seen, accounts.get(&None));
    }

    /// Whether an OU comes into a manifest; the reason is told where it does not.
    fn takes(&mut self, node: &NodeId, unit: &Unit, top: bool) -> bool {
        let why = if unit.name.trim() != unit.name {
            "a manifest holds no name with spaces around it".to_owned()
        } else if unit.name.is_empty() || unit.name.chars().count() > 128 {
            "a manifest holds names of 1 to 128 characters".to_owned()
        } else if let Some(why) = self.verdicts.nodes.get(node) {
            why.clone()
        } else {
            return true;
        };
        let file = if top { main_file() } else { self.file_above(unit) };
        self.head(file, format!("left out: OU `{}` (`{node}`) and what is below it: {why}", quoted(&unit.name)));
        false
    }

    fn file_above(&self, unit: &Unit) -> PathBuf {
        match &unit.parent {
            NodeId::Unit(parent) => self.units.get(parent).cloned().unwrap_or_else(main_file),
            _ => main_file(),
        }
    }

    fn unit(&mut self, name: &str, id: &UnitId, unit: &Unit, parent: Option<&UnitId>, file: &Path) {
        self.units.insert(id.clone(), file.to_path_buf());
        let (node, object) = (NodeId::Unit(id.clone()), key(Kind::OrganizationalUnit, name));
        let mut notes = vec![];
        let mut spec = Fields::default();
        spec.put("name", Yaml::text(&unit.name));
        spec.maybe(
            "parentRef",
            parent.and_then(|parent| self.names.units.get(parent)).map(|name| Yaml::reference(name)),
        );
        spec.some("tags", self.tags(&unit.tags, &mut notes));
        spec.maybe("baseAccess", self.base_access(&node));
        spec.maybe("deletionPolicy", self.deletion(&object, &unit.tags, "Delete"));
        self.put(object, Some(Resource::Node(node)), file.to_path_buf(), notes, spec);
    }

    fn accounts(&mut self, accounts: Option<&Vec<(&str, &AccountId)>>, parent: Option<&UnitId>, file: &Path) {
        for (name, id) in accounts.into_iter().flatten() {
            let Some(account) = self.observed.accounts.get(*id) else { continue };
            let node = NodeId::Account((*id).clone());
            let shown = format!("account `{}` (`{id}`)", quoted(&account.name));
            if self.observed.is_management(&node) {
                self.head(
                    main_file(),
                    format!("left out: {shown}: it is the management account, which bylaw never changes"),
                );
            } else if account.state != AccountState::Active {
                self.head(main_file(), format!("left out: {shown}: it is {}", state(account.state)));
            } else if let Some(why) = self.verdicts.nodes.get(&node) {
                self.head(main_file(), format!("left out: {shown}: {why}"));
            } else {
                self.account(name, id, account, parent, file);
            }
        }
    }

    fn account(&mut self, name: &str, id: &AccountId, account: &Account, parent: Option<&UnitId>, file: &Path) {
        self.accounts.insert(id.clone());
        let (node, object) = (NodeId::Account(id.clone()), key(Kind::Account, name));
        let mut notes = vec![];
        let mut spec = Fields::default();
        spec.put("accountId", Yaml::text(id));
        if !account.name.is_empty()
            && account.name.chars().count() <= 50
            && account.name.chars().all(|c| matches!(c, '\x20'..='\x7e'))
        {
            spec.put("name", Yaml::text(&account.name));
        } else {
            notes.push(format!(
                "name: `{}` is left out, AWS takes 1 to 50 printable ASCII characters today",
                quoted(&account.name)
            ));
        }
        let unit = parent.and_then(|parent| self.names.units.get(parent));
        spec.maybe("organizationalUnitRef", unit.map(|name| Yaml::reference(name)));
        spec.some("tags", self.tags(&account.tags, &mut notes));
        spec.some("alternateContacts", self.contacts(account, &mut notes));
        spec.maybe("baseAccess", self.base_access(&node));
        spec.maybe("deletionPolicy", self.deletion(&object, &account.tags, "Close"));
        self.put(object, Some(Resource::Node(node)), file.to_path_buf(), notes, spec);
    }

    fn contacts(&self, account: &Account, notes: &mut Vec<String>) -> Yaml {
        let mut all = Fields::default();
        for (kind, part) in &account.contacts {
            let field = match kind {
                ContactKind::Billing => "billing",
                ContactKind::Operations => "operations",
                ContactKind::Security => "security",
            };
            match part {
                Part::Known { value: Some(contact), .. } if fits(contact) => {
                    let mut fields = Fields::default();
                    fields.put("name", Yaml::text(&contact.name));
                    fields.put("title", Yaml::text(&contact.title));
                    fields.put("email", Yaml::text(&contact.email));
                    fields.put("phone", Yaml::text(&contact.phone));
                    all.put(field, fields.map());
                }
                Part::Known { value: Some(_), .. } => {
                    notes.push(format!("alternateContacts.{field}: left out, AWS would not take it today"));
                }
                Part::Unreadable { error, .. } if tells_contacts(self.observed) => {
                    notes.push(format!("alternateContacts.{field}: left out, it could not be read: {error}"));
                }
                _ => {}
            }
        }
        all.map()
    }

    /// Accounts below an OU that has no manifest.
    fn lost(&mut self, accounts: Option<&Vec<(&str, &AccountId)>>, unit: &Unit) {
        for (_, id) in accounts.into_iter().flatten() {
            let name = self.observed.accounts.get(*id).map_or("", |account| &account.name);
            let line = format!("left out: account `{}` (`{id}`), with its OU `{}`", quoted(name), quoted(&unit.name));
            self.head(main_file(), line);
        }
    }

    /// What hangs below nothing that is known.
    fn unplaced(&mut self, seen: &BTreeSet<&UnitId>, accounts: Option<&Vec<(&str, &AccountId)>>) {
        for (id, unit) in self.observed.units.iter().filter(|(id, _)| !seen.contains(id)) {
            self.head(
                main_file(),
                format!("left out: OU `{}` (`{id}`): what lies above it is not known", quoted(&unit.name)),
            );
        }
        let known: BTreeSet<&AccountId> = accounts.into_iter().flatten().map(|(_, id)| *id).collect();
        for (id, account) in &self.observed.accounts {
            let hidden = match &account.parent {
                None => known.contains(id),
                Some(NodeId::Root(root)) => *root != self.observed.root.id,
                Some(NodeId::Unit(unit)) => !seen.contains(unit),
                Some(NodeId::Account(_)) => true,
            };
            if hidden {
                let line =
                    format!("left out: account `{}` (`{id}`): where it is could not be told", quoted(&account.name));
                self.head(main_file(), line);
            }
        }
    }
}

/// As the fields of a manifest are bounded, and AWS's today.
fn fits(contact: &Contact) -> bool {
    let within = |text: &str, least: usize, most: usize| (least..=most).contains(&text.chars().count());
    within(&contact.name, 1, 64)
        && within(&contact.title, 1, 50)
        && within(&contact.email, 3, 254)
        && within(&contact.phone, 1, 25)
}

fn state(state: AccountState) -> &'static str {
    match state {
        AccountState::PendingActivation => "not yet active",
        AccountState::Active => "active",
        AccountState::Suspended => "suspended",
        AccountState::PendingClosure => "being closed",
        AccountState::Closed => "closed",
    }
}
