//! The root, its OUs, and how lists are paged.

use super::*;

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
