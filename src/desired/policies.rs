//! Policies: their documents, the nodes they are attached to, and AWS's quotas on both.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::build::Build;
use super::checks::claim;
use super::content;
use super::model::{Declared, NodeKey, Policy};
use super::nodes::{Accounts, Units};
use super::read::{Body, Manifest};
use super::report::quoted;
use super::schema::nearest_policy_type;
use super::selector;
use crate::api::common::{BaseAccess, Target};
use crate::api::policy::{Enforcement, OrganizationPolicySpec};
use crate::names::words::grouped;
use crate::names::{Kind, ObjectKey, PolicyType};
use crate::policy::Document;
use crate::policy::document::Content;
use crate::policy::flaw::join_key;
use crate::policy::management::Tree as Settings;

type Policies = BTreeMap<Box<str>, Declared<Policy>>;

/// The tree as policies see it.
struct Tree<'a> {
    units: &'a Units,
    accounts: &'a Accounts,
}

impl Tree<'_> {
    fn parent(&self, node: &NodeKey) -> Option<&NodeKey> {
        match node {
            NodeKey::Root => None,
            NodeKey::Unit(name) => self.units.get(name).map(|unit| &unit.spec.parent),
            NodeKey::Account(name) => self.accounts.get(name).map(|account| &account.spec.parent),
        }
    }

    /// Whether a node lies below one of those.
    fn below(&self, node: &NodeKey, above: &BTreeSet<NodeKey>) -> bool {
        std::iter::successors(self.parent(node), |at| self.parent(at)).any(|at| above.contains(at))
    }

    fn base_access(&self, cx: &Build<'_>, node: &NodeKey) -> Option<BaseAccess> {
        match node {
            NodeKey::Root => cx.organization.and_then(|spec| spec.base_access),
            NodeKey::Unit(name) => self.units.get(name).and_then(|unit| unit.spec.base_access),
            NodeKey::Account(name) => self.accounts.get(name).and_then(|account| account.spec.base_access),
        }
    }
}

/// The policies that can be used.
pub(super) fn policies(cx: &mut Build<'_>, units: &Units, accounts: &Accounts) -> Policies {
    same_names(cx);
    let tree = Tree { units, accounts };
    let all: Vec<(usize, &Manifest, &ObjectKey, &OrganizationPolicySpec)> = cx
        .sound()
        .filter_map(|(index, manifest, key, body)| match body {
            Body::Policy(spec) => Some((index, manifest, key, &**spec)),
            _ => None,
        })
        .collect();
    let mut out = Policies::new();
    let mut places = HashMap::new();
    for (index, manifest, key, spec) in all {
        let kind = PolicyType::new(&spec.r#type);
        check_type(cx, index, manifest, &kind);
        let document = document(cx, index, manifest, spec, &kind);
        let (targets, excluding) = targets(cx, index, manifest, spec, &kind, &tree);
        let Some(document) = document else { continue };
        if cx.broken.get(index) != Some(&false) {
            continue;
        }
        places.insert(key.name.clone(), index);
        out.insert(
            key.name.clone(),
            Declared {
                key: key.clone(),
                origin: manifest.origin.clone(),
                id: cx.id(manifest).map(str::to_owned),
                created: manifest.created,
                take_over: manifest.take_over.clone(),
                labels: manifest.labels.clone(),
                suspend: spec.suspend,
                spec: Policy {
                    kind,
                    name: aws_name(key, spec).to_owned(),
                    description: spec.description.clone(),
                    owner: manifest.owner.clone(),
                    content: document,
                    targets,
                    excluding,
                    named: named(spec),
                    tags: manifest.tags.clone(),
                    adoption: spec.adoption_policy,
                    deletion: spec.deletion_policy,
                },
            },
        );
    }
    unattached(cx, &out, &places);
    same_tags(cx, &tree, &out, &places);
    slots(cx, &tree, &mut out, &places);
    counts(cx, &out, &places);
    out
}

/// Policies that bind nobody though they are to be enforced. A selector that matches nothing is told by itself.
fn unattached(cx: &mut Build<'_>, policies: &Policies, places: &HashMap<Box<str>, usize>) {
    for (name, _) in policies.iter().filter(|(_, policy)| policy.spec.targets.is_empty()) {
        let Some(manifest) = places.get(name).and_then(|index| cx.manifest(*index)) else { continue };
        let Some(Body::Policy(spec)) = &manifest.body else { continue };
        if spec.enforcement == Enforcement::Audit || spec.targets.iter().any(|target| target.selector.is_some()) {
            continue;
        }
        let (field, message) = if spec.targets.is_empty() {
            ("spec", "this policy has no `targets`: it is attached nowhere, and binds nobody")
        } else {
            ("spec.excluding", "`excluding` takes out every target: this policy is attached nowhere, and binds nobody")
        };
        let help = "name its `targets`; `enforcement: Audit` says that it is not to be attached";
        let issue = manifest.warning("no-targets", field, message).help(help);
        cx.issues.push(issue);
    }
}

/// Tag policies on one way from the root that rule one tag under keys that differ in case: AWS takes both for the same tag, and
/// does not document how they are merged.
fn same_tags(cx: &mut Build<'_>, tree: &Tree<'_>, policies: &Policies, places: &HashMap<Box<str>, usize>) {
    // What rules a tag, whatever its case, at a node: the policy, and the tag's key.
    let mut rules: BTreeMap<(&NodeKey, String), Vec<(&str, &str)>> = BTreeMap::new();
    for (name, policy) in policies.iter().filter(|(_, policy)| policy.spec.kind.as_str() == "TAG_POLICY") {
        let Content::Management(Settings::Object(top)) = policy.spec.content.content() else { continue };
        let Some(Settings::Object(tags)) = top.get("tags") else { continue };
        for key in tags.keys().filter(|key| !key.starts_with("@@")) {
            for node in &policy.spec.targets {
                rules.entry((node, key.to_lowercase())).or_default().push((name, key));
            }
        }
    }
    let mut found: BTreeMap<(&str, &str), (&str, &str, &NodeKey, &NodeKey)> = BTreeMap::new();
    for ((node, tag), own) in &rules {
        for (at, (name, key)) in own.iter().enumerate() {
            let differs = |other: &&(&str, &str)| other.0 != *name && other.1 != *key;
            let here = own.iter().take(at).find(differs).map(|other| (*node, other));
            let above = std::iter::successors(tree.parent(node), |above| tree.parent(above));
            let of_above = |above| Some((above, rules.get(&(above, tag.clone()))?.iter().find(differs)?));
            if let Some((at, (first, other))) = here.or_else(|| above.into_iter().find_map(of_above)) {
                found.entry((name, key)).or_insert((first, other, at, node));
            }
        }
    }
    for ((name, key), (first, other, at, node)) in found {
        let manifest = |name: &str| places.get(name).and_then(|index| cx.manifest(*index));
        let (Some(own), Some(theirs)) = (manifest(name), manifest(first)) else { continue };
        let field = |key: &str| join_key("spec.content.tags", key);
        let place = if at == node {
            format!("which is attached to `{node}` as well")
        } else {
            format!("which is attached to `{at}`, above `{node}`")
        };
        let message = format!(
            "`{key}` is the tag `{other}` of `OrganizationPolicy/{first}`, {place}: case does not count in this place, and AWS does \
             not document how the two are merged"
        );
        let issue = own
            .warning("tag-key-case", &field(key), message)
            .help("rule the tag in one of the policies, or spell its key alike; the spelling of tags says `tag_key`")
            .related(theirs.place(&field(other)), format!("`{other}` in `OrganizationPolicy/{first}`"));
        cx.issues.push(issue);
    }
}

/// The nodes that targets and exclusions name one by one.
fn named(spec: &OrganizationPolicySpec) -> BTreeSet<NodeKey> {
    let key = |target: &Target| {
        let unit = target.organizational_unit_ref.as_ref().map(|unit| NodeKey::Unit(unit.name.as_str().into()));
        unit.or_else(|| target.account_ref.as_ref().map(|account| NodeKey::Account(account.name.as_str().into())))
    };
    spec.targets.iter().chain(&spec.excluding).filter_map(key).collect()
}

fn aws_name<'a>(key: &'a ObjectKey, spec: &'a OrganizationPolicySpec) -> &'a str {
    spec.name.as_deref().unwrap_or(&key.name)
}

/// AWS allows a name once in a type.
fn same_names(cx: &mut Build<'_>) {
    let mut seen: HashMap<(&str, &str), usize> = HashMap::new();
    let mut twice = Vec::new();
    for (index, _, key, body) in cx.sound() {
        let Body::Policy(spec) = body else { continue };
        match seen.get(&(spec.r#type.as_str(), aws_name(key, spec))) {
            Some(first) => twice.push((*first, index, spec.r#type.as_str(), aws_name(key, spec))),
            None => {
                seen.insert((&spec.r#type, aws_name(key, spec)), index);
            }
        }
    }
    for (first, second, kind, name) in twice {
        let message = format!("two policies of type `{kind}` are named `{}`", quoted(name));
        claim(
            cx,
            "duplicate-name",
            "spec.name",
            first,
            second,
            &message,
            "AWS allows a name once in a type: rename one",
        );
    }
}

/// A type must be enabled by the Organization; one that is not known is passed to AWS as it is.
fn check_type(cx: &mut Build<'_>, index: usize, manifest: &Manifest, kind: &PolicyType) {
    let meant = if kind.is_known() { None } else { nearest_policy_type(kind.as_str()) };
    let enabled = cx.organization.is_none_or(|spec| spec.policy_types.iter().any(|name| name == kind.as_str()));
    if !enabled {
        let message = format!("the Organization does not enable policies of type `{kind}`");
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("add `- {kind}` to `spec.policyTypes` of the Organization"),
        };
        cx.fail(index, manifest.error("policy-type-not-enabled", "spec.type", message).help(help));
    } else if !kind.is_known() {
        let message = format!("`{kind}` is not a policy type known to this version of bylaw");
        let help = match meant {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "it is passed to AWS as it is, under the smallest quotas of any type".to_owned(),
        };
        cx.issues.push(manifest.warning("unknown-policy-type", "spec.type", message).help(help));
    }
}

fn document(
    cx: &mut Build<'_>,
    index: usize,
    manifest: &Manifest,
    spec: &OrganizationPolicySpec,
    kind: &PolicyType,
) -> Option<Arc<Document>> {
    let (document, issues) = manifest.document.get_or_init(|| {
        let (document, issues) = content::document(manifest, "spec.content", kind, &spec.content);
        (document.map(Arc::new), issues)
    });
    for issue in issues.iter().cloned() {
        if issue.severity == super::Severity::Error {
            cx.fail(index, issue);
        } else {
            cx.issues.push(issue);
        }
    }
    let document = document.clone()?;
    let (count, most) = (document.characters(), kind.rule().max_characters);
    if count > most {
        let message = format!(
            "the document has {} characters without white space; AWS allows {} for `{kind}`",
            grouped(count),
            grouped(most)
        );
        let help = "split it into two policies, or merge statements that share their conditions";
        cx.fail(index, manifest.error("too-large", "spec.content", message).help(help));
    }
    Some(document)
}

/// Targets and exclusions, selectors resolved.
fn targets(
    cx: &mut Build<'_>,
    index: usize,
    manifest: &Manifest,
    spec: &OrganizationPolicySpec,
    kind: &PolicyType,
    tree: &Tree<'_>,
) -> (BTreeSet<NodeKey>, BTreeSet<NodeKey>) {
    let mut targets = BTreeSet::new();
    for (i, target) in spec.targets.iter().enumerate() {
        let field = format!("spec.targets[{i}]");
        let nodes = resolve(cx, index, manifest, &field, target, tree);
        if kind.rule().statements {
            warn_of_management(cx, manifest, &field, target, &nodes, tree);
        }
        targets.extend(nodes);
    }
    let mut excluded = BTreeSet::new();
    let mut parts = Vec::new();
    for (i, target) in spec.excluding.iter().enumerate() {
        let field = format!("spec.excluding[{i}]");
        let nodes = resolve(cx, index, manifest, &field, target, tree);
        hidden_exclusion(cx, index, manifest, &field, target);
        excluded.extend(nodes.iter().cloned());
        parts.push((field, nodes));
    }
    let left: BTreeSet<NodeKey> = targets.difference(&excluded).cloned().collect();
    let excluding: BTreeSet<NodeKey> = excluded.into_iter().filter(|node| tree.below(node, &left)).collect();
    for (field, nodes) in parts {
        let idle = !nodes.is_empty() && nodes.iter().all(|node| !targets.contains(node) && !excluding.contains(node));
        if idle {
            let message = "this excludes nothing: no target is it, or lies above it".to_owned();
            cx.issues.push(
                manifest.warning("idle-exclusion", &field, message).help("remove it, or check the names of `targets`"),
            );
        }
    }
    if spec.enforcement == Enforcement::Audit { (BTreeSet::new(), BTreeSet::new()) } else { (left, excluding) }
}

fn resolve(
    cx: &mut Build<'_>,
    index: usize,
    manifest: &Manifest,
    field: &str,
    target: &Target,
    tree: &Tree<'_>,
) -> BTreeSet<NodeKey> {
    if let Some(unit) = &target.organizational_unit_ref {
        let there = cx.refer(index, &format!("{field}.organizationalUnitRef"), Kind::OrganizationalUnit, unit);
        return there.then(|| NodeKey::Unit(unit.name.as_str().into())).into_iter().collect();
    }
    if let Some(account) = &target.account_ref {
        let there = cx.refer(index, &format!("{field}.accountRef"), Kind::Account, account);
        return there.then(|| NodeKey::Account(account.name.as_str().into())).into_iter().collect();
    }
    let Some(labels) = &target.selector else { return BTreeSet::from([NodeKey::Root]) };
    let units = tree.units.iter().filter(|(_, unit)| selector::matches(labels, &unit.labels));
    let accounts = tree.accounts.iter().filter(|(_, account)| selector::matches(labels, &account.labels));
    let nodes: BTreeSet<NodeKey> = units
        .map(|(name, _)| NodeKey::Unit(name.clone()))
        .chain(accounts.map(|(name, _)| NodeKey::Account(name.clone())))
        .collect();
    if nodes.is_empty() {
        let message = "the selector matches no OrganizationalUnit and no Account";
        let help = "it looks at `metadata.labels` of these objects, not at `spec.tags`";
        cx.issues.push(manifest.warning("idle-selector", &format!("{field}.selector"), message).help(help));
    }
    nodes
}

/// An unusable object that a selector would have taken out: going on would bind what is to be free.
fn hidden_exclusion(cx: &mut Build<'_>, index: usize, manifest: &Manifest, field: &str, target: &Target) {
    let Some(labels) = &target.selector else { return };
    let hidden = cx.unusable().find(|(_, other, key)| {
        matches!(key.kind, Kind::OrganizationalUnit | Kind::Account) && selector::matches(labels, &other.labels)
    });
    if let Some((other, _, key)) = hidden {
        let message = format!("the selector takes out `{key}`, which has errors, so this policy is left alone too");
        let issue = manifest
            .error("depends-on-broken", &format!("{field}.selector"), message)
            .help(format!("mend `{key}` first"))
            .related(cx.origin(other), "the object that it depends on");
        cx.fail(index, issue);
    }
}

fn warn_of_management(
    cx: &mut Build<'_>,
    manifest: &Manifest,
    field: &str,
    target: &Target,
    nodes: &BTreeSet<NodeKey>,
    tree: &Tree<'_>,
) {
    let named = nodes.iter().find(|node| match node {
        NodeKey::Account(name) => tree.accounts.get(name).is_some_and(|account| {
            cx.is_management(account.spec.account_id.as_ref().map(|id| id.as_str()).or(account.id.as_deref()))
        }),
        _ => false,
    });
    if let Some(node) = named {
        let field = if target.account_ref.is_some() { format!("{field}.accountRef.name") } else { field.to_owned() };
        let message = format!("`{node}` is the management account: policies of this type never bind it");
        let help = "remove the target; guard the management account by IAM, and run nothing in it";
        cx.issues.push(manifest.warning("management-account", &field, message).help(help));
    }
}

/// Attachments of one type at one node. AWS's own policy takes a slot; foreign ones are only known when AWS is read.
fn slots(cx: &mut Build<'_>, tree: &Tree<'_>, policies: &mut Policies, places: &HashMap<Box<str>, usize>) {
    let mut taken: BTreeMap<(NodeKey, PolicyType), Vec<Box<str>>> = BTreeMap::new();
    for (name, policy) in policies.iter() {
        for node in &policy.spec.targets {
            taken.entry((node.clone(), policy.spec.kind.clone())).or_default().push(name.clone());
        }
    }
    let mut over = BTreeSet::new();
    for ((node, kind), mut names) in taken {
        // A newcomer does not push out what was there before it.
        names.sort_by_cached_key(|name| (policies.get(name).and_then(|policy| policy.created), name.clone()));
        let rule = kind.rule();
        let allow_list = kind == PolicyType::scp() && tree.base_access(cx, &node) == Some(BaseAccess::AllowList);
        let own = rule.default_policy.filter(|_| !allow_list);
        let most = rule.max_attached - usize::from(own.is_some());
        for name in names.iter().skip(most) {
            let Some(manifest) = places.get(name).and_then(|index| cx.manifest(*index)) else { continue };
            let beside = own.map(|id| format!(" beside `{}`", id.trim_start_matches("p-"))).unwrap_or_default();
            let message = format!(
                "{} policies of type `{kind}` are attached to `{node}`; AWS allows {most}{beside}",
                names.len()
            );
            let first: Vec<String> = names.iter().take(most).map(|name| format!("`{name}`")).collect();
            let help = format!(
                "attach some of them higher or lower, or merge their statements; {} are there before it",
                first.join(", ")
            );
            let issue = manifest.error("too-many-attachments", "spec.targets", message).help(help);
            if let Some(index) = places.get(name) {
                cx.fail(*index, issue);
            }
            over.insert(name.clone());
        }
    }
    policies.retain(|name, _| !over.contains(name));
}

/// Policies of one type in the organization.
fn counts(cx: &mut Build<'_>, policies: &Policies, places: &HashMap<Box<str>, usize>) {
    let mut by_type: BTreeMap<&PolicyType, Vec<&str>> = BTreeMap::new();
    for (name, policy) in policies {
        by_type.entry(&policy.spec.kind).or_default().push(name);
    }
    for (kind, names) in by_type {
        let most = kind.rule().max_policies;
        let Some(manifest) = names.get(most).and_then(|name| places.get(*name)).and_then(|index| cx.manifest(*index))
        else {
            continue;
        };
        let message =
            format!("{} policies of type `{kind}` are declared; AWS allows {}", grouped(names.len()), grouped(most));
        let mut issue =
            manifest.error("quota-policies", "spec.type", message).help("merge policies that have the same targets");
        issue.object = None;
        cx.issues.push(issue);
    }
}
