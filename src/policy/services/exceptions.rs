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

/// The alias of a KMS key by the ARN of that (`alias/app` of `arn:aws:kms:eu-west-1:111122223333:alias/app`). Policies are held against
/// the ARN of the key and not of its alias (AWS KMS developer guide, "Use aliases to control access to KMS keys").
#[must_use]
pub fn key_alias(resource: &str) -> Option<&str> {
    let mut parts = resource.splitn(6, ':').skip(2);
    let is_kms = parts.next() == Some("kms");
    parts.nth(2).filter(|name| is_kms && name.starts_with("alias/"))
}

/// Whether a KMS key of that alias is one that AWS manages: RCPs do not bind these (AWS KMS developer guide, "Resource control
/// policies in AWS KMS").
#[must_use]
pub fn is_of_aws_managed_key(alias: &str) -> bool {
    alias.starts_with("alias/aws/")
}

/// Why an RCP does not bind a key that AWS manages, for people.
pub const AWS_MANAGED_KEY: &str = "AWS manages this key, and RCPs do not bind it";

/// What the context of a request for a key that AWS manages holds besides its alias: such keys are symmetric, of one region, and made
/// by AWS KMS (AWS KMS developer guide, "AWS managed keys", "Multi-Region keys").
pub const OF_AWS_MANAGED_KEYS: &[(&str, &str)] = &[
    ("kms:KeyOrigin", "AWS_KMS"),
    ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
    ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
    ("kms:MultiRegion", "false"),
];

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
    }

    #[test]
    fn aliases_of_keys_are_told_from_keys_and_those_that_aws_manages_from_others() {
        let alias = |resource: &'static str| key_alias(resource).map(|alias| (alias, is_of_aws_managed_key(alias)));
        assert_eq!(alias("arn:aws:kms:eu-west-1:111122223333:alias/aws/s3"), Some(("alias/aws/s3", true)));
        assert_eq!(alias("arn:aws:kms:eu-west-1:111122223333:alias/mine"), Some(("alias/mine", false)));
        assert_eq!(alias("arn:aws:kms:eu-west-1:111122223333:key/1234abcd"), None);
        assert_eq!(alias("arn:aws:s3:::alias/aws/s3"), None);
        for (key, _) in OF_AWS_MANAGED_KEYS {
            assert!(crate::policy::services::key(key).is_some(), "{key}");
        }
    }
}
