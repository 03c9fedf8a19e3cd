//! Throttles, the log, what is remembered, the careless hand.

use super::*;

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
