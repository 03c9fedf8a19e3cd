//! The look before each write: is it still needed, and is AWS still as the plan found it?
//!
//! A creation is not looked at: AWS itself refuses a second OU, policy or account of the same name or e-mail, and no look
//! could be as sure. What this run made itself is not looked at either.

use std::collections::BTreeSet;

use super::lease::Now;
use super::state::State;
use crate::aws::port::{AccountFact, AccountState, PolicyTypeStatus, Resource};
use crate::aws::{AwsError, Port, Request, Response};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, TAG_DELETION, TAG_HOLD, Tags};
use crate::observed::{Clock, pages};
use crate::plan::guard::hold;
use crate::plan::model::{Edit, takes_every_allow};
use crate::plan::{Action, Change, Reason};

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It is needed: this is what to send.
    Needed(Request),
    /// It is so already.
    Already,
    /// AWS is no longer as the plan found it.
    Changed(String),
}

/// Looks at what `request`, the request of `change`, would touch.
pub(super) async fn look(
    port: &dyn Port,
    state: &State,
    change: &Change,
    request: Request,
    clock: Clock<'_>,
) -> Result<Look, AwsError> {
    Ok(match (&change.action, &request) {
        (Action::CreateUnit { .. } | Action::CreatePolicy { .. } | Action::CreateAccount { .. }, _) => {
            Look::Needed(request)
        }
        (Action::Attach { kind, .. }, Request::AttachPolicy { policy, target }) => {
            if !state.lock().is_new(target) {
                let attached = attached(port, state, target, kind, clock).await?;
                let max = kind.rule().max_attached;
                if attached.contains(policy) {
                    return Ok(Look::Already);
                }
                if attached.len() >= max {
                    let found = format!("`{target}` has {} of {max} policies attached by now", attached.len());
                    return Ok(Look::Changed(found));
                }
            }
            rewritten(port, state, policy, kind, clock).await?.unwrap_or(Look::Needed(request))
        }
        (Action::Detach { kind, .. }, Request::DetachPolicy { policy, target }) => {
            // What is left when it is gone is looked at right before, whoever looked a moment ago.
            let attached = attached_now(port, state, target, kind, clock).await?;
            if !attached.contains(policy) {
                Look::Already
            } else if let Some(changed) = kept_since(port, change, policy, clock).await? {
                changed
            } else if *kind == PolicyType::scp() && attached.len() == 1 {
                Look::Changed(format!("it is the last service control policy of `{target}`, which stays"))
            } else if *kind == PolicyType::scp() && state.lock().is_last_allow(policy, &attached) {
                Look::Changed(format!("no policy would be left at `{target}` that allows anything"))
            } else {
                Look::Needed(request)
            }
        }
        (Action::UpdatePolicy { policy, kind, name, description, content }, _) => {
            let answer = port.call(&Request::DescribePolicy { policy: policy.clone() }).await?;
            let Response::Policy { summary, content: text } = answer else { return Err(garbage("DescribePolicy")) };
            let same = |edit: &Option<Edit<String>>, is: &str| edit.as_ref().is_none_or(|edit| edit.from == is);
            let done = |edit: &Option<Edit<String>>, is: &str| edit.as_ref().is_none_or(|edit| edit.to == is);
            if done(name, &summary.name) && done(description, &summary.description) && done(content, &text) {
                Look::Already
            } else if !same(name, &summary.name) || !same(description, &summary.description) || !same(content, &text) {
                Look::Changed("the policy was edited since the plan was made".into())
            } else if let Some(bare) = bared(port, state, policy, kind, content.as_ref(), clock).await? {
                Look::Changed(format!("no policy would be left at `{bare}` that allows anything"))
            } else {
                Look::Needed(request)
            }
        }
        (Action::MoveAccount { .. }, Request::MoveAccount { account, from, to }) => {
            if state.lock().is_new(&NodeId::Account(account.clone())) {
                return Ok(Look::Needed(request));
            }
            let (fact, parent) = account_now(port, account).await?;
            if parent == *to {
                Look::Already
            } else if parent != *from {
                Look::Changed(format!("the account is in `{parent}` by now"))
            } else if fact.state != AccountState::Active {
                Look::Changed("the account is not active any more".into())
            } else {
                Look::Needed(request)
            }
        }
        (Action::RenameUnit { unit, parent, name }, _) => {
            let first = Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None };
            let mut found = None;
            for page in pages(port, first).await? {
                let Response::Units(page) = page else { return Err(garbage("ListOrganizationalUnitsForParent")) };
                found = found.or(page.items.into_iter().find(|fact| fact.id == *unit).map(|fact| fact.name));
            }
            edited(found.as_deref(), name, request)
        }
        (Action::RenameAccount { account, name }, _) => {
            let (fact, _) = account_now(port, account).await?;
            edited(Some(&fact.name), name, request)
        }
        (Action::Tag { set, .. }, Request::TagResource { resource, .. }) => {
            let has = tags(port, resource).await?;
            if let Some(changed) = braked(&has, port, clock) {
                return Ok(changed);
            }
            let left: Tags = set.iter().filter(|(key, value)| has.get(key) != Some(value)).collect();
            if left.is_empty() {
                Look::Already
            } else {
                Look::Needed(Request::TagResource { resource: resource.clone(), tags: left })
            }
        }
        _ => look_at_details(port, state, change, request, clock).await?,
    })
}

/// Why a policy is not attached as it is: it binds by what it says, and says something else than when the plan was made.
/// One look serves all attachments of a policy for a while.
async fn rewritten(
    port: &dyn Port,
    state: &State,
    policy: &PolicyId,
    kind: &PolicyType,
    clock: Clock<'_>,
) -> Result<Option<Look>, AwsError> {
    // Nobody can edit AWS's own.
    if kind.rule().default_policy == Some(policy.as_str()) || state.lock().knows_text(policy, clock()) {
        return Ok(None);
    }
    let Response::Policy { content, .. } = port.call(&Request::DescribePolicy { policy: policy.clone() }).await? else {
        return Err(garbage("DescribePolicy"));
    };
    let mut state = state.lock();
    let planned = state.observed.policies.get(policy).and_then(|found| found.content.get());
    if planned != Some(&content) {
        return Ok(Some(Look::Changed("the text of the policy was changed since the plan was made".into())));
    }
    state.saw_text(policy, clock());
    Ok(None)
}

/// The node at which nothing would be allowed any more after an edit that takes every allow out of a policy: what else is
/// attached there can have changed since the plan was made.
async fn bared(
    port: &dyn Port,
    state: &State,
    policy: &PolicyId,
    kind: &PolicyType,
    content: Option<&Edit<String>>,
    clock: Clock<'_>,
) -> Result<Option<NodeId>, AwsError> {
    if !content.is_some_and(|content| *kind == PolicyType::scp() && takes_every_allow(kind, content)) {
        return Ok(None);
    }
    for page in pages(port, Request::ListTargetsForPolicy { policy: policy.clone(), token: None }).await? {
        let Response::Targets(page) = page else { return Err(garbage("ListTargetsForPolicy")) };
        for node in page.items {
            let attached = attached_now(port, state, &node, kind, clock).await?;
            if state.lock().is_last_allow(policy, &attached) {
                return Ok(Some(node));
            }
        }
    }
    Ok(None)
}

async fn look_at_details(
    port: &dyn Port,
    state: &State,
    change: &Change,
    request: Request,
    clock: Clock<'_>,
) -> Result<Look, AwsError> {
    Ok(match (&change.action, &request) {
        (Action::PutContact { contact, before, .. }, Request::PutAlternateContact { account, kind, .. }) => {
            if state.lock().is_new(&NodeId::Account(account.clone())) {
                return Ok(Look::Needed(request));
            }
            let asked = Request::GetAlternateContact { account: account.clone(), kind: *kind };
            let Response::Contact(found) = port.call(&asked).await? else { return Err(garbage("GetAlternateContact")) };
            if found.as_ref() == Some(contact) {
                Look::Already
            } else if found != *before {
                Look::Changed("the contact was edited since the plan was made".into())
            } else {
                Look::Needed(request)
            }
        }
        (Action::EnablePolicyType { kind }, _) => {
            let mut on = false;
            for page in pages(port, Request::ListRoots { token: None }).await? {
                let Response::Roots(page) = page else { return Err(garbage("ListRoots")) };
                on |= page
                    .items
                    .iter()
                    .flat_map(|root| &root.policy_types)
                    .any(|(of, status)| of == kind && *status != PolicyTypeStatus::PendingDisable);
            }
            if on { Look::Already } else { Look::Needed(request) }
        }
        (Action::EnableService { principal }, _) => {
            let first = Request::ListAWSServiceAccessForOrganization { token: None };
            already_if(services(port, first).await?.contains(principal), request)
        }
        (Action::RegisterAdministrator { principal, .. }, Request::RegisterDelegatedAdministrator { account, .. }) => {
            let first = Request::ListDelegatedServicesForAccount { account: account.clone(), token: None };
            let found = match services(port, first).await {
                Ok(found) => found,
                // An account that acts for no service yet is not known as an administrator at all.
                Err(error) if error.class == crate::aws::ErrorClass::NotFound => BTreeSet::new(),
                Err(error) => return Err(error),
            };
            already_if(found.contains(principal), request)
        }
        (Action::PutDelegationPolicy { content, before }, _) => {
            let Response::ResourcePolicy(found) = port.call(&Request::DescribeResourcePolicy).await? else {
                return Err(garbage("DescribeResourcePolicy"));
            };
            if found.as_ref() == Some(content) {
                Look::Already
            } else if found != *before {
                Look::Changed("the delegation policy was edited since the plan was made".into())
            } else {
                Look::Needed(request)
            }
        }
        _ => look_at_deletion(port, change, request, clock).await?,
    })
}

/// A second, independent reading before anything is destroyed: it is empty, and its tag still says so (invariant 9).
async fn look_at_deletion(
    port: &dyn Port,
    change: &Change,
    request: Request,
    clock: Clock<'_>,
) -> Result<Look, AwsError> {
    let (resource, opt_in) = match &change.action {
        Action::DeletePolicy { policy, .. } => (Resource::Policy(policy.clone()), "Delete"),
        Action::DeleteUnit { unit, .. } => (Resource::Node(NodeId::Unit(unit.clone())), "Delete"),
        Action::CloseAccount { account, .. } => (Resource::Node(NodeId::Account(account.clone())), "Close"),
        _ => return Ok(Look::Needed(request)),
    };
    let has = match tags(port, &resource).await {
        Ok(has) => has,
        Err(error) if error.class == crate::aws::ErrorClass::NotFound => return Ok(Look::Already),
        Err(error) => return Err(error),
    };
    if let Some(changed) = braked(&has, port, clock) {
        return Ok(changed);
    }
    if let Some(changed) = opted_out(&has, opt_in) {
        return Ok(changed);
    }
    let inside = match &change.action {
        Action::DeletePolicy { policy, .. } => {
            count(port, Request::ListTargetsForPolicy { policy: policy.clone(), token: None }).await?
        }
        Action::DeleteUnit { unit, .. } => {
            let parent = NodeId::Unit(unit.clone());
            count(port, Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None }).await?
                + count(port, Request::ListAccountsForParent { parent, token: None }).await?
        }
        Action::CloseAccount { account, .. } => {
            let (fact, _) = account_now(port, account).await?;
            if fact.state != AccountState::Active {
                return Ok(Look::Already);
            }
            0
        }
        _ => 0,
    };
    if inside > 0 {
        return Ok(Look::Changed(format!("it is in use: {inside} are attached to it or in it")));
    }
    Ok(Look::Needed(request))
}

/// Why a policy that is removed is not taken off any more: its removal begins with what it guards, so its tags are read
/// again before that as well.
async fn kept_since(
    port: &dyn Port,
    change: &Change,
    policy: &PolicyId,
    clock: Clock<'_>,
) -> Result<Option<Look>, AwsError> {
    if change.reason != Reason::Removed {
        return Ok(None);
    }
    let has = tags(port, &Resource::Policy(policy.clone())).await?;
    Ok(braked(&has, port, clock).or_else(|| opted_out(&has, "Delete")))
}

fn opted_out(tags: &Tags, opt_in: &str) -> Option<Look> {
    let out = tags.get(TAG_DELETION) != Some(opt_in);
    out.then(|| Look::Changed(format!("its tag `{TAG_DELETION}` no longer says `{opt_in}`")))
}

/// A brake that was put on since the plan was made, where the tags are read anyway.
fn braked(tags: &Tags, port: &dyn Port, clock: Clock<'_>) -> Option<Look> {
    held(tags, port, clock).map(Look::Changed)
}

/// What is said of something that is held now.
pub(super) fn held(tags: &Tags, port: &dyn Port, clock: Clock<'_>) -> Option<String> {
    let until = hold(tags.get(TAG_HOLD)?, Now::of(port, clock).earliest())?;
    Some(format!("it is held {until} by now"))
}

async fn count(port: &dyn Port, first: Request) -> Result<usize, AwsError> {
    let answers = pages(port, first).await?;
    Ok(answers
        .iter()
        .map(|answer| match answer {
            Response::Targets(page) => page.items.len(),
            Response::Units(page) => page.items.len(),
            Response::Accounts(page) => page.items.len(),
            _ => 0,
        })
        .sum())
}

fn already_if(already: bool, request: Request) -> Look {
    if already { Look::Already } else { Look::Needed(request) }
}

fn edited(found: Option<&str>, edit: &Edit<String>, request: Request) -> Look {
    match found {
        Some(found) if found == edit.to => Look::Already,
        Some(found) if found == edit.from => Look::Needed(request),
        Some(found) => Look::Changed(format!("it is named `{found}` by now")),
        None => Look::Changed("it is not there any more".into()),
    }
}

async fn services(port: &dyn Port, first: Request) -> Result<BTreeSet<String>, AwsError> {
    let mut found = BTreeSet::new();
    for page in pages(port, first).await? {
        let Response::Services(page) = page else { return Err(garbage("ListDelegatedServicesForAccount")) };
        found.extend(page.items);
    }
    Ok(found)
}

/// All tags of something.
pub(super) async fn tags(port: &dyn Port, resource: &Resource) -> Result<Tags, AwsError> {
    let mut found = Tags::new();
    for page in pages(port, Request::ListTagsForResource { resource: resource.clone(), token: None }).await? {
        let Response::Tags(page) = page else { return Err(garbage("ListTagsForResource")) };
        found.extend(page.items);
    }
    Ok(found)
}

/// An account as it is now, and where: from `Paths`, or where the answer has none from its parents.
async fn account_now(port: &dyn Port, account: &AccountId) -> Result<(AccountFact, NodeId), AwsError> {
    let answer = port.call(&Request::DescribeAccount { account: account.clone() }).await?;
    let Response::Account(fact) = answer else { return Err(garbage("DescribeAccount")) };
    if let Some(parent) = fact.parent.clone() {
        return Ok((fact, parent));
    }
    match port.call(&Request::ListParents { child: NodeId::Account(account.clone()) }).await? {
        Response::Parent(parent) => Ok((fact, parent)),
        _ => Err(garbage("ListParents")),
    }
}

async fn attached(
    port: &dyn Port,
    state: &State,
    target: &NodeId,
    kind: &PolicyType,
    clock: Clock<'_>,
) -> Result<BTreeSet<PolicyId>, AwsError> {
    let known = state.lock().attached(target, kind, clock());
    match known {
        Some(known) => Ok(known),
        None => attached_now(port, state, target, kind, clock).await,
    }
}

async fn attached_now(
    port: &dyn Port,
    state: &State,
    target: &NodeId,
    kind: &PolicyType,
    clock: Clock<'_>,
) -> Result<BTreeSet<PolicyId>, AwsError> {
    let mut found = BTreeSet::new();
    let first = Request::ListPoliciesForTarget { target: target.clone(), kind: kind.clone(), token: None };
    for page in pages(port, first).await? {
        let Response::Policies(page) = page else { return Err(garbage("ListPoliciesForTarget")) };
        found.extend(page.items.into_iter().map(|summary| summary.id));
    }
    state.lock().saw_attached(target, kind, found.clone(), clock());
    Ok(found)
}

pub(super) fn garbage(operation: &str) -> AwsError {
    AwsError::unanswered(operation, "garbage", "the answer is that of another operation")
}
