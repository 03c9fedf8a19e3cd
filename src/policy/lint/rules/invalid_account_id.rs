//! Ids of accounts and organizations that none can have.

use crate::policy::condition::Family;
use crate::policy::lint::subject::{Subject, Word};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::template;

pub(super) const RULE: Rule = Rule {
    id: "invalid-account-id",
    severity: Severity::Error,
    summary: "an id of an account or organization that none can have",
    explanation: "An account id has twelve digits, an organization's id is `o-` with 10 to 32 letters and digits. YAML and \
        spreadsheets drop leading zeros, and an ARN or a name in the place of an id matches nothing. Source: Organizations API \
        reference; IAM user guide, \"AWS account identifiers\".",
    check,
    bad: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceAccount": 11122223333}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceOrgID": "r-abcd"}}}"#,
        ),
        Sample::Scp(r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::11122223333:role/a"}"#),
    ],
    good: &[
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringNotEquals": {"aws:ResourceAccount": ["111122223333", "${aws:PrincipalAccount}"]}}}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "iam:*", "Resource": ["arn:aws:iam::*:role/a", "arn:aws:iam::aws:policy/b", "arn:aws:iam::${aws:PrincipalAccount}:role/c"]}"#,
        ),
    ],
};

const ACCOUNTS: [&str; 4] = ["aws:PrincipalAccount", "aws:ResourceAccount", "aws:SourceAccount", "aws:VpceAccount"];
const ORGANIZATIONS: [&str; 4] = ["aws:PrincipalOrgID", "aws:ResourceOrgID", "aws:SourceOrgID", "aws:VpceOrgID"];

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

fn is_organization(text: &str) -> bool {
    let id = text.strip_prefix("o-").unwrap_or_default();
    (10..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

/// Text that is looked at: no variable, no wildcard, and no placeholder (`o-xxxxxxxxxx` passes as an id).
fn is_plain(word: &Word<'_>) -> bool {
    !word.text.contains(['*', '?', '$']) && template::find(&word.text, true).is_none()
}

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (_, clause) in subject.clauses().filter(|(_, clause)| clause.operator.test.family() == Family::Text) {
        let (sound, expected): (fn(&str) -> bool, &str) = if ACCOUNTS.iter().any(|key| clause.is_of(key)) {
            (|text| is_account(text) || text == "anonymous", "an account id has twelve digits")
        } else if ORGANIZATIONS.iter().any(|key| clause.is_of(key)) {
            (is_organization, "an organization's id is `o-` with 10 to 32 lowercase letters and digits")
        } else {
            continue;
        };
        for word in clause.values.iter().filter(|word| is_plain(word) && !sound(&word.text)) {
            told.push(told.at(&word.spot, format!("`{}` matches nothing: {expected}", word.text)));
        }
    }
    for statement in &subject.statements {
        let arns = statement.clauses.iter().filter(|c| c.operator.test.family() == Family::Arn).flat_map(|c| &c.values);
        for word in statement.resources.iter().chain(arns) {
            let Some(account) = word.text.split(':').nth(4) else { continue };
            let digits = !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit());
            if digits && !is_account(account) {
                let message =
                    format!("`{}` matches nothing: the account id `{account}` has not twelve digits", word.text);
                told.push(told.at(&word.spot, message));
            }
        }
    }
}
