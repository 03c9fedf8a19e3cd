//! A bounded run of what `fuzz/` does without end: no policy and no request make the evaluator panic, a decision is that
//! of its walk, and the order of statements and the spelling of the policy change nothing.

use super::*;

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
    /// A few pieces, one after the other.
    fn heap(&mut self, most: usize) -> String {
        (0..=self.below(most)).map(|_| self.pick(&PIECES)).collect()
    }
}

/// What patterns, ARNs, variables and values are made of.
const PIECES: [&str; 39] = [
    "a",
    "b",
    ":",
    "::",
    "/",
    "*",
    "**",
    "?",
    "${",
    "}",
    "${*}",
    "${?}",
    "${$}",
    "${aws:X}",
    "${aws:X, 'a'}",
    "${aws:Y,}",
    "${}",
    "arn:",
    "arn:aws:s3:::",
    "aws",
    "s3:",
    "s3",
    "Get",
    "é",
    "true",
    "False",
    "0",
    "1",
    "-1",
    "1.5",
    "1e9",
    "2026-01-31",
    "T10:00:00Z",
    "10.0.0.0",
    "/8",
    "2001:db8::",
    "/200",
    "=",
    "QQ==",
];

const OPERATORS: [&str; 12] = [
    "StringEquals",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericLessThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnLike",
    "ArnNotEquals",
];

fn statement(random: &mut Random, principals: bool) -> String {
    let mut text = format!(r#"{{"Effect": "{}""#, random.pick(&["Allow", "Deny"]));
    let action = random.pick(&["s3:*", "*", "s3:Get*", "S3:getobject", "s3:?et*", "ec2:*"]);
    text += &format!(r#", "{}": "{action}""#, random.pick(&["Action", "Action", "NotAction"]));
    let resource = match random.below(12) {
        0 => random.heap(6),
        1..5 => "*".to_owned(),
        _ => format!("arn:aws:s3:::{}", random.heap(4)),
    };
    text += &format!(r#", "{}": "{resource}""#, random.pick(&["Resource", "Resource", "NotResource"]));
    if principals {
        let principal = random.pick(&[
            r#""*""#,
            r#"{"AWS": "111122223333"}"#,
            r#"{"AWS": "arn:aws:sts::111122223333:assumed-role/a/b", "Service": "x.amazonaws.com"}"#,
        ]);
        text += &format!(r#", "{}": {principal}"#, random.pick(&["Principal", "NotPrincipal"]));
    }
    if random.below(3) > 0 {
        let set = random.pick(&["", "", "ForAllValues:", "ForAnyValue:"]);
        let operator = format!("{set}{}{}", random.pick(&OPERATORS), random.pick(&["", "IfExists"]));
        let key = random.pick(&["aws:X", "AWS:y", "aws:Z"]);
        text +=
            &format!(r#", "Condition": {{"{operator}": {{"{key}": ["{}", "{}"]}}}}"#, random.heap(5), random.heap(3));
    }
    text + "}"
}

/// Slips of a document: pieces put in, letters taken out.
fn slip(random: &mut Random, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for _ in 0..random.below(3) {
        let at = random.below(letters.len());
        if random.below(2) == 0 {
            letters.splice(at..at, random.pick(&PIECES).chars());
        } else {
            letters.remove(at);
        }
    }
    letters.into_iter().collect()
}

fn policy(kind: &str, text: &str) -> Option<(String, Policy)> {
    let (document, _) = Document::parse(&PolicyType::new(kind), text).ok()?;
    let Content::Statements(policy) = document.content().clone() else { return None };
    Some((document.minified().to_owned(), policy))
}

#[test]
fn no_policy_and_no_request_panics() {
    let mut random = Random(20_261_128);
    let (mut accepted, mut undecided) = (0, 0);
    for _ in 0..12_000 {
        let principals = random.below(3) == 0;
        let kind = if principals { DELEGATION_POLICY } else { "SERVICE_CONTROL_POLICY" };
        let statements: Vec<String> = (0..=random.below(4)).map(|_| statement(&mut random, principals)).collect();
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, statements.join(", "));
        let text = if random.below(4) == 0 { slip(&mut random, &text) } else { text };
        let Some((minified, own)) = policy(kind, &text) else { continue };
        accepted += 1;
        let mut facts = if random.below(4) == 0 { Facts::unknown() } else { Facts::complete() };
        for key in ["aws:X", "aws:Y", "aws:Z"] {
            match random.below(4) {
                0 => facts.set_unknown(key),
                1 => facts.set_absent(key),
                2 => facts.set_one(key, random.heap(4)),
                _ => facts.set(key, [random.heap(3), random.heap(3)]),
            }
        }
        let action = Action::parse(random.pick(&["s3:GetObject", "S3:PUT", "ec2:Run", "é:日"])).unwrap();
        let resource = match random.below(4) {
            0 => None,
            1 => Some("*".to_owned()),
            2 => Some(format!("arn:aws:s3:::{}", random.heap(4))),
            _ => Some(random.heap(6)),
        };
        let role = Caller::Role {
            account: "111122223333",
            arn: "arn:aws:iam::111122223333:role/a",
            session: Some("arn:aws:sts::111122223333:assumed-role/a/b"),
        };
        let caller =
            [None, Some(role), Some(Caller::Service("x.amazonaws.com")), Some(Caller::Anonymous)][random.below(4)];
        let request = Request { action: &action, resource: resource.as_deref(), facts: &facts, caller };
        let turned = Policy { statements: own.statements.iter().rev().cloned().collect(), ..own.clone() };
        let (_, again) = policy(kind, &minified).expect("what is sent can be read");
        let [decision, of_turned, of_again] = [&own, &turned, &again].map(|policy| {
            let compiled = Compiled::new(policy);
            let single = ladder(&[&[&compiled]]);
            let decision = single.decide(&request);
            assert_eq!(decision, single.walk(&request).decision, "{text} {request:?}");
            assert_eq!(single.denied_by(&request), single.walk(&request).denied_by(), "{text} {request:?}");
            let doubled = ladder(&[&[&compiled, &compiled], &[&compiled]]);
            assert_eq!(decision, doubled.decide(&request), "{text} {request:?}");
            let layers = Layers { resource: Some(&single), boundary: Some(&doubled), ..Layers::default() };
            assert_eq!(layers.decide(&request), layers.walk(&request).decision, "{text} {request:?}");
            decision
        });
        assert_eq!((decision, decision), (of_turned, of_again), "{text} {request:?}");
        undecided += usize::from(decision == Decision::Depends);
    }
    assert!(accepted > 6_000 && undecided > 300, "{accepted} policies, {undecided} undecided: the run proves little");
}
