//! Engines that are wrong on purpose: the checks must find each.

use std::sync::{Arc, Mutex};

use bylaw::api::AdoptionPolicy;
use bylaw::aws::port::PolicySummary;
use bylaw::aws::{AwsError, Port, Request, Response, ServiceTime, Still};
use bylaw::desired::Desired;
use bylaw::names::{PolicyType, TAG_DELETION, TAG_RESOURCE, Tags};
use bylaw::observed::Part;
use bylaw::pass::{self, Options, Planned};
use bylaw::plan::{Action, Change, Memory, Reason};
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;

use super::wish::wide;

/// What is wrong with the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Nothing.
    None,
    /// Attachments are made only after the next detachment.
    DetachFirst,
    /// Parts that could not be read count as empty.
    GapsAreEmpty,
    /// Limits do not count.
    NoLimits,
    /// Deletes without being asked to.
    AlwaysPrunes,
    /// Makes writes that nobody announced.
    Unrecorded,
    /// Renames whatever it reads.
    TouchesForeign,
    /// Writes without looking.
    Blind,
    /// Ignores the brake and suspension.
    NoBrake,
    /// Takes over what it was told to create.
    Adopts,
    /// Touches what it was told to ignore.
    Overlooks,
    /// Touches what is suspended.
    Resumes,
    /// Runs what would leave a node without an allow.
    Blocks,
    /// Believes that all it deletes opted in.
    Believes,
    /// Leaves tags alone that are declared.
    Untidy,
    /// Runs what waits for something that is refused.
    Insists,
    /// Asks once, at the beginning, whether all is wanted.
    Headlong,
    /// Takes every difference for drift.
    Blames,
    /// Attaches although nobody knows whom that reaches.
    Reaches,
    /// Attaches policies before they say what is declared.
    AttachFirst,
    /// Takes every attachment for done.
    Hasty,
    /// Does not remember what was approved.
    Forgets,
}

/// A policy that is nowhere, and that [`Mutant::Blocks`] takes to allow everything everywhere.
const ANOTHER_ALLOW: &str = "p-AnotherAllow";

impl Mutant {
    pub const ALL: [(Self, &'static str); 21] = [
        (Self::Forgets, "approvals"),
        (Self::DetachFirst, "window"),
        (Self::GapsAreEmpty, "partial"),
        (Self::NoLimits, "limits"),
        (Self::AlwaysPrunes, "deletion without"),
        (Self::Unrecorded, "unrecorded"),
        (Self::TouchesForeign, "foreign"),
        (Self::Blind, "unlooked"),
        (Self::NoBrake, "held"),
        (Self::Adopts, "foreign"),
        (Self::Overlooks, "ignored"),
        (Self::Resumes, "suspended"),
        (Self::Blocks, "blocks"),
        (Self::Believes, "deletion without"),
        (Self::Untidy, "not as declared, beside what is refused"),
        (Self::Insists, "refused and done"),
        (Self::Headlong, "brake"),
        (Self::Blames, "drift"),
        (Self::Reaches, "reach"),
        (Self::AttachFirst, "text"),
        (Self::Hasty, "open"),
    ];

    /// Between what is heard of the engine and AWS.
    pub fn below<'a, P: Port>(self, port: &'a P) -> Box<dyn Port + 'a> {
        match self {
            Self::DetachFirst | Self::TouchesForeign => Box::new(Wrong { port, mutant: self, waiting: Arc::default() }),
            _ => Box::new(port),
        }
    }

    /// Between the engine and what is heard of it.
    pub fn above<'a, P: Port>(self, port: &'a P) -> Box<dyn Port + 'a> {
        match self {
            Self::Blind | Self::Unrecorded | Self::Believes | Self::Blocks | Self::Hasty => {
                Box::new(Wrong { port, mutant: self, waiting: Arc::default() })
            }
            _ => Box::new(port),
        }
    }

    pub fn manifests(self, desired: &Desired) -> Desired {
        let mut desired = desired.clone();
        match self {
            Self::NoLimits => desired.organization.spec.limits = wide(),
            Self::Overlooks => desired.organization.spec.ignore = Default::default(),
            Self::Adopts => {
                let adopt = AdoptionPolicy::AdoptOrCreate;
                desired.units.values_mut().for_each(|unit| unit.spec.adoption = adopt);
                desired.policies.values_mut().for_each(|policy| policy.spec.adoption = adopt);
            }
            Self::Resumes => {
                desired.units.values_mut().for_each(|unit| unit.suspend = false);
                desired.accounts.values_mut().for_each(|account| account.suspend = false);
                desired.policies.values_mut().for_each(|policy| policy.suspend = false);
            }
            Self::Untidy => {
                desired.units.values_mut().for_each(|unit| unit.spec.tags = Tags::new());
                desired.policies.values_mut().for_each(|policy| policy.spec.tags = Tags::new());
            }
            _ => {}
        }
        desired
    }

    pub fn options(self, options: &Options) -> Options {
        Options { prune: options.prune || self == Self::AlwaysPrunes, ..options.clone() }
    }

    pub fn planned(
        self,
        planned: Planned,
        desired: &Desired,
        memory: &Memory,
        options: &Options,
        now: Timestamp,
    ) -> Planned {
        let insists: &[&str] = match self {
            Self::Blocks => &["last-policy"],
            Self::Insists => &["depends"],
            _ => &[],
        };
        if !insists.is_empty() {
            let mut planned = planned;
            let refused = planned.plan.refusals.iter().filter(|refusal| insists.contains(&refusal.rule));
            planned.plan.changes.extend(refused.flat_map(|refusal| refusal.changes.clone()));
            planned.plan.changes.sort_by_key(|change| change.id);
            if self == Self::Blocks {
                let policies = &mut planned.observed.policies;
                let full = policies.values().find(|policy| policy.aws_managed && policy.kind == PolicyType::scp());
                if let Some(full) = full.cloned() {
                    policies.insert(ANOTHER_ALLOW.parse().unwrap(), full);
                }
            }
            return planned;
        }
        let mut planned = planned;
        match self {
            Self::Blames => planned.plan.changes.iter_mut().for_each(|change| change.reason = Reason::Drift),
            Self::Reaches => {
                let refused = planned.plan.refusals.iter().filter(|refusal| refusal.rule == "partial-read");
                let attaches = refused.flat_map(|refusal| refusal.changes.clone());
                let attaches: Vec<_> =
                    attaches.filter(|change| matches!(change.action, Action::Attach { .. })).collect();
                planned.plan.changes.extend(attaches);
                planned.plan.changes.sort_by_key(|change| change.id);
            }
            Self::AttachFirst => {
                let late = |change: &Change| matches!(change.action, Action::UpdatePolicy { .. });
                planned.plan.changes.sort_by_key(late);
                planned.plan.changes.iter_mut().for_each(|change| change.needs_text = false);
            }
            _ => {}
        }
        let mut observed = planned.observed.clone();
        match self {
            Self::GapsAreEmpty => {
                observed.gaps.clear();
                for policy in observed.policies.values_mut() {
                    if matches!(policy.targets, Part::Unreadable { .. }) {
                        policy.targets = Part::known(Default::default(), now);
                    }
                    if matches!(policy.tags, Part::Unreadable { .. }) {
                        policy.tags = Part::known(Default::default(), now);
                    }
                }
                for account in observed.accounts.values_mut() {
                    if matches!(account.tags, Part::Unreadable { .. }) {
                        account.tags = Part::known(Default::default(), now);
                    }
                }
            }
            Self::Believes => {
                let opt = |tags: &mut Part<Tags>| {
                    if let Some(tags) = tags.get_mut()
                        && tags.contains_key(TAG_RESOURCE)
                    {
                        tags.insert(TAG_DELETION.to_owned(), "Delete".to_owned());
                    }
                };
                observed.units.values_mut().for_each(|unit| opt(&mut unit.tags));
                observed.policies.values_mut().for_each(|policy| opt(&mut policy.tags));
            }
            Self::NoBrake => {
                let strip = |tags: &mut Part<bylaw::names::Tags>| {
                    if let Some(tags) = tags.get_mut() {
                        tags.remove(bylaw::names::TAG_HOLD);
                    }
                };
                strip(&mut observed.root.tags);
                observed.units.values_mut().for_each(|unit| strip(&mut unit.tags));
                observed.accounts.values_mut().for_each(|account| strip(&mut account.tags));
                observed.policies.values_mut().for_each(|policy| strip(&mut policy.tags));
            }
            _ => return planned,
        }
        let wrong = pass::plan_offline(desired, observed, memory, options, now);
        // What it was planned from stays what was read.
        Planned { observed: planned.observed, plan: wrong.plan }
    }
}

struct Wrong<'a, P> {
    port: &'a P,
    mutant: Mutant,
    waiting: Arc<Mutex<Vec<Request>>>,
}

impl<P: Port> Port for Wrong<'_, P> {
    fn call<'b>(&'b self, request: &'b Request) -> BoxFuture<'b, Result<Response, AwsError>> {
        Box::pin(async move {
            match (self.mutant, request) {
                (Mutant::DetachFirst, Request::AttachPolicy { .. }) => {
                    self.waiting.lock().unwrap().push(request.clone());
                    Ok(Response::Done)
                }
                (Mutant::DetachFirst, Request::DetachPolicy { .. } | Request::UpdatePolicy { .. }) => {
                    let answer = self.port.call(request).await;
                    let waiting: Vec<Request> = std::mem::take(&mut *self.waiting.lock().unwrap());
                    for late in waiting {
                        drop(self.port.call(&late).await);
                    }
                    answer
                }
                (Mutant::TouchesForeign, Request::DetachPolicy { policy, .. }) => {
                    let answer = self.port.call(request).await;
                    drop(self.port.call(&Request::DeletePolicy { policy: policy.clone() }).await);
                    answer
                }
                (Mutant::Blind, Request::ListPoliciesForTarget { .. }) => {
                    Ok(Response::Policies(bylaw::aws::Page { items: vec![], next: None }))
                }
                (Mutant::Blocks, Request::ListPoliciesForTarget { kind, .. }) => {
                    let mut answer = self.port.call(request).await;
                    if let Ok(Response::Policies(page)) = &mut answer
                        && *kind == PolicyType::scp()
                    {
                        let (id, kind) = (ANOTHER_ALLOW.parse().unwrap(), kind.clone());
                        let (name, description) = ("AnotherAllow".into(), String::new());
                        page.items.push(PolicySummary { id, kind, name, description, aws_managed: true });
                    }
                    answer
                }
                (Mutant::Believes, Request::ListTagsForResource { .. }) => {
                    let mut answer = self.port.call(request).await;
                    if let Ok(Response::Tags(page)) = &mut answer {
                        page.items.push((TAG_DELETION.to_owned(), "Delete".to_owned()));
                    }
                    answer
                }
                (Mutant::Hasty, Request::AttachPolicy { .. }) => Ok(Response::Done),
                (Mutant::Unrecorded, Request::AttachPolicy { policy, target }) => {
                    let extra = Request::DetachPolicy { policy: policy.clone(), target: target.clone() };
                    drop(self.port.call(&extra).await);
                    self.port.call(request).await
                }
                _ => self.port.call(request).await,
            }
        })
    }

    fn call_while<'b>(&'b self, request: &'b Request, still: Still<'b>) -> BoxFuture<'b, Result<Response, AwsError>> {
        let own =
            matches!(self.mutant, Mutant::DetachFirst | Mutant::TouchesForeign | Mutant::Unrecorded | Mutant::Hasty);
        if !own && request.is_write() {
            return self.port.call_while(request, still);
        }
        Box::pin(async move {
            still()?;
            self.call(request).await
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.port.time()
    }
}
