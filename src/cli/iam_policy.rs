//! `bylaw iam-policy`: what bylaw's own roles may do, as JSON to paste or pipe.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use crate::api::organization::Partition;
use crate::aws::iam::{self, Narrow, Policy};
use crate::names::{AccountId, NameError, PolicyType};

/// Prints the IAM policy of one of bylaw's roles.
#[derive(Debug, Clone, Args)]
pub struct IamPolicy {
    /// Which document. A single role for everything carries `management` and `policy`.
    #[arg(value_enum)]
    pub document: Document,
    /// Only what `plan` and `mode: Observe` need.
    #[arg(long)]
    pub read_only: bool,
    /// Only policies of this type, as AWS spells it; may be repeated.
    #[arg(long = "policy-type", value_name = "TYPE")]
    pub policy_types: Vec<String>,
    /// Only this service principal (`ram.amazonaws.com`) for trusted access and delegated administrators; may be repeated.
    #[arg(long = "service", value_name = "PRINCIPAL")]
    pub services: Vec<String>,
    /// Queue of `events.queueUrl`, as its ARN; the management role reads it.
    #[arg(long, value_name = "ARN", value_parser = queue)]
    pub queue: Option<String>,
    /// Account of the policy role, for `delegation`.
    #[arg(long, value_name = "ACCOUNT", value_parser = account, required_if_eq("document", "delegation"))]
    pub account: Option<AccountId>,
    /// AWS partition of the ARNs.
    #[arg(long, default_value = "aws", value_parser = partition)]
    pub partition: Partition,
}

/// The documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// Role in the management account: OUs, accounts, contacts, trusted services (`access.managementRoleArn`).
    Management,
    /// Role that reads, and writes policies, attachments and tags (`access.policyRoleArn`).
    Policy,
    /// Delegation policy of the organization, for a policy role outside the management account.
    Delegation,
}

fn account(text: &str) -> Result<AccountId, NameError> {
    text.parse()
}

fn queue(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        ["arn", _, "sqs", region, account, name]
            if !region.is_empty() && !name.is_empty() && account.parse::<AccountId>().is_ok() =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected the ARN of a queue (`arn:aws:sqs:us-east-1:111122223333:bylaw-events`)".to_owned()),
    }
}

pub(super) fn partition(text: &str) -> Result<Partition, String> {
    let all = [Partition::Aws, Partition::AwsCn, Partition::AwsUsGov];
    let found = all.into_iter().find(|partition| partition.as_str() == text);
    found.ok_or_else(|| "expected `aws`, `aws-cn` or `aws-us-gov`".to_owned())
}

/// Prints the document.
///
/// # Errors
/// What the writer says; a delegation without an account.
pub fn run(out: &mut dyn Write, asked: &IamPolicy) -> io::Result<()> {
    writeln!(out, "{}", render(asked)?.to_json())
}

fn render(asked: &IamPolicy) -> io::Result<Policy> {
    let narrow = Narrow {
        partition: asked.partition,
        read_only: asked.read_only,
        policy_types: asked.policy_types.iter().map(|kind| PolicyType::new(kind)).collect(),
        services: asked.services.clone(),
        queue: asked.queue.clone(),
    };
    match (asked.document, &asked.account) {
        (Document::Management, _) => Ok(iam::management_role(&narrow)),
        (Document::Policy, _) => Ok(iam::policy_role(&narrow)),
        (Document::Delegation, Some(account)) => Ok(iam::delegation(&narrow, account)),
        (Document::Delegation, None) => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "`delegation` is for the policy role of a member account: name it with `--account`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bylaw {
        #[command(flatten)]
        command: IamPolicy,
    }

    fn told(arguments: &str) -> Result<String, String> {
        let arguments = std::iter::once("bylaw").chain(arguments.split_whitespace());
        let asked = Bylaw::try_parse_from(arguments).map_err(|error| error.to_string())?.command;
        let mut out = vec![];
        run(&mut out, &asked).map_err(|error| error.to_string())?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn each_document_is_json_on_one_command() {
        for arguments in [
            "management",
            "policy",
            "policy --read-only",
            "management --service ram.amazonaws.com",
            "management --queue arn:aws:sqs:us-east-1:012345678901:bylaw-events",
            "delegation --account 012345678901 --partition aws-us-gov --policy-type TAG_POLICY",
        ] {
            let text = told(arguments).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value["Version"], "2012-10-17", "{arguments}");
            assert!(text.starts_with("{\n  \"Version\"") && text.ends_with("}\n"), "{text}");
        }
        assert!(told("delegation --account 012345678901 --partition aws-us-gov").unwrap().contains("arn:aws-us-gov:"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(told("delegation").unwrap_err().contains("--account"));
        assert!(told("delegation --account 12").unwrap_err().contains("12 digits"));
        assert!(told("policy --partition aws-eu").unwrap_err().contains("`aws-cn`"));
        let url = "management --queue https://sqs.us-east-1.amazonaws.com/012345678901/bylaw-events";
        assert!(told(url).unwrap_err().contains("arn:aws:sqs"));
        assert!(told("everything").unwrap_err().contains("management"));
    }
}
