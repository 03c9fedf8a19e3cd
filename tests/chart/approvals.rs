//! Approvals as the API server judges them.

use std::process::Output;
use std::time::Instant;

use super::rights::cluster_with_users;
use super::*;
use crate::support::kube::PATIENCE;

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
