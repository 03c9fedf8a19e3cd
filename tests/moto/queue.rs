//! The queue of events through the SDK: received as it was sent, hidden, deleted; and what is wrong, in words.

use bylaw::aws::ErrorClass;
use bylaw::aws::queue::Queue;
use bylaw::aws::sdk::Sqs;
use serde_json::json;

use crate::support::moto::{moto, random_account};

#[tokio::test]
async fn messages_are_received_as_they_were_put_and_are_gone_when_deleted() {
    let account = random_account();
    moto().make_queue(&account, "bylaw-events");
    let url = moto().queue_url(&account, "bylaw-events");
    let queue = Sqs::connect(&moto().options_in(&account), &url).await.unwrap();
    let record = json!({"eventName": "DetachPolicy", "eventID": "1"});
    moto().put_event(&account, "bylaw-events", &record);
    moto().send(&account, "bylaw-events", "an odd <&> \u{2603} message");
    let mut bodies = vec![];
    let mut receipts = vec![];
    while bodies.len() < 2 {
        for message in queue.receive().await.unwrap() {
            assert!(!message.id.is_empty());
            bodies.push(message.body);
            receipts.push(message.receipt);
        }
    }
    bodies.sort();
    assert_eq!(bodies[0], "an odd <&> \u{2603} message");
    let envelope: serde_json::Value = serde_json::from_str(&bodies[1]).unwrap();
    assert_eq!((&envelope["source"], &envelope["account"]), (&json!("aws.organizations"), &json!(account)));
    assert_eq!(envelope["detail"], record);
    assert_eq!(moto().messages(&account, "bylaw-events"), 2, "they are hidden, and still there");
    queue.delete(receipts).await.unwrap();
    assert_eq!(moto().messages(&account, "bylaw-events"), 0);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_not_found() {
    let account = random_account();
    let url = moto().queue_url(&account, "nowhere");
    let queue = Sqs::connect(&moto().options_in(&account), &url).await.unwrap();
    let error = queue.receive().await.unwrap_err();
    assert_eq!((error.class, &*error.operation), (ErrorClass::NotFound, "ReceiveMessage"), "{error}");
    let error = queue.delete(vec!["a".into()]).await.unwrap_err();
    assert_eq!((error.class, &*error.operation), (ErrorClass::NotFound, "DeleteMessage"), "{error}");
}

#[tokio::test]
async fn a_url_that_is_none_is_told_before_any_call() {
    let Err(error) = Sqs::connect(&moto().options(), "bylaw-events").await else { panic!("it was taken") };
    assert!(error.message.contains("sqs.<region>.amazonaws.com"), "{error}");
}
