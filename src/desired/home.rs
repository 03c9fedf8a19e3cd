//! To which Organization of a cluster an object belongs.

use std::collections::BTreeMap;

use super::model::Issue;
use super::read::{Body, Manifest};
use super::report::{nearest, quoted};
use super::tree::{Form, Node};
use crate::names::{AccountId, Kind};

/// The Organization objects that are there, usable or not, each with the account that manages its organization where that
/// can be read.
#[derive(Debug, Clone, Default)]
pub struct Organizations<'a>(BTreeMap<&'a str, Option<&'a str>>);

/// The Organization of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home<'a> {
    /// The Organization of that name.
    Of(&'a str),
    /// It names an Organization that is not there.
    Gone(&'a str),
    /// It names none, and there are several.
    Unsaid,
    /// It names none, and was kept in another organization than that of the only Organization of this name; or several were
    /// there when it was first seen.
    Other(&'a str),
    /// It names none, and there is none.
    Nobody,
}

impl<'a> Organizations<'a> {
    /// Those among the manifests.
    pub fn of(manifests: impl IntoIterator<Item = &'a Manifest>) -> Self {
        let named = |manifest: &'a Manifest| {
            let key = manifest.key.as_ref().filter(|key| key.kind == Kind::Organization)?;
            let management = match &manifest.body {
                Some(Body::Organization(spec)) => Some(spec.management_account_id.as_str()),
                _ => None,
            };
            Some((&*key.name, management))
        };
        Self(manifests.into_iter().filter_map(named).collect())
    }

    /// Whose an object is. An Organization is its own.
    #[must_use]
    pub fn home(&self, manifest: &'a Manifest) -> Home<'a> {
        if let Some(key) = manifest.key.as_ref().filter(|key| key.kind == Kind::Organization) {
            return Home::Of(&key.name);
        }
        if let Some(name) = manifest.organization.as_deref() {
            return self.0.get_key_value(name).map_or(Home::Gone(name), |(name, _)| Home::Of(name));
        }
        let mut all = self.0.iter();
        match (all.next(), all.next()) {
            (None, _) => Home::Nobody,
            (Some(_), Some(_)) => Home::Unsaid,
            (Some((name, Some(management))), None) if !manifest.may_be_kept_in(management) => Home::Other(name),
            (Some((name, _)), None) => Home::Of(name),
        }
    }

    /// The accounts that manage the organizations, in order.
    #[must_use]
    pub fn management_accounts(&self) -> Vec<AccountId> {
        let mut all: Vec<AccountId> = self.0.values().flatten().filter_map(|id| id.parse().ok()).collect();
        all.sort();
        all.dedup();
        all
    }

    /// What is wrong with an object that is nobody's; `None` where it belongs to one, or there is none.
    #[must_use]
    pub fn issue(&self, manifest: &Manifest, home: Home<'_>) -> Option<Issue> {
        let names = || self.0.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        Some(match home {
            Home::Of(_) | Home::Nobody => return None,
            Home::Gone(_) if self.0.is_empty() => return None,
            Home::Gone(name) => {
                let help = match nearest(name, self.0.keys().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "leave `organizationRef` out where there is one Organization".to_owned(),
                };
                let message = format!("there is no `Organization` named `{}`", quoted(name));
                manifest.error("dangling-reference", "spec.organizationRef.name", message).help(help)
            }
            Home::Unsaid => {
                let message = format!(
                    "there are {} Organizations, and the object does not say to which it belongs",
                    self.0.len()
                );
                manifest
                    .error("ambiguous-organization", "spec.organizationRef", message)
                    .help(format!("say which: `organizationRef: {{name: …}}` with one of {}", names()))
            }
            Home::Other(name) => {
                let accounts: Vec<String> = manifest.kept_in.iter().map(|id| format!("`{id}`")).collect();
                let was = match accounts.as_slice() {
                    [one] => format!("it was kept in the organization of account {one}"),
                    several => {
                        format!("there were Organizations of accounts {} when it was first seen", several.join(", "))
                    }
                };
                let message = format!("{was}, and it does not say that it belongs to `{name}` now");
                manifest.error("other-organization", "spec.organizationRef", message).help(format!(
                    "say so with `organizationRef: {{name: {name}}}`, or remove the object if it was meant for another"
                ))
            }
        })
    }
}

/// What `status.managementAccounts` of an object says.
pub(super) fn kept_in(object: &Node) -> Box<[AccountId]> {
    let accounts = object.get("status").and_then(|status| status.get("managementAccounts"));
    let Some(Form::List(accounts)) = accounts.map(|node| &node.form) else { return Box::default() };
    accounts.iter().filter_map(|account| account.text()?.parse().ok()).collect()
}

impl Manifest {
    /// Whether its status allows that an object that names no Organization is of the organization of that account.
    fn may_be_kept_in(&self, management: &str) -> bool {
        self.kept_in.iter().all(|account| account.as_str() == management)
    }

    /// Whether `status.managementAccounts` names that account alone.
    #[must_use]
    pub fn was_kept_in(&self, management: &AccountId) -> bool {
        matches!(&*self.kept_in, [one] if one == management)
    }

    /// Whether `status.managementAccounts` names an account.
    #[must_use]
    pub fn was_kept(&self) -> bool {
        !self.kept_in.is_empty()
    }

    /// Its AWS id: of annotation `bylaw.dev/id`, or of a status that speaks of the organization of that account.
    pub(super) fn id_in(&self, management: Option<&str>) -> Option<&str> {
        let foreign = management.is_some_and(|management| !self.may_be_kept_in(management));
        self.id.as_deref().filter(|_| !(self.id_of_status && foreign))
    }
}
