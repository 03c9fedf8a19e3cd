//! Questions to manifests whose policies allow little, and requests that bring policies along.

use serde_json::{Value, json};

use crate::support::shell::Shell;

/// An organization of which the account `dev` may do nothing but S3, and that not without TLS.
fn narrow(shell: &Shell) -> String {
    let text = r#"apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {name: acme}
spec:
  managementAccountId: "111111111111"
  policyTypes: [SERVICE_CONTROL_POLICY]
---
apiVersion: bylaw.dev/v1alpha1
kind: Account
metadata: {name: dev}
spec: {name: dev, email: dev@example.com, accountId: "222222222222", baseAccess: AllowList}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: s3}
spec:
  type: SERVICE_CONTROL_POLICY
  targets: [{accountRef: {name: dev}}]
  content: {"Version": "2012-10-17", "Statement": [
    {"Sid": "Some", "Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Sid": "Tls", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}
"#;
    shell.file("narrow.yaml", text)
}

const ROLE: &str = "arn:aws:iam::222222222222:role/app";

#[test]
fn an_implicit_denial_of_manifests_alone_says_that_only_declared_policies_were_asked() {
    let shell = Shell::new();
    let files = narrow(&shell);
    let ask = ["can", "-f", &files, "--principal", ROLE, "--action", "sqs:SendMessage"];
    let told = shell.run(&ask).exits(3).quietly();
    assert!(told.out.contains("denied by the declared policies"), "{told}");
    assert!(told.out.contains("no declared service control policy at account dev"), "{told}");
    assert!(told.out.contains("nothing declared allows it here"), "{told}");
    let json = shell.run(&[&ask[..], &["-o", "json"]].concat()).exits(3).json("can");
    assert_eq!((&json["declaredOnly"], &json["stoppedAt"]), (&json!(true), &json!("222222222222")));
    let message = format!("User: {ROLE} is not authorized to perform: sqs:SendMessage");
    let why = shell.run(&["why", &message, "-f", &files]).exits(0).quietly();
    assert!(why.out.contains("no declared service control policy") && why.out.contains("only the declared"), "{why}");
    let why = shell.run(&["why", &message, "-f", &files, "-o", "json"]).exits(0).json("why");
    assert_eq!(why["declaredOnly"], true);
}

#[test]
fn why_reads_what_sts_decodes() {
    let shell = Shell::new();
    let files = narrow(&shell);
    let decoded = |sid: &str, explicit: bool| {
        json!({"allowed": false, "explicitDeny": explicit,
            "matchedStatements": {"items": [{"statementId": sid, "effect": "DENY"}]}, "failures": {"items": []},
            "context": {"principal": {"id": "AROAX:s", "arn": "arn:aws:sts::222222222222:assumed-role/app/s"},
                "action": "s3:PutObject", "resource": "arn:aws:s3:::b/k",
                "conditions": {"items": [{"key": "aws:SecureTransport", "values": {"items": [{"value": "false"}]}}]}}})
    };
    let why = |text: &str| shell.run(&["why", text, "-f", &files, "-o", "json"]).exits(0).json("why");
    let inner = decoded("Tls", true);
    let printed = json!({"DecodedMessage": inner.to_string()}).to_string();
    let queried = json!(inner.to_string()).to_string();
    for text in [inner.to_string(), printed.clone(), queried] {
        let told = why(&text);
        assert_eq!((&told["action"], &told["resource"]), (&json!("s3:PutObject"), &json!("arn:aws:s3:::b/k")));
        assert_eq!((&told["saidExplicit"], &told["saidStatements"]), (&json!(true), &json!(["Tls"])));
        assert_eq!((&told["decision"], &told["causes"][0]["sid"]), (&json!("denied"), &json!("Tls")), "{told}");
    }
    let text = shell.run(&["why", &printed, "-f", &files]).exits(0).quietly();
    assert!(text.out.contains("AWS says: an explicit deny by statement `Tls`"), "{text}");
    let other = why(&decoded("Guard", true).to_string());
    assert!(other["notes"].to_string().contains("`Guard`"), "{other}");
    let silent = shell.run(&["why", &decoded("", false).to_string(), "-f", &files]).exits(0).quietly();
    assert!(silent.out.contains("AWS says: no policy allows it"), "{silent}");
    let coded = "Encoded authorization failure message: abc";
    shell.run(&["why", coded, "-f", &files]).exits(1).complains(&["decode-authorization-message"]);
    let mut allowed = inner;
    allowed["allowed"] = json!(true);
    shell.run(&["why", &allowed.to_string(), "-f", &files]).exits(1).complains(&["was allowed"]);
}

#[test]
fn requests_bring_policies_along_inline_or_by_file() {
    let shell = Shell::new();
    let files = narrow(&shell);
    let statement = |effect: &str, action: &str| json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": "*"}});
    let boundary = shell.file("boundary.json", &statement("Allow", "s3:Get*").to_string());
    let asked = |id: &str, action: &str, more: Value| {
        let mut line = json!({"id": id, "principal": ROLE, "action": action, "resource": "arn:aws:s3:::b/k",
            "context": {"aws:SecureTransport": "true"}});
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string()
    };
    let all = statement("Allow", "s3:*");
    let lines = [
        asked("all", "s3:PutObject", json!({"identityPolicies": [all]})),
        asked("none", "s3:PutObject", json!({"identityPolicies": [statement("Allow", "s3:Get*")]})),
        asked("boundary", "s3:PutObject", json!({"identityPolicies": [all], "boundary": boundary})),
        asked("within", "s3:GetObject", json!({"identityPolicies": [all], "boundary": boundary})),
        asked("session", "s3:GetObject", json!({"sessionPolicies": [statement("Deny", "s3:*")]})),
        asked("missing", "s3:GetObject", json!({"boundary": "nowhere.json"})),
        asked("broken", "s3:GetObject", json!({"boundary": {"Statement": 1}})),
        asked("odd", "s3:GetObject", json!({"boundary": 7})),
    ];
    let file = shell.file("requests.jsonl", &lines.join("\n"));
    let told = shell.run(&["can", "-f", &files, "--requests", &file, "-o", "jsonl"]).exits(1);
    let records: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let decisions: Vec<_> = records.iter().map(|record| record["decision"].as_str().unwrap_or("error")).collect();
    assert_eq!(decisions, ["allowed", "denied", "denied", "allowed", "denied", "error", "error", "error"], "{told}");
    assert_eq!(records[1]["lacking"], json!(["the identity's policies"]));
    assert_eq!(records[2]["lacking"], json!(["the permissions boundary"]));
    for (at, words) in [(5, "nowhere.json"), (6, "`boundary`"), (7, "the name of a file")] {
        assert!(records[at]["error"]["message"].as_str().unwrap().contains(words), "{}", records[at]);
    }
}
