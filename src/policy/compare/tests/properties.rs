//! Of generated policies and requests: what is compared by meaning decides alike.

use proptest::prelude::*;

use super::*;

fn statement() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("Deny"), 2 => Just("Allow")];
    let action = prop_oneof![
        Just(r#""Action": "*""#),
        Just(r#""Action": ["s3:Get*", "ec2:RunInstances"]"#),
        Just(r#""Action": "S3:getobject""#),
        Just(r#""NotAction": ["s3:Put*", "iam:*"]"#),
        Just(r#""Action": "s3:*Object""#),
        Just(r#""Action": ["*:Get?bject", "s*:put*"]"#),
    ];
    let resource = prop_oneof![
        3 => Just(r#""Resource": "*""#),
        1 => Just(r#""Resource": ["arn:aws:s3:::a/*", "arn:aws:s3:::b/${aws:username}"]"#),
        1 => Just(r#""NotResource": "arn:aws:s3:::a/*""#),
        1 => Just(r#""Resource": ["arn:aws:s3:*:a*", "arn:aws:ec2:*:*:instance/*"]"#),
    ];
    let clause = prop_oneof![
        Just(r#""StringEquals": {"aws:X": ["1", "2"]}"#),
        Just(r#""StringNotEquals": {"aws:X": "1"}"#),
        Just(r#""StringLike": {"aws:X": ["1*", "?"]}"#),
        Just(r#""Null": {"aws:Y": "true"}"#),
        Just(r#""StringLikeIfExists": {"aws:Y": "2*"}"#),
        Just(r#""ForAllValues:StringEquals": {"aws:X": "1"}"#),
        Just(r#""ForAnyValue:StringNotEquals": {"aws:X": "1"}"#),
        Just(r#""ForAnyValue:StringEquals": {"aws:X": ["2", "12"]}"#),
        Just(r#""StringEqualsIgnoreCase": {"aws:Y": ["a", "1"]}"#),
        Just(r#""StringNotLike": {"aws:Y": ["A*", "${aws:X}"]}"#),
        Just(r#""StringEquals": {"aws:Y": "${aws:X, '1'}"}"#),
        Just(r#""NumericLessThan": {"aws:N": "5"}"#),
        Just(r#""NumericNotEquals": {"aws:N": ["5", "7.5"]}"#),
        Just(r#""NumericGreaterThanEqualsIfExists": {"aws:N": "5"}"#),
        Just(r#""IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "2001:db8::/32"]}"#),
        Just(r#""NotIpAddress": {"aws:SourceIp": ["10.1.0.0/16"]}"#),
        Just(r#""DateLessThan": {"aws:CurrentTime": "2026-01-31"}"#),
        Just(r#""DateEquals": {"aws:CurrentTime": "2026-01-31"}"#),
        Just(r#""Bool": {"aws:B": "true"}"#),
        Just(r#""Bool": {"aws:B": ["false", "${aws:Y}"]}"#),
        Just(r#""StringEquals": {"aws:B": ["false", "x"]}"#),
        Just(r#""ArnLike": {"aws:PrincipalArn": ["arn:aws:iam::*:role/a*", "arn:*:iam::1:*"]}"#),
        Just(r#""StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/a*"}"#),
    ];
    let condition = prop::collection::btree_set(clause, 0..3).prop_map(|clauses| {
        // An operator stands once in a condition.
        let mut seen = std::collections::BTreeSet::new();
        let clauses: Vec<_> = clauses
            .into_iter()
            .filter(|clause| {
                seen.insert(
                    clause
                        .split(':')
                        .take(2)
                        .collect::<Vec<_>>()
                        .join(":")
                        .split('{')
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                )
            })
            .collect();
        if clauses.is_empty() { String::new() } else { format!(r#", "Condition": {{{}}}"#, clauses.join(", ")) }
    });
    (effect, action, resource, condition).prop_map(|(effect, action, resource, condition)| {
        format!(r#"{{"Effect": "{effect}", {action}, {resource}{condition}}}"#)
    })
}

fn nodes() -> impl Strategy<Value = Vec<Vec<String>>> {
    prop::collection::vec(prop::collection::vec(statement(), 1..5), 1..3)
}

fn policies(nodes: &[Vec<String>]) -> Vec<Vec<Policy>> {
    nodes.iter().map(|statements| vec![scp(&statements.join(","))]).collect()
}

type Told = (&'static str, &'static str, Vec<(&'static str, Vec<&'static str>)>);

/// A request of the kinds that AWS makes.
fn request() -> impl Strategy<Value = Told> {
    let action = prop::sample::select(vec![
        "s3:GetObject",
        "s3:PutObject",
        "s3:GetBucketAcl",
        "ec2:RunInstances",
        "iam:GetRole",
        "sqs:GetXbject",
        "sns:Put",
        "x:y",
        "s3:DeleteObject",
    ]);
    let resource = prop::sample::select(vec![
        "*",
        "arn:aws:s3:::a/1",
        "arn:aws:s3:::a",
        "arn:aws:s3:::b/1",
        "arn:aws:s3:::b/2",
        "arn:aws:s3:::b/",
        "arn:aws:s3:x:a",
        "arn:aws:s3:x:a:y",
        "arn:aws:s3:x:y:a",
        "arn:aws:ec2:r:1:instance/1",
        "arn:aws:ec2:r:1:image/1",
    ]);
    let text = || prop::sample::subsequence(vec!["1", "2", "12", "3", "a", "A", "Ab", ""], 0..3);
    let one = |values: Vec<&'static str>| prop::sample::subsequence(values, 0..2);
    let rest = (
        one(vec!["a", "A", "1", "12", "2", "22", "x"]),
        one(vec!["4", "5", "6", "7.5", "8", "none"]),
        one(vec!["10.0.0.1", "10.1.0.1", "11.0.0.1", "2001:db8::1", "::1"]),
        one(vec!["2026-01-31", "2026-01-30", "2027-01-01"]),
        one(vec!["true", "False", "x"]),
        one(vec![
            "arn:aws:iam::1:role/a",
            "arn:aws:iam::1:role/b",
            "arn:aws-cn:iam::1:user/a",
            "arn:aws:iam::2:x:role/a",
            "arn:aws:iam:2::role/a",
            "arn:aws:iam::2:role/a:b",
        ]),
        one(vec!["1", "2"]),
    );
    (action, resource, text(), rest).prop_map(|(action, resource, x, (y, n, ip, time, b, arn, name))| {
        let facts = vec![
            ("aws:X", x),
            ("aws:Y", y),
            ("aws:N", n),
            ("aws:SourceIp", ip),
            ("aws:CurrentTime", time),
            ("aws:B", b),
            ("aws:PrincipalArn", arn),
            ("aws:username", name),
        ];
        (action, resource, facts)
    })
}

fn decide(ladder: &Ladder, (action, resource, told): &Told) -> Decision {
    let (action, mut facts) = (Action::parse(action).unwrap(), Facts::complete());
    for (key, values) in told {
        facts.set(key, values.iter().copied());
    }
    ladder.decide(&Request { action: &action, resource: Some(resource), facts: &facts, caller: None })
}

/// What the witness says, asked again from its words alone.
fn holds(witness: &Witness, old: &Ladder, new: &Ladder) -> bool {
    let (action, mut facts) = (Action::parse(&witness.action).unwrap(), Facts::complete());
    for (key, values) in &witness.facts {
        facts.set(key, values.iter().map(String::as_str));
    }
    let request = Request { action: &action, resource: Some(&witness.resource), facts: &facts, caller: None };
    let (before, after) = (old.decide(&request), new.decide(&request));
    before != after && before == witness.before.decision && after == witness.after.decision
}

/// What is equal whatever stands beside decides alike beside others, and what is told of it is so.
fn check_beside(old: &[Policy], new: &[Policy], requests: &[Told]) -> Result<(), TestCaseError> {
    let sides = [[old.to_vec()], [new.to_vec()]];
    let others = [FULL, r#"{"Effect": "Allow", "Action": ["s3:Get*", "ec2:*"], "Resource": "*"}"#];
    let beside = |other: &str| {
        let other = scp(other);
        sides.each_ref().map(|[node]| ladder(&[node.iter().cloned().chain([other.clone()]).collect()], Ground::AsGiven))
    };
    match compare(&sides[0], &sides[1], Ground::Any, &Budget::default()) {
        Comparison::Equal(_) => {
            for [before, after] in others.map(beside) {
                for request in requests.iter().filter(|(.., told)| told.iter().all(|(_, values)| values.len() < 2)) {
                    prop_assert_eq!(decide(&before, request), decide(&after, request), "{:?}", request);
                }
            }
        }
        Comparison::Differs { witnesses, .. } => {
            let alone = sides.each_ref().map(|nodes| ladder(nodes, Ground::AsGiven));
            for witness in witnesses {
                let [before, after] = if witness.beside { beside(FULL) } else { alone.clone() };
                prop_assert!(holds(&witness, &before, &after), "{:?}", witness);
            }
        }
        Comparison::Undecided { .. } => {}
    }
    Ok(())
}

fn check(old: &[Vec<Policy>], new: &[Vec<Policy>], requests: &[Told]) -> Result<Comparison, TestCaseError> {
    if let ([old], [new]) = (old, new) {
        check_beside(old, new, requests)?;
    }
    let found = compare(old, new, Ground::AsGiven, &Budget::default());
    let (before, after) = (ladder(old, Ground::AsGiven), ladder(new, Ground::AsGiven));
    // Where no operator is for sets, no key has several values.
    let all = old.iter().chain(new).flatten().map(canonical::text).collect::<String>();
    let sets = all.contains("ForA");
    match &found {
        Comparison::Equal(_) => {
            for request in requests.iter().filter(|(.., told)| sets || told.iter().all(|(_, values)| values.len() < 2))
            {
                prop_assert_eq!(decide(&before, request), decide(&after, request), "{:?}", request);
            }
        }
        Comparison::Differs { witnesses, .. } => {
            prop_assert!(!witnesses.is_empty());
            for witness in witnesses {
                prop_assert!(holds(witness, &before, &after), "{:?}", witness);
            }
        }
        Comparison::Undecided { why, .. } => {
            prop_assert!(why.contains("variables"), "{}", why);
        }
    }
    Ok(found)
}

fn variables(nodes: &[Vec<String>]) -> bool {
    nodes.iter().flatten().any(|statement| statement.contains("${"))
}

/// How many cases, by the environment for long runs.
fn cases() -> u32 {
    std::env::var("BYLAW_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    /// Both ways: what is equal no request tells apart, what differs is shown by one that does, and without variables it is
    /// always one of the two.
    #[test]
    fn equal_and_differs_are_both_true(old in nodes(), new in nodes(), requests in prop::collection::vec(request(), 150)) {
        let found = check(&policies(&old), &policies(&new), &requests)?;
        let open = matches!(found, Comparison::Undecided { .. });
        prop_assert!(!open || variables(&old) || variables(&new));
    }

    /// A change of one statement is small, so that many such pairs are equal.
    #[test]
    fn small_changes_are_seen_or_have_no_meaning(old in nodes(), more in statement(), at in any::<prop::sample::Index>(), what in 0..3_u8, requests in prop::collection::vec(request(), 150)) {
        let mut new = old.clone();
        let node = at.index(new.len());
        match what {
            0 => new[node].push(more),
            1 => { new[node].pop(); }
            _ => { let at = at.index(new[node].len()); new[node][at] = more; }
        }
        if new[node].is_empty() {
            new[node] = old[node].clone();
        }
        check(&policies(&old), &policies(&new), &requests)?;
    }

    #[test]
    fn what_is_written_anew_is_equal(old in nodes()) {
        let before = policies(&old);
        let folded: Vec<Vec<Policy>> = before.iter().map(|node| node.iter().map(|policy| {
            let folded = Policy { statements: policy.statements.iter().map(canonical::fold).collect(), ..policy.clone() };
            read("SERVICE_CONTROL_POLICY", &canonical::text(&folded))
        }).collect()).collect();
        let split: Vec<Vec<Policy>> = before.iter().map(|node| node.iter().flat_map(|policy| {
            let one = |statement: &Statement| Policy { statements: vec![statement.clone()], ..policy.clone() };
            policy.statements.iter().rev().map(one).collect::<Vec<_>>()
        }).collect()).collect();
        // Each statement cut into one an action.
        let cut: Vec<Vec<Policy>> = before.iter().map(|node| node.iter().map(|policy| {
            let cut = |statement: &Statement| match &statement.action {
                Scope::Only(actions) => actions.iter().map(|action| Statement { action: Scope::Only(vec![action.clone()]), ..statement.clone() }).collect(),
                Scope::AllBut(_) => vec![statement.clone()],
            };
            Policy { statements: policy.statements.iter().flat_map(cut).collect(), ..policy.clone() }
        }).collect()).collect();
        for other in [folded, split, cut] {
            prop_assert!(matches!(compare(&before, &other, Ground::AsGiven, &Budget::default()), Comparison::Equal(_)));
            prop_assert!(matches!(compare(&other, &before, Ground::AsGiven, &Budget::default()), Comparison::Equal(_)));
        }
    }

    /// The regions of patterns, held against every text of a small alphabet, and the walk against the evaluator.
    #[test]
    fn regions_are_all_and_no_others(
        patterns in prop::collection::vec("[ab*?]{0,4}|[ab:*?]{0,10}|[ab*]{0,2}(:[ab*?]{0,2}){5}", 1..4),
        texts in prop::collection::vec("[abc]{0,6}|[abc:]{0,9}|[abc]{0,2}(:[abc:]{0,3}){5}", 100),
        reading in prop::sample::select(vec![Reading::Plain, Reading::Wild, Reading::Resource, Reading::Arn]),
    ) {
        let patterns: Vec<Pattern> = patterns.iter().map(|text| Pattern::new(text, reading, Version::V2012)).collect();
        let globs = Globs::new(&patterns.iter().map(|pattern| Glob::new(pattern, false)).collect::<Vec<_>>(), Shape::Text);
        let (regions, whole) = globs.regions([].into_iter(), 1_000_000);
        prop_assert!(whole);
        let facts = Facts::complete();
        let holds = |at: &usize, text: &str| patterns[*at].matches(text, &facts) == crate::policy::eval::Truth::Yes;
        let of = |text: &str| Bits::of(patterns.len(), (0..patterns.len()).filter(|at| holds(at, text)));
        for region in &regions {
            prop_assert_eq!(&region.bits, &of(&region.example), "{}", region.example);
        }
        for text in texts {
            prop_assert_eq!(&globs.run(&text).0, &of(&text), "{}", text);
            prop_assert!(regions.iter().any(|region| region.bits == of(&text)), "{}", text);
        }
    }
}
