//! Tags, trusted services, delegation, contacts, and who may call what.

use super::*;

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
