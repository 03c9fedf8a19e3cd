//! Every operation that moto has, once through the SDK; what it lacks, with the error that then comes.

use std::collections::BTreeSet;

use bylaw::aws::port::{AccountState, Contact, ContactKind, CreationState, PolicyTypeStatus, Resource};
use bylaw::aws::sdk::Sdk;
use bylaw::aws::{AwsError, ErrorClass, Port, Request, Response};
use bylaw::names::{AccountId, NodeId, PolicyId, PolicyType, Tags, UnitId};

use crate::support::moto::{FIRST, Organization, moto, random_account};

const SCP: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

impl Organization {
    async fn ok(&self, request: Request) -> Response {
        match self.sdk.call(&request).await {
            Ok(response) => response,
            Err(error) => panic!("{request:?}: {error}\n{}", moto().errors()),
        }
    }
    async fn done(&self, request: Request) {
        assert_eq!(self.ok(request).await, Response::Done);
    }
    async fn error(&self, request: Request) -> AwsError {
        self.sdk.call(&request).await.expect_err(&format!("{request:?}"))
    }
    fn top(&self) -> NodeId {
        self.root.id.clone().into()
    }
    async fn unit(&self, parent: &NodeId, name: &str) -> UnitId {
        let request =
            Request::CreateOrganizationalUnit { parent: parent.clone(), name: name.to_owned(), tags: Tags::new() };
        let Response::UnitCreated(unit) = self.ok(request).await else { panic!() };
        assert_eq!(unit.name, name);
        unit.id
    }
    async fn account(&self, name: &str) -> AccountId {
        let email = format!("{}@example.com", name.replace(' ', "."));
        let role_name = Some("Admin".to_owned());
        let request = Request::CreateAccount { name: name.to_owned(), email, role_name, tags: tags(&[("team", name)]) };
        let Response::Creation(creation) = self.ok(request).await else { panic!() };
        assert_eq!((creation.state, creation.account_name.as_str()), (CreationState::Succeeded, name));
        creation.account.unwrap()
    }
    async fn policy(&self, name: &str) -> PolicyId {
        let (kind, name, content) = (PolicyType::scp(), name.to_owned(), SCP.to_owned());
        let request = Request::CreatePolicy { kind, name, description: "d".into(), content, tags: Tags::new() };
        let Response::PolicyCreated(policy) = self.ok(request).await else { panic!() };
        policy.id
    }
    /// All pages of a list, with the number of pages.
    async fn all(&self, request: impl Fn(Option<String>) -> Request) -> Vec<Response> {
        let (mut pages, mut token) = (vec![], None);
        loop {
            let page = self.ok(request(token)).await;
            token = page.next().map(str::to_owned);
            pages.push(page);
            if token.is_none() {
                return pages;
            }
            assert!(pages.len() < 100, "the list does not end");
        }
    }
    async fn tags(&self, resource: impl Into<Resource>) -> Tags {
        let request = Request::ListTagsForResource { resource: resource.into(), token: None };
        let Response::Tags(page) = self.ok(request).await else { panic!() };
        page.items.into_iter().collect()
    }
}

#[tokio::test]
async fn identity_and_organization() {
    let org = Organization::create().await;
    let Response::Identity { account, arn } = org.ok(Request::GetCallerIdentity).await else { panic!() };
    assert_eq!(account, org.account);
    assert!(arn.contains("assumed-role/bylaw/bylaw"), "{arn}");
    let Response::Organization(fact) = org.ok(Request::DescribeOrganization).await else { panic!() };
    assert_eq!((&fact.management_account, fact.all_features), (&org.account, true));
    assert_eq!(org.root.name, "Root");

    // The same server without the role is another account, which sees no organization.
    let first = Sdk::connect(&moto().options()).await.unwrap();
    let Ok(Response::Identity { account, .. }) = first.call(&Request::GetCallerIdentity).await else { panic!() };
    assert_eq!(account.as_str(), FIRST);
    let outsider = Sdk::connect(&moto().options_in(&random_account())).await.unwrap();
    let error = outsider.call(&Request::DescribeOrganization).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("AWSOrganizationsNotInUseException", ErrorClass::Constraint));
    assert!(error.request_id.is_some(), "{error}");
}

#[tokio::test]
async fn the_tree() {
    let org = Organization::create().await;
    let top = org.top();
    let a = org.unit(&top, "a").await;
    let b = org.unit(&a.clone().into(), "b").await;
    let account = org.account("data science").await;

    org.done(Request::MoveAccount { account: account.clone(), from: top.clone(), to: b.clone().into() }).await;
    let Response::Account(fact) = org.ok(Request::DescribeAccount { account: account.clone() }).await else { panic!() };
    assert_eq!((fact.id.clone(), fact.state), (account.clone(), AccountState::Active));
    assert_eq!((fact.name.as_str(), fact.email.as_str()), ("data science", "data.science@example.com"));
    assert_eq!(fact.parent, Some(b.clone().into()), "by its `Paths`");

    let parent = org.ok(Request::ListParents { child: account.clone().into() }).await;
    assert_eq!(parent, Response::Parent(b.clone().into()));
    assert_eq!(org.ok(Request::ListParents { child: b.clone().into() }).await, Response::Parent(a.clone().into()));
    let below = Request::ListAccountsForParent { parent: b.clone().into(), token: None };
    let Response::Accounts(page) = org.ok(below).await else { panic!() };
    assert_eq!(page.items, [fact]);
    let below = Request::ListOrganizationalUnitsForParent { parent: a.clone().into(), token: None };
    let Response::Units(page) = org.ok(below).await else { panic!() };
    assert_eq!(page.items.iter().map(|unit| (&unit.id, unit.name.as_str())).collect::<Vec<_>>(), [(&b, "b")]);

    org.done(Request::UpdateOrganizationalUnit { unit: b.clone(), name: "c".into() }).await;
    org.done(Request::MoveAccount { account: account.clone(), from: b.clone().into(), to: top }).await;
    org.done(Request::DeleteOrganizationalUnit { unit: b.clone() }).await;
    let gone = org.error(Request::DeleteOrganizationalUnit { unit: b }).await;
    assert_eq!((gone.code.as_str(), gone.class), ("OrganizationalUnitNotFoundException", ErrorClass::NotFound));

    org.done(Request::CloseAccount { account: account.clone() }).await;
    let Response::Account(fact) = org.ok(Request::DescribeAccount { account: account.clone() }).await else { panic!() };
    assert_eq!(fact.state, AccountState::Suspended);
    let again = org.error(Request::CloseAccount { account }).await;
    assert_eq!((again.code.as_str(), again.class), ("AccountAlreadyClosedException", ErrorClass::AlreadyDone));
}

#[tokio::test]
async fn creation_of_an_account_is_found_again() {
    let org = Organization::create().await;
    let (name, email) = ("x".to_owned(), "x@example.com".to_owned());
    let request = Request::CreateAccount { name, email, role_name: None, tags: Tags::new() };
    let Response::Creation(creation) = org.ok(request).await else { panic!() };
    // moto creates at once, and what is over and did not fail is asked for as well.
    let Response::Creations(page) = org.ok(Request::ListCreateAccountStatus { token: None }).await else { panic!() };
    assert!(page.items.iter().any(|found| found.id == creation.id && found.account == creation.account), "{page:?}");
    assert!(creation.requested.is_some() && creation.failure.is_none(), "{creation:?}");
    assert!(creation.id.starts_with("car-"), "{creation:?}");
    let same = org.ok(Request::DescribeCreateAccountStatus { id: creation.id.clone() }).await;
    assert_eq!(same, Response::Creation(creation.clone()));
}

#[tokio::test]
async fn policies() {
    let org = Organization::create().await;
    let scp = PolicyType::scp();
    org.done(Request::EnablePolicyType { root: org.root.id.clone(), kind: scp.clone() }).await;
    let twice = org.error(Request::EnablePolicyType { root: org.root.id.clone(), kind: scp.clone() }).await;
    assert_eq!((twice.code.as_str(), twice.class), ("PolicyTypeAlreadyEnabledException", ErrorClass::AlreadyDone));
    let Response::Roots(page) = org.ok(Request::ListRoots { token: None }).await else { panic!() };
    assert_eq!(page.items[0].policy_types, [(scp.clone(), PolicyTypeStatus::Enabled)]);

    let policy = org.policy("guard").await;
    let Response::Policy { summary, content } = org.ok(Request::DescribePolicy { policy: policy.clone() }).await else {
        panic!()
    };
    assert_eq!((summary.name.as_str(), summary.description.as_str(), &summary.kind), ("guard", "d", &scp));
    assert_eq!((content.as_str(), summary.aws_managed), (SCP, false));

    let update = Request::UpdatePolicy {
        policy: policy.clone(),
        name: Some("renamed".into()),
        description: None,
        content: Some("{}".into()),
    };
    let Response::PolicyCreated(changed) = org.ok(update).await else { panic!() };
    assert_eq!((changed.name.as_str(), changed.description.as_str()), ("renamed", "d"));

    let target = NodeId::from(org.unit(&org.top(), "a").await);
    org.done(Request::AttachPolicy { policy: policy.clone(), target: target.clone() }).await;
    let on = Request::ListPoliciesForTarget { target: target.clone(), kind: scp.clone(), token: None };
    let Response::Policies(page) = org.ok(on).await else { panic!() };
    let names: BTreeSet<&str> = page.items.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["FullAWSAccess", "renamed"]));
    assert!(page.items.iter().any(|policy| policy.aws_managed));
    let targets = org.ok(Request::ListTargetsForPolicy { policy: policy.clone(), token: None }).await;
    let Response::Targets(page) = targets else { panic!() };
    assert_eq!(page.items, std::slice::from_ref(&target));

    let busy = org.error(Request::DeletePolicy { policy: policy.clone() }).await;
    assert_eq!((busy.code.as_str(), busy.class), ("PolicyInUseException", ErrorClass::Constraint));
    org.done(Request::DetachPolicy { policy: policy.clone(), target }).await;
    org.done(Request::DeletePolicy { policy: policy.clone() }).await;
    let gone = org.error(Request::DescribePolicy { policy }).await;
    assert_eq!((gone.code.as_str(), gone.class), ("PolicyNotFoundException", ErrorClass::NotFound));
    assert!(gone.request_id.is_some() && !gone.message.is_empty(), "{gone:?}");
}

#[tokio::test]
async fn tags_of_every_kind_of_resource() {
    let org = Organization::create().await;
    let unit = NodeId::from(org.unit(&org.top(), "a").await);
    let account = NodeId::from(org.account("x").await);
    assert_eq!(org.tags(Resource::Node(account.clone())).await, tags(&[("team", "x")]), "given at creation");
    let policy = Resource::Policy(org.policy("p").await);
    for resource in [Resource::Node(org.top()), Resource::Node(unit), Resource::Node(account), policy] {
        let wanted = tags(&[("bylaw.dev/resource", "Account/x"), ("empty", ""), ("ä", "ö: ü")]);
        org.done(Request::TagResource { resource: resource.clone(), tags: wanted.clone() }).await;
        org.done(Request::UntagResource { resource: resource.clone(), keys: vec!["team".into(), "ä".into()] }).await;
        let left: Tags = wanted.into_iter().filter(|(key, _)| key != "ä").collect();
        assert_eq!(org.tags(resource).await, left);
    }
}

#[tokio::test]
async fn services_and_administrators() {
    let org = Organization::create().await;
    let principal = "ssm.amazonaws.com";
    org.done(Request::EnableAWSServiceAccess { principal: principal.into() }).await;
    let list = org.ok(Request::ListAWSServiceAccessForOrganization { token: None }).await;
    let Response::Services(page) = list else { panic!() };
    assert_eq!(page.items, [principal]);
    let account = org.account("audit").await;
    let register = Request::RegisterDelegatedAdministrator { account: account.clone(), principal: principal.into() };
    org.done(register).await;
    let Response::Administrators(page) = org.ok(Request::ListDelegatedAdministrators { token: None }).await else {
        panic!()
    };
    assert_eq!(page.items, std::slice::from_ref(&account));
    let Response::Services(page) = org.ok(Request::ListDelegatedServicesForAccount { account, token: None }).await
    else {
        panic!()
    };
    assert_eq!(page.items, [principal]);
}

#[tokio::test]
async fn contacts() {
    let org = Organization::create().await;
    // bylaw asks who it is before all else; the SDK room learns its own account by it.
    org.ok(Request::GetCallerIdentity).await;
    let member = org.account("x").await;
    for account in [member, org.account.clone()] {
        for kind in ContactKind::ALL {
            let get = || Request::GetAlternateContact { account: account.clone(), kind };
            assert_eq!(org.ok(get()).await, Response::Contact(None), "{account}");
            let contact = Contact {
                name: "N".into(),
                title: "T".into(),
                email: format!("{}@example.com", kind.as_str().to_lowercase()),
                phone: "+1 555".into(),
            };
            let put = Request::PutAlternateContact { account: account.clone(), kind, contact: contact.clone() };
            org.done(put).await;
            assert_eq!(org.ok(get()).await, Response::Contact(Some(contact)));
        }
    }
}

#[tokio::test]
async fn lists_longer_than_a_page() {
    let org = Organization::create().await;
    let top = org.top();
    let scp = PolicyType::scp();
    let mut units = BTreeSet::new();
    let mut accounts = BTreeSet::from([org.account.clone()]);
    let mut policies = BTreeSet::new();
    for n in 0..45 {
        units.insert(org.unit(&top, &format!("u{n}")).await);
        accounts.insert(org.account(&format!("a{n}")).await);
        policies.insert(org.policy(&format!("p{n}")).await);
    }
    moto().zero(&org.account);

    let pages = org.all(|token| Request::ListOrganizationalUnitsForParent { parent: top.clone(), token }).await;
    let found = pages.iter().flat_map(|page| match page {
        Response::Units(page) => page.items.iter().map(|unit| unit.id.clone()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    });
    assert_eq!((pages.len(), found.collect::<BTreeSet<_>>()), (3, units));

    let ids = |pages: &[Response]| -> BTreeSet<AccountId> {
        let of = |page: &Response| match page {
            Response::Accounts(page) => page.items.iter().map(|account| account.id.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        pages.iter().flat_map(of).collect()
    };
    let pages = org.all(|token| Request::ListAccounts { token }).await;
    assert_eq!((pages.len(), ids(&pages)), (3, accounts.clone()));
    let pages = org.all(|token| Request::ListAccountsForParent { parent: top.clone(), token }).await;
    assert_eq!((pages.len(), ids(&pages)), (3, accounts.clone()));

    let pages = org.all(|token| Request::ListPolicies { kind: scp.clone(), token }).await;
    let found: BTreeSet<PolicyId> = pages
        .iter()
        .flat_map(|page| match page {
            Response::Policies(page) => page.items.iter().map(|policy| policy.id.clone()).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        })
        .filter(|id| id.as_str() != "p-FullAWSAccess")
        .collect();
    assert_eq!((pages.len(), found), (3, policies.clone()));

    for policy in &policies {
        org.done(Request::AttachPolicy { policy: policy.clone(), target: top.clone() }).await;
    }
    let on = |token| Request::ListPoliciesForTarget { target: top.clone(), kind: scp.clone(), token };
    assert_eq!(org.all(on).await.len(), 3);

    let counts = moto().counts(&org.account);
    let called = |name: &str| counts["calls"][format!("organizations.{name}")].as_u64().unwrap_or_default();
    for name in ["ListOrganizationalUnitsForParent", "ListAccounts", "ListPolicies", "ListPoliciesForTarget"] {
        assert_eq!(called(name), 3, "{name}: one call on the wire a page: {counts}");
    }
    assert_eq!(counts["errors"], serde_json::json!({}), "{counts}");
}

#[tokio::test]
async fn a_throttle_is_told_and_not_retried() {
    let org = Organization::create().await;
    moto().zero(&org.account);
    moto().throttle(&org.account, true);
    let mut refused = 0;
    for _ in 0..8 {
        match org.sdk.call(&Request::DescribeOrganization).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!((error.code.as_str(), error.class), ("TooManyRequestsException", ErrorClass::Throttled));
                refused += 1;
            }
        }
    }
    moto().throttle(&org.account, false);
    let counts = moto().counts(&org.account);
    assert_eq!(counts["calls"]["organizations.DescribeOrganization"], 8, "{counts}");
    assert!(refused >= 1, "2 at once and 1 a second: {counts}");
    assert!(org.sdk.call(&Request::DescribeOrganization).await.is_ok());
}

/// moto answers what it lacks with an HTML page and 500 (404 for the Account API); AWS's own 5xx may mean "done", so the
/// class is `Unknown` and never "not there".
#[tokio::test]
async fn what_moto_lacks_is_an_unknown_answer() {
    let org = Organization::create().await;
    for request in [
        Request::DescribeResourcePolicy,
        Request::PutResourcePolicy { content: "{}".into() },
        Request::PutAccountName { account: org.account.clone(), name: "n".into() },
    ] {
        let error = org.error(request).await;
        assert_eq!(error.class, ErrorClass::Unknown, "{error}");
        assert!(["server", "garbage"].contains(&error.code.as_str()), "{error}");
    }
}
