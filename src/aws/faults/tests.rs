use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::aws::ErrorClass;
use crate::aws::offline::Options;
use crate::aws::paced::{Conduct, Pace, Paced};
use crate::names::{NodeId, PolicyType, Tags};

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

fn organization() -> Arc<Offline> {
    let offline = Offline::new(Options { remember: Duration::from_secs(60), ..Options::default() });
    offline.with(|state| {
        let top = state.root_node();
        let unit = NodeId::Unit(state.add_unit(&top, "a"));
        for number in 0..5 {
            state.add_account(&unit, &format!("a{number}"), &format!("a{number}@example.com"));
            state.add_policy(&PolicyType::scp(), &format!("p{number}"), DENY);
        }
        state.set_policy_type(&PolicyType::scp(), true);
    });
    Arc::new(offline)
}

fn create(offline: &Offline, name: &str) -> Request {
    Request::CreateOrganizationalUnit { parent: offline.state().root_node(), name: name.into(), tags: Tags::new() }
}

fn units(offline: &Offline) -> usize {
    offline.state().units().len()
}

fn everything(seed: u64) -> Schedule {
    Schedule {
        seed,
        throttled: 0.3,
        busy: 0.1,
        lost_answer: 0.1,
        lost_request: 0.1,
        broken_read: 0.1,
        stale: 0.2,
        short: 0.1,
        hang: 0.02,
        foreign: 0.3,
        dies_after: None,
        expires_after: None,
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_schedule_nothing_goes_wrong() {
    let offline = organization();
    let faulty = Faulty::around(&offline, Schedule::default());
    for number in 0..100 {
        faulty.call(&create(&offline, &format!("{number}"))).await.unwrap();
    }
    assert_eq!((units(&offline), faulty.faults().len(), faulty.carried_out()), (101, 0, 100));
}

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_it_says() {
    let offline = organization();
    let one = |schedule| Faulty::around(&offline, schedule);
    let request = create(&offline, "x");
    let before = units(&offline);

    let throttled = one(Schedule { throttled: 1.0, ..Schedule::default() });
    assert_eq!(throttled.call(&request).await.unwrap_err().class, ErrorClass::Throttled);
    let busy = one(Schedule { busy: 1.0, ..Schedule::default() });
    assert_eq!(busy.call(&request).await.unwrap_err().class, ErrorClass::Busy);
    assert!(busy.call(&Request::DescribeOrganization).await.is_ok());
    let request_lost = one(Schedule { lost_request: 1.0, ..Schedule::default() });
    assert_eq!(request_lost.call(&request).await.unwrap_err().class, ErrorClass::Unknown);
    assert_eq!(units(&offline), before, "none of these did anything");

    let answer_lost = one(Schedule { lost_answer: 1.0, ..Schedule::default() });
    assert_eq!(answer_lost.call(&request).await.unwrap_err().class, ErrorClass::Unknown);
    assert_eq!(units(&offline), before + 1, "this one did");
    assert_eq!(answer_lost.carried_out(), 1);

    let list = Request::ListOrganizationalUnitsForParent { parent: offline.state().root_node(), token: None };
    let broken = one(Schedule { broken_read: 1.0, ..Schedule::default() });
    assert_eq!(broken.call(&list).await.unwrap_err().class, ErrorClass::Unknown);
    let stale = one(Schedule { stale: 1.0, ..Schedule::default() });
    let fresh = offline.call(&list).await.unwrap();
    assert_ne!(stale.call(&list).await.unwrap(), fresh);
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(stale.call(&list).await.unwrap(), fresh, "after a while it is consistent");

    let hang = one(Schedule { hang: 1.0, ..Schedule::default() });
    assert!(tokio::time::timeout(Duration::from_secs(3_600), hang.call(&list)).await.is_err());
    let log = offline.log().len();
    let foreign = one(Schedule { foreign: 1.0, ..Schedule::default() });
    for number in 0..20 {
        let _ = foreign.call(&create(&offline, &format!("f{number}"))).await;
    }
    assert!(foreign.faults()[&Fault::Foreign] >= 5);
    let hands: Vec<_> = offline.log().split_off(log).into_iter().map(|entry| entry.hand).collect();
    assert!(hands.contains(&crate::aws::offline::Hand::Foreign));
}

#[tokio::test(start_paused = true)]
async fn a_life_ends_after_the_write_it_names_and_the_next_goes_on() {
    for last in 1..5 {
        let offline = organization();
        let before = units(&offline);
        let faulty = Faulty::around(&offline, Schedule { dies_after: Some(last), ..Schedule::default() });
        let life = async {
            for number in 0..10 {
                faulty.call(&create(&offline, &format!("{number}"))).await.unwrap();
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(1), life).await.is_err());
        assert!(faulty.is_dead());
        assert_eq!(units(&offline) - before, usize::try_from(last).unwrap(), "the last write was carried out");
        let pending = faulty.call(&Request::DescribeOrganization);
        assert!(tokio::time::timeout(Duration::from_secs(1), pending).await.is_err());
        let next = Faulty::around(&offline, Schedule::default());
        next.call(&create(&offline, "next life")).await.unwrap();
    }
}

/// What a run left behind, to the byte.
async fn run(seed: u64) -> String {
    let offline = organization();
    let conduct = Conduct { pace: Pace::None, seed, timeout: Duration::from_secs(5), ..Conduct::default() };
    let paced = Paced::new(Faulty::around(&offline, everything(seed)), conduct);
    let mut answers = vec![];
    for number in 0..60 {
        let request = create(&offline, &format!("u{number}"));
        let list = Request::ListAccounts { token: None };
        let (read, written) = tokio::join!(paced.call(&list), paced.call(&request));
        answers.push(format!("{read:?} {written:?}"));
    }
    let state = offline.state().to_observed(Timestamp::UNIX_EPOCH);
    let log = serde_json::to_string(&offline.log()).unwrap();
    let faults = paced.port().faults();
    format!("{answers:?} {} {log} {faults:?} {:?}", serde_json::to_string(&state).unwrap(), paced.tally())
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_is_the_same_run_byte_for_byte() {
    let first = run(11).await;
    tokio::time::advance(Duration::from_millis(12_345)).await;
    assert!(first == run(11).await);
    assert!(first != run(12).await);
    for kind in ["Throttled", "Busy", "LostAnswer", "LostRequest", "BrokenRead", "Stale", "Hang", "Foreign"] {
        assert!(first.contains(&format!("{kind}: ")), "no {kind}");
    }
}

/// What one life costs, beside what is tested in it: `cargo test --lib lives_are_cheap -- --nocapture`.
#[tokio::test(start_paused = true)]
async fn lives_are_cheap() {
    let began = std::time::Instant::now();
    for seed in 0..50 {
        run(seed).await;
    }
    let each = began.elapsed() / 50;
    println!("{each:?} a life of 120 calls and all faults");
    assert!(each < Duration::from_millis(500), "{each:?}");
}
