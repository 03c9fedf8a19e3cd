//! Records as CloudTrail writes them, and what each means; and everything else, which must not hurt.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CALLER: &str = "arn:aws:sts::111122223333:assumed-role/bylaw/1764000000";

/// `cases.json`: name, envelope (`base` filled in), and what it is to mean.
fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("cases.json")).unwrap()
}

/// The envelope of a case: what the case leaves out is as in most events.
fn envelope(case: &Value) -> Value {
    let mut detail = json!({
        "eventVersion": "1.08", "eventTime": "2026-11-24T12:00:00Z", "eventSource": "organizations.amazonaws.com",
        "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.9", "userAgent": "aws-cli/2.31.0 md/Botocore",
        "requestID": "b7c3f1de-0000-4000-8000-000000000001", "eventID": "0a1b2c3d-0000-4000-8000-000000000001",
        "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true, "recipientAccountId": "111122223333",
        "eventCategory": "Management", "requestParameters": null, "responseElements": null
    });
    detail.as_object_mut().unwrap().extend(case["detail"].as_object().unwrap().clone());
    let mut envelope = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.organizations", "account": "111122223333", "time": "2026-11-24T12:00:00Z", "region": "us-east-1",
        "resources": [], "detail": detail
    });
    if let Some(more) = case["envelope"].as_object() {
        envelope.as_object_mut().unwrap().extend(more.clone());
    }
    envelope
}

fn heard(bytes: &[u8]) -> Reading {
    let is_member = |account: &AccountId| ["111122223333", "444455556666"].contains(&account.as_str());
    read(bytes, &Listener { caller: Some(CALLER), is_member: &is_member })
}

fn shown(reading: &Reading) -> Value {
    match reading {
        Reading::Hint(hint) => json!({"by": hint.by, "call": hint.call, "policies": hint.policies,
            "nodes": hint.nodes.iter().map(NodeId::as_str).collect::<Vec<_>>(), "words": hint.words}),
        Reading::Own => json!("own"),
        Reading::Failed => json!("failed"),
        Reading::Foreign => json!("foreign"),
        Reading::Other => json!("other"),
        Reading::Garbage(_) => json!("garbage"),
    }
}

#[test]
fn each_record_means_what_its_case_says() {
    let cases = cases();
    for case in &cases {
        let reading = heard(envelope(case).to_string().as_bytes());
        assert_eq!(shown(&reading), case["means"], "{}", case["name"]);
        if let Reading::Hint(hint) = reading {
            assert_eq!(hint.at, "2026-11-24T12:00:00Z".parse::<Timestamp>().unwrap());
            assert_eq!(&*hint.id, envelope(case)["detail"]["eventID"].as_str().unwrap());
        }
    }
    assert!(cases.len() > 20);
}

#[test]
fn a_listener_that_does_not_know_its_name_takes_its_own_calls_for_others() {
    let case = cases().into_iter().find(|case| case["means"] == "own").unwrap();
    let is_member = |_: &AccountId| true;
    let reading = read(envelope(&case).to_string().as_bytes(), &Listener { caller: None, is_member: &is_member });
    assert!(matches!(reading, Reading::Hint(_)), "{reading:?}");
}

#[test]
fn what_is_no_event_is_garbage_and_is_told_without_a_word_of_it() {
    for text in [
        "",
        "secret",
        "[]",
        "{}",
        "null",
        "{\"source\": 5, \"detail-type\": \"a\"}",
        "{\"source\": \"aws.organizations\"",
        "{\"Service\": \"Amazon S3\", \"Event\": \"s3:TestEvent\"}",
    ] {
        let Reading::Garbage(why) = heard(text.as_bytes()) else { panic!("{text} is no garbage") };
        assert!(!why.contains("secret"));
    }
    assert!(matches!(heard(b"\xff\xfe"), Reading::Garbage(_)));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(heard(deep.as_bytes()), Reading::Garbage(_)));
}

#[test]
fn a_record_that_names_thousands_is_cut() {
    let tags: Vec<Value> = (0..5_000).map(|n| json!({"key": format!("k{n}"), "value": ""})).collect();
    let case = json!({"detail": {"eventName": "TagResource",
        "requestParameters": {"resourceId": "p-examplepolicyid111", "tags": tags}}});
    let Reading::Hint(hint) = heard(envelope(&case).to_string().as_bytes()) else { panic!("no hint") };
    assert!(hint.words.len() <= MOST_NAMED && hint.policies.len() == 1, "{} {:?}", hint.words.len(), hint.policies);
}

/// JSON with the keys that matter, holding anything.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        prop_oneof![
            Just("aws.organizations"),
            Just("AWS API Call via CloudTrail"),
            Just("organizations.amazonaws.com"),
            Just("111122223333"),
            Just("p-examplepolicyid111"),
            Just("2026-11-24T12:00:00Z")
        ]
        .prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("source"),
        Just("detail-type"),
        Just("account"),
        Just("detail"),
        Just("eventSource"),
        Just("eventID"),
        Just("eventName"),
        Just("eventTime"),
        Just("errorCode"),
        Just("readOnly"),
        Just("userIdentity"),
        Just("arn"),
        Just("sessionContext"),
        Just("requestParameters"),
        Just("policyId"),
        Just("tags"),
        Just("key")
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..12)
                .prop_map(|pairs| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = heard(&bytes);
    }

    #[test]
    fn no_json_panics(value in anything()) {
        let _ = heard(value.to_string().as_bytes());
    }

    /// Any part of a true event may be missing or be something else.
    #[test]
    fn no_broken_event_panics(which in any::<prop::sample::Index>(), path in prop::collection::vec(any::<prop::sample::Index>(), 1..4), with in anything()) {
        let cases = cases();
        let mut whole = envelope(which.get(&cases));
        let mut pointer = String::new();
        for step in path {
            let Some(Value::Object(map)) = whole.pointer(&pointer) else { break };
            if map.is_empty() {
                break;
            }
            pointer = format!("{pointer}/{}", step.get(&map.keys().collect::<Vec<_>>()));
        }
        *whole.pointer_mut(&pointer).unwrap() = with;
        if let Reading::Hint(hint) = heard(whole.to_string().as_bytes()) {
            prop_assert!(!hint.by.chars().any(crate::names::words::unseen));
            prop_assert!(hint.by.chars().count() <= 4 * LONGEST);
        }
    }
}
