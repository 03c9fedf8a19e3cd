//! Actions and resources that another one of the same list holds.

use super::some_of;
use crate::policy::lint::subject::{Subject, Word};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::pattern;

pub(super) const RULE: Rule = Rule {
    id: "redundant-value",
    severity: Severity::Info,
    summary: "an action or resource that a wider one of the same list holds",
    explanation: "Beside `s3:*`, `s3:GetObject` adds nothing: it costs characters, and whoever takes it out later believes that \
        something changed. Source: Access Analyzer checks \"Redundant action\" and \"Redundant resource\".",
    check,
    bad: &[
        Sample::Scp(r#"{"Effect": "Deny", "Action": ["s3:*", "s3:GetObject"], "Resource": "*"}"#),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "s3:*", "Resource": ["arn:aws:s3:::a*", "arn:aws:s3:::ab"]}"#),
    ],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": ["s3:Get*", "s3:PutObject"], "Resource": ["arn:aws:s3:::a", "arn:aws:s3:::a/*"]}"#,
    )],
};

/// Longer lists are not looked through.
const MOST: usize = 300;

fn check(subject: &Subject<'_>, told: &mut Told) {
    for statement in &subject.statements {
        let actions: Vec<&Word<'_>> = statement.actions.iter().map(|action| &action.word).collect();
        let resources: Vec<&Word<'_>> = statement.resources.iter().collect();
        look(&actions, pattern::subsumes_in_any_case, told);
        look(&resources, pattern::subsumes_resource, told);
    }
}

fn look(words: &[&Word<'_>], holds: impl Fn(&str, &str) -> bool, told: &mut Told) {
    let wide: Vec<&&Word<'_>> = words.iter().filter(|word| word.text.contains(['*', '?'])).take(MOST).collect();
    let held = |narrow: &&&Word<'_>| {
        wide.iter()
            .any(|wide| !std::ptr::eq(**wide, **narrow) && wide.text != narrow.text && holds(&wide.text, &narrow.text))
    };
    let held: Vec<&&Word<'_>> = words.iter().take(MOST).filter(held).collect();
    // One note a list: the first place, all names.
    if let Some(first) = held.first() {
        let names = some_of(held.iter().map(|word| &*word.text));
        told.push(
            told.at(&first.spot, format!("{names}: a wider pattern of the list says the same"))
                .help("remove them, or the wider pattern"),
        );
    }
}
