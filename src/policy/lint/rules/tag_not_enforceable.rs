//! Resource types that a tag policy cannot enforce.

use super::tag_policy::tags;
use crate::policy::lint::subject::Subject;
use crate::policy::lint::{Rule, Sample, Severity, Told};
use crate::policy::services;

pub(super) const RULE: Rule = Rule {
    id: "tag-not-enforceable",
    severity: Severity::Error,
    summary: "`enforced_for` with a resource type that cannot be enforced",
    explanation: "`enforced_for` takes `service:type` or `service:ALL_SUPPORTED` (`service:*` on older pages), of the services that \
        support enforcement; there is no wildcard over services. SageMaker's endpoints, models, notebook instances, domains and others can only be reported, \
        and there is no `sagemaker:ALL_SUPPORTED`. To force a tag on them, write an SCP: Deny the creation with `Null: \
        {aws:RequestTag/KEY: true}`. Source: Organizations user guide, \"Services and resource types that support enforcement\".",
    check,
    bad: &[
        Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"enforced_for": {"@@assign": ["sagemaker:endpoint"]}}}}"#),
        Sample::Whole("TAG_POLICY", r#"{"tags": {"team": {"enforced_for": {"@@assign": ["*"]}}}}"#),
        Sample::Whole(
            "TAG_POLICY",
            r#"{"tags": {"team": {"enforced_for": {"@@assign": ["sagemaker:ALL_SUPPORTED"]}}}}"#,
        ),
    ],
    good: &[
        Sample::Whole(
            "TAG_POLICY",
            r#"{"tags": {"team": {"enforced_for": {"@@assign": ["sagemaker:training-job", "ec2:ALL_SUPPORTED", "s3:bucket"]}}}}"#,
        ),
        Sample::Whole(
            "TAG_POLICY",
            r#"{"tags": {"team": {"report_required_tag_for": {"@@assign": ["sagemaker:endpoint"]}}}}"#,
        ),
    ],
};

/// Types that are not enforceable, of those whose services are documented (Organizations user guide, "Services and resource
/// types that support enforcement").
const NOT: [&str; 16] = [
    "sagemaker:*",
    "sagemaker:ALL_SUPPORTED",
    "sagemaker:endpoint",
    "sagemaker:endpoint-config",
    "sagemaker:model",
    "sagemaker:notebook-instance",
    "sagemaker:domain",
    "sagemaker:user-profile",
    "sagemaker:app",
    "sagemaker:space",
    "sagemaker:feature-group",
    "sagemaker:transform-job",
    "sagemaker:hyper-parameter-tuning-job",
    "sagemaker:automl-job",
    "rds:db",
    "rds:cluster",
];

fn check(subject: &Subject<'_>, told: &mut Told) {
    for tag in tags(subject) {
        for (value, spot) in tag.values("enforced_for") {
            let help =
                "to force the tag, deny the creation without it by an SCP: `Null: {aws:RequestTag/KEY: \"true\"}`";
            let finding = match value.split_once(':') {
                Some((service, kind)) if !service.is_empty() && !kind.is_empty() && !service.contains('*') => {
                    if NOT.iter().any(|not| not.eq_ignore_ascii_case(value)) {
                        told.at(&spot, format!("`{value}` cannot be enforced, only reported")).help(help)
                    } else if kind == "*" {
                        let message = format!(
                            "`{value}` is the older way to name every type of the service that can be enforced"
                        );
                        let help = format!("AWS writes `{service}:ALL_SUPPORTED` today; not every service has either");
                        told.at(&spot, message).help(help).severity(Severity::Info)
                    } else if services::service(service).is_none() {
                        told.at(&spot, format!("no service has the prefix `{service}`")).severity(Severity::Warning)
                    } else {
                        continue;
                    }
                }
                _ => told
                    .at(&spot, format!("`{value}` is no resource type"))
                    .help("write `service:type` or `service:ALL_SUPPORTED`"),
            };
            told.push(finding);
        }
    }
}
