//! OUs and accounts: the tree itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::build::{Build, parent_key};
use super::checks::claim;
use super::model::{Account, Declared, NodeKey, Unit};
use super::read::{Body, Manifest};
use super::report::quoted;
use crate::api::account::{AccountDeletionPolicy, AccountSpec, AlternateContact};
use crate::api::common::AdoptionPolicy;
use crate::api::organizational_unit::OrganizationalUnitSpec;
use crate::aws::port::{Contact, ContactKind};
use crate::names::Kind;

/// Most levels of OUs below the root (aws-facts section 2).
const MAX_DEPTH: usize = 5;

/// The service principal of AWS Account Management.
const ACCOUNT_MANAGEMENT: &str = "account.amazonaws.com";

pub(super) type Units = BTreeMap<Box<str>, Declared<Unit>>;
pub(super) type Accounts = BTreeMap<Box<str>, Declared<Account>>;

/// The OUs that can be used: every parent is there, no cycles, at most five levels.
pub(super) fn units(cx: &mut Build<'_>) -> Units {
    same_names(cx);
    cycles(cx);
    let all: BTreeMap<&str, (usize, &Manifest, &OrganizationalUnitSpec)> = cx
        .sound()
        .filter_map(|(index, manifest, key, body)| match body {
            Body::Unit(spec) => Some((&*key.name, (index, manifest, &**spec))),
            _ => None,
        })
        .collect();
    // Parents before children, level by level: a child sees whether its parent came through.
    let mut children: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    let mut level: Vec<&str> = Vec::new();
    for (name, (_, _, spec)) in &all {
        let parent = spec.parent_ref.as_ref().map(|r| r.name.as_str());
        match parent {
            Some(parent) if all.contains_key(parent) => children.entry(Some(parent)).or_default().push(name),
            _ => level.push(name),
        }
    }
    let mut depths: HashMap<&str, usize> = HashMap::new();
    let mut out = Units::new();
    while !level.is_empty() {
        let mut next = Vec::new();
        for name in level {
            let Some((index, manifest, spec)) = all.get(name).copied() else { continue };
            next.extend(children.remove(&Some(name)).unwrap_or_default());
            let parent = spec.parent_ref.as_ref();
            if parent.is_some_and(|parent| !cx.refer(index, "spec.parentRef", Kind::OrganizationalUnit, parent)) {
                continue;
            }
            let depth = parent.and_then(|parent| depths.get(parent.name.as_str())).map_or(1, |depth| depth + 1);
            if depth > MAX_DEPTH {
                let message = format!("the OU is {depth} levels below the root; AWS allows {MAX_DEPTH}");
                let help = "hang it higher in the tree; what is below it goes with it";
                cx.fail(index, manifest.error("ou-depth", "spec.parentRef", message).help(help));
                continue;
            }
            depths.insert(name, depth);
            let Some(key) = manifest.key.clone() else { continue };
            out.insert(
                name.into(),
                Declared {
                    key,
                    origin: manifest.origin.clone(),
                    id: cx.id(manifest).map(str::to_owned),
                    created: manifest.created,
                    take_over: manifest.take_over.clone(),
                    labels: manifest.labels.clone(),
                    suspend: spec.suspend,
                    spec: Unit {
                        name: spec.name.clone(),
                        parent: parent_key(parent),
                        tags: manifest.tags.clone(),
                        attachments: spec.attachments.unwrap_or_else(|| cx.attachments()),
                        base_access: spec.base_access,
                        adoption: spec.adoption_policy,
                        deletion: spec.deletion_policy,
                    },
                },
            );
        }
        level = next;
    }
    out
}

/// AWS allows a name once below a parent.
fn same_names(cx: &mut Build<'_>) {
    let mut seen: HashMap<(Option<&str>, &str), usize> = HashMap::new();
    let mut twice = Vec::new();
    for (index, _, _, body) in cx.sound() {
        let Body::Unit(spec) = body else { continue };
        let place = (spec.parent_ref.as_ref().map(|r| r.name.as_str()), spec.name.as_str());
        match seen.get(&place) {
            Some(first) => twice.push((*first, index, place)),
            None => {
                seen.insert(place, index);
            }
        }
    }
    for (first, second, (parent, name)) in twice {
        let below = parent.map_or("the root".to_owned(), |parent| format!("`OrganizationalUnit/{}`", quoted(parent)));
        let message = format!("two OUs are named `{}` below {below}", quoted(name));
        claim(
            cx,
            "duplicate-name",
            "spec.name",
            first,
            second,
            &message,
            "AWS allows a name once below a parent: rename one",
        );
    }
}

/// Tells each cycle once; all OUs of it are unusable.
fn cycles(cx: &mut Build<'_>) {
    let parents: BTreeMap<&str, (usize, Option<&str>)> = cx
        .sound()
        .filter_map(|(index, _, key, body)| match body {
            Body::Unit(spec) => Some((&*key.name, (index, spec.parent_ref.as_ref().map(|r| r.name.as_str())))),
            _ => None,
        })
        .collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut rings: Vec<Vec<(&str, usize)>> = Vec::new();
    for start in parents.keys().copied() {
        let mut path: Vec<(&str, usize)> = Vec::new();
        let mut on_path: HashMap<&str, usize> = HashMap::new();
        let mut at = Some(start);
        while let Some((name, (index, parent))) = at.and_then(|name| Some((name, *parents.get(name)?))) {
            if let Some(from) = on_path.get(name) {
                rings.push(path.split_off(*from));
                break;
            }
            if done.contains(name) {
                break;
            }
            on_path.insert(name, path.len());
            path.push((name, index));
            at = parent;
        }
        done.extend(on_path.keys());
    }
    for ring in rings {
        let Some((name, index)) = ring.first().copied() else { continue };
        let Some(manifest) = cx.manifest(index) else { continue };
        let mut walk: Vec<&str> = ring.iter().take(10).map(|(name, _)| *name).collect();
        if ring.len() > walk.len() {
            walk.push("…");
        }
        walk.push(name);
        let message = format!("the parents go round in a circle: `{}`", walk.join("` below `"));
        let mut issue = manifest
            .error("ou-cycle", "spec.parentRef.name", message)
            .help("give one of them another parent, or none: then it hangs below the root");
        for (_, other) in ring.iter().skip(1) {
            if let Some(other) = cx.manifest(*other) {
                issue = issue.related(other.place("spec.parentRef.name"), "the circle goes through here");
            }
            if let Some(broken) = cx.broken.get_mut(*other) {
                *broken = true;
            }
        }
        cx.fail(index, issue);
    }
}

/// The accounts that can be used.
pub(super) fn accounts(cx: &mut Build<'_>, units: &Units) -> Accounts {
    same_accounts(cx);
    let mut out = Accounts::new();
    let all: Vec<(usize, &Manifest, &AccountSpec)> = cx
        .sound()
        .filter_map(|(index, manifest, _, body)| match body {
            Body::Account(spec) => Some((index, manifest, &**spec)),
            _ => None,
        })
        .collect();
    for (index, manifest, spec) in all {
        let own_id = spec.account_id.as_deref();
        if let (Some(bound), Some(own)) = (cx.id(manifest), own_id)
            && bound != own
        {
            let message = format!("`{}` is not the `accountId` `{own}` of the same object", quoted(bound));
            cx.fail(
                index,
                manifest
                    .error("wrong-id", "metadata.annotations[\"bylaw.dev/id\"]", message)
                    .help("remove the annotation"),
            );
            continue;
        }
        if cx.is_management(own_id.or(cx.id(manifest))) {
            management(cx, index, manifest, spec);
        }
        // An OU that came through is one that can be referred to.
        if let Some(parent) = &spec.organizational_unit_ref
            && !units.contains_key(parent.name.as_str())
        {
            cx.refer(index, "spec.organizationalUnitRef", Kind::OrganizationalUnit, parent);
        }
        let parent = parent_key(spec.organizational_unit_ref.as_ref());
        let there = match &parent {
            NodeKey::Unit(name) => units.contains_key(name),
            _ => true,
        };
        if cx.broken.get(index) != Some(&false) || !there {
            continue;
        }
        let Some(key) = manifest.key.clone() else { continue };
        out.insert(
            key.name.clone(),
            Declared {
                key,
                origin: manifest.origin.clone(),
                id: cx.id(manifest).map(str::to_owned),
                created: manifest.created,
                take_over: manifest.take_over.clone(),
                labels: manifest.labels.clone(),
                suspend: spec.suspend,
                spec: Account {
                    account_id: own_id.and_then(|id| id.parse().ok()),
                    email: spec.email.clone(),
                    name: spec.name.clone(),
                    parent,
                    tags: manifest.tags.clone(),
                    adoption: spec.adoption_policy.unwrap_or(AdoptionPolicy::Create),
                    contacts: contacts(spec),
                    role_name: spec.role_name.clone(),
                    base_access: spec.base_access,
                    close: spec.deletion_policy == AccountDeletionPolicy::Close,
                },
            },
        );
    }
    contacts_need_access(cx, &out);
    out
}

/// AWS lets nobody else see or set a member's contacts without trusted access of account management.
fn contacts_need_access(cx: &mut Build<'_>, accounts: &Accounts) {
    let on = cx.organization.is_none_or(|spec| spec.trusted_services.iter().any(|name| name == ACCOUNT_MANAGEMENT));
    let first = accounts.values().find(|account| !account.spec.contacts.is_empty()).filter(|_| !on);
    let Some(manifest) = first.and_then(|account| cx.manifests.iter().find(|m| m.key.as_ref() == Some(&account.key)))
    else {
        return;
    };
    let message = format!(
        "alternate contacts cannot be kept without trusted access of `{ACCOUNT_MANAGEMENT}`, which is not declared"
    );
    let help =
        format!("add `- {ACCOUNT_MANAGEMENT}` to `spec.trustedServices` of the Organization, unless it is on already");
    cx.issues.push(manifest.warning("contacts-need-trusted-access", "spec.alternateContacts", message).help(help));
}

fn contacts(spec: &AccountSpec) -> BTreeMap<ContactKind, Contact> {
    let Some(all) = &spec.alternate_contacts else { return BTreeMap::new() };
    let contact = |c: &AlternateContact| Contact {
        name: c.name.clone(),
        title: c.title.clone(),
        email: c.email.clone(),
        phone: c.phone.clone(),
    };
    [
        (ContactKind::Billing, &all.billing),
        (ContactKind::Operations, &all.operations),
        (ContactKind::Security, &all.security),
    ]
    .into_iter()
    .filter_map(|(kind, c)| Some((kind, contact(c.as_ref()?))))
    .collect()
}

/// One AWS account, one object: by id and by e-mail, whose case AWS does not look at.
fn same_accounts(cx: &mut Build<'_>) {
    let mut ids: HashMap<&str, usize> = HashMap::new();
    let mut mails: HashMap<String, usize> = HashMap::new();
    let mut twice = Vec::new();
    for (index, _, _, body) in cx.sound() {
        let Body::Account(spec) = body else { continue };
        if let Some(id) = spec.account_id.as_deref()
            && let Some(first) = ids.insert(id, index)
        {
            twice.push((
                first,
                index,
                "duplicate-account",
                "spec.accountId",
                format!("two objects declare the account `{id}`"),
            ));
        }
        if let Some(mail) = spec.email.as_deref()
            && let Some(first) = mails.insert(mail.to_lowercase(), index)
        {
            let message = format!("two accounts have the e-mail `{}`, which AWS allows once", quoted(mail));
            twice.push((first, index, "duplicate-email", "spec.email", message));
        }
    }
    for (first, second, rule, field, message) in twice {
        let help = if rule == "duplicate-email" {
            "give each account an address of its own (`aws+name@example.com` works with most mail servers)"
        } else {
            "keep one of the two; an account is in one OU only"
        };
        claim(cx, rule, field, first, second, &message, help);
    }
}

/// The management account is only named, never changed.
fn management(cx: &mut Build<'_>, index: usize, manifest: &Manifest, spec: &AccountSpec) {
    let changes = [
        ("name", spec.name.is_some()),
        ("organizationalUnitRef", spec.organizational_unit_ref.is_some()),
        ("tags", !manifest.tags.is_empty()),
        ("alternateContacts", spec.alternate_contacts.is_some()),
        ("roleName", spec.role_name.is_some()),
        ("baseAccess", spec.base_access.is_some()),
        ("adoptionPolicy", spec.adoption_policy.is_some()),
        ("deletionPolicy", spec.deletion_policy == AccountDeletionPolicy::Close),
    ];
    for (field, _) in changes.iter().filter(|(_, there)| *there) {
        let message = format!("this is the management account, which bylaw never changes; `{field}` would change it");
        let help = format!("leave `{field}` out; `accountId` alone lets other objects refer to the account");
        cx.fail(index, manifest.error("management-account", &format!("spec.{field}"), message).help(help));
    }
}
