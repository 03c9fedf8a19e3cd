//! Policy variables that stay text.

use crate::policy::condition::Family;
use crate::policy::lint::subject::{Subject, Word};
use crate::policy::lint::{Fix, Rule, Sample, Severity, Told};
use crate::policy::statement::Version;
use crate::policy::template;

pub(super) const RULE: Rule = Rule {
    id: "variable-is-text",
    severity: Severity::Error,
    summary: "a policy variable where AWS reads plain text",
    explanation: "`${aws:username}` is a variable only in version 2012-10-17, and only in `Resource` and in String and ARN \
        operators. In a document without `Version`, or with numeric, date, boolean, binary and IP address operators, it is text \
        that no value equals. Source: IAM user guide, \"IAM policy elements: Variables and tags\".",
    check,
    bad: &[
        Sample::Whole(
            "IDENTITY_POLICY",
            r#"{"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*"}]}"#,
        ),
        Sample::Scp(
            r#"{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"NumericLessThan": {"s3:max-keys": "${aws:PrincipalTag/keys}"}}}"#,
        ),
    ],
    good: &[Sample::Identity(
        r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*", "Condition": {"StringEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}}}"#,
    )],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    // What names no condition key is a placeholder, and told as that.
    let is_variable = |word: &Word<'_>| word.text.contains("${") && template::find(&word.text, true).is_none();
    if subject.version == Version::V2008 {
        let version = crate::policy::lint::subject::member(subject.node, "Version");
        for statement in &subject.statements {
            let values = statement.clauses.iter().flat_map(|clause| &clause.values);
            for word in statement.resources.iter().chain(values).filter(|word| is_variable(word)) {
                let message = format!("`{}` is plain text in the language of 2008, and matches nothing", word.text);
                let mut finding = told.at(&word.spot, message).help("write `\"Version\": \"2012-10-17\"`");
                if let Some(version) = version {
                    let what = "`Version` becomes `2012-10-17`";
                    finding = finding.fix(Fix::string(what, version.node.place, "2012-10-17"));
                }
                told.push(finding);
            }
        }
        return;
    }
    for (_, clause) in subject.clauses() {
        if matches!(clause.operator.test.family(), Family::Text | Family::Arn) {
            continue;
        }
        for word in clause.values.iter().filter(|word| is_variable(word)) {
            let message = format!("`{}` takes no variables: `{}` is plain text there", clause.block.text, word.text);
            told.push(
                told.at(&word.spot, message).help("variables stand in `Resource`, and in String and ARN operators"),
            );
        }
    }
}
