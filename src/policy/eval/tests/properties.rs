//! What holds of every policy: denies win, the order of statements does not count, writing it anew changes nothing, and
//! what is unknown is decided only where every way to know it is decided alike.

use proptest::prelude::*;

use super::*;
use crate::policy::canonical;
use crate::policy::minify::{Names, minify};

fn statement() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("Deny"), 2 => Just("Allow")];
    let action = prop_oneof![
        Just(r#""Action": "*""#),
        Just(r#""Action": ["s3:Get*", "ec2:RunInstances"]"#),
        Just(r#""Action": "S3:getobject""#),
        Just(r#""NotAction": ["s3:Put*", "iam:*"]"#),
        Just(r#""Action": "s3:*Object""#),
    ];
    let resource = prop_oneof![
        3 => Just(r#""Resource": "*""#),
        1 => Just(r#""Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/${aws:username}"]"#),
        1 => Just(r#""NotResource": "arn:aws:s3:::a/*""#),
    ];
    let clause = prop_oneof![
        Just(r#""StringEquals": {"aws:X": ["1", "2"]}"#),
        Just(r#""StringNotEquals": {"aws:X": "1"}"#),
        Just(r#""Null": {"aws:Y": "true"}"#),
        Just(r#""StringLikeIfExists": {"aws:Y": "2*"}"#),
        Just(r#""ForAllValues:StringEquals": {"aws:X": "1"}"#),
        Just(r#""ForAnyValue:StringNotEquals": {"aws:X": "1"}"#),
        Just(r#""StringEqualsIgnoreCase": {"aws:X": "${aws:Y, '1'}"}"#),
    ];
    let condition = prop::collection::btree_set(clause, 0..3).prop_map(|clauses| {
        let clauses: Vec<_> = clauses.into_iter().collect();
        if clauses.is_empty() { String::new() } else { format!(r#", "Condition": {{{}}}"#, clauses.join(", ")) }
    });
    (effect, action, resource, condition).prop_map(|(effect, action, resource, condition)| {
        format!(r#"{{"Effect": "{effect}", {action}, {resource}{condition}}}"#)
    })
}

fn policies() -> impl Strategy<Value = Vec<Vec<String>>> {
    prop::collection::vec(prop::collection::vec(statement(), 1..5), 1..4)
}

fn values() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just(""), Just("1"), Just("2"), Just("1,2"), Just("3")]
}

fn compiled(policies: &[Vec<String>]) -> Ladder {
    let policies: Vec<Compiled> = policies.iter().map(|statements| scp(&statements.join(","))).collect();
    Ladder::new(policies.iter().map(std::slice::from_ref))
}

const ACTIONS: [&str; 3] = ["s3:GetObject", "s3:PutObject", "ec2:RunInstances"];
const RESOURCES: [&str; 3] = ["arn:aws:s3:::a/1", "arn:aws:s3:::b/2", "*"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn order_spelling_and_minifying_do_not_count(policies in policies(), x in values(), y in values()) {
        let told = [format!("aws:X={x}"), format!("aws:Y={y}"), "aws:username=2".to_owned()];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let (plain, turned) = (compiled(&policies), compiled(&policies.iter().map(|statements| statements.iter().rev().cloned().collect()).collect::<Vec<_>>()));
        let folded: Vec<Compiled> = policies
            .iter()
            .map(|statements| read("SERVICE_CONTROL_POLICY", &format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(","))))
            .map(|policy| Compiled::new(&read("SERVICE_CONTROL_POLICY", &canonical::text(&crate::policy::statement::Policy {
                statements: policy.statements.iter().map(canonical::fold).collect(),
                ..policy
            }))))
            .collect();
        let folded = Ladder::new(folded.iter().map(std::slice::from_ref));
        let small: Vec<Compiled> = policies
            .iter()
            .map(|statements| read("SERVICE_CONTROL_POLICY", &format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(","))))
            .map(|policy| Compiled::new(&minify(&policy, Names::Dropped)))
            .collect();
        let small = Ladder::new(small.iter().map(std::slice::from_ref));
        for action in ACTIONS {
            for resource in RESOURCES {
                let decision = ask(&plain, action, resource, &told);
                prop_assert_eq!(decision, ask(&turned, action, resource, &told));
                prop_assert_eq!(decision, ask(&folded, action, resource, &told));
                prop_assert_eq!(decision, ask(&small, action, resource, &told));
            }
        }
    }

    #[test]
    fn one_more_deny_allows_nothing_and_one_more_allow_denies_nothing(policies in policies(), more in statement(), x in values(), y in values()) {
        let told = [format!("aws:X={x}"), format!("aws:Y={y}")];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let mut grown = policies.clone();
        grown[0].push(more.clone());
        let (before, after) = (compiled(&policies), compiled(&grown));
        for action in ACTIONS {
            let (before, after) = (ask(&before, action, "arn:aws:s3:::a/1", &told), ask(&after, action, "arn:aws:s3:::a/1", &told));
            if more.contains("Deny") { prop_assert!(after <= before) } else { prop_assert!(after >= before) }
        }
    }

    /// Allowed and denied hold for whatever the unknown turns out to be.
    #[test]
    fn what_is_decided_without_knowing_is_decided_alike_by_all_who_know(policies in policies(), y in values()) {
        let ladder = compiled(&policies);
        let y = format!("aws:Y={y}");
        for action in ACTIONS {
            for resource in ["?", "arn:aws:s3:::a/1"] {
                let unknown = ask(&ladder, action, resource, &["aws:X?", &y, "aws:username?"]);
                for x in ["", "1", "2", "1,2", "3"] {
                    for name in ["", "1", "2"] {
                        for sure in if resource == "?" { &RESOURCES[..] } else { &["arn:aws:s3:::a/1"][..] } {
                            let known = ask(&ladder, action, sure, &[&format!("aws:X={x}"), &y, &format!("aws:username={name}")]);
                            prop_assert!(unknown == Decision::Depends || unknown == known, "{unknown:?} {known:?} {action} {sure} {x} {y}");
                        }
                    }
                }
            }
        }
    }

    /// Documents that compare equal decide alike, whatever was added to one of them.
    #[test]
    fn documents_of_the_same_meaning_decide_alike(statements in prop::collection::vec(statement(), 1..4), more in statement(), x in values(), y in values()) {
        let text = |statements: &[String]| format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(","));
        let mut grown = statements.clone();
        grown.push(more);
        let document = |statements: &[String]| Document::parse(&PolicyType::scp(), &text(statements)).unwrap().0;
        prop_assume!(document(&statements).same_meaning(&document(&grown)));
        let told = [format!("aws:X={x}"), format!("aws:Y={y}"), "aws:username=2".to_owned()];
        let told: Vec<&str> = told.iter().map(String::as_str).collect();
        let (one, other) = (compiled(&[statements]), compiled(&[grown]));
        for action in ACTIONS {
            for resource in RESOURCES {
                prop_assert_eq!(ask(&one, action, resource, &told), ask(&other, action, resource, &told));
            }
        }
    }
}
