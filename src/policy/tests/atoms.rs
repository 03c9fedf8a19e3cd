//! The pieces of a document, and which surely holds which.

use super::meaning::{document, parts};
use super::*;

#[test]
fn documents_are_cut_by_action_and_resource() {
    let document = scp(
        r#"{"Sid":"A","Effect":"Deny","Action":["s3:GetObject","S3:PutObject"],"Resource":["*","arn:aws:s3:::A"],"Condition":{"Bool":{"aws:X":true}}},
           {"Effect":"Allow","NotAction":["iam:B","iam:A"],"Resource":["arn:aws:s3:::b","arn:aws:s3:::a"]}"#,
    );
    let denies: Vec<&str> = document.denies().iter().map(String::as_str).collect();
    assert_eq!(
        denies,
        [
            r#"{"Effect":"Deny","Action":"s3:getobject","Resource":"*","Condition":{"Bool":{"aws:x":"true"}}}"#,
            r#"{"Effect":"Deny","Action":"s3:getobject","Resource":"arn:aws:s3:::A","Condition":{"Bool":{"aws:x":"true"}}}"#,
            r#"{"Effect":"Deny","Action":"s3:putobject","Resource":"*","Condition":{"Bool":{"aws:x":"true"}}}"#,
            r#"{"Effect":"Deny","Action":"s3:putobject","Resource":"arn:aws:s3:::A","Condition":{"Bool":{"aws:x":"true"}}}"#,
        ]
    );
    let allows: Vec<&str> = document.allows().iter().map(String::as_str).collect();
    assert_eq!(
        allows,
        [
            r#"{"Effect":"Allow","NotAction":["iam:a","iam:b"],"Resource":"arn:aws:s3:::a"}"#,
            r#"{"Effect":"Allow","NotAction":["iam:a","iam:b"],"Resource":"arn:aws:s3:::b"}"#,
        ]
    );
    let tag = parse("TAG", r#"{"tags":{"a":{"tag_value":{"@@assign":["y","x"]}}}}"#);
    assert_eq!(
        tag.denies().iter().next().unwrap(),
        r#"TAG_POLICY: {"tags":{"a":{"tag_value":{"@@assign":["x","y"]}}}}"#
    );
    assert!(tag.allows().is_empty());
}

#[test]
fn products_past_the_bound_stay_whole() {
    let list = |prefix: &str, n: usize| (0..n).map(|n| format!("\"{prefix}{n}\"")).collect::<Vec<_>>().join(",");
    let of = |a: usize, r: usize| {
        scp(&format!(
            r#"{{"Effect":"Deny","Action":[{}],"Resource":[{}]}}"#,
            list("s3:A", a),
            list("arn:aws:s3:::b", r)
        ))
    };
    assert_eq!(of(100, 20).denies().len(), 2_000);
    assert_eq!(of(100, 21).denies().len(), 1);
    // A whole statement is still held by a wider one, and holds its own parts.
    let whole = of(100, 21).denies().iter().next().unwrap().clone();
    let wide = scp(r#"{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::*"}"#);
    let part = scp(r#"{"Effect":"Deny","Action":"s3:A99","Resource":"arn:aws:s3:::b20"}"#);
    assert!(covers(wide.denies().iter().next().unwrap(), &whole));
    assert!(covers(&whole, part.denies().iter().next().unwrap()));
    assert!(!covers(part.denies().iter().next().unwrap(), &whole));
}

fn one(statement: &str) -> String {
    let document = scp(statement);
    let all: Vec<_> = document.denies().iter().chain(document.allows()).cloned().collect();
    assert_eq!(all.len(), 1, "{statement}");
    all[0].clone()
}

#[test]
fn covers_by_hand() {
    let deny = |action: &str, resource: &str, condition: &str| {
        let condition = if condition.is_empty() {
            String::new()
        } else {
            format!(r#","Condition":{{"StringEquals":{{"aws:a":"{condition}"}}}}"#)
        };
        one(&format!(r#"{{"Effect":"Deny",{action},{resource}{condition}}}"#))
    };
    let (any, x) = (r#""Resource":"*""#, r#""Resource":"arn:aws:s3:::x""#);
    let yes = [
        (deny(r#""Action":"*""#, any, ""), deny(r#""NotAction":"s3:*""#, r#""NotResource":"arn:aws:s3:::x""#, "c")),
        (deny(r#""Action":"s3:*""#, any, ""), deny(r#""Action":"S3:Get*""#, x, "")),
        (deny(r#""Action":"s3:*""#, any, "c"), deny(r#""Action":"s3:Get""#, x, "c")),
        (deny(r#""Action":"s3:*""#, any, ""), deny(r#""Action":"s3:Get""#, x, "c")),
        (deny(r#""NotAction":"iam:Get*""#, any, ""), deny(r#""NotAction":["iam:*","s3:*"]"#, x, "c")),
    ];
    let no = [
        (deny(r#""Action":"s3:*""#, any, "c"), deny(r#""Action":"s3:Get""#, x, "d")),
        (deny(r#""Action":"s3:*""#, any, "c"), deny(r#""Action":"s3:Get""#, x, "")),
        (deny(r#""Action":"s3:*""#, x, ""), deny(r#""Action":"s3:Get""#, any, "")),
        (deny(r#""NotAction":["iam:*","s3:*"]"#, any, ""), deny(r#""NotAction":"iam:*""#, any, "")),
        (deny(r#""NotAction":"iam:*""#, any, ""), deny(r#""Action":"*""#, any, "")),
        (deny(r#""Action":"s3:*""#, any, ""), deny(r#""NotAction":"s3:*""#, any, "")),
        (one(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#), deny(r#""Action":"s3:*""#, any, "")),
    ];
    for (holder, held) in yes {
        assert!(covers(&holder, &held), "{holder} {held}");
    }
    for (holder, held) in no {
        assert!(!covers(&holder, &held), "{holder} {held}");
    }
    let rcp = parse(
        "RCP",
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#,
    );
    let rcp = rcp.denies().iter().next().unwrap();
    let scp = deny(r#""Action":"s3:*""#, any, "");
    assert!(covers(rcp, rcp) && !covers(rcp, &scp) && !covers(&scp, rcp), "an RCP and an SCP bind different people");
    // The old language takes `${…}` for text: the same words are another deny.
    let old = DELEGATION.replace("2012-10-17", "2008-10-17").replace("Allow", "Deny");
    let (old, new) = (parse("DELEGATION", &old), parse("DELEGATION", &DELEGATION.replace("Allow", "Deny")));
    assert!(!covers(old.denies().iter().next().unwrap(), new.denies().iter().next().unwrap()));
    // Whatever a management policy is made of, it is never taken for a statement.
    let trap = r#"{"Effect":"Deny","Action":"*","Resource":"*"}"#;
    let trap = parse("TAG", trap);
    assert!(!covers(trap.denies().iter().next().unwrap(), &scp));
    for junk in ["", "{}", "x", "[", r#"{"Effect":1}"#] {
        assert!(covers(junk, junk) && !covers(junk, &scp) && !covers(&scp, junk));
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| go(rest, &text[n..])),
            Some(('?', rest)) => !text.is_empty() && go(rest, &text[1..]),
            Some((letter, rest)) => text.first() == Some(letter) && go(rest, &text[1..]),
        }
    }
    go(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

/// Whether a piece speaks of a request, given which conditions hold: written apart from the code under test.
fn speaks(atom: &serde_json::Value, action: &str, resource: &str, condition: &dyn Fn(&str) -> bool) -> bool {
    let list = |key: &str| -> Option<Vec<String>> {
        match &atom[key] {
            serde_json::Value::String(text) => Some(vec![text.clone()]),
            serde_json::Value::Array(items) => {
                Some(items.iter().map(|item| item.as_str().unwrap().to_owned()).collect())
            }
            _ => None,
        }
    };
    let hit = |key: &str, text: &str| list(key).map(|list| list.iter().any(|pattern| matches(pattern, text)));
    let scope = |only: &str, but: &str, text: &str| hit(only, text).unwrap_or_else(|| !hit(but, text).unwrap());
    scope("Action", "NotAction", &action.to_lowercase())
        && scope("Resource", "NotResource", resource)
        && (atom["Condition"].is_null() || condition(&atom["Condition"].to_string()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whenever one piece covers another, no sampled request is spoken of by the second alone.
    #[test]
    fn covers_is_sound(
        all in prop::collection::vec(parts(), 2..5),
        requests in prop::collection::vec(("(s3|ec2|iam):[A-C][a-c]{0,3}", "\\*|arn:aws:s3:::[a-c]{1,3}|arn:aws:iam::[0-1]{0,2}:role/[A-Ba-b]{1,2}"), 40),
    ) {
        let document = document(&all, 0);
        let atoms: Vec<&String> = document.denies().iter().chain(document.allows()).collect();
        let parsed: Vec<serde_json::Value> = atoms.iter().map(|atom| serde_json::from_str(atom).unwrap()).collect();
        for (holder, wide) in atoms.iter().zip(&parsed) {
            for (held, narrow) in atoms.iter().zip(&parsed) {
                if covers(holder, held) {
                    prop_assert_eq!(&wide["Effect"], &narrow["Effect"]);
                    for (action, resource) in &requests {
                        for seed in 0..3_usize {
                            let condition = |text: &str| !(text.len() + seed).is_multiple_of(3);
                            prop_assert!(
                                !speaks(narrow, action, resource, &condition) || speaks(wide, action, resource, &condition),
                                "{} does not hold {} for {} on {}", holder, held, action, resource
                            );
                        }
                    }
                }
            }
        }
    }

    /// The pieces together speak of what the statements speak of.
    #[test]
    fn cutting_loses_nothing(
        all in prop::collection::vec(parts(), 1..4),
        requests in prop::collection::vec(("(s3|ec2|iam):[A-C][a-c]{0,3}", "\\*|arn:aws:s3:::[a-c]{1,3}"), 20),
    ) {
        let document = document(&all, 0);
        let statements: serde_json::Value = serde_json::from_str(&document.minified().to_lowercase().replace("\"notaction\"", "\"NotAction\"").replace("\"action\"", "\"Action\"")).unwrap();
        let statements = statements["statement"].as_array().unwrap().clone();
        for (action, resource) in &requests {
            // Case is folded away on both sides here; that values count case is tested elsewhere.
            let (action, resource) = (action.to_lowercase(), resource.to_lowercase());
            let whole = statements.iter().filter(|statement| statement["effect"] == "deny").any(|statement| {
                let mut statement = statement.clone();
                for (from, to) in [("resource", "Resource"), ("notresource", "NotResource")] {
                    if let Some(value) = statement.get(from).cloned() {
                        statement[to] = value;
                    }
                }
                speaks(&statement, &action, &resource, &|_| true)
            });
            let cut = document.denies().iter().any(|atom| speaks(&serde_json::from_str(&atom.to_lowercase().replace("\"notaction\"", "\"NotAction\"").replace("\"action\"", "\"Action\"").replace("\"notresource\"", "\"NotResource\"").replace("\"resource\"", "\"Resource\"")).unwrap(), &action, &resource, &|_| true));
            prop_assert_eq!(whole, cut);
        }
    }
}

#[test]
fn pieces_that_may_share_a_request_meet_and_others_surely_do_not() {
    let deny = |rest: &str| format!(r#"{{"Version":"2012-10-17","Effect":"Deny",{rest}}}"#);
    let of = |action: &str, resource: &str| deny(&format!(r#""Action":"{action}","Resource":"{resource}""#));
    let meet = |one: &str, other: &str| {
        let both = (!meeting(&[one], &[other]).is_empty(), !meeting(&[other], &[one]).is_empty());
        assert_eq!(both.0, both.1, "{one} {other}");
        both.0
    };
    assert!(meet(&of("s3:get*", "*"), &of("s3:*object", "arn:aws:s3:::b/*")));
    assert!(
        !meet(&of("s3:get*", "*"), &of("s3:put*", "*"))
            && !meet(&of("s3:*", "arn:aws:s3:::a"), &of("s3:*", "arn:aws:s3:::b"))
    );
    let but = |actions: &str| deny(&format!(r#""NotAction":{actions},"Resource":"*""#));
    assert!(meet(&but(r#"["iam:*"]"#), &of("s3:*", "*")) && meet(&but(r#"["iam:*"]"#), &but(r#"["s3:*"]"#)));
    assert!(!meet(&but(r#"["iam:*","s3:*"]"#), &of("s3:get*", "*")));
    let when = |operator: &str, value: &str| {
        deny(&format!(
            r#""Action":"*","Resource":"*","Condition":{{"{operator}":{{"aws:RequestedRegion":["{value}"]}}}}"#
        ))
    };
    assert!(!meet(&when("StringEquals", "eu-west-1"), &when("StringEquals", "us-east-1")));
    assert!(meet(&when("StringEquals", "eu-west-1"), &when("StringNotEquals", "us-east-1")));
    assert!(meet(&when("StringEquals", "eu-west-1"), &of("ec2:*", "*")));
    assert!(!meet("TAG_POLICY: {}", "TAG_POLICY: {}"));
}
