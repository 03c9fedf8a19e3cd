//! Tests of the whole room.

use proptest::prelude::*;

use super::statement::DELEGATION_POLICY;
use super::*;
use crate::names::PolicyType;

mod atoms;
mod fuzz;
mod meaning;

pub(super) fn kind(name: &str) -> PolicyType {
    PolicyType::new(match name {
        "SCP" => "SERVICE_CONTROL_POLICY",
        "RCP" => "RESOURCE_CONTROL_POLICY",
        "TAG" => "TAG_POLICY",
        "DELEGATION" => DELEGATION_POLICY,
        other => other,
    })
}

pub(super) fn parse(name: &str, text: &str) -> Document {
    match Document::parse(&kind(name), text) {
        Ok((document, _)) => document,
        Err(flaws) => panic!("{text}\n{flaws:#?}"),
    }
}

/// An SCP of these statements, given as JSON without Version.
pub(super) fn scp(statements: &str) -> Document {
    parse("SCP", &format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#))
}

fn told(flaws: &[Flaw]) -> Vec<String> {
    let line = |flaw: &Flaw| {
        let severity = if flaw.error { "error" } else { "warning" };
        format!("{severity} {} {}:{} {}", flaw.rule, flaw.line, flaw.column, flaw.path).trim_end().to_owned()
    };
    flaws.iter().map(line).collect()
}

#[test]
fn flaws_are_told_as_the_corpus_says() {
    let mut wrong = String::new();
    let mut cases = 0;
    for case in include_str!("tests/flaws.txt").split("\n== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, expected) = rest.split_at(rest.find("-- ").unwrap());
        let mut expected: Vec<String> =
            expected.lines().filter_map(|line| line.strip_prefix("-- ")).map(str::to_owned).collect();
        let (name, _) = title.split_once(':').unwrap();
        let result = Document::parse(&kind(name), text.trim_end_matches('\n'));
        let refused = result.is_err();
        let flaws = result.map_or_else(|flaws| flaws, |(_, flaws)| flaws);
        let mut found = told(&flaws);
        assert_eq!(refused, flaws.iter().any(|flaw| flaw.error), "{title}");
        if found.is_empty() {
            found.push("ok".to_owned());
        }
        expected.sort();
        found.sort();
        if found != expected {
            wrong += &format!("\n{title}\n  expected {expected:#?}\n  found {found:#?}");
        }
        for flaw in &flaws {
            let first = flaw.message.chars().next().unwrap();
            assert!(!first.is_uppercase(), "{}", flaw.message);
            for rust in ["Some(", "Value::", "Err("] {
                assert!(!flaw.to_string().contains(rust), "{flaw}");
            }
        }
        cases += 1;
    }
    assert!(cases > 40, "{cases}");
    assert!(wrong.is_empty(), "{wrong}");
}

/// Objects give the same document and the same flaws as text, without places.
#[test]
fn yaml_objects_are_read_like_text() {
    let mut cases = 0;
    for case in include_str!("tests/flaws.txt").split("\n== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let text = rest.split_at(rest.find("-- ").unwrap()).0;
        let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else { continue };
        if title.contains("keys twice") || !value.is_object() {
            continue;
        }
        let kind = kind(title.split_once(':').unwrap().0);
        let rules = |flaws: &[Flaw]| {
            let mut rules: Vec<_> = flaws.iter().map(|flaw| (flaw.rule, flaw.path.clone(), flaw.error)).collect();
            rules.sort();
            rules
        };
        match (Document::parse(&kind, text), Document::from_value(&kind, &value)) {
            (Ok((a, warnings)), Ok((b, others))) => {
                assert_eq!(a.minified(), b.minified());
                assert_eq!(a, b);
                assert_eq!(rules(&warnings), rules(&others));
            }
            (Err(a), Err(b)) => {
                assert_eq!(rules(&a), rules(&b), "{title}");
                assert!(b.iter().all(|flaw| flaw.line == 0));
            }
            (a, b) => panic!("{title}: {a:?} {b:?}"),
        }
        cases += 1;
    }
    assert!(cases > 20, "{cases}");
    let text = serde_json::Value::String(r#"{"Version": "2012-10-17",}"#.to_owned());
    let flaws = Document::from_value(&PolicyType::scp(), &text).unwrap_err();
    assert_eq!(told(&flaws)[0], "error missing-statement 1:1");
    assert_eq!(told(&flaws)[1], "error trailing-comma 1:25 Version");
}

#[test]
fn the_sent_text_is_short_and_keeps_the_users_words() {
    let document = parse(
        "SCP",
        r#"
        { "Statement": [
            { "Resource": ["*"], "Action": ["s3:PutObject", "s3:putobject", "s3:GetObject", "s3:PutObject"], "Effect": "Deny",
              "Condition": {"stringnotequals": {"aws:z": ["1"]}, "Bool": {"aws:y": true, "aws:A": ["false", false]},
                            "NumericLessThan": {"aws:n": 5}}, "Sid": "Zürich \"x\"" },
            { "Effect": "Allow", "Action": "*", "Resource": "*" },
            { "Sid": "Twin", "Effect": "Allow", "Action": ["*"], "Resource": ["*"] } ] }"#,
    );
    assert_eq!(
        document.minified(),
        concat!(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"Zürich \"x\"","Effect":"Deny","Action":["s3:PutObject","s3:GetObject"],"#,
            r#""Resource":"*","Condition":{"StringNotEquals":{"aws:z":"1"},"NumericLessThan":{"aws:n":"5"},"#,
            r#""Bool":{"aws:A":"false","aws:y":"true"}}},{"Sid":"Twin","Effect":"Allow","Action":"*","Resource":"*"}]}"#
        )
    );
    assert_eq!(document.characters(), document.minified().len() - 1, "characters, not bytes");
    assert_eq!(document.max_characters(), 10_240);
    assert_eq!(parse("DELEGATION", DELEGATION).max_characters(), 40_000);
}

const DELEGATION: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"organizations:List*","Resource":"*"}]}"#;

#[test]
fn large_and_deep_documents() {
    let statements: Vec<String> = (0..10_000)
        .map(|n| {
            format!(r#"{{"Sid":"S{n}","Effect":"Deny","Action":["s3:A{n}","s3:B{n}"],"Resource":"*","Condition":{{"StringEquals":{{"aws:k":"{n}"}}}}}}"#)
        })
        .collect();
    let document = scp(&statements.join(","));
    assert_eq!(document.denies().len(), 20_000);
    assert!(document.characters() > 10_240);
    assert_eq!(parse("SCP", document.minified()), document);
    let reversed: Vec<String> = statements.iter().rev().cloned().collect();
    let other = scp(&reversed.join(","));
    assert!(document.same_meaning(&other) && document != other);
    assert_eq!(diff::diff(Some(&document), Some(&other)).len(), 1);

    for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"{"Statement":["#, "]}")] {
        let deep = open.repeat(100_000);
        let flaws = Document::parse(&PolicyType::scp(), &deep).unwrap_err();
        assert_eq!(flaws[0].rule, "too-deep", "{flaws:?}");
        assert_eq!(flaws.len(), 1);
        let closed = format!("{deep}1{}", close.repeat(100_000));
        assert!(Document::parse(&PolicyType::new("TAG_POLICY"), &closed).is_err());
    }
    let mut value = serde_json::json!({"@@assign": 1});
    for _ in 0..500 {
        value = serde_json::json!({ "tags": value });
    }
    let flaws = Document::from_value(&PolicyType::new("TAG_POLICY"), &value).unwrap_err();
    assert!(flaws.iter().any(|flaw| flaw.rule == "too-deep"));
}

#[test]
fn garbage_is_told_briefly() {
    for text in
        ["“".repeat(5_000), "{,".repeat(5_000), "'a' ".repeat(5_000), "#\n".repeat(5_000), "\u{a0}x".repeat(5_000)]
    {
        let flaws = Document::parse(&PolicyType::scp(), &text).unwrap_err();
        assert!(flaws.len() <= 101, "{}", flaws.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn places_are_those_of_the_text(before in "[ \n\té]{0,20}", sid in "[a-zé]{1,5}") {
        let text = format!(r#"{{"Version":"2012-10-17",{b}"Statement":[{b}{{"Sid":"{sid}",{b}"Effect":"nope","Action":"s3:*","Resource":"*"}}]}}"#, b = before.replace('é', " "));
        let flaws = Document::parse(&PolicyType::scp(), &text).unwrap_err();
        let flaw = flaws.iter().find(|flaw| flaw.rule == "invalid-effect").unwrap();
        let line = text.lines().nth(flaw.line as usize - 1).unwrap();
        let rest: String = line.chars().skip(flaw.column as usize - 1).collect();
        prop_assert!(rest.starts_with("\"nope\""), "{}", rest);
    }
}
