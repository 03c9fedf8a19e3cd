//! What the cluster says at one moment: the objects of one Organization, and the approvals that are for them.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::keep::{Judged, observes};
use super::objects::Entry;
use super::tenure::Claimant;
use super::watch::Cluster;
use crate::api::organization::{Access, Partition};
use crate::apply::Outcome;
use crate::desired::{Desired, Home, Issue, build_from};
use crate::names::{AccountId, Kind, ObjectKey};
use crate::pass::Planned;
use crate::plan::guard::idle;
use crate::plan::{Approvals, Change};
use crate::status::approvals::{Given, Passed, approval, counting, subject};

/// An object as a pass saw it.
pub(super) struct Seen {
    pub(super) uid: String,
    pub(super) generation: i64,
    whose: Whose,
}

/// Whose an object is to a pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// That of the Organization of the pass.
    Own,
    /// Nobody's, and nobody kept it yet.
    Open,
    /// Nobody's since somebody kept it.
    Let,
    /// Another Organization's.
    Others,
}

impl Whose {
    fn of(entry: &Entry, home: Home<'_>, organization: &str) -> Self {
        match home {
            Home::Of(name) if name == organization => Self::Own,
            Home::Of(_) => Self::Others,
            Home::Unsaid if !entry.manifest.was_kept() => Self::Open,
            Home::Unsaid | Home::Other(_) | Home::Gone(_) | Home::Nobody => Self::Let,
        }
    }
}

/// The objects of the cluster as a pass sees them: read once, at its beginning.
pub struct Scene {
    /// Where they were read.
    pub(super) cluster: Arc<Cluster>,
    /// [`Cluster::version`] of before.
    pub(super) version: u64,
    pub(super) desired: Option<Desired>,
    pub(super) issues: Vec<Issue>,
    pub(super) seen: BTreeMap<ObjectKey, Seen>,
    /// Accounts that manage the organizations of the cluster.
    managed_by: Vec<AccountId>,
    /// Objects that somebody deleted, and whose deletion policy says what is to go in AWS.
    pub(super) deleted: BTreeSet<ObjectKey>,
    /// Approvals of its objects, each with the objects that its approver wrote.
    pub(super) approvals: Vec<(Given, BTreeSet<ObjectKey>)>,
}

impl Scene {
    /// Builds what is declared for the Organization of that name; `None` until every kind was listed.
    #[must_use]
    pub fn of(cluster: &Arc<Cluster>, organization: &str) -> Option<Self> {
        let version = cluster.version();
        let objects = cluster.objects();
        let entries = objects.whole()?;
        // What is being deleted is declared no more.
        let standing = || entries.iter().filter(|(_, entry)| !entry.deleting);
        let manifests: Vec<_> = standing().map(|(_, entry)| &entry.manifest).collect();
        let (desired, found) = build_from(&manifests, Some(organization));
        let mut issues: Vec<Issue> = standing().flat_map(|(_, entry)| entry.issues.iter().cloned()).collect();
        issues.extend(found);
        let organizations = objects.organizations();
        let (mut seen, mut deleted) = (BTreeMap::new(), BTreeSet::new());
        for (key, entry) in entries {
            let home = organizations.home(&entry.manifest);
            let whose = Whose::of(entry, home, organization);
            if entry.deleting {
                // Whose deletion it is, nobody can say of what is nobody's.
                if !(entry.finalizer && entry.deletes) || whose == Whose::Others {
                    continue;
                }
                if whose == Whose::Own {
                    deleted.insert(key.clone());
                }
                issues.extend(organizations.issue(&entry.manifest, home));
            }
            seen.insert(key.clone(), Seen { uid: entry.uid.clone(), generation: entry.generation, whose });
        }
        let (cluster_of, approvals, managed_by) = (cluster.clone(), vec![], organizations.management_accounts());
        let mut scene = Self { cluster: cluster_of, version, desired, issues, seen, managed_by, deleted, approvals };
        let alone = entries.keys().filter(|key| key.kind == Kind::Organization).count() == 1;
        let own = LazyCell::new(|| scene.keys());
        let mut approvals = vec![];
        for given in cluster.approvals().all()?.values() {
            let subject = given.spec.as_ref().ok().map(subject);
            // Where there is one Organization, it also answers for approvals of what nobody has.
            if alone || subject.as_ref().is_some_and(|subject| own.contains(subject)) {
                let approver = given.spec.as_ref().ok().map(|spec| spec.approver.as_str());
                let wrote = entries.iter().filter(|(_, entry)| approver.is_some() && entry.author() == approver);
                approvals.push((given.clone(), wrote.map(|(key, _)| key.clone()).collect()));
            }
        }
        scene.approvals = approvals;
        Some(scene)
    }

    /// What is declared, where there is a usable Organization.
    pub(super) fn desired(&self) -> Option<&Desired> {
        self.desired.as_ref()
    }

    /// The `metadata.uid` of an object.
    pub(super) fn uid(&self, key: &ObjectKey) -> Option<&str> {
        self.seen.get(key).map(|seen| seen.uid.as_str())
    }

    /// Whether somebody deleted the object, and its counterpart in AWS is to go.
    pub(super) fn is_deleted(&self, key: &ObjectKey) -> bool {
        self.deleted.contains(key)
    }

    /// What of its approvals counts now.
    pub(super) fn approved(&self, now: Timestamp) -> Approvals {
        counting(self.approvals.iter().map(|(given, wrote)| (given, wrote)), now)
    }

    /// How AWS is reached, and whose organization it is to be.
    #[must_use]
    pub fn way(&self) -> (Partition, Option<Access>, Option<AccountId>) {
        let spec = self.desired.as_ref().map(|desired| &desired.organization.spec);
        spec.map_or_else(Default::default, |spec| {
            (spec.partition, spec.access.clone(), Some(spec.management_account.clone()))
        })
    }

    /// URL of the queue by which AWS tells what happened.
    #[must_use]
    pub fn queue(&self) -> Option<&str> {
        self.desired.as_ref()?.organization.spec.queue.as_deref()
    }

    /// What its approvals let pass in a plan that was judged with them.
    pub(super) fn passed(
        &self,
        desired: &Desired,
        planned: &Planned,
        outcomes: &[(Change, Outcome)],
        now: Timestamp,
    ) -> Passed {
        let approvals = self.approved(now);
        let idle = idle(&approvals, &planned.plan, desired, &planned.observed, now);
        Passed::of(&approvals.hashes - &idle, &planned.plan, outcomes)
    }

    /// The statuses of the approvals after, or before, they let changes pass.
    pub(super) fn judged(&self, passed: &Passed, now: Timestamp) -> Vec<Judged> {
        let judged = |(given, wrote): &(Given, BTreeSet<ObjectKey>)| {
            let (verdict, fields) = approval(given, wrote, passed, now);
            (given.clone(), verdict, fields)
        };
        self.approvals.iter().map(judged).collect()
    }

    /// The name under which `process` takes the lease in AWS for this Organization: two processes that keep one Organization,
    /// and two Organizations of one process, are two writers.
    pub(super) fn holder(&self, process: &str) -> String {
        let uid = self.desired.as_ref().and_then(|desired| self.uid(desired.organization_key()));
        format!("controller:{}:{process}", uid.unwrap_or_default())
    }

    /// For whom the lease in AWS is to be held; `None` where nothing is to be written.
    #[must_use]
    pub fn claimant(&self, cx: &Context) -> Option<Claimant> {
        let desired = self.desired.as_ref().filter(|desired| !observes(desired))?;
        let management = desired.organization.spec.management_account.clone();
        let predecessor = cx.predecessor.as_ref().map(|process| self.holder(process));
        Some(Claimant { management, who: self.holder(&cx.instance), predecessor })
    }

    /// Keys of the objects that belong to the Organization, and of those that are nobody's.
    pub(super) fn keys(&self) -> BTreeSet<&ObjectKey> {
        self.seen.iter().filter(|(_, seen)| seen.whose != Whose::Others).map(|(key, _)| key).collect()
    }

    /// Accounts that manage the organizations that an object is kept in, or may be meant for; nothing where it keeps what
    /// was said of it.
    pub(super) fn management_accounts(&self, key: &ObjectKey) -> Vec<Value> {
        let accounts: Vec<&AccountId> = match self.seen.get(key).map(|seen| seen.whose) {
            Some(Whose::Own) => self.desired.iter().map(|d| &d.organization.spec.management_account).collect(),
            Some(Whose::Open) => self.managed_by.iter().collect(),
            _ => vec![],
        };
        accounts.into_iter().map(|account| account.as_str().into()).collect()
    }

    pub(super) fn is_own(&self, key: &ObjectKey) -> bool {
        self.seen.get(key).is_some_and(|seen| seen.whose == Whose::Own)
    }
}
