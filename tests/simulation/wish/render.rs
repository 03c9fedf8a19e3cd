//! The manifests as bylaw reads them.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bylaw::api::common::AdoptionPolicy;
use bylaw::api::organization::{AdoptionTags, Partition};
use bylaw::api::{Attachments, DeletionPolicy};
use bylaw::aws::port::{Contact, ContactKind};
use bylaw::desired::model::{Account, Organization, Policy, Unit};
use bylaw::desired::{Broken, Declared, Desired, NodeKey, Origin};
use bylaw::names::{Kind, ObjectKey, PolicyType, Tags};
use bylaw::policy::Document;
use bylaw::policy::statement::DELEGATION_POLICY;

use super::{MANAGEMENT, SERVICES, Wish, kind, text, unit_key};

thread_local! {
    static DOCUMENTS: RefCell<HashMap<(usize, u8, u8), Arc<Document>>> = RefCell::default();
}

fn document(of: usize, mask: u8, allow: u8) -> Arc<Document> {
    DOCUMENTS.with_borrow_mut(|all| {
        let parse = || {
            let text = text(of, mask, allow);
            Arc::new(Document::parse(&kind(of), &text).unwrap_or_else(|flaws| panic!("{text}: {flaws:?}")).0)
        };
        all.entry((of, mask, allow)).or_insert_with(parse).clone()
    })
}

thread_local! {
    static DELEGATIONS: RefCell<HashMap<u8, Arc<Document>>> = RefCell::default();
}

/// One of a few delegation policies.
fn delegation(which: u8) -> Arc<Document> {
    DELEGATIONS.with_borrow_mut(|all| {
        let parse = || {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::22222222221{which}:root"}},"Action":"organizations:ListPolicies","Resource":"*"}}]}}"#
            );
            Arc::new(Document::parse(&PolicyType::new(DELEGATION_POLICY), &text).unwrap_or_else(|flaws| panic!("{flaws:?}")).0)
        };
        all.entry(which).or_insert_with(parse).clone()
    })
}

impl Wish {
    /// Everything that carries a label.
    fn labelled(&self, label: u8) -> Vec<NodeKey> {
        let units = self.units.iter().filter(|(_, unit)| unit.label == label);
        let accounts = self.accounts.iter().filter(|(_, account)| account.label == label);
        let units = units.map(|(index, _)| NodeKey::Unit(format!("u{index}").into()));
        units.chain(accounts.map(|(index, _)| NodeKey::Account(format!("a{index}").into()))).collect()
    }

    pub fn render(&self) -> Desired {
        let origin = Origin::default();
        let administers = self.accounts.values().any(|account| account.administers);
        let services = SERVICES
            .iter()
            .enumerate()
            .filter(|(bit, _)| self.services & (1 << bit) != 0 || (*bit == 0 && administers));
        let services: BTreeSet<String> = services.map(|(_, service)| (*service).to_owned()).collect();
        let organization = Declared {
            key: ObjectKey::new(Kind::Organization, "org"),
            origin: origin.clone(),
            id: None,
            created: None,
            take_over: None,
            labels: Tags::new(),
            suspend: self.suspend,
            spec: Organization {
                management_account: MANAGEMENT.parse().unwrap(),
                partition: Partition::Aws,
                mode: self.mode,
                policy_types: (0..3).map(kind).collect(),
                attachments: exclusive(self.exclusive),
                ignore: self.ignore.clone(),
                adoption_tags: AdoptionTags::Always,
                base_access: self.base,
                access: None,
                services,
                administrators: self
                    .accounts
                    .iter()
                    .filter(|(_, account)| account.administers)
                    .map(|(index, _)| (format!("a{index}").into(), BTreeSet::from([SERVICES[0].to_owned()])))
                    .collect(),
                delegation_policy: self.delegation.map(|which| delegation(which).as_ref().clone()),
                tags: Tags::new(),
                interval: None,
                queue: None,
                limits: self.limits.clone(),
            },
        };
        fn declare<T>(kind: Kind, name: &str, suspend: bool, spec: T) -> (Box<str>, Declared<T>) {
            let key = ObjectKey::new(kind, name);
            let (origin, labels) = (Origin::default(), Tags::new());
            (name.into(), Declared { key, origin, id: None, created: None, take_over: None, labels, suspend, spec })
        }
        let units = self.units.iter().map(|(index, unit)| {
            let spec = Unit {
                name: unit.name.clone(),
                parent: unit_key(unit.parent),
                tags: tags(unit.tag),
                attachments: exclusive(unit.exclusive),
                base_access: unit.base,
                adoption: unit.adoption,
                deletion: deletion(unit.delete),
            };
            declare(Kind::OrganizationalUnit, &format!("u{index}"), unit.suspend, spec)
        });
        let accounts = self.accounts.iter().map(|(index, account)| {
            let contact = |kind: ContactKind| Contact {
                name: "Ann".into(),
                title: "Head".into(),
                email: format!("{}{index}@example.com", kind.as_str().to_lowercase()),
                phone: "1".into(),
            };
            let kinds = ContactKind::ALL.into_iter().enumerate().filter(|(bit, _)| account.contacts & (1 << bit) != 0);
            let spec = Account {
                account_id: account.id.clone(),
                email: account.id.is_none().then(|| format!("A{index}@example.com")),
                name: Some(account.name.clone()),
                parent: unit_key(account.parent),
                tags: tags(account.tag),
                adoption: AdoptionPolicy::AdoptOrCreate,
                contacts: kinds.map(|(_, kind)| (kind, contact(kind))).collect(),
                role_name: None,
                base_access: account.base,
                close: account.close,
            };
            declare(Kind::Account, &format!("a{index}"), account.suspend, spec)
        });
        let policies = self.policies.iter().map(|(index, policy)| {
            let selected = policy.selects.into_iter().flat_map(|label| self.labelled(label));
            let there = policy.targets.iter().cloned().chain(selected);
            let targets: BTreeSet<NodeKey> =
                there.filter(|node| self.has(node) && !policy.excluding.contains(node)).collect();
            let below = |node: &NodeKey| {
                let mut at = self.above(node);
                while let Some(node) = at {
                    if targets.contains(&node) {
                        return true;
                    }
                    at = self.above(&node);
                }
                false
            };
            let excluding = policy.excluding.iter().filter(|node| self.has(node) && below(node)).cloned().collect();
            let spec = Policy {
                kind: kind(policy.kind),
                name: policy.name.clone(),
                description: String::new(),
                owner: None,
                content: document(policy.kind, policy.mask, policy.allow),
                targets,
                excluding,
                named: BTreeSet::new(),
                tags: tags(policy.tag),
                adoption: policy.adoption,
                deletion: deletion(policy.delete),
            };
            declare(Kind::OrganizationPolicy, &format!("p{index}"), policy.suspend, spec)
        });
        let broken = self.broken.iter().map(|(kind, name)| Broken {
            key: Some(ObjectKey::new(*kind, name)),
            origin: origin.clone(),
            id: None,
            name: Some("unread".into()),
        });
        Desired {
            organization,
            units: units.collect(),
            accounts: accounts.collect(),
            policies: policies.collect(),
            broken: broken.collect(),
        }
    }
}

fn exclusive(exclusive: bool) -> Attachments {
    if exclusive { Attachments::Exclusive } else { Attachments::Additive }
}
fn deletion(delete: bool) -> DeletionPolicy {
    if delete { DeletionPolicy::Delete } else { DeletionPolicy::Retain }
}
fn tags(tag: Option<u8>) -> Tags {
    tag.map(|tag| ("team".to_owned(), format!("t{tag}"))).into_iter().collect()
}
