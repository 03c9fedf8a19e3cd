//! The ear on a queue in memory.

use std::collections::VecDeque;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::api::organization::{Access, Partition};
use crate::aws::offline::{Offline, Options};
use crate::controller::Doors;
use crate::observed::{Observed, SETTLES, Wants};
use crate::process::Metrics;

/// Answers of `receive` in their order; then it waits as an empty queue does. What was deleted.
#[derive(Default)]
struct Shelf {
    answers: Mutex<VecDeque<Result<Vec<Message>, AwsError>>>,
    deleted: Mutex<Vec<String>>,
}

impl Queue for Arc<Shelf> {
    fn receive(&self) -> BoxFuture<'_, Result<Vec<Message>, AwsError>> {
        let next = self.answers.lock().unwrap().pop_front();
        async move {
            match next {
                Some(answer) => answer,
                None => {
                    tokio::time::sleep(crate::aws::queue::WAIT).await;
                    Ok(vec![])
                }
            }
        }
        .boxed()
    }
    fn delete(&self, receipts: Vec<String>) -> BoxFuture<'_, Result<(), AwsError>> {
        self.deleted.lock().unwrap().extend(receipts);
        async { Ok(()) }.boxed()
    }
}

struct NoDoors;
impl Doors for NoDoors {
    fn open<'a>(&'a self, _: Partition, _: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>> {
        async { Err(String::new()) }.boxed()
    }
    fn queue<'a>(
        &'a self,
        _: Partition,
        _: Option<&'a Access>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Queue>, String>> {
        async { Err(String::new()) }.boxed()
    }
}

const NOW: &str = "2026-11-24T12:00:00Z";

fn context() -> Context {
    let clock = Box::new(|| NOW.parse().unwrap());
    Context {
        clock,
        doors: Box::new(NoDoors),
        metrics: Metrics::default(),
        instance: "a".into(),
        predecessor: None,
        seed: 1,
    }
}

fn event(id: &str, more: &str) -> String {
    format!(
        r#"{{"source": "aws.organizations", "detail-type": "AWS API Call via CloudTrail", "account": "111122223333",
        "detail": {{"eventSource": "organizations.amazonaws.com", "eventName": "DetachPolicy", "eventID": "{id}",
        "eventTime": "{NOW}", "userIdentity": {{"arn": "arn:aws:iam::111122223333:user/ann"}},
        "requestParameters": {{"policyId": "p-examplepolicyid111", "targetId": "r-ab12"}}{more}}}}}"#
    )
}

fn message(receipt: &str, body: String) -> Message {
    Message { id: receipt.into(), receipt: receipt.into(), body }
}

struct Heard {
    shelf: Arc<Shelf>,
    ear: Ear,
    kept: Kept,
    cx: Context,
}

impl Heard {
    fn new(answers: impl IntoIterator<Item = Result<Vec<Message>, AwsError>>) -> Self {
        let shelf = Arc::new(Shelf::default());
        shelf.answers.lock().unwrap().extend(answers);
        let ear = Ear::new("q", Ok(Box::new(shelf.clone())), 1);
        Self { shelf, ear, kept: Kept::default(), cx: context() }
    }

    /// Whether a pass is asked for within that time.
    async fn asks(&mut self, seconds: u64) -> bool {
        let management = "111122223333".parse().unwrap();
        let woken = self.ear.woken(&mut self.kept, Some(&management), &self.cx);
        tokio::time::timeout(Duration::from_secs(seconds), woken).await.is_ok()
    }

    async fn deleted(&self) -> Vec<String> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.shelf.deleted.lock().unwrap().clone()
    }

    fn counted(&self, outcome: &str) -> String {
        let text = self.cx.metrics.text();
        let line =
            text.lines().find_map(|line| line.strip_prefix(&format!("bylaw_events_total{{outcome=\"{outcome}\"}} ")));
        line.unwrap_or("0").to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_deleted_when_a_pass_has_looked_and_its_like_at_once() {
    let first = vec![message("1", event("e1", "")), message("2", event("e1", ""))];
    let mut heard = Heard::new([Ok(first), Ok(vec![message("3", event("e1", ""))])]);
    assert!(heard.asks(5).await);
    assert_eq!(heard.ear.fresh().len(), 1);
    assert!(heard.deleted().await.is_empty(), "nobody has looked yet");
    heard.ear.looked(Duration::from_secs(1));
    assert_eq!(heard.deleted().await.len(), 1, "the newest receipt of what was looked at");
    assert!(!heard.asks(30).await, "it is known");
    assert_eq!((heard.counted("hint"), heard.counted("duplicate")), ("1".into(), "2".into()));
    assert!(heard.ear.fresh().is_empty() && heard.ear.held.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_no_pass_is_deleted_at_once() {
    let foreign = event("e2", "").replace("\"account\": \"111122223333\"", "\"account\": \"999988887777\"");
    let messages = vec![
        message("1", event("e1", r#", "errorCode": "AccessDenied""#)),
        message("2", foreign),
        message("3", "no event".into()),
        message("4", event("e4", r#", "readOnly": true"#)),
    ];
    let mut heard = Heard::new([Ok(messages)]);
    assert!(!heard.asks(30).await);
    assert_eq!(heard.deleted().await, ["1", "2", "3", "4"]);
    for outcome in ["failed", "foreign", "garbage", "other"] {
        assert_eq!(heard.counted(outcome), "1", "{outcome}");
    }
    assert_eq!(heard.kept.trail.iter().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn its_own_calls_wake_nobody() {
    let mut heard = Heard::new([Ok(vec![message("1", event("e1", r#", "userAgent": "aws-sdk-rust/1 app/bylaw""#))])]);
    heard.ear.caller = Some("arn:aws:iam::111122223333:user/ann".into());
    assert!(!heard.asks(30).await);
    assert_eq!((heard.counted("own"), heard.deleted().await), ("1".into(), vec!["1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn events_that_come_close_together_are_one_pass() {
    let messages = (0..30).map(|n| Ok(vec![message(&n.to_string(), event(&format!("e{n}"), ""))]));
    let mut heard = Heard::new(messages);
    assert!(heard.asks(1).await);
    assert_eq!(heard.ear.fresh().len(), 30);
}

#[tokio::test(start_paused = true)]
async fn long_passes_are_followed_by_a_rest_that_only_a_guard_taken_off_breaks() {
    let quiet = |id: &str| event(id, "").replace("DetachPolicy", "TagResource");
    let mut heard = Heard::new([Ok(vec![message("1", quiet("e1"))])]);
    heard.ear.looked(Duration::from_secs(60));
    assert!(!heard.asks(119).await);
    assert!(heard.asks(2).await, "it is not forgotten");

    let mut heard = Heard::new([Ok(vec![message("1", quiet("e1"))]), Ok(vec![message("2", event("e2", ""))])]);
    heard.ear.looked(Duration::from_secs(60));
    assert!(heard.asks(1).await);
}

async fn observed(at: Timestamp) -> Observed {
    let world = Offline::new(Options::default());
    crate::observed::read(&world, &Wants::default(), None, &move || at).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_passes_have_seen_is_taken_off_without_one_and_is_remembered() {
    let mut heard = Heard::new([Ok(vec![message("1", event("e1", ""))])]);
    heard.kept.observed = Some(observed(NOW.parse::<Timestamp>().unwrap() + SETTLES).await);
    assert!(!heard.asks(30).await);
    assert_eq!(heard.deleted().await, ["1"]);
    assert_eq!(heard.kept.trail.iter().count(), 1, "it may still explain a difference");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_read_is_told_once_and_when_it_can_again() {
    let denied = || Err(AwsError::answered("ReceiveMessage", "AccessDenied", "no", Some("id".into())));
    let mut heard = Heard::new([denied(), denied(), denied(), Ok(vec![])]);
    assert!(heard.asks(1).await, "it is told at once");
    let why = heard.ear.trouble.clone().unwrap();
    assert!(why.contains("sqs:ReceiveMessage") && !why.contains("id)"), "{why}");
    assert!(heard.asks(120).await);
    assert_eq!(heard.ear.trouble, None, "the next news is that it is well");
}

#[tokio::test(start_paused = true)]
async fn one_lost_answer_is_nothing_and_many_are_told() {
    let lost = || Err(AwsError::unanswered("ReceiveMessage", "timeout", "no answer in time"));
    let mut heard = Heard::new([lost(), lost(), Ok(vec![])]);
    assert!(!heard.asks(60).await);
    let mut heard = Heard::new([lost(), lost(), lost(), lost()]);
    assert!(heard.asks(60).await);
    assert!(heard.ear.trouble.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_loses_no_word() {
    let mut heard = Heard::new([Ok(vec![message("1", event("e1", ""))])]);
    for _ in 0..40 {
        let management = "111122223333".parse().unwrap();
        let woken = heard.ear.woken(&mut heard.kept, Some(&management), &heard.cx);
        if tokio::time::timeout(Duration::from_millis(50), woken).await.is_ok() {
            assert_eq!(heard.ear.fresh().len(), 1);
            return;
        }
    }
    panic!("the pass was never asked for");
}
