//! AWS services that may act on a resource for whoever asks them.

use crate::policy::lint::subject::{StatementAt, Subject};
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services::Level;
use crate::policy::statement::{Language, VPC_ENDPOINT_POLICY};

pub(super) const RULE: Rule = Rule {
    id: "confused-deputy",
    severity: Severity::Warning,
    summary: "a resource policy that lets an AWS service act for any account",
    explanation: "A service principal (`sns.amazonaws.com`) is the service as all accounts of AWS use it: somebody else can point \
        their topic, trail or bucket at this resource, and the service acts on it for them. `aws:SourceArn`, `aws:SourceAccount`, \
        `aws:SourceOrgID` and `aws:SourceOrgPaths` say for whom it may act. Not told are trust policies of roles, which \
        `iam:PassRole` guards; EventBridge on topics of SNS, which takes no condition; and paths of logs that hold the account. Only reading is \
        a note. Source: IAM user guide, \"The confused deputy problem\".",
    check,
    bad: &[
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:111122223333:q"}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "arn:aws:s3:::logs/*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:111122223333:q", "Condition": {"StringEqualsIfExists": {"aws:SourceAccount": "111122223333"}}}"#,
        ),
    ],
    good: &[
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:111122223333:q", "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:eu-west-1:111122223333:t"}}}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish", "Resource": "arn:aws:sns:eu-west-1:111122223333:t"}"#,
        ),
        Sample::Resource(
            r#"{"Effect": "Deny", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": "*"}"#,
        ),
        Sample::Whole(
            VPC_ENDPOINT_POLICY,
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject", "Resource": "*"}]}"#,
        ),
    ],
};

fn check(subject: &Subject<'_>, told: &mut Told) {
    if subject.language != Language::Resource || subject.kind().as_str() == VPC_ENDPOINT_POLICY {
        return;
    }
    for statement in subject.statements.iter().filter(|s| !s.denies() && !s.not_principal && !narrowed(s)) {
        let of_service = |prefix: &str| {
            let begins =
                |text: &str| text.split_once(':').is_some_and(|(service, _)| service.eq_ignore_ascii_case(prefix));
            !statement.not_action && statement.actions.iter().all(|action| begins(&action.word.text))
        };
        if of_service("sts") {
            continue;
        }
        let reads = |level: Level| matches!(level, Level::Read | Level::List);
        let only_reads = statement
            .actions
            .iter()
            .all(|word| !word.actions().is_empty() && word.actions().iter().all(|action| reads(action.level())));
        for (_, word) in statement.principals.iter().filter(|(kind, _)| *kind == "Service") {
            if word.text.eq_ignore_ascii_case("events.amazonaws.com") && of_service("sns") {
                continue;
            }
            let message = format!("`{}` may do this for any account of AWS", word.text);
            let help = "test `aws:SourceArn`, `aws:SourceAccount` or `aws:SourceOrgID`";
            let severity = if only_reads && !statement.not_action { Severity::Info } else { Severity::Warning };
            told.push(told.at(&word.spot, message).help(help).severity(severity));
        }
    }
}

/// Whether something says for whom. Keys of services other than S3's (`kms:EncryptionContext:…`) mostly do.
fn narrowed(statement: &StatementAt<'_>) -> bool {
    let says = |key: &str| {
        let key = key.to_ascii_lowercase();
        key.starts_with("aws:source") || key == "aws:referer" || !(key.starts_with("aws:") || key.starts_with("s3:"))
    };
    statement.clauses.iter().any(|clause| !clause.when_absent() && says(&clause.key.text))
        || (!statement.not_resource && statement.resources.iter().all(|word| holds_account(&word.text)))
}

/// `…/AWSLogs/111122223333/…`: services write logs below the account that they are of.
fn holds_account(resource: &str) -> bool {
    let Some((_, rest)) = resource.split_once("AWSLogs/") else { return false };
    let id = rest.split('/').next().unwrap_or_default();
    id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())
}
