//! Approvals as the API server judges them.

use std::process::Output;
use std::time::Instant;

use serde_json::json;

use super::install::scene;
use super::rights::cluster_with_users;
use super::*;
use crate::controller::Scene;
use crate::support::kube::{PATIENCE, condition, is_ready};

fn approval(name: &str, of: &str, approver: &str) -> String {
    format!(
        "apiVersion: bylaw.dev/v1alpha1\nkind: Approval\nmetadata: {{name: {name}}}\nspec:\n  for: {{kind: Organization, name: {of}}}\n  \
         hash: b8dd8c127a3d9827\n  approver: {approver}\n  reason: the new baseline was reviewed\n  expiresAt: \"2100-01-01T00:00:00Z\"\n"
    )
}

/// Somebody of the token file creates a file's object.
fn create(cluster: &Cluster, user: &str, text: &str, more: &[&str]) -> Output {
    let (file, kubeconfig) = (scratch("approval.yaml", text), cluster.kubeconfig(user));
    let arguments = [&["--kubeconfig", path(&kubeconfig), "create", "-f", path(&file)], more].concat();
    cluster.try_kubectl(&arguments)
}

fn said(ran: &Output) -> String {
    String::from_utf8_lossy(&ran.stderr).into_owned() + &String::from_utf8_lossy(&ran.stdout)
}

#[track_caller]
fn refused(ran: &Output, words: &[&str]) {
    let said = said(ran);
    assert!(!ran.status.success(), "it was accepted: {said}");
    for word in words {
        assert!(said.contains(word), "`{word}` is not said: {said}");
    }
}

#[track_caller]
fn accepted(ran: &Output) {
    assert!(ran.status.success(), "{}", said(ran));
}

/// Lets a user create approvals without the right to approve.
const CREATOR: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: creator}
rules: [{apiGroups: [bylaw.dev], resources: [approvals], verbs: [create, update, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: creator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: creator}
subjects: [{kind: User, name: editor}, {kind: User, name: approver}, {kind: User, name: narrow}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: narrow}
rules: [{apiGroups: [bylaw.dev], resources: [approvals], resourceNames: [acme], verbs: [approve]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: narrow}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: narrow}
subjects: [{kind: User, name: narrow}]
";

#[test]
fn an_approval_is_that_of_who_asks_and_may_approve() {
    let cluster = cluster_with_users();
    cluster.apply(CREATOR);
    // The policy is in force a moment after it was made.
    let began = Instant::now();
    let forged = approval("forged", "acme", "admin");
    while create(&cluster, "approver", &forged, &["--dry-run=server"]).status.success() {
        assert!(began.elapsed() < PATIENCE, "the policy is not in force");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }

    refused(
        &create(&cluster, "approver", &forged, &[]),
        &["`spec.approver` is `admin`", "`approver`", "approver: approver"],
    );
    let own = approval("own", "acme", "editor");
    refused(
        &create(&cluster, "editor", &own, &[]),
        &["`editor` may not approve for Organization `acme`", "bylaw-approver"],
    );
    let impersonated = create(&cluster, "admin", &own, &["--as", "editor"]);
    refused(&impersonated, &["may not approve"]);
    // Who may do everything still approves in no other name.
    refused(&create(&cluster, "admin", &forged.replace("admin", "approver"), &[]), &["`spec.approver` is `approver`"]);
    accepted(&create(&cluster, "approver", &approval("proper", "acme", "approver"), &[]));
    accepted(&create(&cluster, "admin", &approval("impersonated", "acme", "approver"), &["--as", "approver"]));
    // A role with `resourceNames` is that for the objects of these names.
    accepted(&create(&cluster, "admin", &approval("narrow", "acme", "narrow"), &["--as", "narrow"]));
    refused(
        &create(&cluster, "admin", &approval("wide", "other", "narrow"), &["--as", "narrow"]),
        &["`narrow` may not approve for Organization `other`"],
    );

    let patch = |user: &str, patch: &str, more: &[&str]| {
        let arguments =
            [&["patch", "approval.bylaw.dev", "proper", "--type=merge", "--as", user, "-p", patch], more].concat();
        cluster.try_kubectl(&arguments)
    };
    for (user, change) in [
        ("approver", r#"{"spec":{"hash":"0000000000000000"}}"#),
        ("approver", r#"{"spec":{"approver":"editor"}}"#),
        ("editor", r#"{"spec":{"expiresAt":"2200-01-01T00:00:00Z"}}"#),
        ("editor", r#"{"spec":{"for":{"name":"other"}}}"#),
    ] {
        let ran = patch(user, change, &[]);
        let told = said(&ran);
        let why = told.contains("cannot change") || told.contains("immutable");
        assert!(!ran.status.success() && why, "{user} {change}: {told}");
    }
    // What is no part of the approval may change: labels, and bylaw's status.
    accepted(&patch("editor", r#"{"metadata":{"labels":{"seen":"yes"}}}"#, &[]));
    accepted(&patch(
        "admin",
        r#"{"status":{"observedGeneration":1}}"#,
        &["--subresource=status", "--as-group=system:masters"],
    ));
    assert_eq!(cluster.get("approvals", "proper")["spec"]["hash"], "b8dd8c127a3d9827");
    // Replaced as a whole is changed as well.
    let replaced = scratch("replaced.yaml", &approval("proper", "acme", "editor"));
    let ran = cluster.try_kubectl(&["replace", "-f", path(&replaced)]);
    assert!(!ran.status.success(), "{}", said(&ran));
    // Withdrawn.
    accepted(&cluster.try_kubectl(&["delete", "approval.bylaw.dev", "proper", "--as", "approver"]));
}

/// Of the first refusal that the Organization shows.
fn hash(organization: &Value) -> Option<String> {
    organization["status"]["refusals"][0]["hash"].as_str().map(str::to_owned)
}

#[test]
fn what_is_refused_is_done_when_somebody_else_approves_it() {
    let mut scene = scene(cluster_with_users());
    scene.start();
    scene.data_science();
    let policy = |scene: &Scene| scene.cluster.get("organizationpolicies", "sagemaker-baseline");
    let id = policy(&scene)["status"]["id"].as_str().unwrap().to_owned();
    let content = |scene: &Scene| {
        scene.shell.aws("DescribePolicy", &json!({"PolicyId": id}))["Policy"]["Content"].as_str().unwrap().to_owned()
    };
    let deny = |scene: &Scene, service: &str| {
        let statement = json!({"Effect": "Deny", "Action": format!("{service}:*"), "Resource": "*"});
        let patch = json!([{"op": "add", "path": "/spec/content/Statement/-", "value": statement}]).to_string();
        scene.cluster.kubectl(&[
            "patch",
            "organizationpolicy.bylaw.dev",
            "sagemaker-baseline",
            "--type=json",
            "-p",
            &patch,
        ]);
    };
    let approve = |scene: &Scene, user: &str, arguments: &[&str]| {
        let arguments = [&["approve"], arguments].concat();
        scene.shell.with("KUBECONFIG", path(&scene.cluster.kubeconfig(user))).run(&arguments)
    };

    // It reaches three accounts, and two are allowed.
    let before = content(&scene);
    deny(&scene, "comprehend");
    let refused = scene.until("organizationpolicies", "sagemaker-baseline", |policy| {
        policy["status"]["observedGeneration"] == policy["metadata"]["generation"]
            && condition(policy, "Stalled").is_some_and(|stalled| stalled["reason"] == "Refused")
    });
    assert_eq!(scene.cluster.kstatus(&refused), "Failed");
    let organization = scene.until("organizations", "acme", |organization| hash(organization).is_some());
    let first = hash(&organization).unwrap();
    approve(&scene, "reader", &[]).exits(0).says(&[&first, "OrganizationPolicy/sagemaker-baseline", "limit-affected"]);
    let listed = approve(&scene, "reader", &["-o", "json"]).exits(0).quietly().json("approve");
    assert_eq!((&listed["refusals"][0]["hash"], &listed["approval"]), (&json!(first), &Value::Null));
    approve(&scene, "approver", &[&first, "--reason", "r", "-o", "json"]).exits(1).complains(&["--yes"]);
    approve(&scene, "approver", &[&first]).exits(1).complains(&["--reason"]);
    approve(&scene, "approver", &["0123456789abcdef", "--reason", "r", "--yes"])
        .exits(1)
        .complains(&["0123456789abcdef"]);
    approve(&scene, "approver", &[&first, "--reason", "r"]).exits(1).complains(&["--yes"]);
    approve(&scene, "editor", &[&first, "--reason", "r", "--yes"]).exits(1).complains(&["`editor` may not approve"]);

    // Who wrote it does not approve it.
    scene.cluster.kubectl(&[
        "annotate",
        "organizationpolicy.bylaw.dev",
        "sagemaker-baseline",
        "bylaw.dev/author=approver",
    ]);
    let made = approve(&scene, "approver", &[&first[..10], "--reason", "mine", "--yes", "-o", "json"]).exits(0);
    let made = made.json("approve")["approval"].take();
    assert_eq!((&made["hash"], &made["approver"]), (&json!(first), &json!("approver")));
    let own = made["name"].as_str().unwrap().to_owned();
    let judged = scene.until("approvals", &own, |approval| condition(approval, "Stalled").is_some());
    assert_eq!(condition(&judged, "Ready").unwrap()["reason"], "Refused", "{judged:#}");
    assert_eq!(content(&scene), before);
    scene.cluster.kubectl(&[
        "annotate",
        "organizationpolicy.bylaw.dev",
        "sagemaker-baseline",
        "bylaw.dev/author=editor",
        "--overwrite",
    ]);

    let used = scene.until("approvals", &own, is_ready);
    assert_eq!(scene.cluster.kstatus(&used), "Current");
    assert!(used["status"]["usedAt"].is_string(), "{used:#}");
    scene.until("organizationpolicies", "sagemaker-baseline", is_ready);
    assert!(content(&scene).contains("comprehend:*"));
    let told = scene.cluster.kubectl(&["get", "events.events.k8s.io", "-n", "default", "-o", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    let note = told["items"].as_array().unwrap().iter().find(|event| event["reason"] == "Approved").unwrap();
    assert!(note["note"].as_str().unwrap().contains("approver let refused changes pass"), "{note:#}");

    // It is an approval of these changes and no others, and of one object and no other.
    deny(&scene, "textract");
    let organization =
        scene.until("organizations", "acme", |organization| hash(organization).is_some_and(|hash| hash != first));
    let second = hash(&organization).unwrap();
    let elsewhere = approval("elsewhere", "acme", "approver").replace("b8dd8c127a3d9827", &second);
    let elsewhere = elsewhere.replace("kind: Organization, name: acme", "kind: OrganizationPolicy, name: project-tag");
    accepted(&create(&scene.cluster, "approver", &elsewhere, &[]));
    let idle = scene.until("approvals", "elsewhere", |approval| condition(approval, "Ready").is_some());
    assert_eq!(condition(&idle, "Ready").unwrap()["reason"], "Waiting", "{idle:#}");
    assert!(!content(&scene).contains("textract:*"));
    // One for the Organization counts for all of its objects.
    accepted(&create(
        &scene.cluster,
        "approver",
        &approval("all", "acme", "approver").replace("b8dd8c127a3d9827", &second),
        &[],
    ));
    scene.until("organizationpolicies", "sagemaker-baseline", is_ready);
    assert!(content(&scene).contains("textract:*"));
}
