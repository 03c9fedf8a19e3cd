//! What happens to clusters and processes, and what it does to the organization: nothing.

use std::time::Duration;

use super::*;
use crate::support::kube::condition;
use crate::support::proxy::{Fault, Proxy};

impl Scene {
    fn signal(&self, number: usize, signal: &str) {
        let pid = self.running[number].child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    fn until_log(&self, number: usize, word: &str) {
        let began = Instant::now();
        while !self.log(number).contains(word) {
            assert!(began.elapsed() < PATIENCE, "`{word}` is not in the log:\n{}", self.log(number));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_leader_that_was_frozen_in_the_middle_of_an_apply_writes_nothing_when_it_wakes() {
    let mut scene = Scene::new();
    let proxy = Proxy::start();
    proxy.on("AttachPolicy", 1, 20, Fault::Delay(Duration::from_secs(2)));
    scene.shell = scene.shell.through(&proxy);
    scene.start();
    scene.until_log(0, "this replica writes");
    scene.start();
    let folder = scene.shell.data_science();
    scene.cluster.kubectl(&["apply", "-f", &folder]);
    scene.until_aws(|| proxy.seen("AttachPolicy") >= 2);
    scene.signal(0, "-STOP");
    assert_eq!(proxy.seen("AttachPolicy"), 2, "it was frozen too late to show anything");

    scene.until_log(1, "this replica writes");
    scene.until("organizations", "acme", is_ready);
    for (kind, name) in DATA_SCIENCE {
        scene.until(kind, name, is_ready);
    }
    let before = scene.organization();
    scene.shell.calls();
    scene.signal(0, "-CONT");
    let began = Instant::now();
    let ended = loop {
        if let Some(status) = scene.running[0].child.try_wait().unwrap() {
            break status;
        }
        assert!(began.elapsed() < PATIENCE, "the old leader goes on:\n{}", scene.log(0));
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.code(), Some(1), "{}", scene.log(0));
    assert!(scene.log(0).contains("this replica ends"), "{}", scene.log(0));
    assert_eq!(scene.shell.writes(), 0, "the old leader wrote:\n{}", scene.log(0));
    assert_eq!(scene.organization(), before);
}

#[test]
fn an_older_backup_of_the_cluster_leaves_the_organization_alone() {
    let mut scene = Scene::new();
    scene.start();
    let folder = scene.shell.example("data-science", |_, text| Some(text.replace("accounts: 2", "accounts: 100")));
    let units = std::path::Path::new(&folder).join("units.yaml");
    let organization = std::path::Path::new(&folder).join("organization.yaml");
    let policies = fs::read_to_string(std::path::Path::new(&folder).join("policies.yaml")).unwrap();
    let one = policies.split("\n---\n").find(|text| text.contains("  name: sagemaker-baseline\n")).unwrap();
    scene.cluster.kubectl(&["apply", "-f", organization.to_str().unwrap(), "-f", units.to_str().unwrap()]);
    scene.cluster.apply(one);
    scene.until("organizations", "acme", is_ready);
    scene.until("accounts", "data-science-production", is_ready);
    let old = scene.until("organizationpolicies", "sagemaker-baseline", is_ready)["status"]["id"].clone();
    // The backup knows the OUs, the accounts and one policy, and not the other two.
    let backup = scene.shell.home.join("backup");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        drop(fs::remove_dir_all(to));
        let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(copied.success());
    };
    scene.cluster.restart(|data| copy(data, &backup));
    scene.cluster.kubectl(&["apply", "-f", &folder]);
    for (kind, name) in DATA_SCIENCE {
        scene.until(kind, name, is_ready);
    }
    // What the backup says of the one policy is old soon: somebody deletes it, and bylaw makes another.
    for target in scene.targets(old.as_str().unwrap()) {
        scene.shell.aws("DetachPolicy", &json!({"PolicyId": old, "TargetId": target}));
    }
    scene.shell.aws("DeletePolicy", &json!({"PolicyId": old}));
    scene.ask();
    let made_anew = |policy: &Value| is_ready(policy) && policy["status"]["id"] != old;
    let new = scene.until("organizationpolicies", "sagemaker-baseline", made_anew)["status"]["id"].clone();
    let before = scene.organization();
    scene.cluster.restart(|data| copy(&backup, data));
    scene.shell.calls();
    // Whoever lost the lease meanwhile was started again by Kubernetes.
    scene.start();
    assert!(scene.cluster.get("organizationpolicies", "production-deployments").is_null());
    scene.ask();
    scene.until_aws(|| scene.log(1).contains("pass over") || scene.log(0).matches("pass over").count() > 3);
    scene.until("accounts", "data-science-production", is_ready);
    // The id of its old status is nobody's any more, and its tag tells which policy it is.
    scene.until("organizationpolicies", "sagemaker-baseline", |policy| {
        is_ready(policy) && policy["status"]["id"] == new
    });
    assert_eq!(scene.organization(), before, "what the backup does not know is kept");
    let calls = scene.shell.calls();
    for call in ["CreatePolicy", "DeletePolicy", "UpdatePolicy", "AttachPolicy", "DetachPolicy", "CreateAccount"] {
        assert!(!calls.contains_key(call), "{calls:?}");
    }
}

#[test]
fn deletion_is_done_where_it_was_opted_in_to_and_let_go_of_by_retain() {
    let mut scene = Scene::new();
    scene.start();
    scene.data_science();
    let policy = "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {name: NAME}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  \
        deletionPolicy: Delete\n  content: {Version: '2012-10-17', Statement: [{Effect: Deny, Action: 's3:NAME', Resource: '*'}]}\n";
    for name in ["one", "two", "three", "four"] {
        scene.cluster.apply(&policy.replace("NAME", name));
        let made = scene.until("organizationpolicies", name, is_ready);
        assert_eq!(made["metadata"]["finalizers"], json!(["bylaw.dev/delete"]));
    }
    // One is within the limit of a pass.
    scene.cluster.kubectl(&["delete", "organizationpolicy.bylaw.dev", "one", "--timeout=60s"]);
    assert!(!scene.organization().contains("policy `one`") && !scene.organization().contains(" one "));
    // Three at once are not: all are refused, and wait for a person.
    scene.cluster.kubectl(&["delete", "organizationpolicy.bylaw.dev", "two", "three", "four", "--wait=false"]);
    let refused = scene.until("organizationpolicies", "two", |object| condition(object, "Stalled").is_some());
    let message = condition(&refused, "Ready").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("hash"), "{message}");
    let retain = r#"{"spec":{"deletionPolicy":"Retain"}}"#;
    for name in ["two", "three"] {
        scene.cluster.kubectl(&["patch", "organizationpolicy.bylaw.dev", name, "--type=merge", "-p", retain]);
        scene.until("organizationpolicies", name, Value::is_null);
    }
    // The last one is within the limit again.
    scene.until("organizationpolicies", "four", Value::is_null);
    let listed = scene.shell.aws("ListPolicies", &json!({"Filter": "SERVICE_CONTROL_POLICY"}));
    let names: Vec<&str> = listed["Policies"].as_array().unwrap().iter().map(|p| p["Name"].as_str().unwrap()).collect();
    assert!(
        !names.contains(&"one") && !names.contains(&"four") && names.contains(&"two") && names.contains(&"three"),
        "{names:?}"
    );
}
