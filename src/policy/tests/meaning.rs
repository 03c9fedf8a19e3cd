//! When two documents mean the same.

use super::*;

fn same(name: &str, a: &str, b: &str) -> bool {
    parse(name, a).same_meaning(&parse(name, b))
}

fn statement(a: &str, b: &str) -> bool {
    scp(a).same_meaning(&scp(b))
}

#[test]
fn what_has_no_meaning() {
    let base = r#"{"Effect":"Deny","Action":["s3:Get*","ec2:RunInstances"],"Resource":["arn:aws:s3:::a","*"],"Condition":{"StringEquals":{"aws:A":["1","2"]},"Bool":{"aws:B":"true"}}}"#;
    for other in [
        r#"{"Sid":"X","Effect":"Deny","Action":["s3:Get*","ec2:RunInstances"],"Resource":["arn:aws:s3:::a","*"],"Condition":{"StringEquals":{"aws:A":["1","2"]},"Bool":{"aws:B":"true"}}}"#,
        r#"{"Condition":{"bool":{"AWS:b":true},"STRINGEQUALS":{"aws:a":[2,"1","2"]}},"Resource":["*","arn:aws:s3:::a","*"],"Action":["EC2:runinstances","s3:get*","S3:GET*"],"Effect":"Deny"}"#,
    ] {
        assert!(statement(base, other), "{other}");
        assert!(statement(&format!("{base},{other}"), base), "twice is once");
    }
    assert!(same(
        "SCP",
        &format!(r#"{{"Version":"2012-10-17","Statement":{base}}}"#),
        &format!(r#"{{"Statement":[{base}]}}"#)
    ));
    let principal = |p: &str| DELEGATION.replace(r#"{"AWS":"123456789012"}"#, p);
    assert!(same("DELEGATION", DELEGATION, &principal(r#"{"AWS":["arn:aws:iam::123456789012:root","123456789012"]}"#)));
    assert!(same("DELEGATION", DELEGATION, &principal(r#"{"AWS":"arn:aws-cn:iam::123456789012:root"}"#)));
    assert!(same("DELEGATION", &principal("\"*\""), &principal(r#"{"AWS":["*"]}"#)));
    assert!(same("DELEGATION", DELEGATION, &DELEGATION.replace("\"Statement\"", "\"Id\":\"x\",\"Statement\"")));
    assert!(same(
        "TAG",
        r#"{"tags":{"a":{"tag_value":{"@@assign":["x","y"]},"tag_key":{"@@assign":"A"}},"b":{}}}"#,
        r#"{"tags":{"b":{},"a":{"tag_key":{"@@assign":"A"},"tag_value":{"@@assign":["y","x","y"]}}}}"#
    ));
}

#[test]
fn what_has_meaning() {
    let base = r#"{"Effect":"Deny","Action":["s3:Get*"],"Resource":["arn:aws:s3:::a"],"Condition":{"StringEquals":{"aws:A":["x"]}}}"#;
    for (from, to) in [
        ("Deny", "Allow"),
        ("s3:Get*", "s3:Get"),
        ("\"Action\"", "\"NotAction\""),
        ("\"Resource\"", "\"NotResource\""),
        ("arn:aws:s3:::a", "arn:aws:s3:::A"),
        ("StringEquals", "StringLike"),
        ("StringEquals", "StringEqualsIfExists"),
        ("StringEquals", "ForAnyValue:StringEquals"),
        ("aws:A", "aws:AB"),
        ("[\"x\"]", "[\"X\"]"),
        ("[\"x\"]", "[\"x \"]"),
        ("[\"x\"]", "[\"x\",\"y\"]"),
    ] {
        assert!(!statement(base, &base.replace(from, to)), "{from} -> {to}");
    }
    let bare = r#"{"Effect":"Deny","Action":["s3:Get*"],"Resource":["arn:aws:s3:::a"]}"#;
    assert!(!statement(base, bare));
    // What another statement holds adds nothing; nor does the way in which statements are cut.
    assert!(statement(bare, &format!("{bare},{base}")));
    let both = r#"{"Effect":"Deny","Action":["s3:Get*","s3:GetObject","s3:Put*"],"Resource":["arn:aws:s3:::a"]}"#;
    assert!(statement(both, &format!("{bare},{}", bare.replace("Get", "Put"))));
    assert!(!statement(both, bare));
    assert!(!same("DELEGATION", DELEGATION, &DELEGATION.replace("2012-10-17", "2008-10-17")));
    assert!(!same("DELEGATION", DELEGATION, &DELEGATION.replace("123456789012", "123456789013")));
    assert!(!same("DELEGATION", DELEGATION, &DELEGATION.replace("\"Principal\"", "\"NotPrincipal\"")));
    assert!(!same(
        "DELEGATION",
        DELEGATION,
        &DELEGATION.replace("123456789012", "arn:aws:iam::123456789012:user/root")
    ));
    let tag = r#"{"tags":{"a":{"tag_value":{"@@assign":["x"]}}}}"#;
    for (from, to) in
        [("[\"x\"]", "\"x\""), ("\"x\"", "\"X\""), ("@@assign", "@@append"), ("\"x\"", "1"), ("\"a\"", "\"A\"")]
    {
        assert!(!same("TAG", tag, &tag.replace(from, to)), "{from} -> {to}");
    }
    // The order of a list that is no operator's is not known to be without meaning.
    assert!(!same("TAG", r#"{"tags":{"a":["x","y"]}}"#, r#"{"tags":{"a":["y","x"]}}"#));
    let other_type = Document::parse(&PolicyType::new("BACKUP_POLICY"), tag).unwrap().0;
    assert!(!parse("TAG", tag).same_meaning(&other_type));
}

/// A statement as data, so that tests can shuffle and change it.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub deny: bool,
    pub not_action: bool,
    pub not_resource: bool,
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub condition: Vec<(String, String, Vec<String>)>,
    pub sid: bool,
}

pub(super) fn parts() -> impl Strategy<Value = Parts> {
    let actions = prop::collection::vec("(s3|ec2|iam):[A-C][a-c*?]{0,3}", 1..4);
    let resources =
        prop::collection::vec("\\*|arn:aws:s3:::[a-c*?]{1,3}|arn:aws:iam::[0-1*]{0,2}:role/[A-Ba-b*]{1,2}", 1..3);
    let clause = (
        prop::sample::select(vec!["StringEquals", "StringNotLikeIfExists", "ForAnyValue:ArnLike", "Null"]),
        "aws:[A-B]{1,2}",
        prop::collection::vec("[a-cA-C *é\"\\\\]{0,3}", 1..3),
    );
    let condition = prop::collection::btree_map(
        clause.prop_map(|c| ((c.0.to_owned(), c.1), c.2)).prop_map(|(k, v)| (k, v)),
        Just(()),
        0..3,
    );
    (any::<[bool; 4]>(), actions, resources, condition).prop_map(|(flags, actions, resources, condition)| {
        let mut clauses: Vec<(String, String, Vec<String>)> = vec![];
        for (((operator, key), values), ()) in condition {
            if !clauses.iter().any(|(o, k, _)| *o == operator && *k == key) {
                clauses.push((operator, key, values));
            }
        }
        Parts {
            deny: flags[0],
            not_action: flags[1] && flags[3],
            not_resource: flags[2] && flags[3],
            actions,
            resources,
            condition: clauses,
            sid: flags[3],
        }
    })
}

/// The statement as a value; `turn` changes order, case and form, never meaning.
pub(super) fn value(parts: &Parts, index: usize, turn: u64) -> serde_json::Value {
    use serde_json::json;
    let list = |values: &[String], turn: u64| {
        let mut values: Vec<String> = values.to_vec();
        let by = turn as usize % values.len();
        values.rotate_left(by);
        if turn % 3 == 1 {
            values.push(values[0].clone());
        }
        if values.len() == 1 && turn % 2 == 1 { json!(values[0]) } else { json!(values) }
    };
    let case = |text: &str| if turn % 5 == 2 { text.to_uppercase() } else { text.to_owned() };
    let mut out = serde_json::Map::new();
    out.insert("Effect".to_owned(), json!(if parts.deny { "Deny" } else { "Allow" }));
    let actions: Vec<String> = parts.actions.iter().map(|action| case(action)).collect();
    out.insert(if parts.not_action { "NotAction" } else { "Action" }.to_owned(), list(&actions, turn));
    out.insert(
        if parts.not_resource { "NotResource" } else { "Resource" }.to_owned(),
        list(&parts.resources, turn / 7),
    );
    let mut condition = serde_json::Map::new();
    for (operator, key, values) in &parts.condition {
        let block = condition.entry(case(operator)).or_insert_with(|| json!({}));
        block[case(key)] = list(values, turn / 11);
    }
    if !condition.is_empty() {
        out.insert("Condition".to_owned(), condition.into());
    }
    if parts.sid != (turn % 13 == 1) {
        out.insert("Sid".to_owned(), json!(format!("S{index}")));
    }
    out.into()
}

/// The document, in an order that `turn` gives.
pub(super) fn document(all: &[Parts], turn: u64) -> Document {
    let mut statements: Vec<_> =
        all.iter().enumerate().map(|(n, parts)| value(parts, n, turn.rotate_left(n as u32 * 5))).collect();
    let by = turn as usize % statements.len();
    statements.rotate_left(by);
    let text = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
    let text = if turn.is_multiple_of(2) { text.to_string() } else { serde_json::to_string_pretty(&text).unwrap() };
    parse("SCP", &text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_case_and_form_have_no_meaning(all in prop::collection::vec(parts(), 1..5), turn in any::<u64>()) {
        let (plain, turned) = (document(&all, 0), document(&all, turn));
        prop_assert!(plain.same_meaning(&turned), "{}\n{}", plain.minified(), turned.minified());
        prop_assert_eq!(plain.denies(), turned.denies());
        prop_assert_eq!(plain.allows(), turned.allows());
        for change in diff::diff(Some(&plain), Some(&turned)) {
            prop_assert!(!change.changes_meaning(), "{:?}", change);
        }
    }

    #[test]
    fn canonical_text_is_stable_and_valid(all in prop::collection::vec(parts(), 1..5), turn in any::<u64>()) {
        let document = document(&all, turn);
        let (again, flaws) = Document::parse(&PolicyType::scp(), document.minified()).unwrap();
        prop_assert_eq!(again.minified(), document.minified());
        prop_assert!(again.same_meaning(&document));
        prop_assert!(flaws.iter().all(|flaw| flaw.rule == "sid-characters"), "{:?}", flaws);
        let strict: serde_json::Value = serde_json::from_str(document.minified()).unwrap();
        let other = Document::from_value(&PolicyType::scp(), &strict).unwrap().0;
        prop_assert_eq!(other.minified(), document.minified());
    }

    #[test]
    fn a_changed_value_changes_the_meaning(all in prop::collection::vec(parts(), 1..2), which in any::<prop::sample::Index>(), what in 0..4_u8) {
        let mut changed = all.clone();
        let index = which.index(all.len());
        let part = &mut changed[index];
        match what {
            0 => part.actions.push("sqs:Other".to_owned()),
            1 => part.resources.push("arn:aws:sqs:::other".to_owned()),
            2 => part.deny = !part.deny,
            _ => part.condition.push(("Bool".to_owned(), "aws:Other".to_owned(), vec!["true".to_owned()])),
        }
        let (before, after) = (document(&all, 0), document(&changed, 0));
        if before.same_meaning(&after) {
            let covers = |values: &[String], added: &str| values.iter().any(|wide| crate::policy::pattern::subsumes(wide, added));
            let covered = match what {
                0 => covers(&all[index].actions, "sqs:Other"),
                1 => covers(&all[index].resources, "arn:aws:sqs:::other"),
                _ => false,
            };
            prop_assert!(covered, "only what is said already changes nothing");
        } else {
            prop_assert!(diff::diff(Some(&before), Some(&after)).iter().any(diff::StatementChange::changes_meaning));
        }
    }

    #[test]
    fn a_diff_is_empty_only_for_the_same_text(a in prop::collection::vec(parts(), 1..4), b in prop::collection::vec(parts(), 1..4)) {
        let (a, b) = (document(&a, 0), document(&b, 0));
        let changes = diff::diff(Some(&a), Some(&b));
        prop_assert_eq!(changes.is_empty(), a == b);
        prop_assert_eq!(changes.iter().any(diff::StatementChange::changes_meaning), !a.same_meaning(&b));
        prop_assert!(changes.iter().all(|change| !change.lines().is_empty()));
        prop_assert!(diff::diff(Some(&a), Some(&a)).is_empty());
        serde_json::to_string(&changes).unwrap();
    }
}
