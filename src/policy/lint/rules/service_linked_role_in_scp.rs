//! Service-linked roles in service control policies, which do not bind them.

use crate::policy::condition::Family;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::statement::Language;

pub(super) const RULE: Rule = Rule {
    id: "service-linked-role-in-scp",
    severity: Severity::Error,
    summary: "a service control policy that is to bind service-linked roles",
    explanation: "Neither SCPs nor RCPs bind service-linked roles (`arn:aws:iam::…:role/aws-service-role/…`), whatever they say. A \
        Deny that speaks of them alone never denies; an Auto Scaling group launches through its service-linked role whatever an \
        SCP says of RunInstances. To exempt them is needless and does no harm. Source: Organizations user guide, \"SCP effects \
        on permissions\".",
    check,
    bad: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/aws-service-role/*"}}}"#,
    )],
    good: &[Sample::Scp(
        r#"{"Effect": "Deny", "Action": "iam:DeleteRole", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/aws-service-role/*"}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if !matches!(subject.language, Language::ServiceControl | Language::ResourceControl) {
        return;
    }
    for (statement, clause) in subject.clauses() {
        let test = clause.operator.test;
        let positive =
            !test.negated() && matches!(test.family(), Family::Text | Family::Arn) && !clause.operator.if_exists;
        let linked = |text: &str| text.contains(":role/aws-service-role/");
        if statement.denies()
            && positive
            && clause.is_of("aws:PrincipalArn")
            && clause.values.iter().all(|w| linked(&w.text))
        {
            let message = "this statement never denies: service-linked roles are not bound by it";
            let help = "bind what makes the service act: the call that creates the group, the trail, the recorder";
            told.push(told.at(&clause.key.spot, message).help(help));
        }
    }
}
