//! The reference page on where records have condition keys.

use crate::trail::keys::of_fields;
use crate::trail::keys::places::{self, REASONS, Where};

const HEAD: &str = "<!-- Generated from src/trail/keys; do not edit. -->

# Condition keys in CloudTrail's records

What [`bylaw impact`](../impact.md) and `bylaw why EVENT` read of a record for each condition key. A key that a record does not tell is
unknown, never absent: where it makes a difference the call is between the bounds. \"Absent\" is said only where the record proves
it. A key that AWS's Service Authorization Reference lists neither for the action nor for the resource is absent from its requests.

What an [enriched event](https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-context-events.html) tells
(`eventContext`) goes before all of this. `aws:RequestTag/…` and `aws:TagKeys` are the tags among the request's parameters, each on the
resources of its `resourceType` where it has one; a launch template may set others, so that with one no tag is surely absent.
`aws:PrincipalTag/…` and `aws:ResourceTag/…` stand only in enriched events.
";

/// The page.
#[must_use]
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    out.push_str("\n## Fields\n\n| key | where |\n|---|---|\n");
    let mut fields: Vec<_> = of_fields().collect();
    fields.sort_by_key(|(key, _)| key.to_ascii_lowercase());
    for (key, place) in fields {
        out.push_str(&format!("| `{key}` | {place} |\n"));
    }
    out.push_str("| `ec2:CreateAction` | the call that sets the tags; absent of `CreateTags` itself |\n");
    out.push_str(
        "| `iam:PassedToService` | the service that the role is passed to, where its name is that of its actions |\n",
    );
    out.push_str("| `sagemaker:TaggingAction` | the call that sets the tags |\n");
    out.push_str("\n## Request parameters\n\n| key | actions | parameter | a call without it |\n|---|---|---|---|\n");
    for place in places::all() {
        let Where::Parameter { path, names, absent } = place.place else { continue };
        let actions: Vec<String> = place.actions.iter().map(|name| format!("`{name}`")).collect();
        let path = if names { format!("the names in `{path}`") } else { format!("`{path}`") };
        let without = if absent { "lacks the key" } else { "does not tell" };
        out.push_str(&format!("| `{}` | {} | {path} | {without} |\n", place.key, actions.join(", ")));
    }
    out.push_str("\n## Nowhere\n\nOf Amazon Bedrock, DynamoDB, EC2, IAM, KMS, Lambda, S3, SageMaker AI, Secrets Manager and STS, no record tells these, or no \
                  documentation says where.\n");
    for (reason, words) in REASONS {
        let of = |place: &&places::Place| place.place == Where::Nowhere(reason);
        let keys: Vec<String> = places::all().iter().filter(of).map(|place| format!("`{}`", place.key)).collect();
        out.push_str(&format!("\n- {words}: {}\n", keys.join(", ")));
    }
    out
}
