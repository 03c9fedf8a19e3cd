//! What policies of an organization do not bind though their statements name it.

use super::Action;

/// Which policies do not bind an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unbound {
    /// None do: every call is allowed, whatever denies it.
    ByAny,
    /// Resource control policies do not.
    ByResourceControl,
}

/// An action that AWS exempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    /// The action.
    pub action: &'static str,
    /// Which policies do not bind it.
    pub unbound: Unbound,
    /// Why, for people.
    pub why: &'static str,
    /// The AWS page that says so.
    pub source: &'static str,
}

/// Every action that AWS documents as exempt.
pub const EXCEPTIONS: &[Exception] = &[
    Exception {
        action: "kms:RetireGrant",
        unbound: Unbound::ByResourceControl,
        why: "RCPs do not bind kms:RetireGrant",
        source: "AWS KMS developer guide, \"Resource control policies in AWS KMS\"",
    },
    Exception {
        action: "sts:GetCallerIdentity",
        unbound: Unbound::ByAny,
        why: "sts:GetCallerIdentity needs no permission, and an explicit deny does not stop it",
        source: "AWS STS API reference, \"GetCallerIdentity\"",
    },
    Exception {
        action: "sts:GetSessionToken",
        unbound: Unbound::ByAny,
        why: "policies do not control sts:GetSessionToken, which authenticates",
        source: "IAM user guide, \"Permissions for GetSessionToken\"",
    },
];

/// The exception of an action by its name (`sts:GetCallerIdentity`), where there is one; case does not count.
#[must_use]
pub fn exception(action: &str) -> Option<&'static Exception> {
    EXCEPTIONS.iter().find(|exception| exception.action.eq_ignore_ascii_case(action))
}

/// Whether a resource is a KMS key that AWS manages, by its alias (`…:alias/aws/s3`): RCPs do not bind these (AWS KMS developer
/// guide, "Resource control policies in AWS KMS").
#[must_use]
pub fn is_aws_managed_key(resource: &str) -> bool {
    let mut parts = resource.splitn(6, ':').skip(2);
    parts.next() == Some("kms") && parts.nth(2).is_some_and(|name| name.starts_with("alias/aws/"))
}

/// Whether the resource's policy has to allow an action even to callers of its own account, as a KMS key's policy and a role's
/// trust policy do (IAM user guide, "Policy evaluation for requests within a single account").
#[must_use]
pub fn needs_resource_policy(name: &str) -> bool {
    const TRUST: &[&str] = &["sts:tagsession", "sts:setsourceidentity"];
    let lower = name.to_ascii_lowercase();
    // Not what is on no key, such as `kms:ListKeys`.
    let on_key = |action: Action| action.resources().any(|on| on.kind.name == "key");
    match lower.split_once(':') {
        Some(("kms", _)) => super::action(name).is_none_or(on_key),
        _ => lower.starts_with("sts:assumerole") || TRUST.contains(&&*lower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_is_of_an_action_that_aws_knows() {
        for exception in EXCEPTIONS {
            assert_eq!(crate::policy::services::action(exception.action).unwrap().to_string(), exception.action);
        }
        assert_eq!(exception("STS:getcalleridentity").unwrap().unbound, Unbound::ByAny);
        assert!(exception("s3:GetObject").is_none());
    }

    #[test]
    fn keys_and_roles_need_their_own_policies() {
        for needs in ["kms:Decrypt", "KMS:decrypt", "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:TagSession"] {
            assert!(needs_resource_policy(needs), "{needs}");
        }
        for not in ["kms:ListKeys", "kms:CreateKey", "s3:GetObject", "sts:GetCallerIdentity", "iam:PassRole"] {
            assert!(!needs_resource_policy(not), "{not}");
        }
        assert!(is_aws_managed_key("arn:aws:kms:eu-west-1:111122223333:alias/aws/s3"));
        assert!(!is_aws_managed_key("arn:aws:kms:eu-west-1:111122223333:alias/mine"));
        assert!(!is_aws_managed_key("arn:aws:s3:::alias/aws/s3"));
    }
}
