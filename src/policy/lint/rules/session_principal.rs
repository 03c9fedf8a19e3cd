//! Sessions where AWS knows the role.

use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};

pub(super) const RULE: Rule = Rule {
    id: "session-principal",
    severity: Severity::Error,
    summary: "the ARN of a role's session in `aws:PrincipalArn`, which holds the role",
    explanation: "`aws:PrincipalArn` of a session is the ARN of its role (`arn:aws:iam::…:role/NAME`, with its path), never that \
        of the session (`arn:aws:sts::…:assumed-role/NAME/SESSION`), which CloudTrail and `aws sts get-caller-identity` show. A \
        Deny that exempts the session exempts nobody. Source: IAM user guide, \"AWS global condition context keys\", \
        aws:PrincipalArn.",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:sts::*:assumed-role/admin/*"}}}"#,
    )],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/admin"}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    for (_, clause) in subject.clauses().filter(|(_, clause)| clause.is_of("aws:PrincipalArn")) {
        for word in &clause.values {
            let Some((account, name)) = session(&word.text) else { continue };
            let message = format!("`{}` never matches: the key holds the role's ARN, not the session's", word.text);
            told.push(
                told.at(&word.spot, message)
                    .help(format!("write `arn:aws:iam::{account}:role/{name}`, with the role's path")),
            );
        }
    }
}

/// Account and role of a session's ARN.
fn session(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (account, resource) = (parts.next()?, parts.next()?);
    let name = resource.strip_prefix("assumed-role/")?.split('/').next()?;
    Some((account, name))
}
