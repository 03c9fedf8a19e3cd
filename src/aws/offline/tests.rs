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

#[tokio::test(start_paused = true)]
async fn a_new_organization_is_as_aws_makes_it() {
    let offline = Offline::new(Options::default());
    let Response::Roots(roots) = ok(&offline, Request::ListRoots { token: None }).await else { panic!() };
    assert_eq!(roots.items.len(), 1);
    assert_eq!(roots.items[0].policy_types, vec![], "policy types are off");
    let state = offline.state();
    assert_eq!(state.accounts().len(), 1);
    assert_eq!(state.policies().len(), 2);
    assert!(state.nodes().all(|node| state.attached(&node).is_empty()));
    let Response::Policy { summary, content } =
        ok(&offline, Request::DescribePolicy { policy: "p-FullAWSAccess".parse().unwrap() }).await
    else {
        panic!()
    };
    assert!(summary.aws_managed);
    assert!(crate::policy::Document::parse(&summary.kind, &content).is_ok());
    let Response::Identity { account, .. } = ok(&offline, Request::GetCallerIdentity).await else { panic!() };
    assert_eq!(account, state.organization.management_account);
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_makes_the_same_organization() {
    let make = |seed| {
        let offline = Offline::new(Options { seed, ..Options::default() });
        let parent = root(&offline);
        offline.with(|state| {
            state.add_unit(&parent, "a");
            state.add_account(&parent, "a", "a@example.com");
        });
        serde_json::to_string(&offline.state().to_observed(Timestamp::UNIX_EPOCH)).unwrap()
    };
    assert_eq!(make(1), make(1));
    assert_ne!(make(1), make(2));
}

#[tokio::test(start_paused = true)]
async fn enabling_a_type_attaches_awss_own_policy_to_every_node_and_to_new_ones() {
    let offline = Offline::new(Options { enabling_delay: Duration::from_secs(5), ..Options::default() });
    let top = root(&offline);
    let before = NodeId::Unit(unit(&offline, &top, "before").await);
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    let rcp: PolicyId = "p-RCPFullAWSAccess".parse().unwrap();
    let enable = |kind| {
        let NodeId::Root(root) = root(&offline) else { panic!() };
        Request::EnablePolicyType { root, kind }
    };
    ok(&offline, enable(PolicyType::scp())).await;
    assert_eq!(offline.state().root.policy_types[&PolicyType::scp()], PolicyTypeStatus::PendingEnable);
    assert_eq!(code(&offline, enable(PolicyType::scp())).await, "PolicyChangesInProgressException");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(code(&offline, enable(PolicyType::scp())).await, "PolicyTypeAlreadyEnabledException");
    let after = NodeId::Unit(unit(&offline, &before, "after").await);
    ok(&offline, enable(PolicyType::rcp())).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    let state = offline.state();
    for node in state.nodes() {
        assert_eq!(state.attached(&node), BTreeSet::from([full.clone(), rcp.clone()]), "{node}");
    }
    assert_eq!(state.targets(&full).len(), 4);
    assert!(state.is_attached(&full, &after));
    // RCPFullAWSAccess stays for ever.
    assert_eq!(reason(&offline, detach(&rcp, &before)).await, "NON_DETACHABLE_POLICY");
    assert_eq!(code(&offline, enable(PolicyType::new("POLICY_OF_2030"))).await, "InvalidInputException");
    let other = Request::EnablePolicyType { root: "r-zzzzz".parse().unwrap(), kind: PolicyType::rcp() };
    assert_eq!(code(&offline, other).await, "RootNotFoundException");
    assert_eq!(reason(&offline, enable(PolicyType::new("SECURITYHUB_POLICY"))).await, "SERVICE_ACCESS_NOT_ENABLED");
    ok(&offline, Request::EnableAWSServiceAccess { principal: "securityhub.amazonaws.com".into() }).await;
    ok(&offline, enable(PolicyType::new("SECURITYHUB_POLICY"))).await;
}

#[tokio::test(start_paused = true)]
async fn lists_page_by_twenty_with_tokens_of_their_own() {
    let offline = with_scps();
    let added: BTreeSet<AccountId> = (0..45).map(|number| account(&offline, number)).collect();
    let (listed, pages) = all(&offline, |token| Request::ListAccounts { token }, accounts).await;
    assert_eq!((listed.len(), pages), (46, 3));
    assert!(listed.iter().all(|account| account.parent == Some(root(&offline))));
    let ids: BTreeSet<AccountId> = listed.into_iter().map(|account| account.id).collect();
    assert!(ids.is_superset(&added));
    // Exactly two full pages: no third.
    let parent = NodeId::Unit(unit(&offline, &root(&offline), "forty").await);
    offline.with(|state| (0..40).for_each(|n| drop(state.add_unit(&parent, &format!("{n}")))));
    let units = |token| Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token };
    let (found, pages) = all(&offline, units, |response| match response {
        Response::Units(page) => page,
        other => panic!("{other:?}"),
    })
    .await;
    assert_eq!((found.len(), pages), (40, 2));
    // Targets are paged too.
    let (targets, pages) = all(
        &offline,
        |token| Request::ListTargetsForPolicy { policy: "p-FullAWSAccess".parse().unwrap(), token },
        |response| match response {
            Response::Targets(page) => page,
            other => panic!("{other:?}"),
        },
    )
    .await;
    assert_eq!(targets.len(), 1 + 41 + 46);
    assert_eq!(pages, 5);
    // A token belongs to its list.
    let Response::Accounts(first) = ok(&offline, Request::ListAccounts { token: None }).await else { panic!() };
    for request in [
        Request::ListAccountsForParent { parent: root(&offline), token: first.next.clone() },
        Request::ListAccounts { token: Some("made up".into()) },
        Request::ListAccounts { token: Some(String::new()) },
    ] {
        assert_eq!(reason(&offline, request).await, "INVALID_PAGINATION_TOKEN");
    }
    // An account that goes between two pages takes no other with it.
    let last = first.items.last().unwrap().id.clone();
    offline.with(|state| state.take_account(&last));
    let Response::Accounts(second) = ok(&offline, Request::ListAccounts { token: first.next }).await else { panic!() };
    assert_eq!(second.items.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn pages_may_be_empty_and_still_go_on() {
    let offline = Offline::new(Options { empty_pages: true, paths: false, ..Options::default() });
    (0..19).for_each(|number| drop(account(&offline, number)));
    let Response::Accounts(first) = ok(&offline, Request::ListAccounts { token: None }).await else { panic!() };
    assert!(first.items.is_empty() && first.next.is_some());
    let (found, pages) = all(&offline, |token| Request::ListAccounts { token }, accounts).await;
    assert_eq!((found.len(), pages), (20, 3), "empty, full, empty");
    assert!(found.iter().all(|account| account.parent.is_none()));
    let (found, _) = all(
        &offline,
        |token| Request::ListRoots { token },
        |response| match response {
            Response::Roots(page) => page,
            other => panic!("{other:?}"),
        },
    )
    .await;
    assert_eq!(found.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn units_have_names_depth_and_number() {
    let offline = Offline::new(Options::default());
    let top = root(&offline);
    let a = unit(&offline, &top, "a").await;
    let create = |parent: &NodeId, name: &str| Request::CreateOrganizationalUnit {
        parent: parent.clone(),
        name: name.into(),
        tags: Tags::new(),
    };
    assert_eq!(code(&offline, create(&top, "a")).await, "DuplicateOrganizationalUnitException");
    // The same name below another parent, and in other letters, is another OU.
    let mut at = NodeId::Unit(a.clone());
    for _ in 2..=5 {
        at = NodeId::Unit(unit(&offline, &at, "a").await);
    }
    assert_eq!(offline.state().depth(&at), 5);
    assert_eq!(reason(&offline, create(&at, "a")).await, "OU_DEPTH_LIMIT_EXCEEDED");
    assert_eq!(code(&offline, create(&"ou-zzzz-00000000".parse().unwrap(), "x")).await, "ParentNotFoundException");
    let member = account(&offline, 1);
    assert_eq!(code(&offline, create(&NodeId::Account(member), "x")).await, "InvalidInputException");
    assert_eq!(code(&offline, create(&top, "")).await, "InvalidInputException");
    assert_eq!(code(&offline, create(&top, &"x".repeat(129))).await, "InvalidInputException");
    let b = unit(&offline, &top, "b").await;
    let rename =
        |unit: &UnitId, name: &str| Request::UpdateOrganizationalUnit { unit: unit.clone(), name: name.into() };
    assert_eq!(code(&offline, rename(&b, "a")).await, "DuplicateOrganizationalUnitException");
    ok(&offline, rename(&b, "b")).await;
    ok(&offline, rename(&b, "c")).await;
    assert_eq!(offline.state().unit_named(&top, "c"), Some(&b));
    assert_eq!(offline.state().unit_named(&top, "b"), None);
    let gone: UnitId = "ou-zzzz-00000000".parse().unwrap();
    assert_eq!(code(&offline, rename(&gone, "x")).await, "OrganizationalUnitNotFoundException");
    offline.with(|state| {
        let top = state.root_node();
        for number in state.units().len()..2_000 {
            state.add_unit(&top, &format!("filler {number}"));
        }
    });
    assert_eq!(reason(&offline, create(&top, "one too many")).await, "OU_NUMBER_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn an_ou_is_deleted_only_when_empty_and_its_attachments_go_with_it() {
    let offline = with_scps();
    let top = root(&offline);
    let a = unit(&offline, &top, "a").await;
    let b = unit(&offline, &NodeId::Unit(a.clone()), "b").await;
    let node = NodeId::Unit(b.clone());
    let scp = policy(&offline, &PolicyType::scp(), "p").await;
    ok(&offline, attach(&scp, &node)).await;
    let member = account(&offline, 1);
    ok(&offline, Request::MoveAccount { account: member.clone(), from: top.clone(), to: node.clone() }).await;
    let delete = |unit: &UnitId| Request::DeleteOrganizationalUnit { unit: unit.clone() };
    assert_eq!(code(&offline, delete(&a)).await, "OrganizationalUnitNotEmptyException");
    assert_eq!(code(&offline, delete(&b)).await, "OrganizationalUnitNotEmptyException");
    ok(&offline, Request::MoveAccount { account: member, from: node.clone(), to: top }).await;
    ok(&offline, delete(&b)).await;
    assert!(offline.state().targets(&scp).is_empty());
    ok(&offline, delete(&a)).await;
    assert_eq!(code(&offline, delete(&a)).await, "OrganizationalUnitNotFoundException");
    ok(&offline, Request::DeletePolicy { policy: scp }).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_names_the_exact_source() {
    let offline = Offline::new(Options::default());
    let top = root(&offline);
    let a = NodeId::Unit(unit(&offline, &top, "a").await);
    let b = NodeId::Unit(unit(&offline, &top, "b").await);
    let member = account(&offline, 1);
    let go = |from: &NodeId, to: &NodeId| Request::MoveAccount {
        account: member.clone(),
        from: from.clone(),
        to: to.clone(),
    };
    assert_eq!(code(&offline, go(&a, &b)).await, "SourceParentNotFoundException");
    assert_eq!(code(&offline, go(&a, &top)).await, "DuplicateAccountException");
    assert_eq!(code(&offline, go(&top, &top)).await, "DuplicateAccountException");
    let gone: NodeId = "ou-zzzz-00000000".parse().unwrap();
    assert_eq!(code(&offline, go(&gone, &b)).await, "SourceParentNotFoundException");
    assert_eq!(code(&offline, go(&top, &gone)).await, "DestinationParentNotFoundException");
    ok(&offline, go(&top, &a)).await;
    assert_eq!(
        ok(&offline, Request::ListParents { child: NodeId::Account(member.clone()) }).await,
        Response::Parent(a.clone())
    );
    let request = Request::ListAccountsForParent { parent: a.clone(), token: None };
    assert_eq!(accounts(ok(&offline, request).await).items.len(), 1);
    // The lost answer's second try.
    assert_eq!(code(&offline, go(&top, &a)).await, "DuplicateAccountException");
    let nobody: AccountId = "000000000000".parse().unwrap();
    let request = Request::MoveAccount { account: nobody.clone(), from: top.clone(), to: a };
    assert_eq!(code(&offline, request).await, "AccountNotFoundException");
    assert_eq!(code(&offline, Request::ListParents { child: NodeId::Account(nobody) }).await, "ChildNotFoundException");
    assert_eq!(code(&offline, Request::ListParents { child: top }).await, "InvalidInputException");
}

#[tokio::test(start_paused = true)]
async fn accounts_are_created_later_once_an_email_and_five_at_a_time() {
    let offline = with_scps();
    let first = begin(&offline, "one", "One@example.com").await;
    let second = begin(&offline, "two", "one@EXAMPLE.com").await;
    tokio::time::advance(Duration::from_secs(29)).await;
    assert_eq!(creation(&offline, &first).await.state, CreationState::InProgress);
    tokio::time::advance(Duration::from_secs(1)).await;
    let (one, two) = (creation(&offline, &first).await, creation(&offline, &second).await);
    assert_eq!((one.state, two.state), (CreationState::Succeeded, CreationState::Failed));
    assert_eq!(two.failure.as_deref(), Some("EMAIL_ALREADY_EXISTS"));
    let id = one.account.unwrap();
    let state = offline.state();
    assert_eq!(state.accounts()[&id].parent, state.root_node(), "it lands in the root");
    assert_eq!(state.accounts()[&id].tags, tags(&[("k", "v")]));
    assert_eq!(state.attached(&NodeId::Account(id)), BTreeSet::from(["p-FullAWSAccess".parse().unwrap()]));
    // That of the management account is taken as well, and a call with it succeeds at first.
    let third = begin(&offline, "three", "management@example.com").await;
    for number in 0..4 {
        begin(&offline, "n", &format!("n{number}@example.com")).await;
    }
    assert_eq!(reason(&offline, create_account("n", "n5@example.com")).await, "ACCOUNT_CREATION_RATE_LIMIT_EXCEEDED");
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(creation(&offline, &third).await.state, CreationState::Failed);
    assert_eq!(offline.state().accounts().len(), 6);
    let (all, _) = all(
        &offline,
        |token| Request::ListCreateAccountStatus { token },
        |response| match response {
            Response::Creations(page) => page,
            other => panic!("{other:?}"),
        },
    )
    .await;
    assert_eq!(all.len(), 7);
    assert_eq!(
        code(&offline, Request::DescribeCreateAccountStatus { id: "car-0".into() }).await,
        "CreateAccountStatusNotFoundException"
    );
    for (name, email) in [("", "x@example.com"), ("ä", "x@example.com"), ("x", "example.com"), ("x", "x@y z.com")] {
        assert_eq!(code(&offline, create_account(name, email)).await, "InvalidInputException", "{name} {email}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_account_limit_counts_what_is_under_way() {
    let offline = Offline::new(Options { account_limit: 2, ..Options::default() });
    begin(&offline, "a", "a@example.com").await;
    assert_eq!(reason(&offline, create_account("b", "b@example.com")).await, "ACCOUNT_NUMBER_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn closing_takes_time_and_never_the_management_account() {
    let offline = Offline::new(Options::default());
    let close = |account: &AccountId| Request::CloseAccount { account: account.clone() };
    let members: Vec<AccountId> = (0..4).map(|number| account(&offline, number)).collect();
    let management = offline.state().organization.management_account;
    assert_eq!(reason(&offline, close(&management)).await, "CANNOT_CLOSE_MANAGEMENT_ACCOUNT");
    for member in &members[..3] {
        ok(&offline, close(member)).await;
    }
    assert_eq!(offline.state().accounts()[&members[0]].state, AccountState::PendingClosure);
    assert_eq!(code(&offline, close(&members[0])).await, "ConflictException");
    assert_eq!(reason(&offline, close(&members[3])).await, "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED");
    tokio::time::advance(Duration::from_secs(60)).await;
    let Response::Account(fact) = ok(&offline, Request::DescribeAccount { account: members[0].clone() }).await else {
        panic!()
    };
    assert_eq!(fact.state, AccountState::Suspended);
    assert_eq!(code(&offline, close(&members[0])).await, "AccountAlreadyClosedException");
    ok(&offline, close(&members[3])).await;
}

#[tokio::test(start_paused = true)]
async fn at_most_250_accounts_close_in_thirty_days() {
    let offline = Offline::new(Options { closing_delay: Duration::ZERO, ..Options::default() });
    let members: Vec<AccountId> = (0..252).map(|number| account(&offline, number)).collect();
    for member in &members[..250] {
        ok(&offline, Request::CloseAccount { account: member.clone() }).await;
    }
    let next = Request::CloseAccount { account: members[250].clone() };
    assert_eq!(reason(&offline, next.clone()).await, "CLOSE_ACCOUNT_QUOTA_EXCEEDED");
    tokio::time::advance(Duration::from_secs(30 * 24 * 3_600)).await;
    ok(&offline, next).await;
}

#[tokio::test(start_paused = true)]
async fn policies_have_names_documents_sizes_and_numbers() {
    let offline = Offline::new(Options::default());
    let scp = PolicyType::scp();
    // The type need not be on to create one, only to attach it.
    let a = policy(&offline, &scp, "a").await;
    assert_eq!(code(&offline, attach(&a, &root(&offline))).await, "PolicyTypeNotEnabledException");
    assert_eq!(code(&offline, detach(&a, &root(&offline))).await, "PolicyNotAttachedException");
    assert_eq!(code(&offline, create_policy(&scp, "a", DENY)).await, "DuplicatePolicyException");
    assert_eq!(code(&offline, create_policy(&scp, "FullAWSAccess", DENY)).await, "DuplicatePolicyException");
    // The same name in another type is another policy.
    ok(&offline, create_policy(&PolicyType::new("TAG_POLICY"), "a", r#"{"tags":{}}"#)).await;
    for bad in ["not json", "[]", "{", "\u{feff}{}"] {
        assert_eq!(code(&offline, create_policy(&scp, "b", bad)).await, "MalformedPolicyDocumentException", "{bad}");
    }
    // JSON that is no policy of the type: an SCP names no principal, an RCP denies only.
    let principal = DENY.replace(r#""Action""#, r#""Principal":"*","Action""#);
    assert_eq!(code(&offline, create_policy(&scp, "b", &principal)).await, "MalformedPolicyDocumentException");
    let allow = principal.replace("Deny", "Allow");
    let request = create_policy(&PolicyType::rcp(), "b", &allow);
    assert_eq!(code(&offline, request).await, "MalformedPolicyDocumentException");
    assert_eq!(code(&offline, create_policy(&scp, "b", "")).await, "InvalidInputException");
    assert_eq!(code(&offline, create_policy(&scp, "", DENY)).await, "InvalidInputException");
    assert_eq!(code(&offline, create_policy(&PolicyType::new("X"), "b", DENY)).await, "InvalidInputException");
    // Size is counted as sent, white space and all.
    let padded = |length: usize| format!("{DENY}{}", " ".repeat(length - DENY.len()));
    ok(&offline, create_policy(&scp, "largest", &padded(10_240))).await;
    assert_eq!(reason(&offline, create_policy(&scp, "b", &padded(10_241))).await, "POLICY_CONTENT_LIMIT_EXCEEDED");
    let rcp = PolicyType::rcp();
    assert_eq!(reason(&offline, create_policy(&rcp, "b", &padded(5_121))).await, "POLICY_CONTENT_LIMIT_EXCEEDED");
    let b = policy(&offline, &scp, "b").await;
    let update = |policy: &PolicyId, name: Option<&str>, content: Option<&str>| Request::UpdatePolicy {
        policy: policy.clone(),
        name: name.map(str::to_owned),
        description: None,
        content: content.map(str::to_owned),
    };
    assert_eq!(code(&offline, update(&b, Some("a"), None)).await, "DuplicatePolicyException");
    assert_eq!(code(&offline, update(&b, None, Some("nope"))).await, "MalformedPolicyDocumentException");
    ok(&offline, update(&b, Some("b"), Some(&padded(200)))).await;
    ok(&offline, update(&b, Some("c"), None)).await;
    let Response::Policy { summary, content } = ok(&offline, Request::DescribePolicy { policy: b.clone() }).await
    else {
        panic!()
    };
    assert_eq!((summary.name.as_str(), content.len()), ("c", 200), "the document stays byte for byte");
    ok(&offline, create_policy(&scp, "b", DENY)).await;
    let gone: PolicyId = "p-00000000".parse().unwrap();
    assert_eq!(code(&offline, update(&gone, None, None)).await, "PolicyNotFoundException");
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    assert_eq!(reason(&offline, update(&full, Some("x"), None)).await, "IMMUTABLE_POLICY");
    assert_eq!(reason(&offline, Request::DeletePolicy { policy: full }).await, "IMMUTABLE_POLICY");
    offline.with(|state| {
        let kind = PolicyType::new("TAG_POLICY");
        (1..1_000).for_each(|number| drop(state.add_policy(&kind, &format!("{number}"), "{}")));
    });
    let request = create_policy(&PolicyType::new("TAG_POLICY"), "one too many", r#"{"tags":{}}"#);
    assert_eq!(reason(&offline, request).await, "POLICY_NUMBER_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn attachments_have_slots_and_the_last_scp_stays() {
    let offline = with_scps();
    let (scp, top) = (PolicyType::scp(), root(&offline));
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    let target = NodeId::Unit(unit(&offline, &top, "a").await);
    assert_eq!(reason(&offline, detach(&full, &target)).await, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    let mut own = vec![];
    for number in 0..10 {
        own.push(policy(&offline, &scp, &format!("p{number}")).await);
    }
    for policy in &own[..9] {
        ok(&offline, attach(policy, &target)).await;
    }
    assert_eq!(reason(&offline, attach(&own[9], &target)).await, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    assert_eq!(code(&offline, attach(&own[0], &target)).await, "DuplicatePolicyAttachmentException");
    assert_eq!(code(&offline, Request::DeletePolicy { policy: own[0].clone() }).await, "PolicyInUseException");
    ok(&offline, detach(&full, &target)).await;
    assert_eq!(code(&offline, detach(&full, &target)).await, "PolicyNotAttachedException");
    ok(&offline, attach(&own[9], &target)).await;
    for policy in &own[..9] {
        ok(&offline, detach(policy, &target)).await;
    }
    assert_eq!(reason(&offline, detach(&own[9], &target)).await, "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    ok(&offline, Request::DeletePolicy { policy: own[0].clone() }).await;
    assert_eq!(code(&offline, attach(&own[0], &target)).await, "PolicyNotFoundException");
    let nobody = NodeId::Account("000000000000".parse().unwrap());
    assert_eq!(code(&offline, attach(&own[1], &nobody)).await, "TargetNotFoundException");
    assert_eq!(code(&offline, detach(&own[1], &nobody)).await, "TargetNotFoundException");
    let request = Request::ListPoliciesForTarget { target, kind: scp, token: None };
    let Response::Policies(page) = ok(&offline, request).await else { panic!() };
    assert_eq!(page.items.iter().map(|policy| policy.name.as_str()).collect::<Vec<_>>(), ["p9"]);
}

#[tokio::test(start_paused = true)]
async fn rcps_have_four_slots_beside_awss_own_and_other_types_have_no_least() {
    let offline = with_scps();
    let (rcp, top) = (PolicyType::rcp(), root(&offline));
    let ai = PolicyType::new("AISERVICES_OPT_OUT_POLICY");
    let made = offline.with(|state| {
        state.set_policy_type(&rcp, true);
        state.set_policy_type(&ai, true);
        (0..5).map(|number| state.add_policy(&rcp, &format!("r{number}"), "{}")).collect::<Vec<_>>()
    });
    for policy in &made[..4] {
        ok(&offline, attach(policy, &top)).await;
    }
    assert_eq!(reason(&offline, attach(&made[4], &top)).await, "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED");
    let opt_out = offline.with(|state| state.add_policy(&ai, "opt out", "{}"));
    ok(&offline, attach(&opt_out, &top)).await;
    ok(&offline, detach(&opt_out, &top)).await;
}

#[tokio::test(start_paused = true)]
async fn turning_a_type_off_takes_every_attachment_of_it() {
    let offline = with_scps();
    offline.with(|state| state.set_policy_type(&PolicyType::scp(), false));
    let state = offline.state();
    assert!(state.nodes().all(|node| state.attached(&node).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn tags_are_fifty_and_none_of_awss() {
    let offline = Offline::new(Options::default());
    let resource = Resource::Node(root(&offline));
    let tag = |pairs: Tags| Request::TagResource { resource: resource.clone(), tags: pairs };
    let fifty: Tags = (0..50).map(|number| (format!("k{number}"), String::new())).collect();
    ok(&offline, tag(fifty.clone())).await;
    ok(&offline, tag(tags(&[("k1", "changed")]))).await;
    assert_eq!(reason(&offline, tag(tags(&[("k50", "")]))).await, "MAX_TAG_LIMIT_EXCEEDED");
    assert_eq!(reason(&offline, tag(tags(&[("aws:x", "")]))).await, "INVALID_SYSTEM_TAGS_PARAMETER");
    assert_eq!(code(&offline, tag(tags(&[("k1", "a*b")]))).await, "InvalidInputException");
    let untag = |keys: &[&str]| Request::UntagResource {
        resource: resource.clone(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    ok(&offline, untag(&["k2", "never there"])).await;
    let Response::Tags(page) =
        ok(&offline, Request::ListTagsForResource { resource: resource.clone(), token: None }).await
    else {
        panic!()
    };
    assert_eq!((page.items.len(), page.next), (49, None));
    assert!(page.items.contains(&("k1".into(), "changed".into())));
    let nothing = Resource::Policy("p-00000000".parse().unwrap());
    let request = Request::TagResource { resource: nothing.clone(), tags: fifty.clone() };
    assert_eq!(code(&offline, request).await, "TargetNotFoundException");
    assert_eq!(
        code(&offline, Request::ListTagsForResource { resource: nothing, token: None }).await,
        "TargetNotFoundException"
    );
    let mut more = fifty;
    more.insert("k50".into(), String::new());
    let request = Request::CreateOrganizationalUnit { parent: root(&offline), name: "a".into(), tags: more };
    assert_eq!(reason(&offline, request).await, "MAX_TAG_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn services_administrators_and_the_delegation_policy() {
    let offline = Offline::new(Options::default());
    let member = account(&offline, 1);
    let management = offline.state().organization.management_account;
    let service = "guardduty.amazonaws.com";
    let register = |account: &AccountId| Request::RegisterDelegatedAdministrator {
        account: account.clone(),
        principal: service.into(),
    };
    assert_eq!(reason(&offline, register(&member)).await, "SERVICE_ACCESS_NOT_ENABLED");
    ok(&offline, Request::EnableAWSServiceAccess { principal: service.into() }).await;
    ok(&offline, Request::EnableAWSServiceAccess { principal: service.into() }).await;
    let request = Request::EnableAWSServiceAccess { principal: "guardduty".into() };
    assert_eq!(reason(&offline, request).await, "UNRECOGNIZED_SERVICE_PRINCIPAL");
    assert_eq!(reason(&offline, register(&management)).await, "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR");
    let services =
        |account: &AccountId| Request::ListDelegatedServicesForAccount { account: account.clone(), token: None };
    assert_eq!(code(&offline, services(&member)).await, "AccountNotRegisteredException");
    ok(&offline, register(&member)).await;
    assert_eq!(code(&offline, register(&member)).await, "AccountAlreadyRegisteredException");
    let page = Page { items: vec![service.to_owned()], next: None };
    assert_eq!(ok(&offline, services(&member)).await, Response::Services(page.clone()));
    assert_eq!(
        ok(&offline, Request::ListAWSServiceAccessForOrganization { token: None }).await,
        Response::Services(page)
    );
    let page = Page { items: vec![member], next: None };
    assert_eq!(
        ok(&offline, Request::ListDelegatedAdministrators { token: None }).await,
        Response::Administrators(page)
    );
    assert_eq!(ok(&offline, Request::DescribeResourcePolicy).await, Response::ResourcePolicy(None));
    assert_eq!(code(&offline, Request::PutResourcePolicy { content: "x".into() }).await, "InvalidInputException");
    assert_eq!(
        code(&offline, Request::PutResourcePolicy { content: " ".repeat(40_001) }).await,
        "InvalidInputException"
    );
    ok(&offline, Request::PutResourcePolicy { content: "{}".into() }).await;
    assert_eq!(ok(&offline, Request::DescribeResourcePolicy).await, Response::ResourcePolicy(Some("{}".into())));
}

#[tokio::test(start_paused = true)]
async fn account_management_needs_its_trust() {
    let offline = Offline::new(Options::default());
    let member = account(&offline, 1);
    let contact =
        Contact { name: "A".into(), title: "B".into(), email: "c@example.com".into(), phone: "+1 (555) 0100".into() };
    let put = |contact: &Contact| Request::PutAlternateContact {
        account: member.clone(),
        kind: ContactKind::Security,
        contact: contact.clone(),
    };
    let get = Request::GetAlternateContact { account: member.clone(), kind: ContactKind::Security };
    let rename = |name: &str| Request::PutAccountName { account: member.clone(), name: name.into() };
    assert_eq!(code(&offline, put(&contact)).await, "AccessDeniedException");
    assert_eq!(code(&offline, get.clone()).await, "AccessDeniedException");
    assert_eq!(code(&offline, rename("new")).await, "AccessDeniedException");
    ok(&offline, Request::EnableAWSServiceAccess { principal: "account.amazonaws.com".into() }).await;
    assert_eq!(ok(&offline, get.clone()).await, Response::Contact(None));
    ok(&offline, put(&contact)).await;
    assert_eq!(ok(&offline, get).await, Response::Contact(Some(contact.clone())));
    let bad = Contact { phone: "none".into(), ..contact.clone() };
    assert_eq!(code(&offline, put(&bad)).await, "ValidationException");
    assert_eq!(code(&offline, put(&Contact { name: "x".repeat(65), ..contact })).await, "ValidationException");
    assert_eq!(code(&offline, rename("a<b")).await, "ValidationException");
    ok(&offline, rename("new")).await;
    assert_eq!(offline.state().accounts()[&member].name, "new");
}

#[tokio::test(start_paused = true)]
async fn callers_may_what_their_account_may() {
    let offline = with_scps();
    let (top, member) = (root(&offline), account(&offline, 1));
    let scp = policy(&offline, &PolicyType::scp(), "a").await;
    let create = Request::CreateOrganizationalUnit { parent: top.clone(), name: "a".into(), tags: Tags::new() };
    offline.sign_in(Identity::new(member.clone(), Rights::PolicyAdministrator));
    ok(&offline, Request::ListAccounts { token: None }).await;
    ok(&offline, attach(&scp, &top)).await;
    assert_eq!(code(&offline, create.clone()).await, "AccessDeniedException");
    assert_eq!(code(&offline, Request::PutResourcePolicy { content: "{}".into() }).await, "AccessDeniedException");
    offline.sign_in(Identity::new(member.clone(), Rights::Member));
    ok(&offline, Request::DescribeOrganization).await;
    let Response::Identity { account, .. } = ok(&offline, Request::GetCallerIdentity).await else { panic!() };
    assert_eq!(account, member);
    // Emulators answer these with empty lists; AWS refuses.
    for request in [
        Request::ListAccounts { token: None },
        Request::ListRoots { token: None },
        Request::ListPolicies { kind: PolicyType::scp(), token: None },
        create.clone(),
    ] {
        assert_eq!(code(&offline, request).await, "AccessDeniedException");
    }
    offline.sign_in(Identity::new("999999999999".parse().unwrap(), Rights::Outsider));
    ok(&offline, Request::GetCallerIdentity).await;
    assert_eq!(code(&offline, Request::DescribeOrganization).await, "AWSOrganizationsNotInUseException");
    assert_eq!(code(&offline, create.clone()).await, "AWSOrganizationsNotInUseException");
    let mut one_call_denied = Identity::new(offline.state().organization.management_account, Rights::Management);
    one_call_denied.denied.insert("ListTagsForResource".into());
    offline.sign_in(one_call_denied.clone());
    ok(&offline, create).await;
    let request = Request::ListTagsForResource { resource: Resource::Node(top), token: None };
    assert_eq!(code(&offline, request.clone()).await, "AccessDeniedException");
    offline.sign_in(Identity { expired: true, ..one_call_denied });
    let error = offline.call(&request).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Credentials);
}

#[tokio::test(start_paused = true)]
async fn without_all_features_there_are_no_policies() {
    let offline = Offline::new(Options { all_features: false, ..Options::default() });
    let NodeId::Root(id) = root(&offline) else { panic!() };
    let not_available = "PolicyTypeNotAvailableForOrganizationException";
    assert_eq!(code(&offline, create_policy(&PolicyType::scp(), "a", DENY)).await, not_available);
    assert_eq!(code(&offline, Request::EnablePolicyType { root: id, kind: PolicyType::scp() }).await, not_available);
    let member = account(&offline, 1);
    for request in [
        Request::CloseAccount { account: member },
        Request::EnableAWSServiceAccess { principal: "guardduty.amazonaws.com".into() },
        Request::PutResourcePolicy { content: "{}".into() },
        Request::ListDelegatedAdministrators { token: None },
    ] {
        assert_eq!(reason(&offline, request).await, "ORGANIZATION_NOT_IN_ALL_FEATURES_MODE");
    }
    unit(&offline, &root(&offline), "OUs are there").await;
}

#[tokio::test(start_paused = true)]
async fn throttles_are_awss_and_a_throttled_write_has_no_effect() {
    let offline = Offline::new(Options { throttled: true, ..Options::default() });
    let top = root(&offline);
    let create =
        |name: &str| Request::CreateOrganizationalUnit { parent: top.clone(), name: name.into(), tags: Tags::new() };
    ok(&offline, create("a")).await;
    ok(&offline, create("b")).await;
    assert_eq!(code(&offline, create("c")).await, "TooManyRequestsException");
    // Another operation has a bucket of its own.
    ok(&offline, Request::ListAccounts { token: None }).await;
    tokio::time::advance(Duration::from_millis(999)).await;
    assert_eq!(code(&offline, create("c")).await, "TooManyRequestsException");
    tokio::time::advance(Duration::from_millis(1)).await;
    ok(&offline, create("c")).await;
    assert_eq!(offline.state().units().len(), 3);
    assert_eq!(offline.log().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_write_beside_another_is_refused_and_a_dropped_one_is_over() {
    let offline = Offline::new(Options { latency: Duration::from_millis(100), ..Options::default() });
    let top = root(&offline);
    let create =
        |name: &str| Request::CreateOrganizationalUnit { parent: top.clone(), name: name.into(), tags: Tags::new() };
    let (a, b) = (create("a"), create("b"));
    let (first, second) = tokio::join!(offline.call(&a), offline.call(&b));
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1);
    assert_eq!(first.and(second).unwrap_err().class, ErrorClass::Throttled);
    let lost = create("lost");
    assert!(tokio::time::timeout(Duration::from_millis(75), offline.call(&lost)).await.is_err());
    assert_eq!(offline.state().units().len(), 2, "the answer is lost, the OU is there");
    ok(&offline, create("c")).await;
}

#[tokio::test(start_paused = true)]
async fn the_log_holds_what_was_carried_out_with_its_time() {
    let offline = Offline::new(Options::default());
    let top = root(&offline);
    let a = unit(&offline, &top, "a").await;
    tokio::time::advance(Duration::from_secs(3_600)).await;
    let rename = Request::UpdateOrganizationalUnit { unit: a.clone(), name: "b".into() };
    offline.foreign(&rename).unwrap();
    code(&offline, Request::DeleteOrganizationalUnit { unit: "ou-zzzz-00000000".parse().unwrap() }).await;
    let log = offline.log();
    assert_eq!(log.len(), 2);
    assert_eq!((log[0].hand, log[0].made.as_deref()), (Hand::Caller, Some(a.as_str())));
    assert_eq!((log[1].hand, &log[1].request), (Hand::Foreign, &rename));
    assert_eq!(log[1].at - log[0].at, Duration::from_secs(3_600));
    assert_eq!(offline.elapsed(), log[1].at);
}

#[tokio::test(start_paused = true)]
async fn reads_can_come_from_a_moment_ago() {
    let offline = Offline::new(Options { remember: Duration::from_secs(10), ..Options::default() });
    let top = root(&offline);
    let list = Request::ListOrganizationalUnitsForParent { parent: top.clone(), token: None };
    assert_eq!(offline.recall(&list, 1), None);
    unit(&offline, &top, "a").await;
    unit(&offline, &top, "b").await;
    let _ = offline.call(&Request::DeleteOrganizationalUnit { unit: "ou-zzzz-00000000".parse().unwrap() }).await;
    let count = |back| match offline.recall(&list, back) {
        Some(Ok(Response::Units(page))) => Some(page.items.len()),
        _ => None,
    };
    assert_eq!((count(1), count(2), count(3)), (Some(1), Some(0), None));
    assert_eq!(offline.recall(&Request::CloseAccount { account: offline.identity().account }, 1), None);
    tokio::time::advance(Duration::from_secs(11)).await;
    assert_eq!(count(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_and_back_is_the_same_organization() {
    let offline = with_scps();
    let top = root(&offline);
    let a = NodeId::Unit(unit(&offline, &top, "a").await);
    let member = account(&offline, 1);
    ok(&offline, Request::MoveAccount { account: member.clone(), from: top, to: a.clone() }).await;
    let scp = policy(&offline, &PolicyType::scp(), "p").await;
    ok(&offline, attach(&scp, &a)).await;
    ok(&offline, Request::TagResource { resource: Resource::Policy(scp), tags: tags(&[("k", "v")]) }).await;
    ok(&offline, Request::EnableAWSServiceAccess { principal: "account.amazonaws.com".into() }).await;
    ok(
        &offline,
        Request::RegisterDelegatedAdministrator { account: member, principal: "account.amazonaws.com".into() },
    )
    .await;
    begin(&offline, "x", "x@example.com").await;
    tokio::time::advance(Duration::from_secs(60)).await;
    let first = offline.state().to_observed(Timestamp::UNIX_EPOCH);
    let text = serde_json::to_string(&first).unwrap();
    let read: crate::observed::Observed = serde_json::from_str(&text).unwrap();
    let again = Offline::from_observed(&read, Options::default());
    assert_eq!(again.state().to_observed(Timestamp::UNIX_EPOCH), first);
    // And it goes on as one.
    unit(&again, &a, "b").await;
}

#[tokio::test(start_paused = true)]
async fn what_a_snapshot_did_not_read_is_as_aws_starts_it() {
    let offline = with_scps();
    account(&offline, 1);
    let mut observed = offline.state().to_observed(Timestamp::UNIX_EPOCH);
    for policy in observed.policies.values_mut() {
        policy.targets = crate::observed::Part::Unread;
        policy.content = crate::observed::Part::Unread;
    }
    let again = Offline::from_observed(&observed, Options::default());
    assert_eq!(again.state().to_observed(Timestamp::UNIX_EPOCH), offline.state().to_observed(Timestamp::UNIX_EPOCH));
    observed.policies.clear();
    let again = Offline::from_observed(&observed, Options::default());
    assert_eq!(again.state().policies().len(), 2, "AWS's own policies are always there");
}

/// Indexes and maps say the same after whatever was done.
fn assert_sound(state: &State) {
    let scp = PolicyType::scp();
    for (id, unit) in state.units() {
        assert_eq!(state.unit_named(&unit.parent, &unit.name), Some(id));
        assert!(state.has(&unit.parent));
        assert!(state.depth(&NodeId::Unit(id.clone())) <= 5);
    }
    for (id, account) in state.accounts() {
        assert_eq!(state.account_of(&account.email), Some(id));
        assert!(state.accounts_below[&account.parent].contains(id));
    }
    let listed: usize = state.units_below.values().map(BTreeMap::len).sum();
    assert_eq!(listed, state.units().len());
    let listed: usize = state.accounts_below.values().map(BTreeSet::len).sum();
    assert_eq!(listed, state.accounts().len());
    for (id, policy) in state.policies() {
        assert_eq!(state.policy_named(&policy.kind, &policy.name), Some(id));
        assert!(state.targets(id).iter().all(|node| state.has(node) && state.is_attached(id, node)));
    }
    for node in state.nodes() {
        assert!(state.attached(&node).iter().all(|policy| state.targets(policy).contains(&node)));
        let of_type = state.attached_of(&node, &scp).count();
        assert!(!state.is_enabled(&scp) || (1..=10).contains(&of_type), "{node}: {of_type}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_careless_hand_replays_and_never_breaks_the_organization() {
    let run = |seed: u64| {
        let offline = with_scps();
        let top = root(&offline);
        offline.with(|state| {
            let unit = NodeId::Unit(state.add_unit(&top, "a"));
            for number in 0..5 {
                state.add_account(&unit, &format!("a{number}"), &format!("a{number}@example.com"));
                state.add_policy(&PolicyType::scp(), &format!("p{number}"), DENY);
            }
        });
        let mut dice = Dice::new(seed);
        let mut carried_out = 0;
        for _ in 0..300 {
            let request = careless(&offline.state(), &mut dice);
            carried_out += usize::from(request.is_some_and(|request| offline.foreign(&request).is_ok()));
            assert_sound(&offline.state());
        }
        (carried_out, offline.state().to_observed(Timestamp::UNIX_EPOCH))
    };
    for seed in 0..20 {
        let (carried_out, state) = run(seed);
        assert!(carried_out > 100, "{carried_out}");
        assert!(run(seed) == (carried_out, state));
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_thousand_accounts_are_listed_in_reasonable_time() {
    let offline = Offline::new(Options::default());
    let began = std::time::Instant::now();
    offline.with(|state| {
        let top = state.root_node();
        let units: Vec<NodeId> = (0..2_000).map(|n| NodeId::Unit(state.add_unit(&top, &format!("u{n}")))).collect();
        for number in 0..49_999 {
            state.add_account(&units[number % 2_000], &format!("a{number}"), &format!("a{number}@example.com"));
        }
        state.set_policy_type(&PolicyType::scp(), true);
    });
    let built = began.elapsed();
    let (found, pages) = all(&offline, |token| Request::ListAccounts { token }, accounts).await;
    assert_eq!((found.len(), pages), (50_000, 2_500));
    let listed = began.elapsed() - built;
    // A call that scans would take minutes here.
    assert!(listed < Duration::from_secs(20) && built < Duration::from_secs(20), "{built:?} {listed:?}");
    println!("built {built:?} listed {listed:?}");
}
