//! What a platform engineer sees of one controller and one Organization.

use super::*;
use crate::support::kube::condition;

#[test]
fn an_organization_is_made_as_declared_kept_and_let_go() {
    let mut scene = Scene::new();
    scene.start();
    scene.data_science();

    assert_eq!(scene.page(0, "/readyz").0, 200);
    let (_, figures) = scene.page(0, "/metrics");
    for line in [
        "bylaw_condition{kind=\"Account\",type=\"Ready\",status=\"True\"} 3",
        "bylaw_aws_requests_total{operation=\"CreateAccount\",outcome=\"ok\"} 3",
        "bylaw_leader 1",
    ] {
        assert!(figures.contains(line), "`{line}` is not in\n{figures}");
    }

    let policy = scene.cluster.get("organizationpolicies", "production-deployments");
    let id = policy["status"]["id"].as_str().unwrap().to_owned();
    let unit = scene.cluster.get("organizationalunits", "data-science-production")["status"]["id"].clone();
    assert_eq!(scene.targets(&id), [unit.as_str().unwrap()]);

    // Somebody detaches it by hand.
    scene.shell.aws("DetachPolicy", &json!({"PolicyId": id, "TargetId": unit}));
    scene.ask();
    scene.until_aws(|| scene.targets(&id).len() == 1);
    let told = |reason: &str| {
        let events = scene.cluster.kubectl(&["get", "events", "-o", "json"]);
        let events: Value = serde_json::from_str(&events).unwrap();
        events["items"].as_array().unwrap().iter().any(|event| event["reason"] == reason)
    };
    scene.until_aws(|| told("DriftFound") && told("DriftCorrected") && told("Created"));

    // A pass with nothing to do writes nothing to AWS.
    scene.until("organizations", "acme", is_ready);
    scene.shell.calls();
    scene.ask();
    scene.until_aws(|| scene.shell.calls().contains_key("ListAccounts"));

    // One object that cannot be used degrades itself only.
    scene.cluster.kubectl(&["label", "organizationpolicy.bylaw.dev", "project-tag", "a=b"]);
    scene.cluster.kubectl(&[
        "patch",
        "organizationpolicy.bylaw.dev",
        "project-tag",
        "--type=merge",
        "-p",
        r#"{"spec":{"targets":[{"organizationalUnitRef":{"name":"nowhere"}}]}}"#,
    ]);
    let odd = scene.until("organizationpolicies", "project-tag", |object| {
        condition(object, "Stalled").is_some_and(|stalled| stalled["reason"] == "Invalid")
    });
    assert!(condition(&odd, "Ready").unwrap()["message"].as_str().unwrap().contains("nowhere"), "{odd:#}");
    assert_eq!(scene.cluster.kstatus(&odd), "Failed");
    let other = scene.until("organizationpolicies", "sagemaker-baseline", is_ready);
    assert_eq!(scene.cluster.kstatus(&other), "Current");

    // Everything is deleted from the cluster: a wrong branch. AWS stays as it is.
    let before = scene.organization();
    scene.shell.calls();
    scene.cluster.kubectl(&[
        "delete",
        "organizations.bylaw.dev,organizationalunits.bylaw.dev,accounts.bylaw.dev,organizationpolicies.bylaw.dev",
        "--all",
        "--timeout=60s",
    ]);
    scene.terminate(0);
    assert_eq!(scene.organization(), before);
}
