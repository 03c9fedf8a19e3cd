use std::collections::VecDeque;

use futures::future::join_all;

use super::*;
use crate::aws::Offline;
use crate::aws::offline::Options;
use crate::aws::port::{Page, Resource};
use crate::names::{NodeId, Tags};

fn seconds(from: Instant) -> f64 {
    from.elapsed().as_secs_f64()
}

fn throttled() -> Offline {
    Offline::new(Options { throttled: true, latency: Duration::from_millis(40), ..Options::default() })
}

fn tags_of(node: &NodeId) -> Request {
    Request::ListTagsForResource { resource: Resource::Node(node.clone()), token: None }
}

fn create(parent: &NodeId, name: &str) -> Request {
    Request::CreateOrganizationalUnit { parent: parent.clone(), name: name.into(), tags: Tags::new() }
}

/// A port that answers what a test wrote down, and keeps what it was asked and when.
struct Script {
    answers: Mutex<VecDeque<Result<Response, AwsError>>>,
    asked: Mutex<Vec<(&'static str, Instant)>>,
    hangs: bool,
}
impl Script {
    fn new(answers: Vec<Result<Response, AwsError>>) -> Self {
        Self { answers: Mutex::new(answers.into()), asked: Mutex::default(), hangs: false }
    }
    fn asked(&self) -> usize {
        lock(&self.asked).len()
    }
}
impl Port for Script {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            lock(&self.asked).push((request.operation(), Instant::now()));
            if self.hangs {
                std::future::pending::<()>().await;
            }
            lock(&self.answers).pop_front().unwrap_or(Ok(Response::Done))
        })
    }
}

fn refused(code: &str) -> Result<Response, AwsError> {
    Err(AwsError::answered("X", code, "no", None))
}
fn lost() -> Result<Response, AwsError> {
    Err(AwsError::unanswered("X", "connection", "closed"))
}
fn read() -> Request {
    Request::DescribeOrganization
}
fn write() -> Request {
    Request::DeletePolicy { policy: "p-00000000".parse().unwrap() }
}

#[tokio::test(start_paused = true)]
async fn many_reads_take_the_time_that_aws_sets_and_none_is_refused() {
    let paced = Paced::new(throttled(), Conduct::default());
    let root = paced.port().state().root_node();
    let began = Instant::now();
    let request = tags_of(&root);
    let answers = join_all((0..650).map(|_| paced.call(&request))).await;
    let (took, bound) = (seconds(began), crate::aws::buckets::seconds("ListTagsForResource", 650));
    assert!(answers.iter().all(Result::is_ok));
    assert!(took <= bound * 1.05, "{took} s of {bound} s");
    let tally = paced.tally();
    assert_eq!((tally.total(), tally.total_refused()), (650, 0));
    assert!(tally.waited > Duration::from_secs(1_000));
}

#[tokio::test(start_paused = true)]
async fn every_operation_at_its_own_rate_is_never_refused_and_never_slows_another() {
    let paced = Paced::new(throttled(), Conduct::default());
    let root = paced.port().state().root_node();
    let plenty: Vec<(Request, usize)> = vec![
        (tags_of(&root), 200),
        (Request::ListAccounts { token: None }, 160),
        (Request::DescribePolicy { policy: "p-FullAWSAccess".parse().unwrap() }, 40),
        (Request::ListRoots { token: None }, 20),
        (Request::ListAWSServiceAccessForOrganization { token: None }, 20),
    ];
    let began = Instant::now();
    let paced = &paced;
    let ends = join_all(plenty.iter().map(|(request, count)| async move {
        let answers = join_all((0..*count).map(|_| paced.call(request))).await;
        assert!(answers.iter().all(Result::is_ok));
        (request.operation(), *count, seconds(began))
    }))
    .await;
    for (operation, count, took) in ends {
        let bound = crate::aws::buckets::seconds(operation, count.try_into().unwrap());
        // A token less of burst and 2 % of rate, nothing for the others.
        assert!(took <= bound * 1.03 + 1.2 / rate_of(operation).per_second + 0.1, "{operation}: {took} of {bound}");
    }
    assert_eq!(paced.tally().total_refused(), 0);
}

#[tokio::test(start_paused = true)]
async fn writes_go_one_at_a_time_and_a_slow_kind_holds_up_no_other() {
    let offline = Offline::new(Options {
        throttled: true,
        latency: Duration::from_millis(100),
        creation_delay: Duration::from_secs(1),
        ..Options::default()
    });
    let paced = &Paced::new(offline, Conduct::default());
    let root = paced.port().state().root_node();
    let began = Instant::now();
    let accounts = (0..10).map(|number| {
        let (name, email) = (format!("a{number}"), format!("a{number}@example.com"));
        let request = Request::CreateAccount { name, email, role_name: None, tags: Tags::new() };
        async move { paced.call(&request).await.map(|_| ()) }
    });
    let units = (0..20).map(|number| {
        let request = create(&root, &format!("u{number}"));
        async move { paced.call(&request).await.map(|_| seconds(began)) }
    });
    let (accounts, units) = futures::join!(join_all(accounts), join_all(units));
    assert!(accounts.into_iter().all(|answer| answer.is_ok()));
    let last = units.into_iter().map(Result::unwrap).fold(0.0, f64::max);
    assert!(last < 21.0, "20 OUs at one a second took {last} s beside account creations of 10 s each");
    assert!(seconds(began) > 70.0);
    assert_eq!(paced.tally().total_refused(), 0, "{:?}", paced.tally());
}

#[tokio::test(start_paused = true)]
async fn refusals_are_tried_again_until_patience_ends() {
    for code in ["TooManyRequestsException", "ConcurrentModificationException", "PolicyChangesInProgressException"] {
        let paced = Paced::new(Script::new(vec![refused(code), refused(code)]), Conduct::default());
        assert_eq!(paced.call(&write()).await, Ok(Response::Done), "{code}");
        assert_eq!((paced.port().asked(), paced.tally().total_refused()), (3, 2));
        let conduct = Conduct { patience: Duration::from_secs(60), ..Conduct::default() };
        let paced = Paced::new(Script::new(vec![refused(code); 1_000]), conduct);
        let began = Instant::now();
        assert_eq!(paced.call(&write()).await.unwrap_err().code, code);
        assert!((20.0..90.0).contains(&seconds(began)), "{code}: {}", seconds(began));
        assert!(paced.port().asked() > 5);
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttle_slows_all_calls_of_its_operation() {
    let paced = Paced::new(Script::new(vec![refused("TooManyRequestsException")]), Conduct::default());
    let request = Request::DescribeOrganization;
    let answers = join_all((0..5).map(|_| paced.call(&request))).await;
    assert!(answers.iter().all(Result::is_ok));
    let asked = lock(&paced.port().asked).clone();
    assert_eq!(asked.len(), 6);
    // One a second after the bucket was emptied.
    assert!(asked[5].1 - asked[0].1 > Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_is_never_sent_again() {
    let create_account =
        Request::CreateAccount { name: "a".into(), email: "a@b.co".into(), role_name: None, tags: Tags::new() };
    for request in [write(), create_account] {
        let paced = Paced::new(Script::new(vec![lost()]), Conduct::default());
        assert_eq!(paced.call(&request).await.unwrap_err().class, ErrorClass::Unknown);
        assert_eq!(paced.port().asked(), 1);
        // After a refusal, which did nothing, it is.
        let paced = Paced::new(Script::new(vec![refused("TooManyRequestsException"), lost()]), Conduct::default());
        assert_eq!(paced.call(&request).await.unwrap_err().class, ErrorClass::Unknown);
        assert_eq!(paced.port().asked(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_without_an_answer_is_tried_a_few_times() {
    let paced = Paced::new(Script::new(vec![lost(), lost(), lost()]), Conduct::default());
    assert_eq!(paced.call(&read()).await, Ok(Response::Done));
    let paced = Paced::new(Script::new(vec![lost(); 9]), Conduct::default());
    assert_eq!(paced.call(&read()).await.unwrap_err().code, "connection");
    assert_eq!(paced.port().asked(), 4);
    assert_eq!(paced.tally().unanswered["DescribeOrganization"], 4);
}

#[tokio::test(start_paused = true)]
async fn other_errors_come_back_at_once() {
    for code in ["AccessDeniedException", "ExpiredTokenException", "ConstraintViolationException", "Whatever"] {
        let paced = Paced::new(Script::new(vec![refused(code)]), Conduct::default());
        assert_eq!(paced.call(&read()).await.unwrap_err().code, code);
        assert_eq!(paced.port().asked(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_endpoint_times_out() {
    let script = Script { hangs: true, ..Script::new(vec![]) };
    let paced = Paced::new(script, Conduct { timeout: Duration::from_secs(5), ..Conduct::default() });
    let began = Instant::now();
    let error = paced.call(&write()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.class), ("timeout", ErrorClass::Unknown));
    assert!((5.0..5.1).contains(&seconds(began)));
    // And the next write has its turn.
    assert!(paced.call(&write()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_its_place_to_the_next() {
    let paced = Paced::new(Script { hangs: true, ..Script::new(vec![]) }, Conduct::default());
    let request = write();
    for _ in 0..10 {
        assert!(tokio::time::timeout(Duration::from_secs(1), paced.call(&request)).await.is_err());
    }
    assert_eq!(paced.port().asked(), 10);
}

#[tokio::test(start_paused = true)]
async fn an_emulator_is_not_waited_for_and_reads_keep_to_the_connections() {
    let offline = Offline::new(Options { latency: Duration::from_millis(10), ..Options::default() });
    let conduct = Conduct { pace: Pace::None, connections: 4, ..Conduct::default() };
    let paced = Paced::new(offline, conduct);
    let root = paced.port().state().root_node();
    let began = Instant::now();
    let request = tags_of(&root);
    join_all((0..400).map(|_| paced.call(&request))).await;
    assert!((1.0..1.5).contains(&seconds(began)), "{}", seconds(began));
}

#[tokio::test(start_paused = true)]
async fn jitter_replays_and_observers_see_every_step() {
    let run = |seed| async move {
        let seen = Arc::new(Mutex::new(vec![]));
        let log = seen.clone();
        let began = Instant::now();
        let script = Script::new(vec![refused("TooManyRequestsException"), refused("ConcurrentModificationException")]);
        let paced = Paced::new(script, Conduct { seed, ..Conduct::default() }).observed(move |moment| {
            lock(&log).push(match moment {
                Moment::Sent(request) => format!("sent {}", request.operation()),
                Moment::Answered(_, answer) => format!("answered {}", answer.is_ok()),
                Moment::Again(_, error, pause) => format!("again {} {pause:?}", error.code),
            });
        });
        assert!(paced.call(&read()).await.is_ok());
        let seen = lock(&seen).clone();
        (seen, began.elapsed())
    };
    let (first, second, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(first, second);
    assert_ne!(first, other);
    assert_eq!(first.0.len(), 6);
    assert_eq!(first.0[5], "answered true");
}

#[tokio::test(start_paused = true)]
async fn pages_and_tokens_pass_through() {
    let paced = Paced::new(throttled(), Conduct::default());
    let answer = paced.call(&Request::ListAWSServiceAccessForOrganization { token: None }).await;
    assert_eq!(answer, Ok(Response::Services(Page { items: vec![], next: None })));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_wanted_is_not_tried_again() {
    let busy = || refused("ConcurrentModificationException");
    let port =
        Paced::new(Script::new(vec![busy(), busy(), busy()]), Conduct { pace: Pace::None, ..Conduct::default() });
    let request = Request::EnableAWSServiceAccess { principal: "x".into() };
    let still = || match port.port().asked() {
        0 | 1 => Ok(()),
        _ => Err(AwsError::unsent("X", "unwanted", "enough")),
    };
    let error = port.call_while(&request, &still).await.unwrap_err();
    assert_eq!((error.class, port.port().asked()), (ErrorClass::Unsent, 2));
    assert_eq!(port.tally().total(), 2);
}
