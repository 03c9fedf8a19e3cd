//! Who asks, by the ARN that AWS writes in errors and events, and what that ARN tells of the condition keys.
//!
//! Source: IAM user guide, "IAM identifiers" and "AWS global condition context keys" (principal keys).

use crate::policy::eval::{Caller, Facts};

/// A principal by its ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    account: String,
    /// The root's, user's, role's or federated user's ARN, as `aws:PrincipalArn` has it.
    arn: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Root,
    User { name: String },
    Role { session: Option<String>, service_linked: bool, path: Path },
    Federated,
}

/// The path of a role, which stands in its own ARN and not in those of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// The ARN tells it, or is taken for that of a role without one.
    Told,
    /// The role has one for sure, and the ARN lacks it.
    Lacking,
}

/// How the roles begin that IAM Identity Center makes. They stand below `aws-reserved/sso.amazonaws.com/`, some with their
/// Region (Identity Center user guide, "Referencing permission sets in resource policies").
const OF_IDENTITY_CENTER: &str = "AWSReservedSSO_";

/// What a principal has to look like.
const EXPECTED: &str = "expected the ARN of a user, a role, an assumed role or an account's root, such as \
                        `arn:aws:iam::111122223333:role/app`";

impl Principal {
    /// Reads `arn:aws:iam::…:role/…`, `:user/…`, `:root`, and `arn:aws:sts::…:assumed-role/Role/session` or
    /// `:federated-user/…`. The path of a role is not
    /// in the ARN of its session.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(arn: &str) -> Result<Self, String> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, partition, service, _, account, rest] = parts.as_slice() else {
            return Err(format!("`{arn}` is no principal; {EXPECTED}"));
        };
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) || !arn.starts_with("arn:") {
            return Err(format!("`{arn}` is no principal of an account; {EXPECTED}"));
        }
        // IAM API reference: names are of `[\w+=,.@-]`, and paths of printable ASCII.
        let named = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let (path, name) = rest.rsplit_once('/').unwrap_or(("", rest));
        let sane = !name.is_empty()
            && name.chars().all(named)
            && path.chars().all(|c| c.is_ascii_graphic() && !"*?".contains(c));
        if !sane || !(*partition == "aws" || partition.starts_with("aws-")) {
            return Err(format!("`{arn}` is no ARN of one principal; {EXPECTED}"));
        }
        let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        let made = |arn: String, kind| Ok(Self { account: (*account).to_owned(), arn, kind });
        match (*service, rest.split_once('/')) {
            ("iam", None) if *rest == "root" => made(arn.to_owned(), Kind::Root),
            ("iam", Some(("user", path))) if !path.is_empty() => made(arn.to_owned(), Kind::User { name: last(path) }),
            ("iam", Some(("role", path))) if !path.is_empty() => {
                let service_linked = path.starts_with("aws-service-role/");
                made(arn.to_owned(), Kind::Role { session: None, service_linked, path: Path::Told })
            }
            ("sts", Some(("assumed-role", tail))) => {
                let (role, session) = tail.split_once('/').unwrap_or((tail, ""));
                let session = (!session.is_empty()).then(|| arn.to_owned());
                // A service's own role has its name, and no other role may begin with it.
                let service_linked = role.starts_with("AWSServiceRoleFor");
                let path = if role.starts_with(OF_IDENTITY_CENTER) { Path::Lacking } else { Path::Told };
                let arn = format!("arn:{partition}:iam::{account}:role/{role}");
                made(arn, Kind::Role { session, service_linked, path })
            }
            // Its ARN is what `aws:PrincipalArn` has; the user that asked for it is not told.
            ("sts", Some(("federated-user", name))) if !name.is_empty() => made(arn.to_owned(), Kind::Federated),
            _ => Err(format!("`{arn}` is no principal; {EXPECTED}")),
        }
    }

    /// Its account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The ARN that `aws:PrincipalArn` has; of a session of Identity Center without the role's path.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Whether it is a service-linked role, which neither SCPs nor RCPs bind (aws-facts section 3).
    #[must_use]
    pub fn is_service_linked(&self) -> bool {
        matches!(self.kind, Kind::Role { service_linked: true, .. })
    }

    /// As resource policies are compared with it.
    #[must_use]
    pub fn caller(&self) -> Caller<'_> {
        let account = self.account.as_str();
        match &self.kind {
            Kind::Root => Caller::Root { account },
            Kind::User { .. } => Caller::User { account, arn: &self.arn },
            Kind::Role { session, .. } => Caller::Role { account, arn: &self.arn, session: session.as_deref() },
            Kind::Federated => Caller::Federated { account, user: &self.arn, session: &self.arn },
        }
    }

    /// Tells the condition keys that follow from the ARN.
    pub fn tell(&self, facts: &mut Facts) {
        if !matches!(self.kind, Kind::Role { path: Path::Lacking, .. }) {
            facts.set_one("aws:PrincipalArn", self.arn.as_str());
        }
        facts.set_one("aws:PrincipalAccount", self.account.as_str());
        facts.set_one("aws:PrincipalIsAWSService", "false");
        facts.set_absent("aws:PrincipalServiceName");
        facts.set_absent("aws:PrincipalServiceNamesList");
        let kind = match &self.kind {
            Kind::Root => {
                facts.set_absent("aws:username");
                "Account"
            }
            Kind::User { name } => {
                facts.set_one("aws:username", name.as_str());
                "User"
            }
            Kind::Role { .. } => {
                facts.set_absent("aws:username");
                "AssumedRole"
            }
            Kind::Federated => {
                facts.set_absent("aws:username");
                "FederatedUser"
            }
        };
        facts.set_one("aws:PrincipalType", kind);
    }
}
