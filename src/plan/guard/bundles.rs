//! One approval for everything that one object, or the Organization, is refused for.
//!
//! A change can be past several limits, and some limits are looked at only for what the others let pass. A bundle is found by
//! judging again with all that was refused approved, until nothing more is refused. Its hash is of each change with each of
//! its rules, so it is void once a change is another, is done, or is past another limit.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::{Action, Bundle, Change, NodeRef, PolicyRef, Refusal, hash};
use super::super::world::{Interner, World};
use super::{Asked, Court, Judged, alone, judge};
use crate::names::{ObjectKey, PolicyType};
use crate::observed::Observed;
use crate::policy::Document;

/// Most rounds of judging again: each finds what the rules of the round before hid, and there are fewer rules.
const ROUNDS: usize = 8;

/// The hash under which a search for bundles approves what it found; no text of 16 digits is equal to it.
const ALL: &str = "all";

/// Judges changes, with what the approvals of bundles let pass, and tells the bundles of what stays refused.
pub(super) fn judge_with(changes: Vec<Change>, refusals: Vec<Refusal>, asked: &Asked<'_>) -> (Judged, Vec<Bundle>) {
    let can = |judged: &Judged| judged.refusals.iter().any(|refusal| refusal.hash.is_some());
    let mut judged = judge(changes.clone(), refusals.clone(), asked);
    if !can(&judged) {
        return (judged, vec![]);
    }
    let mut found = of(&judged, &changes, asked);
    let mut given = asked.approvals.clone();
    let is_approved =
        |bundle: &&Bundle| asked.approvals.hold(&bundle.hash, bundle.covers.iter().map(|(_, change)| &change.object));
    let approved: Vec<Bundle> = found.all.iter().filter(is_approved).cloned().collect();
    if !approved.is_empty() {
        for bundle in &approved {
            given.cover(&bundle.hash, bundle.covers.iter().map(|(rule, change)| alone(rule, &change.approvable())));
        }
        let asked = Asked { approvals: &given, ..*asked };
        judged = judge(changes.clone(), refusals, &asked);
        found = if can(&judged) { of(&judged, &changes, &asked) } else { Found::default() };
    }
    (judged, found.worth_telling())
}

/// What a search for bundles found.
#[derive(Default)]
struct Found {
    all: Vec<Bundle>,
    /// Hashes of bundles that say no more than one refusal does.
    plain: BTreeSet<String>,
}

impl Found {
    /// The bundles that one approval of a refusal does not do: the Organization's first.
    fn worth_telling(self) -> Vec<Bundle> {
        let Self { all, plain } = self;
        all.into_iter().filter(|bundle| !plain.contains(&bundle.hash)).collect()
    }
}

fn of(judged: &Judged, changes: &[Change], asked: &Asked<'_>) -> Found {
    let mut given = asked.approvals.clone();
    given.hashes.insert(ALL.into());
    let (mut covers, mut plain) = (BTreeMap::new(), BTreeSet::new());
    let mut refusals = judged.refusals.clone();
    for _ in 0..ROUNDS {
        let before = covers.len();
        for refusal in refusals.iter().filter(|refusal| refusal.hash.is_some()) {
            let keyed = |change: &Change| (alone(refusal.rule, &change.approvable()), (refusal.rule, change.clone()));
            let group: BTreeMap<String, (&'static str, Change)> = refusal.changes.iter().map(keyed).collect();
            given.cover(ALL, group.keys().cloned());
            plain.insert(bundle_hash(group.keys()));
            covers.extend(group);
        }
        if covers.len() == before {
            break;
        }
        refusals = judge(changes.to_vec(), vec![], &Asked { approvals: &given, ..*asked }).refusals;
    }
    let organization = asked.desired.organization.key.clone();
    let mut by_object: BTreeMap<&ObjectKey, BTreeMap<&String, &(&'static str, Change)>> = BTreeMap::new();
    for (key, cover) in &covers {
        by_object.entry(&cover.1.object).or_default().insert(key, cover);
    }
    let bundle = |subject: ObjectKey, covers: BTreeMap<&String, &(&'static str, Change)>| {
        let hash = bundle_hash(covers.keys().copied());
        let mut covers: Vec<(&'static str, Change)> = covers.into_values().cloned().collect();
        covers.sort_by_key(|(rule, change)| (change.id, *rule));
        Bundle { subject, hash, covers }
    };
    let several = by_object.len() > 1;
    let whole = several.then(|| bundle(organization, covers.iter().collect()));
    // A part of what one rule refuses is one as well, where an object is refused for more than that.
    let of_objects = by_object.into_iter().map(|(object, covers)| bundle(object.clone(), covers));
    let of_objects = of_objects.filter(|bundle| !several || bundle.rules().len() > 1);
    Found { all: whole.into_iter().chain(of_objects).collect(), plain }
}

fn bundle_hash<'k>(keys: impl Iterator<Item = &'k String>) -> String {
    hash(&("bundle", keys.collect::<BTreeSet<_>>()))
}

impl Court<'_> {
    /// Notes what each change comes to beside itself. What an earlier trial noted stays: it saw the whole plan.
    pub(super) fn weigh(&mut self, before: &World<'_>, atoms: &mut Interner) {
        let weighs = |change: &Change| {
            matches!(change.action, Action::Attach { .. } | Action::Detach { .. } | Action::MoveAccount { .. })
        };
        if !self.kept.iter().any(|change| weighs(change) && change.means.is_none()) {
            return;
        }
        let mut after = before.clone();
        self.proposed.iter().for_each(|change| after.apply(change, atoms));
        let mut texts = Texts::of(&self.proposed, self.observed);
        for change in self.kept.iter_mut().filter(|change| change.means.is_none()) {
            change.means = match &change.action {
                Action::Attach { policy, kind, .. } => Some(texts.digest(policy, kind)),
                Action::Detach { policy, kind, .. } => Some(texts.digest(&PolicyRef::Known(policy.clone()), kind)),
                Action::MoveAccount { to, .. } => Some(texts.on_the_way(to, &after)),
                _ => None,
            };
        }
    }
}

/// What policies say once the plan is through.
struct Texts<'a> {
    observed: &'a Observed,
    planned: BTreeMap<PolicyRef, &'a str>,
    digests: BTreeMap<PolicyRef, String>,
}

impl<'a> Texts<'a> {
    fn of(proposed: &'a [Change], observed: &'a Observed) -> Self {
        let text = |change: &'a Change| match &change.action {
            Action::CreatePolicy { content, .. } => Some((PolicyRef::New(change.object.clone()), content.as_str())),
            Action::UpdatePolicy { policy, content: Some(content), .. } => {
                Some((PolicyRef::Known(policy.clone()), content.to.as_str()))
            }
            _ => None,
        };
        Self { observed, planned: proposed.iter().filter_map(text).collect(), digests: BTreeMap::new() }
    }

    fn digest(&mut self, policy: &PolicyRef, kind: &PolicyType) -> String {
        if let Some(digest) = self.digests.get(policy) {
            return digest.clone();
        }
        let found = match policy {
            PolicyRef::Known(id) => self.observed.policies.get(id),
            PolicyRef::New(_) => None,
        };
        let text = self.planned.get(policy).copied().or_else(|| found?.content.get().map(String::as_str));
        let digest = match text {
            // AWS's own need not be read, and keep their ids.
            _ if found.is_some_and(|found| found.aws_managed) => policy.to_string(),
            Some(text) => match Document::parse(kind, text) {
                Ok((document, _)) => hash(&document.minified()),
                Err(_) => hash(&text),
            },
            None => "unread".to_owned(),
        };
        self.digests.insert(policy.clone(), digest.clone());
        digest
    }

    /// What is attached to a node and to all above it, but for what AWS attaches to each.
    fn on_the_way(&mut self, node: &NodeRef, world: &World<'_>) -> String {
        let managed = |policy: &&PolicyRef| match policy {
            PolicyRef::Known(id) => self.observed.policies.get(id).is_some_and(|found| found.aws_managed),
            PolicyRef::New(_) => false,
        };
        let chain = world.chain(node);
        let on_it = chain.iter().flat_map(|at| world.all_attached(at)).filter(|policy| !managed(policy));
        let on_it: BTreeSet<(PolicyRef, PolicyType)> =
            on_it.filter_map(|policy| Some((policy.clone(), world.kind(policy)?.clone()))).collect();
        let digests: BTreeSet<String> = on_it.iter().map(|(policy, kind)| self.digest(policy, kind)).collect();
        hash(&digests)
    }
}
