use crate::names::PolicyType;
use crate::policy::Document;

use super::{StatementChange, diff};

fn document(kind: &str, text: &str) -> Document {
    match Document::parse(&PolicyType::new(kind), text) {
        Ok((document, _)) => document,
        Err(flaws) => panic!("{flaws:?}"),
    }
}

fn scp(statements: &str) -> Document {
    document("SERVICE_CONTROL_POLICY", &format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#))
}

fn shown(changes: &[StatementChange]) -> String {
    changes.iter().flat_map(StatementChange::lines).map(|(marker, line)| format!("{marker} {line}\n")).collect()
}

fn check(before: &str, after: &str, expected: &str) {
    let changes = diff(Some(&scp(before)), Some(&scp(after)));
    assert_eq!(shown(&changes).trim_end(), expected.trim());
}

#[test]
fn statements_are_matched_by_sid_and_told_by_element() {
    check(
        r#"{"Sid":"Regions","Effect":"Deny","NotAction":["iam:*","sts:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["eu-west-1","eu-west-2"]}}},
           {"Sid":"Gone","Effect":"Deny","Action":["ec2:A","ec2:B"],"Resource":"*"},
           {"Sid":"Turn","Effect":"Deny","Action":"rds:*","Resource":"*"}"#,
        r#"{"Sid":"Regions","Effect":"Deny","NotAction":["STS:*","IAM:*","s3:Get"],"Resource":"arn:aws:s3:::x","Condition":{"StringNotEquals":{"AWS:requestedregion":["eu-west-2","eu-central-1"]},"Bool":{"aws:ViaAWSService":"false"}}},
           {"Sid":"Turn","Effect":"Allow","NotAction":"rds:*","Resource":"*"},
           {"Effect":"Deny","Action":"sqs:*","Resource":"*"}"#,
        "
~ Regions
~     NotAction
+         s3:Get
~     Resource * → arn:aws:s3:::x
~     Condition StringNotEquals AWS:requestedregion
-         eu-west-1
+         eu-central-1
+     Condition Bool aws:ViaAWSService
+         false
~ Turn
~     Effect Deny → Allow
-     Action
-         rds:*
+     NotAction
+         rds:*
+ statement 3
+     Effect Deny
+     Action sqs:*
+     Resource *
- Gone
-     Effect Deny
-     Action
-         ec2:A
-         ec2:B
-     Resource *
",
    );
}

#[test]
fn what_has_no_meaning_is_said_in_words() {
    let (a, b) = (
        r#"{"Sid":"A","Effect":"Deny","Action":["s3:x","s3:y"],"Resource":"*"}"#,
        r#"{"Sid":"B","Effect":"Deny","Action":"ec2:*","Resource":"*"}"#,
    );
    check(&format!("{a},{b}"), &format!("{b},{a}"), "~ statements in another order; same meaning");
    check(a, &a.replace("\"A\"", "\"C\""), "~ C\n~     Sid renamed from A; same meaning");
    check(a, &a.replace("\"Sid\":\"A\",", ""), "~ statement 1\n~     Sid renamed from A; same meaning");
    check(a, &a.replace(r#""s3:x","s3:y""#, r#""s3:Y","s3:X""#), "~ order or spelling of values; same meaning");
    check(a, a, "");
    for (before, after) in [(format!("{a},{b}"), format!("{b},{a}")), (a.to_owned(), a.replace("\"A\"", "\"C\""))] {
        assert!(!diff(Some(&scp(&before)), Some(&scp(&after))).iter().any(StatementChange::changes_meaning));
    }
}

#[test]
fn statements_without_sid_are_matched_by_likeness() {
    check(
        r#"{"Effect":"Deny","Action":["s3:a","s3:b","s3:c"],"Resource":"*"},{"Effect":"Deny","Action":["ec2:a","ec2:b"],"Resource":"*"}"#,
        r#"{"Effect":"Deny","Action":["ec2:a","ec2:b","ec2:c"],"Resource":"*"},{"Effect":"Deny","Action":["s3:a","s3:b"],"Resource":"*"},{"Effect":"Deny","Action":"rds:x","Resource":"*"}"#,
        "
~ statement 1
~     Action
+         ec2:c
~ statement 2
~     Action
-         s3:c
+ statement 3
+     Effect Deny
+     Action rds:x
+     Resource *
~ statements in another order; same meaning
",
    );
}

#[test]
fn management_policies_are_told_by_path() {
    let tag = |text: &str| document("TAG_POLICY", text);
    let before = tag(
        r#"{"tags":{"cost-center":{"tag_value":{"@@assign":["100","200"]},"tag_key":{"@@assign":"CostCenter"}},"old":{"x":{"@@assign":1}},"e":{}}}"#,
    );
    let after = tag(
        r#"{"tags":{"cost-center":{"tag_value":{"@@assign":["200","300"]},"tag_key":{"@@assign":["CostCenter"]}},"a.b":{"y":{"@@assign":true}},"e":{}}}"#,
    );
    let changes = diff(Some(&before), Some(&after));
    assert_eq!(
        shown(&changes),
        r#"~ tags.cost-center.tag_key.@@assign "CostCenter" → ["CostCenter"]
~ tags.cost-center.tag_value.@@assign
-     "100"
+     "300"
- tags.old.x.@@assign
-     1
+ tags["a.b"].y.@@assign
+     true
"#
    );
    assert!(changes.iter().all(StatementChange::changes_meaning));
    assert_eq!(diff(None, Some(&before)).len(), 4);
    assert_eq!(diff(Some(&before), None).len(), 4);
    let other = tag(
        r#"{"tags":{"cost-center":{"tag_value":{"@@assign":["200","100"]},"tag_key":{"@@assign":"CostCenter"}},"old":{"x":{"@@assign":1}},"e":{}}}"#,
    );
    assert_eq!(shown(&diff(Some(&before), Some(&other))), "~ order or spelling of values; same meaning\n");
}

#[test]
fn one_side_alone() {
    let one = scp(r#"{"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*"}"#);
    let tag = document("TAG_POLICY", r#"{"tags":{}}"#);
    assert!(
        matches!(diff(None, Some(&one)).as_slice(), [StatementChange::Added { statement, .. }] if statement == "A")
    );
    assert!(matches!(diff(Some(&one), None).as_slice(), [StatementChange::Removed { .. }]));
    assert_eq!(diff(Some(&one), Some(&tag)).len(), 2);
    assert!(diff(None, None).is_empty());
}

#[test]
fn the_id_and_the_version_of_a_delegation_policy() {
    let of = |version: &str, id: &str| {
        document(
            "DELEGATION_POLICY",
            &format!(
                r#"{{"Version":"{version}","Id":"{id}","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"123456789012","Service":"x"}},"Action":"organizations:*","Resource":"*"}}]}}"#
            ),
        )
    };
    let changes = diff(Some(&of("2012-10-17", "a")), Some(&of("2008-10-17", "b")));
    assert_eq!(shown(&changes), "~ Version 2012-10-17 → 2008-10-17\n~ Id a → b\n~     same meaning\n");
    assert!(
        shown(&diff(None, Some(&of("2012-10-17", "a"))))
            .contains("+     Principal AWS 123456789012\n+     Principal Service x\n")
    );
}

#[test]
fn json_has_names_that_last() {
    let changes = diff(
        Some(&scp(r#"{"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*"}"#)),
        Some(&scp(
            r#"{"Sid":"A","Effect":"Deny","Action":"s3:Get*","Resource":"*"},{"Sid":"B","Effect":"Deny","Action":"x:y","Resource":"*"}"#,
        )),
    );
    assert_eq!(
        serde_json::to_string(&changes).unwrap(),
        concat!(
            r#"[{"change":"changed","statement":"A","elements":[{"element":"Action","added":["s3:Get*"],"removed":["s3:*"],"kept":0}]},"#,
            r#"{"change":"added","statement":"B","elements":[{"element":"Effect","values":["Deny"]},{"element":"Action","values":["x:y"]},{"element":"Resource","values":["*"]}]}]"#
        )
    );
}

#[test]
fn a_policy_cannot_paint_the_terminal() {
    let tag = document("TAG_POLICY", "{\"tags\":{\"a\":{\"x\":{\"@@assign\":\"\u{202e}b\"}}, \"\\u001b[2J\":{}}}");
    let text = shown(&diff(None, Some(&tag)));
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{text:?}");
    let one = scp(r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::a\nb"}"#);
    assert_eq!(shown(&diff(None, Some(&one))).lines().count(), 4);
}
