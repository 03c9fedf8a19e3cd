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

    /// What the names of its processes begin with.
    fn own_name(&self) -> String {
        let uid = self.cluster.get("organizations", "acme")["metadata"]["uid"].clone();
        format!("controller:{}:", uid.as_str().unwrap())
    }

    fn holds(&self) -> bool {
        self.holder().is_some_and(|holder| holder.starts_with(&self.own_name()))
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
    first.until_aws(|| first.holds());

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
    // It may be the second's already.
    assert!(!first.holds(), "the lease is given back:\n{}", first.log(0));
    second.until_aws(|| second.holds());
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
        second.until_aws(|| second.holds());
    }
    second.cluster.kubectl(&["delete", "organization.bylaw.dev", "acme", "--timeout=60s"]);
    second.until_aws(|| second.holder().is_none());
    second.terminate(0);
}

#[test]
fn of_two_controllers_of_one_cluster_with_leases_of_their_own_one_writes_and_the_other_takes_over() {
    let mut scene = Scene::new();
    scene.start();
    // As the chart calls it, beside one that was started as the docs say.
    scene.environment.push(("BYLAW_LEASE".into(), "another".into()));
    scene.start();
    scene.until_aws(|| (0..2).all(|number| scene.log(number).contains("this replica writes")));
    scene.data_science();
    let calls = scene.shell.calls();
    let made = |operation: &str| calls.get(operation).copied().unwrap_or_default();
    let made = ["CreateAccount", "CreateOrganizationalUnit", "CreatePolicy"].map(made);
    assert_eq!(made, [3; 3], "{calls:?}\n{}\n---\n{}", scene.log(0), scene.log(1));
    let holder = scene.holder().unwrap();
    let (first, second) = if holder.contains("bylaw-0") { (0, 1) } else { (1, 0) };
    assert!(scene.log(second).contains("somebody else writes"), "{}", scene.log(second));

    // The one goes, and the other waits for nothing.
    scene.terminate(first);
    let next = format!("bylaw-{second}");
    scene.until_aws(|| scene.holder().is_some_and(|holder| holder.contains(&next)));
    let policy = scene.cluster.get("organizationpolicies", "production-deployments")["status"]["id"].clone();
    let policy = policy.as_str().unwrap().to_owned();
    let unit = scene.targets(&policy).pop().unwrap();
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": policy, "TargetId": unit}));
    scene.ask();
    scene.until_aws(|| scene.targets(&policy).len() == 1);
    scene.terminate(second);
    assert_eq!(scene.holder(), None);
}
