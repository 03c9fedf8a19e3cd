//! Two clusters with the same manifests on one organization.

use super::*;
use crate::support::kube::condition;
use crate::support::proxy::Proxy;

impl Scene {
    fn holder(&self) -> Option<String> {
        let root = self.shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
        let tags = self.shell.aws("ListTagsForResource", &json!({"ResourceId": root}));
        let tag = tags["Tags"].as_array().unwrap().iter().find(|tag| tag["Key"] == "bylaw.dev/lease")?.clone();
        Some(tag["Value"].as_str().unwrap().split('@').next().unwrap().to_owned())
    }

    fn own_name(&self) -> String {
        let uid = self.cluster.get("organizations", "acme")["metadata"]["uid"].clone();
        format!("controller:{}", uid.as_str().unwrap())
    }
}

fn says(object: &Value, word: &str) -> bool {
    condition(object, "Ready").is_some_and(|ready| ready["message"].as_str().is_some_and(|told| told.contains(word)))
}

#[test]
fn of_two_controllers_of_two_clusters_one_writes_and_the_other_takes_over() {
    let mut first = Scene::new();
    first.start();
    first.data_science();
    first.until_aws(|| first.holder() == Some(first.own_name()));

    let began = Instant::now();
    let (mut second, proxy) = (Scene::new(), Proxy::start());
    second.shell = first.shell.elsewhere().through(&proxy);
    second.start();
    second.data_science();
    // All is as declared, and it says who sees to that.
    let organization =
        second.until("organizations", "acme", |object| is_ready(object) && says(object, &first.own_name()));
    assert_eq!(second.cluster.kstatus(&organization), "Current");

    // Something to do: the one that holds the lease does it.
    let policy = first.cluster.get("organizationpolicies", "production-deployments")["status"]["id"].clone();
    let policy = policy.as_str().unwrap().to_owned();
    let unit = first.targets(&policy).pop().unwrap();
    first.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    second.ask();
    let waits =
        second.until("organizationpolicies", "production-deployments", |object| says(object, &first.own_name()));
    assert!(condition(&waits, "Reconciling").is_some(), "{waits:#}");
    assert!(condition(&waits, "Drifted").is_some(), "{waits:#}");
    assert!(first.targets(&policy).is_empty());
    first.ask();
    first.until_aws(|| first.targets(&policy).len() == 1);
    first.until("organizationpolicies", "production-deployments", is_ready);
    assert_eq!(proxy.writes_since(began), Vec::<String>::new(), "{}", second.log(0));
    let complaints = second.log(0).matches("somebody else writes to this organization").count();
    assert_eq!(complaints, 1, "told once:\n{}", second.log(0));

    // The first goes, and something is to be done: the second takes the lease and does it, without being asked.
    first.terminate(0);
    assert_eq!(first.holder(), None, "the lease is given back:\n{}", first.log(0));
    second.until_aws(|| second.holder() == Some(second.own_name()));
    second.until("organizations", "acme", |object| is_ready(object) && !says(object, "controller:"));
    first.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    let began = Instant::now();
    second.ask();
    second.until_aws(|| second.targets(&policy).len() == 1);
    println!("from detachment to attachment under a lease already held: {:?}", began.elapsed());
    assert_eq!(proxy.writes_since(began), ["AttachPolicy"]);

    // Who observes, or is suspended, holds nothing.
    for (off, on) in [
        (r#"{"spec":{"mode":"Observe"}}"#, r#"{"spec":{"mode":"Enforce"}}"#),
        (r#"{"spec":{"suspend":true}}"#, r#"{"spec":{"suspend":false}}"#),
    ] {
        second.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", off]);
        second.until_aws(|| second.holder().is_none());
        second.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", on]);
        second.until_aws(|| second.holder() == Some(second.own_name()));
    }
    second.cluster.kubectl(&["delete", "organization.bylaw.dev", "acme", "--timeout=60s"]);
    second.until_aws(|| second.holder().is_none());
    second.terminate(0);
}
