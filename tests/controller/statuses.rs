//! What statuses say where nothing is as declared, and what a fail-over leaves of what was known.

use super::*;
use crate::support::kube::condition;

fn reason<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    condition(object, kind)?["reason"].as_str()
}

#[test]
fn a_policy_that_is_detached_during_a_fail_over_is_drift_and_is_put_back() {
    let mut scene = Scene::new();
    scene.start();
    scene.data_science();
    let policy = scene.cluster.get("organizationpolicies", "sagemaker-baseline");
    let id = policy["status"]["id"].as_str().unwrap().to_owned();
    let targets = scene.targets(&id);
    assert!(!targets.is_empty());
    assert!(!policy["status"]["settled"].as_array().unwrap().is_empty(), "{policy:#}");
    scene.terminate(0);
    for target in &targets {
        scene.shell.aws("DetachPolicy", &json!({"PolicyId": id, "TargetId": target}));
    }
    // Nothing may be newly denied anywhere: what comes back comes back because it was there.
    let limits = r#"{"spec":{"limits":{"maxAffected":{"accounts":0,"percent":0}}}}"#;
    scene.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", limits]);
    // The next Pod has an empty disk.
    scene.start();
    scene.until_aws(|| scene.targets(&id).len() == targets.len());
    scene.until("organizationpolicies", "sagemaker-baseline", is_ready);
    scene.until("organizations", "acme", is_ready);
    let told = || {
        let events = scene.cluster.kubectl(&["get", "events", "-o", "json"]);
        let events: Value = serde_json::from_str(&events).unwrap();
        events["items"].as_array().unwrap().iter().any(|event| event["reason"] == "DriftFound")
    };
    scene.until_aws(told);
    scene.terminate(1);
}

#[test]
fn nothing_is_ready_that_nobody_looks_at_and_a_difference_is_no_failure_of_who_observes() {
    let mut scene = Scene::new();
    let folder = scene.unlimited();
    scene.apply(&folder);
    // The controller is not there yet.
    for (kind, name) in DATA_SCIENCE.into_iter().chain([("organizations", "acme")]) {
        let object = scene.cluster.get(kind, name);
        assert_eq!(scene.cluster.kstatus(&object), "InProgress", "{object:#}");
    }
    let mode = |mode: &str| format!(r#"{{"spec":{{"mode":"{mode}"}}}}"#);
    let set = |scene: &Scene, to: &str| {
        scene.cluster.kubectl(&["patch", "organization.bylaw.dev", "acme", "--type=merge", "-p", &mode(to)]);
    };
    set(&scene, "Observe");
    scene.start();
    for (kind, name) in DATA_SCIENCE.into_iter().chain([("organizations", "acme")]) {
        let differs = |object: &Value| is_ready(object) && reason(object, "Drifted") == Some("Observed");
        let object = scene.until(kind, name, differs);
        assert_eq!(scene.cluster.kstatus(&object), "Current", "{object:#}");
        assert!(condition(&object, "Stalled").is_none(), "{object:#}");
    }
    assert_eq!(scene.shell.writes(), 0);
    set(&scene, "Enforce");
    scene.data_science();

    // One object that is not ready is one too many for the organization.
    let nowhere = r#"{"spec":{"targets":[{"organizationalUnitRef":{"name":"nowhere"}}]}}"#;
    scene.cluster.kubectl(&["patch", "organizationpolicy.bylaw.dev", "project-tag", "--type=merge", "-p", nowhere]);
    let organization =
        scene.until("organizations", "acme", |object| reason(object, "Ready") == Some("ObjectsNotReady"));
    assert_eq!(condition(&organization, "Ready").unwrap()["status"], "False");
    let message = condition(&organization, "Ready").unwrap()["message"].as_str().unwrap();
    assert!(message.contains("1 of its 9 objects") && message.contains("OrganizationPolicy/project-tag"), "{message}");

    // A kind is gone: nobody looks at anything.
    scene.cluster.kubectl(&["delete", "crd", "accounts.bylaw.dev", "--timeout=60s"]);
    for (kind, name) in [("organizations", "acme"), ("organizationalunits", "data-science")] {
        let object = scene.until(kind, name, |object| reason(object, "Ready") == Some("Unlisted"));
        assert_eq!(condition(&object, "Ready").unwrap()["status"], "Unknown");
        assert_eq!(scene.cluster.kstatus(&object), "InProgress", "{object:#}");
    }
    let crds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    scene.cluster.kubectl(&["apply", "-f", crds.to_str().unwrap()]);
    scene.until("organizationalunits", "data-science", is_ready);

    // The Organization is gone: nobody keeps what is left.
    scene.cluster.kubectl(&["delete", "organization.bylaw.dev", "acme", "--timeout=60s"]);
    let orphan =
        scene.until("organizationalunits", "data-science", |object| reason(object, "Ready") == Some("NoOrganization"));
    assert_eq!(scene.cluster.kstatus(&orphan), "InProgress", "{orphan:#}");
    scene.terminate(0);
}
