//! The organization in memory, held to what AWS documents. What all subjects share is here.

mod accounts;
mod conduct;
mod policies;
mod services;
mod snapshot;
mod tree;

use std::collections::BTreeSet;

use super::*;
use crate::aws::port::{
    AccountState, Contact, ContactKind, CreationState, Page, PolicyTypeStatus, Resource, Response, UnitFact,
};
use crate::names::{AccountId, NodeId, PolicyId, PolicyType, UnitId};

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// An organization with SCPs on.
fn with_scps() -> Offline {
    let offline = Offline::new(Options::default());
    offline.with(|state| state.set_policy_type(&PolicyType::scp(), true));
    offline
}

fn root(offline: &Offline) -> NodeId {
    offline.state().root_node()
}

async fn ok(offline: &Offline, request: Request) -> Response {
    offline.call(&request).await.unwrap_or_else(|error| panic!("{request:?}: {error}"))
}

async fn code(offline: &Offline, request: Request) -> String {
    let before = offline.state();
    let error = offline.call(&request).await.expect_err(&format!("{request:?}"));
    assert_eq!(offline.state().due, before.due, "a refused call has no effect: {request:?}");
    assert_eq!(offline.state().to_observed(Timestamp::UNIX_EPOCH), before.to_observed(Timestamp::UNIX_EPOCH));
    assert_eq!(error.operation, request.operation());
    error.code
}

/// AWS's reason, which leads the message.
async fn reason(offline: &Offline, request: Request) -> String {
    let error = offline.call(&request).await.expect_err(&format!("{request:?}"));
    error.message.split_once(": ").map_or(String::new(), |(reason, _)| reason.to_owned())
}

async fn unit(offline: &Offline, parent: &NodeId, name: &str) -> UnitId {
    let request = Request::CreateOrganizationalUnit { parent: parent.clone(), name: name.into(), tags: Tags::new() };
    match ok(offline, request).await {
        Response::UnitCreated(UnitFact { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

async fn policy(offline: &Offline, kind: &PolicyType, name: &str) -> PolicyId {
    match ok(offline, create_policy(kind, name, DENY)).await {
        Response::PolicyCreated(summary) => summary.id,
        other => panic!("{other:?}"),
    }
}

fn create_policy(kind: &PolicyType, name: &str, content: &str) -> Request {
    Request::CreatePolicy {
        kind: kind.clone(),
        name: name.into(),
        description: String::new(),
        content: content.into(),
        tags: Tags::new(),
    }
}

fn create_account(name: &str, email: &str) -> Request {
    Request::CreateAccount { name: name.into(), email: email.into(), role_name: None, tags: tags(&[("k", "v")]) }
}

async fn begin(offline: &Offline, name: &str, email: &str) -> String {
    match ok(offline, create_account(name, email)).await {
        Response::Creation(creation) => {
            assert_eq!(creation.state, CreationState::InProgress);
            creation.id
        }
        other => panic!("{other:?}"),
    }
}

async fn creation(offline: &Offline, id: &str) -> crate::aws::port::Creation {
    match ok(offline, Request::DescribeCreateAccountStatus { id: id.into() }).await {
        Response::Creation(creation) => creation,
        other => panic!("{other:?}"),
    }
}

/// Every page of a list, and how many there were.
async fn all<T>(
    offline: &Offline,
    request: impl Fn(Option<String>) -> Request,
    items: impl Fn(Response) -> Page<T>,
) -> (Vec<T>, usize) {
    let (mut found, mut token, mut pages) = (vec![], None, 0);
    loop {
        let page = items(ok(offline, request(token)).await);
        pages += 1;
        found.extend(page.items);
        token = page.next;
        if token.is_none() {
            return (found, pages);
        }
    }
}

fn accounts(response: Response) -> Page<crate::aws::port::AccountFact> {
    match response {
        Response::Accounts(page) => page,
        other => panic!("{other:?}"),
    }
}

fn account(offline: &Offline, number: usize) -> AccountId {
    let parent = root(offline);
    offline.with(|state| state.add_account(&parent, &format!("a{number}"), &format!("a{number}@example.com")))
}

fn attach(policy: &PolicyId, target: &NodeId) -> Request {
    Request::AttachPolicy { policy: policy.clone(), target: target.clone() }
}
fn detach(policy: &PolicyId, target: &NodeId) -> Request {
    Request::DetachPolicy { policy: policy.clone(), target: target.clone() }
}
