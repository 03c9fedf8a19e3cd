//! Accounts: moved, created and closed.

use super::*;

/// How many creations are listed.
async fn under_way(offline: &Offline) -> usize {
    let creations = |response| match response {
        Response::Creations(page) => page,
        other => panic!("{other:?}"),
    };
    let all = all(offline, |token| Request::ListCreateAccountStatus { token }, creations).await.0;
    all.iter().filter(|creation| creation.state == CreationState::InProgress).count()
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
    assert_eq!(under_way(&offline).await, 5);
    tokio::time::advance(Duration::from_secs(30)).await;
    assert_eq!(under_way(&offline).await, 0);
    assert_eq!(creation(&offline, &third).await.state, CreationState::Failed);
    assert_eq!(offline.state().accounts().len(), 6);
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
