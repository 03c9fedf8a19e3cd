//! Events of AWS through a queue: what they correct, whom they name, and what they do not wake.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::support::kube::condition;
use crate::support::moto::moto;

const QUEUE: &str = "bylaw-events";
const MALLORY: &str = "arn:aws:sts::999988887777:assumed-role/admin/mallory";

impl Scene {
    /// `examples/data-science` with a queue, and an interval that no test sees the end of.
    fn with_queue(&self) {
        let url = moto().queue_url(&self.shell.account, QUEUE);
        let more = format!("\n  interval: 1h\n  events:\n    queueUrl: {url}\n");
        let folder = self.shell.example("data-science", |file, text| {
            let text = text.replace("accounts: 2", "accounts: 100");
            Some(if file == "organization.yaml" { text + &more } else { text })
        });
        self.apply(&folder);
        for (kind, name) in DATA_SCIENCE {
            self.until(kind, name, is_ready);
        }
    }

    fn counted(&self, outcome: &str) -> u64 {
        let (_, figures) = self.page(0, "/metrics");
        let name = format!("bylaw_events_total{{outcome=\"{outcome}\"}} ");
        figures.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
    }

    fn passes(&self) -> usize {
        self.log(0).matches("pass over").count()
    }

    /// Waits until passes have come to an end: nothing asks for one for two seconds.
    fn rest(&self) -> usize {
        let mut before = self.passes();
        loop {
            std::thread::sleep(Duration::from_secs(2));
            let now = self.passes();
            if now == before {
                return now;
            }
            before = now;
        }
    }

    fn put(&self, id: &str, call: &str, more: Value) {
        let mut record = json!({
            "eventVersion": "1.08", "eventSource": "organizations.amazonaws.com", "eventName": call, "eventID": id,
            "eventTime": Timestamp::now().to_string(), "awsRegion": "us-east-1", "readOnly": false,
            "userAgent": "aws-cli/2.31.0", "eventType": "AwsApiCall",
            "userIdentity": {"type": "AssumedRole", "arn": MALLORY}
        });
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        moto().put_event(&self.shell.account, QUEUE, &record);
    }

    fn events_with(&self, reason: &str, words: &str) -> bool {
        let events = self.cluster.kubectl(&["get", "events", "-o", "json"]);
        let events: Value = serde_json::from_str(&events).unwrap();
        let told = |event: &Value| {
            event["reason"] == reason && event["message"].as_str().is_some_and(|message| message.contains(words))
        };
        events["items"].as_array().unwrap().iter().any(told)
    }
}

#[test]
fn a_detached_policy_is_back_when_its_event_arrives_and_who_did_it_is_told() {
    let mut scene = Scene::new();
    let account = scene.shell.account.clone();
    scene.start();
    // The queue is not there yet: the organization is kept all the same, and says so.
    scene.with_queue();
    let organization = scene.until("organizations", "acme", |organization| {
        condition(organization, "Ready").is_some_and(|ready| {
            ready["status"] == "True" && ready["message"].as_str().unwrap().contains("events: the queue cannot be read")
        })
    });
    let message = condition(&organization, "Ready").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("check `spec.events.queueUrl`"), "{message}");
    assert_eq!(scene.cluster.kstatus(&organization), "Current");
    scene.until_aws(|| scene.events_with("EventsUnreadable", "every `spec.interval`"));
    moto().make_queue(&account, QUEUE);
    scene.until("organizations", "acme", |organization| {
        condition(organization, "Ready").is_some_and(|ready| !ready["message"].as_str().unwrap().contains("events:"))
    });

    let policy = scene.cluster.get("organizationpolicies", "production-deployments")["status"]["id"].clone();
    let (policy, unit) = (
        policy.as_str().unwrap().to_owned(),
        scene.cluster.get("organizationalunits", "data-science-production")["status"]["id"].clone(),
    );
    let named = json!({"requestParameters": {"policyId": policy, "targetId": unit}});

    // What changes nothing wakes nobody, and is taken off the queue.
    let passes = scene.rest();
    moto().send(&account, QUEUE, "no event at all");
    moto().send(&account, QUEUE, r#"{"source": "aws.signin", "detail-type": "AWS Console Sign In via CloudTrail"}"#);
    let mut failed = named.clone();
    failed["errorCode"] = json!("AccessDeniedException");
    scene.put("failed", "DetachPolicy", failed);
    let own = json!({"userAgent": "aws-sdk-rust/1 app/bylaw", "userIdentity": {"type": "AssumedRole",
        "arn": format!("arn:aws:sts::{account}:assumed-role/bylaw/bylaw")}});
    scene.put("own", "AttachPolicy", own);
    scene.until_aws(|| {
        ["garbage", "other", "failed", "own"].iter().all(|outcome| scene.counted(outcome) == 1)
            && moto().messages(&account, QUEUE) == 0
    });
    assert_eq!(scene.rest(), passes, "{}", scene.log(0));

    // Somebody detaches it by hand, and AWS tells.
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    assert!(scene.targets(&policy).is_empty());
    scene.shell.calls();
    let began = Instant::now();
    scene.put("detached", "DetachPolicy", named.clone());
    scene.until_aws(|| scene.targets(&policy).len() == 1);
    let took = began.elapsed();
    println!("from event to attachment: {took:?}");
    // Long before the interval, which is an hour; what it takes depends on the machine.
    assert!(took < PATIENCE, "it took {took:?}");
    scene.until_aws(|| scene.events_with("DriftFound", MALLORY) && scene.events_with("DriftCorrected", ""));
    scene.until_aws(|| moto().messages(&account, QUEUE) == 0);
    scene.until("organizationpolicies", "production-deployments", is_ready);
    assert_eq!(scene.shell.calls()["AttachPolicy"], 1);
    assert_eq!(scene.counted("hint"), 1);
    assert_eq!(scene.rest(), passes + 1, "one event, one pass:\n{}", scene.log(0));

    // EventBridge delivers at least once.
    scene.put("detached", "DetachPolicy", named);
    scene.until_aws(|| scene.counted("duplicate") == 1 && moto().messages(&account, QUEUE) == 0);
    assert_eq!(scene.rest(), passes + 1, "{}", scene.log(0));

    // In `mode: Observe` it is told, with who did it, and nothing is written.
    let observe = r#"{"spec":{"mode":"Observe"}}"#;
    scene.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", observe]);
    scene.until("organizations", "acme", |org| org["status"]["observedGeneration"] == org["metadata"]["generation"]);
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    scene.put("again", "DetachPolicy", json!({"requestParameters": {"policyId": policy, "targetId": unit}}));
    let names = |object: &Value| {
        condition(object, "Drifted").is_some_and(|drifted| drifted["message"].as_str().unwrap().contains(MALLORY))
    };
    scene.until("organizationpolicies", "production-deployments", names);
    assert!(scene.targets(&policy).is_empty());

    // Without a queue nothing listens.
    let none = r#"{"spec":{"events":null}}"#;
    scene.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", none]);
    scene.rest();
    moto().send(&account, QUEUE, "nobody hears this");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(moto().messages(&account, QUEUE), 1);
    scene.terminate(0);
}
