//! Any policy and any request: nothing panics, a decision is that of its walk, and the order of statements and the
//! spelling of the policy change nothing.
//!
//! The first line is the request: action, resource and condition keys (`key=value,value`, `key=` absent, `key?` unknown),
//! with tabs between; the rest is the policy. Its first byte says of which type.

#![no_main]

use bylaw::names::PolicyType;
use bylaw::policy::Document;
use bylaw::policy::document::Content;
use bylaw::policy::eval::{Action, Caller, Compiled, Facts, Ladder, Layers, Request};
use bylaw::policy::statement::Policy;
use libfuzzer_sys::fuzz_target;

const KINDS: [&str; 3] = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "DELEGATION_POLICY"];

fn read(kind: &PolicyType, text: &str) -> Option<(Document, Policy)> {
    let (document, _) = Document::parse(kind, text).ok()?;
    let Content::Statements(policy) = document.content().clone() else { return None };
    Some((document, policy))
}

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Some((line, text)) = std::str::from_utf8(rest).ok().and_then(|text| text.split_once('\n')) else { return };
    let mut words = line.split('\t');
    let Some(action) = words.next().and_then(Action::parse) else { return };
    let resource = words.next().filter(|resource| !resource.is_empty());
    let mut facts = if first & 0x80 == 0 { Facts::complete() } else { Facts::unknown() };
    for word in words {
        match (word.split_once('='), word.strip_suffix('?')) {
            (Some((key, "")), _) => facts.set_absent(key),
            (Some((key, values)), _) => facts.set(key, values.split(',')),
            (None, Some(key)) => facts.set_unknown(key),
            (None, None) => facts.set_one(word, word),
        }
    }
    let kind = PolicyType::new(KINDS[usize::from(*first) % KINDS.len()]);
    let Some((document, policy)) = read(&kind, text) else { return };
    let (_, again) = read(&kind, document.minified()).expect("what is sent can be read");
    let turned = Policy { statements: policy.statements.iter().rev().cloned().collect(), ..policy.clone() };
    let forms = [&policy, &turned, &again].map(Compiled::new);
    let (arn, session) = ("arn:aws:iam::111122223333:role/a", "arn:aws:sts::111122223333:assumed-role/a/b");
    let callers = [
        None,
        Some(Caller::Role { account: "111122223333", arn, session: Some(session) }),
        Some(Caller::Root { account: "111122223333" }),
        Some(Caller::Service("cloudtrail.amazonaws.com")),
        Some(Caller::Anonymous),
    ];
    for caller in callers {
        let request = Request { action: &action, resource, facts: &facts, caller };
        let [decision, of_turned, of_again] = forms.each_ref().map(|compiled| {
            let ladder = Ladder::new([[compiled]]);
            let decision = ladder.decide(&request);
            assert_eq!(decision, ladder.walk(&request).decision);
            assert_eq!(ladder.denied_by(&request), ladder.walk(&request).denied_by());
            // Twice the same policy, and another node with it, is no other way.
            assert_eq!(decision, Ladder::new([[compiled, compiled], [compiled, compiled]]).decide(&request));
            let layers = Layers { resource: Some(&ladder), boundary: Some(&ladder), ..Layers::default() };
            assert_eq!(layers.decide(&request), layers.walk(&request).decision);
            decision
        });
        assert_eq!(decision, of_turned);
        assert_eq!(decision, of_again);
    }
});
