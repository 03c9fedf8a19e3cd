//! Who asks, by the ARN that AWS writes in errors and events, and what that ARN tells of the condition keys.
//!
//! Source: IAM user guide, "IAM identifiers", "AWS JSON policy elements: Principal" and "AWS global condition context keys"
//! (principal keys, with when a request carries each).

use crate::policy::eval::{Caller, Facts};

/// A principal by its ARN, or by what stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `None` for who is of no account.
    account: Option<String>,
    /// The root's, user's, role's or federated user's ARN, as `aws:PrincipalArn` has it; else the name.
    arn: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Root,
    User {
        name: String,
    },
    Role {
        session: Option<String>,
        service_linked: bool,
        path: Path,
    },
    Federated,
    /// An AWS service that calls by its own name.
    Service,
    /// Whoever an identity provider vouches for, in the call that assumes a role; with the provider's account.
    Provided {
        account: String,
    },
    /// Who does not sign.
    Anonymous,
}

/// The path of a role, which stands in its own ARN and not in those of its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// The ARN tells it.
    Told,
    /// The ARN is a session's: the role may have one.
    Perhaps,
    /// The role has one for sure, and the ARN lacks it.
    Lacking,
}

/// How the roles begin that IAM Identity Center makes. They stand below `aws-reserved/sso.amazonaws.com/`, some with their
/// Region (Identity Center user guide, "Referencing permission sets in resource policies").
const OF_IDENTITY_CENTER: &str = "AWSReservedSSO_";

/// What a principal has to look like.
const EXPECTED: &str = "expected the ARN of a user, a role, an assumed role or an account's root, such as \
                        `arn:aws:iam::111122223333:role/app`; of a SAML or OIDC provider; an AWS service, such as \
                        `delivery.logs.amazonaws.com`; or `anonymous`";

impl Principal {
    /// Reads `arn:aws:iam::…:role/…`, `:user/…`, `:root`, and `arn:aws:sts::…:assumed-role/Role/session` or
    /// `:federated-user/…`; `arn:aws:iam::…:oidc-provider/…` and `:saml-provider/…` for whoever that provider vouches for; the
    /// name of an AWS service (`delivery.logs.amazonaws.com`); `anonymous`. The path of a role is not in the ARN of its session.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(arn: &str) -> Result<Self, String> {
        if arn == "anonymous" {
            return Ok(Self { account: None, arn: arn.to_owned(), kind: Kind::Anonymous });
        }
        if is_service(arn) {
            return Ok(Self { account: None, arn: arn.to_owned(), kind: Kind::Service });
        }
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
        let made = |arn: String, kind| Ok(Self { account: Some((*account).to_owned()), arn, kind });
        match (*service, rest.split_once('/')) {
            ("iam", None) if *rest == "root" => made(arn.to_owned(), Kind::Root),
            ("iam", Some(("oidc-provider" | "saml-provider", name))) if !name.is_empty() => {
                let kind = Kind::Provided { account: (*account).to_owned() };
                Ok(Self { account: None, arn: arn.to_owned(), kind })
            }
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
                let path = if role.starts_with(OF_IDENTITY_CENTER) { Path::Lacking } else { Path::Perhaps };
                let arn = format!("arn:{partition}:iam::{account}:role/{role}");
                made(arn, Kind::Role { session, service_linked, path })
            }
            // Its ARN is what `aws:PrincipalArn` has; the user that asked for it is not told.
            ("sts", Some(("federated-user", name))) if !name.is_empty() => made(arn.to_owned(), Kind::Federated),
            _ => Err(format!("`{arn}` is no principal; {EXPECTED}")),
        }
    }

    /// Its account; `None` for who is of none: AWS services, whoever an identity provider vouches for, and who does not sign.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The account in which it asks, where its ARN tells that: its own, or that of the identity provider.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match &self.kind {
            Kind::Provided { account } => Some(account),
            _ => self.account(),
        }
    }

    /// The ARN that `aws:PrincipalArn` has; of a session of Identity Center without the role's path. What stands for it, of who has none.
    #[must_use]
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// Whether it is a service-linked role, which neither SCPs nor RCPs bind (aws-facts section 3).
    #[must_use]
    pub fn is_service_linked(&self) -> bool {
        matches!(self.kind, Kind::Role { service_linked: true, .. })
    }

    /// As resource policies are compared with it; `None` for whoever an identity provider vouches for.
    #[must_use]
    pub fn caller(&self) -> Option<Caller<'_>> {
        let arn = self.arn.as_str();
        Some(match (&self.kind, self.account()) {
            (Kind::Root, Some(account)) => Caller::Root { account },
            (Kind::User { .. }, Some(account)) => Caller::User { account, arn },
            (Kind::Role { session, .. }, Some(account)) => Caller::Role { account, arn, session: session.as_deref() },
            (Kind::Federated, Some(account)) => Caller::Federated { account, user: arn, session: arn },
            (Kind::Service, _) => Caller::Service(arn),
            (Kind::Anonymous, _) => Caller::Anonymous,
            _ => return None,
        })
    }

    /// Tells the condition keys that follow from it.
    pub fn tell(&self, facts: &mut Facts) {
        let Some(account) = self.account() else { return self.tell_of_none(facts) };
        match self.kind {
            Kind::Role { path: Path::Lacking, .. } => {}
            Kind::Role { path: Path::Perhaps, .. } => {
                let of_path = self.arn.replacen(":role/", ":role/*/", 1);
                facts.set_or_like("aws:PrincipalArn", self.arn.as_str(), of_path);
            }
            _ => facts.set_one("aws:PrincipalArn", self.arn.as_str()),
        }
        facts.set_one("aws:PrincipalAccount", account);
        facts.set_one("aws:PrincipalIsAWSService", "false");
        facts.set_absent("aws:PrincipalServiceName");
        facts.set_absent("aws:PrincipalServiceNamesList");
        if let Kind::User { name } = &self.kind {
            facts.set_one("aws:username", name.as_str());
        } else {
            facts.set_absent("aws:username");
        }
        let kind = match &self.kind {
            Kind::Root => "Account",
            Kind::User { .. } => "User",
            Kind::Federated => "FederatedUser",
            _ => "AssumedRole",
        };
        facts.set_one("aws:PrincipalType", kind);
    }

    /// The same of who is of no account. AWS does not say which of the other principal keys their requests carry.
    fn tell_of_none(&self, facts: &mut Facts) {
        for key in ["aws:PrincipalOrgID", "aws:PrincipalOrgPaths", "aws:username"] {
            facts.set_absent(key);
        }
        if self.kind == Kind::Service {
            facts.set_one("aws:PrincipalIsAWSService", "true");
            facts.set_one("aws:PrincipalServiceName", self.arn.as_str());
            return;
        }
        // Requests that are not signed with credentials of AWS.
        for key in [
            "aws:PrincipalArn",
            "aws:PrincipalIsAWSService",
            "aws:PrincipalServiceName",
            "aws:PrincipalServiceNamesList",
        ] {
            facts.set_absent(key);
        }
        if self.kind == Kind::Anonymous {
            facts.set_one("aws:PrincipalType", "Anonymous");
            facts.set_one("aws:PrincipalAccount", "anonymous");
        }
    }
}

/// Whether a text is the name of an AWS service as principals have it.
fn is_service(text: &str) -> bool {
    let named = |stem: &str| {
        !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
    };
    [".amazonaws.com", ".amazonaws.com.cn"].iter().any(|end| text.strip_suffix(end).is_some_and(named))
}
