//! Manifests to one tree: which Organization, who belongs to it, what refers to what.
//!
//! The steps run in the order in which objects depend on one another. Each marks the manifests that it finds wrong, and
//! later steps treat those as there and unusable: what depends on them is broken too, and everything else is built.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::content;
use super::home::{Home, Organizations};
use super::model::{Broken, Declared, Desired, Issue, NodeKey, Organization, Origin, Severity};
use super::read::{Body, Manifest};
use super::report::{nearest, quoted};
use super::{checks, nodes, policies};
use crate::api::common::{Attachments, Reference};
use crate::api::organization::OrganizationSpec;
use crate::names::words::grouped;
use crate::names::{AccountId, Kind, ObjectKey, PolicyType};
use crate::policy::Document;
use crate::policy::lint::suppress::{Suppression, annotation};

/// Most OUs of an organization (aws-facts section 2).
const MAX_UNITS: usize = 2_000;
/// Most characters of a delegation policy (aws-facts section 2).
const MAX_DELEGATION_POLICY: usize = 40_000;

/// What the steps share.
pub(super) struct Build<'a> {
    /// Two objects that claim what only one can have are both left out.
    pub(super) claims_are_errors: bool,
    pub(super) manifests: &'a [&'a Manifest],
    pub(super) issues: Vec<Issue>,
    /// By index: the object cannot be used.
    pub(super) broken: Vec<bool>,
    /// By index: the object is of the chosen organization.
    belongs: Vec<bool>,
    index: BTreeMap<&'a ObjectKey, usize>,
    /// The chosen organization, if it is readable.
    pub(super) organization: Option<&'a OrganizationSpec>,
}

/// What a reference leads to.
pub(super) enum Found {
    /// An object that can be used.
    Sound,
    /// An object that is there and cannot be used.
    Broken(usize),
    /// Nothing; the name that was perhaps meant.
    Missing(Option<String>),
}

/// One tree from manifests. `organization` chooses one Organization by name where there are several; objects whose
/// `organizationRef` names another are then left out.
///
/// `None` where there is no usable Organization. Every issue is told in both cases, in the order of the places.
#[must_use]
#[allow(
    clippy::needless_pass_by_value,
    reason = "manifests are used up: their trees need not live on beside the result"
)]
pub fn build(manifests: Vec<Manifest>, organization: Option<&str>) -> (Option<Desired>, Vec<Issue>) {
    build_all(&manifests.iter().collect::<Vec<_>>(), organization, true)
}

/// [`build`] from the objects of a cluster, which live on. Two of them that claim what only one can have are both in the
/// tree: whose it is can be told once AWS is read ([`crate::plan::bind`]), and a newcomer does not stop the rightful owner.
#[must_use]
pub fn build_from(manifests: &[&Manifest], organization: Option<&str>) -> (Option<Desired>, Vec<Issue>) {
    build_all(manifests, organization, false)
}

fn build_all(
    manifests: &[&Manifest],
    organization: Option<&str>,
    claims_are_errors: bool,
) -> (Option<Desired>, Vec<Issue>) {
    let mut cx = Build {
        claims_are_errors,
        manifests,
        issues: Vec::new(),
        broken: manifests.iter().map(|m| m.body.is_none()).collect(),
        belongs: vec![true; manifests.len()],
        index: BTreeMap::new(),
        organization: None,
    };
    cx.duplicates();
    let chosen = cx.choose(organization);
    cx.membership(chosen);
    cx.organization = chosen.and_then(|index| match manifests.get(index)?.body.as_ref()? {
        Body::Organization(spec) => Some(&**spec),
        _ => None,
    });
    checks::all(&mut cx);
    let units = nodes::units(&mut cx);
    let accounts = nodes::accounts(&mut cx, &units);
    let policies = policies::policies(&mut cx, &units, &accounts);
    let declared = chosen.and_then(|index| cx.root(index));

    if units.len() > MAX_UNITS {
        let message = format!("{} OUs are declared; AWS allows {}", grouped(units.len()), grouped(MAX_UNITS));
        let origin = units.values().map(|unit| &unit.origin).max().cloned().unwrap_or_default();
        cx.issues.push(
            Issue::new(Severity::Error, "quota-units", origin, None, "", message)
                .help("merge OUs: policies and accounts can be told apart by labels and tags too"),
        );
    }
    let broken = cx.broken_objects();
    let mut issues = cx.issues;
    suppress(manifests, &mut issues);
    issues.sort_by(|a, b| (&a.origin, a.rule, &a.field).cmp(&(&b.origin, b.rule, &b.field)));
    let desired = declared.map(|organization| Desired { organization, units, accounts, policies, broken });
    (desired, issues)
}

/// Rules of warnings that are told here and that objects may suppress by their annotation. Those of lint are told beside them.
pub(super) const WARNINGS: [&str; 7] = [
    "contacts-need-trusted-access",
    "idle-exclusion",
    "idle-selector",
    "management-account",
    "no-targets",
    "tag-key-case",
    "unknown-policy-type",
];

/// Takes out the warnings that the objects which they are told of are annotated not to be told.
fn suppress(manifests: &[&Manifest], issues: &mut Vec<Issue>) {
    let ignored = manifests.iter().filter_map(|manifest| Some((manifest.label()?, manifest.ignored.as_deref()?)));
    let ignored: BTreeMap<String, Vec<Suppression>> =
        ignored.map(|(label, ignored)| (label, annotation(ignored))).collect();
    issues.retain(|issue| {
        let own = issue.object.as_ref().and_then(|object| ignored.get(object));
        let said = |rule: &str| own.is_some_and(|own| own.iter().any(|said| said.rule == rule));
        issue.severity == Severity::Error || !WARNINGS.contains(&issue.rule) || !said(issue.rule)
    });
}

impl<'a> Build<'a> {
    /// An issue that makes the object unusable.
    pub(super) fn fail(&mut self, index: usize, issue: Issue) {
        if let Some(broken) = self.broken.get_mut(index) {
            *broken = true;
        }
        self.issues.push(issue);
    }

    /// Indexes and manifests of usable objects, with their specs.
    pub(super) fn sound(&self) -> impl Iterator<Item = (usize, &'a Manifest, &'a ObjectKey, &'a Body)> + use<'a, '_> {
        self.manifests.iter().copied().enumerate().filter_map(|(index, manifest)| {
            let usable = self.belongs.get(index) == Some(&true) && self.broken.get(index) == Some(&false);
            if usable { Some((index, manifest, manifest.key.as_ref()?, manifest.body.as_ref()?)) } else { None }
        })
    }

    /// Unusable objects of the organization whose key is known.
    pub(super) fn unusable(&self) -> impl Iterator<Item = (usize, &'a Manifest, &'a ObjectKey)> + use<'a, '_> {
        self.manifests.iter().copied().enumerate().filter_map(|(index, manifest)| {
            let there = self.belongs.get(index) == Some(&true) && self.broken.get(index) == Some(&true);
            if there { Some((index, manifest, manifest.key.as_ref()?)) } else { None }
        })
    }

    pub(super) fn manifest(&self, index: usize) -> Option<&'a Manifest> {
        self.manifests.get(index).copied()
    }

    pub(super) fn origin(&self, index: usize) -> Origin {
        self.manifests.get(index).map(|m| m.origin.clone()).unwrap_or_default()
    }

    /// Follows a reference by name.
    pub(super) fn find(&self, kind: Kind, name: &str) -> Found {
        let key = ObjectKey::new(kind, name);
        match self.index.get(&key) {
            Some(index) if self.belongs.get(*index) == Some(&true) => {
                if self.broken.get(*index) == Some(&true) {
                    Found::Broken(*index)
                } else {
                    Found::Sound
                }
            }
            _ => {
                let names = self.index.keys().filter(|k| k.kind == kind).map(|k| &*k.name);
                Found::Missing(
                    nearest(name, names.clone()).or_else(|| by_aws_name(self, kind, name)).map(str::to_owned),
                )
            }
        }
    }

    /// Follows a reference that a field of an object makes; anything but a usable object makes that object unusable.
    pub(super) fn refer(&mut self, from: usize, field: &str, kind: Kind, to: &Reference) -> bool {
        let Some(issue) = self.reference_issue(from, field, kind, to) else { return true };
        self.fail(from, issue);
        false
    }

    /// What is wrong with a reference, if anything.
    pub(super) fn reference_issue(&self, from: usize, field: &str, kind: Kind, to: &Reference) -> Option<Issue> {
        let found = self.find(kind, &to.name);
        if matches!(found, Found::Sound) {
            return None;
        }
        let (manifest, name) = (self.manifests.get(from)?, quoted(&to.name));
        match found {
            Found::Sound => None,
            Found::Broken(index) => Some(
                manifest
                    .error(
                        "depends-on-broken",
                        &format!("{field}.name"),
                        format!("`{kind}/{name}` has errors, so this object is left alone too"),
                    )
                    .help(format!("mend `{kind}/{name}` first"))
                    .related(self.origin(index), "the object that it depends on"),
            ),
            Found::Missing(near) => {
                let help = match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("declare it, or correct the name: a reference is the `metadata.name` of the `{kind}`")
                    }
                };
                Some(
                    manifest
                        .error(
                            "dangling-reference",
                            &format!("{field}.name"),
                            format!("there is no `{kind}` named `{name}`"),
                        )
                        .help(help),
                )
            }
        }
    }

    /// Two objects of one key: nobody can say which is meant, so neither is used.
    fn duplicates(&mut self) {
        let mut twice = Vec::new();
        for (index, manifest) in self.manifests.iter().copied().enumerate() {
            let Some(key) = &manifest.key else { continue };
            match self.index.get(key) {
                Some(first) => twice.push((*first, index)),
                None => {
                    self.index.insert(key, index);
                }
            }
        }
        for (first, second) in twice {
            let Some(manifest) = self.manifests.get(second) else { continue };
            let label = manifest.label().unwrap_or_default();
            let issue = manifest
                .error("duplicate-object", "metadata.name", format!("`{label}` is declared twice"))
                .help("remove one, or give it another name; as long as both are there neither is used")
                .related(self.origin(first), "declared here first");
            self.fail(second, issue);
            if let Some(broken) = self.broken.get_mut(first) {
                *broken = true;
            }
        }
    }

    /// The Organization to build. Where there is none to choose, that is an issue.
    fn choose(&mut self, wanted: Option<&str>) -> Option<usize> {
        let all: Vec<(usize, &str)> = self
            .index
            .iter()
            .filter(|(key, _)| key.kind == Kind::Organization)
            .map(|(key, index)| (*index, &*key.name))
            .collect();
        if let Some(wanted) = wanted {
            if let Some((index, _)) = all.iter().find(|(_, name)| *name == wanted) {
                return Some(*index);
            }
            let help = match nearest(wanted, all.iter().map(|(_, name)| *name)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if all.is_empty() => "declare it".to_owned(),
                None => format!(
                    "declared: {}",
                    all.iter().map(|(_, name)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                ),
            };
            let message = format!("there is no `Organization` named `{}`", quoted(wanted));
            self.issues
                .push(Issue::new(Severity::Error, "no-organization", self.anywhere(), None, "", message).help(help));
            return None;
        }
        let mut places: Vec<usize> = all.iter().map(|(index, _)| *index).collect();
        places.sort_unstable();
        match places.as_slice() {
            [] => {
                // A document that could not be read may be it, and its error is told.
                if self.manifests.iter().all(|m| m.key.is_some()) {
                    let message = "no `Organization` is declared, so nobody knows which organization this is";
                    self.issues.push(
                        Issue::new(Severity::Error, "no-organization", self.anywhere(), None, "", message).help(format!(
                            "add one:\n    apiVersion: {}\n    kind: Organization\n    metadata: {{name: main}}\n    spec: {{managementAccountId: \"111122223333\"}}",
                            crate::api::API_VERSION
                        )),
                    );
                }
                None
            }
            [one] => Some(*one),
            [first, rest @ ..] => {
                let issues: Vec<Issue> = rest
                    .iter()
                    .filter_map(|index| self.manifests.get(*index))
                    .map(|manifest| {
                        manifest
                            .error("several-organizations", "", "more than one `Organization` is declared")
                            .help("choose one by name with `--organization`, or keep their manifests apart")
                            .related(self.origin(*first), "another one")
                    })
                    .collect();
                self.issues.extend(issues);
                None
            }
        }
    }

    /// A place for what concerns the whole.
    fn anywhere(&self) -> Origin {
        let file = self.manifests.first().map(|m| m.origin.file.clone()).unwrap_or_default();
        Origin { file, line: 0, column: 0 }
    }

    /// Who belongs to the chosen Organization. What is nobody's is told, and its counterpart in AWS is left as it is.
    fn membership(&mut self, chosen: Option<usize>) {
        let organizations = Organizations::of(self.manifests.iter().copied());
        let chosen = chosen.and_then(|i| self.manifests.get(i)).and_then(|m| m.key.as_ref()).map(|key| &*key.name);
        for (index, manifest) in self.manifests.iter().copied().enumerate() {
            let home = organizations.home(manifest);
            if let Home::Of(name) = home
                && let Some(belongs) = self.belongs.get_mut(index)
            {
                *belongs = chosen.is_none_or(|chosen| chosen == name);
            }
            if let Some(issue) = organizations.issue(manifest, home) {
                self.fail(index, issue);
            }
        }
    }

    /// The AWS id of an object in this organization.
    pub(super) fn id<'m>(&self, manifest: &'m Manifest) -> Option<&'m str> {
        manifest.id_in(self.organization.map(|spec| spec.management_account_id.as_str()))
    }

    /// The Organization itself. A part of it that is wrong is told and left out: nothing is ever taken away for want of it.
    fn root(&mut self, index: usize) -> Option<Declared<Organization>> {
        let manifest = self.manifests.get(index).filter(|_| self.broken.get(index) == Some(&false))?;
        let Some(Body::Organization(spec)) = &manifest.body else { return None };
        let mut administrators: BTreeMap<Box<str>, BTreeSet<String>> = BTreeMap::new();
        for (i, administrator) in spec.delegated_administrators.iter().enumerate() {
            let field = format!("spec.delegatedAdministrators[{i}].accountRef");
            match self.reference_issue(index, &field, Kind::Account, &administrator.account_ref) {
                Some(issue) => self.issues.push(issue),
                None => administrators
                    .entry(administrator.account_ref.name.as_str().into())
                    .or_default()
                    .extend(administrator.services.iter().cloned()),
            }
        }
        let delegation_policy = spec.delegation_policy.as_ref().and_then(|value| {
            let (document, issues) = manifest.document.get_or_init(|| {
                let kind = PolicyType::new(crate::policy::statement::DELEGATION_POLICY);
                let (document, issues) = content::document(manifest, "spec.delegationPolicy", &kind, value);
                (document.map(Arc::new), issues)
            });
            self.issues.extend(issues.iter().cloned());
            let document = Document::clone(document.as_ref()?);
            let count = document.characters();
            if count > MAX_DELEGATION_POLICY {
                let message = format!(
                    "the document has {} characters; AWS allows {}",
                    grouped(count),
                    grouped(MAX_DELEGATION_POLICY)
                );
                self.issues.push(manifest.error("too-large", "spec.delegationPolicy", message));
                return None;
            }
            Some(document)
        });
        let management_account: AccountId = spec.management_account_id.parse().ok()?;
        Some(Declared {
            key: manifest.key.clone()?,
            origin: manifest.origin.clone(),
            id: self.id(manifest).map(str::to_owned),
            created: manifest.created,
            take_over: manifest.take_over.clone(),
            labels: manifest.labels.clone(),
            suspend: spec.suspend,
            spec: Organization {
                management_account,
                partition: spec.partition,
                mode: spec.mode,
                policy_types: spec.policy_types.iter().map(|name| PolicyType::new(name)).collect(),
                attachments: spec.attachments,
                ignore: spec.ignore.clone(),
                adoption_tags: spec.adoption_tags,
                base_access: spec.base_access,
                access: spec.access.clone(),
                services: spec.trusted_services.iter().cloned().collect(),
                administrators,
                delegation_policy,
                interval: spec.interval.as_ref().and_then(|interval| interval.parse().ok()),
                queue: spec.events.as_ref().map(|events| events.queue_url.clone()),
                tags: manifest.tags.clone(),
                limits: spec.limits.clone(),
            },
        })
    }

    fn broken_objects(&self) -> Vec<Broken> {
        self.manifests
            .iter()
            .enumerate()
            .filter(|(index, _)| self.broken.get(*index) == Some(&true) && self.belongs.get(*index) == Some(&true))
            .map(|(_, manifest)| Broken {
                key: manifest.key.clone(),
                origin: manifest.origin.clone(),
                id: self.id(manifest).map(str::to_owned),
                name: manifest.aws_name.clone(),
            })
            .collect()
    }

    /// What the organization says of attachments where a node does not.
    pub(super) fn attachments(&self) -> Attachments {
        self.organization.map(|spec| spec.attachments).unwrap_or_default()
    }

    /// Whether an account is the management account.
    pub(super) fn is_management(&self, id: Option<&str>) -> bool {
        id.is_some() && self.organization.map(|spec| spec.management_account_id.as_str()) == id
    }
}

/// People write the AWS name where the object's name is wanted.
fn by_aws_name<'a>(cx: &Build<'a>, kind: Kind, name: &str) -> Option<&'a str> {
    cx.manifests
        .iter()
        .find(|m| m.aws_name.as_deref() == Some(name) && m.key.as_ref().is_some_and(|key| key.kind == kind))
        .and_then(|m| m.key.as_ref())
        .map(|key| &*key.name)
}

/// The node that a reference to an OU, or its absence, names.
pub(super) fn parent_key(reference: Option<&Reference>) -> NodeKey {
    reference.map_or(NodeKey::Root, |reference| NodeKey::Unit(reference.name.as_str().into()))
}
