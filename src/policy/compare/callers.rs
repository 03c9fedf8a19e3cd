//! Who can ask, as far as the principals of resource policies tell callers apart.

use super::glob::Bits;
use super::space::{Choice, Value};
use crate::policy::eval::{Action, Caller, Compiled, Decision, Facts, Ladder, Request};
use crate::policy::principal::account_of;
use crate::policy::statement::{Effect, Policy, PrincipalKind, Principals, Scope, Statement, Version};

/// A caller with its own texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    Root { account: String },
    User { account: String, arn: String },
    Role { account: String, arn: String, session: Option<String> },
    Federated { account: String, user: String, session: String },
    Service(String),
    Anonymous,
}

impl Known {
    pub(super) fn caller(&self) -> Caller<'_> {
        match self {
            Self::Root { account } => Caller::Root { account },
            Self::User { account, arn } => Caller::User { account, arn },
            Self::Role { account, arn, session } => Caller::Role { account, arn, session: session.as_deref() },
            Self::Federated { account, user, session } => Caller::Federated { account, user, session },
            Self::Service(name) => Caller::Service(name),
            Self::Anonymous => Caller::Anonymous,
        }
    }

    /// What its requests carry as `aws:PrincipalArn`.
    pub(super) fn principal_arn(&self) -> Option<String> {
        match self {
            Self::Root { account } => Some(format!("arn:aws:iam::{account}:root")),
            Self::User { arn, .. } | Self::Role { arn, .. } => Some(arn.clone()),
            Self::Federated { session, .. } => Some(session.clone()),
            Self::Service(_) | Self::Anonymous => None,
        }
    }

    /// Who has that ARN as `aws:PrincipalArn`, where it is a user's or a role's.
    pub(super) fn of_arn(arn: &str) -> Option<Self> {
        let (account, rest) = parts(arn)?;
        let account = account.to_owned();
        match rest.split_once('/')?.0 {
            "role" => Some(Self::Role { account, arn: arn.to_owned(), session: None }),
            "user" => Some(Self::User { account, arn: arn.to_owned() }),
            _ => None,
        }
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Root { account } => format!("the root user of {account}"),
            Self::User { arn, .. } => arn.clone(),
            Self::Role { arn, session, .. } => session.clone().unwrap_or_else(|| arn.clone()),
            Self::Federated { session, .. } => session.clone(),
            Self::Service(name) => name.clone(),
            Self::Anonymous => "nobody that is known".to_owned(),
        }
    }
}

pub(super) fn is_everyone(scope: &Scope<Principals>) -> bool {
    match scope {
        Scope::Only(Principals::Everyone) => true,
        Scope::Only(Principals::Listed(kinds)) => {
            kinds.iter().any(|(kind, names)| *kind == PrincipalKind::Aws && names.iter().any(|name| name == "*"))
        }
        Scope::AllBut(_) => false,
    }
}

/// The account and the rest of an ARN of IAM or STS.
fn parts(arn: &str) -> Option<(&str, &str)> {
    let mut parts = arn.splitn(6, ':').skip(4);
    Some((parts.next()?, parts.next()?))
}

/// One caller of each kind that the principals name, and strangers.
fn callers(principals: &[Scope<Principals>]) -> Vec<Known> {
    const STRANGER: &str = "999900001111";
    let named = principals.iter().flat_map(|scope| match scope.named() {
        Principals::Everyone => [].iter(),
        Principals::Listed(kinds) => kinds.iter(),
    });
    let (mut accounts, mut arns, mut services) = (vec![], vec![], vec![]);
    for (kind, names) in named {
        for name in names {
            match (kind, account_of(name)) {
                (PrincipalKind::Aws, Some(account)) => accounts.push(account.to_owned()),
                (PrincipalKind::Aws, None) => {
                    accounts.extend(parts(name).map(|(account, _)| account.to_owned()));
                    arns.push(name.clone());
                }
                (PrincipalKind::Service, _) => services.push(name.clone()),
                _ => {}
            }
        }
    }
    accounts.push(STRANGER.to_owned());
    for list in [&mut accounts, &mut arns, &mut services] {
        list.sort();
        list.dedup();
    }
    let mut out = vec![];
    for account in &accounts {
        out.push(Known::Role {
            account: account.clone(),
            arn: format!("arn:aws:iam::{account}:role/example"),
            session: None,
        });
        out.push(Known::Root { account: account.clone() });
    }
    for arn in &arns {
        let (account, rest) = parts(arn).unwrap_or((STRANGER, "user/example"));
        let account = account.to_owned();
        let session_of = |rest: &str| -> Option<String> {
            let (role, _) = rest.strip_prefix("assumed-role/")?.split_once('/')?;
            Some(format!("arn:aws:iam::{account}:role/{role}"))
        };
        if let Some(role) = session_of(rest) {
            // The role may be named by its path, which a session's ARN does not tell.
            let last = role.rsplit('/').next().unwrap_or_default().to_owned();
            let named = arns.iter().filter(|other| other.contains(":role/") && other.rsplit('/').next() == Some(&last));
            for arn_of_role in named.cloned().chain([role]) {
                out.push(Known::Role { account: account.clone(), arn: arn_of_role, session: Some(arn.clone()) });
            }
        } else if rest.starts_with("federated-user/") {
            let strangers = format!("arn:aws:iam::{account}:user/example");
            for user in arns.iter().filter(|other| other.contains(":user/")).cloned().chain([strangers]) {
                out.push(Known::Federated { account: account.clone(), user, session: arn.clone() });
            }
        } else if rest.starts_with("role/") {
            out.push(Known::Role { account, arn: arn.clone(), session: None });
        } else {
            out.push(Known::User { account, arn: arn.clone() });
        }
    }
    out.extend(services.into_iter().chain(["example.amazonaws.com".to_owned()]).map(Known::Service));
    out.push(Known::Anonymous);
    out
}

/// The choices of the dimension; the evaluator says whom a principal names.
pub(super) fn choices(principals: &[Scope<Principals>]) -> Vec<Choice> {
    let everything = || Scope::Only(vec!["*".to_owned()]);
    let tests: Vec<Ladder> = principals
        .iter()
        .map(|scope| {
            let statement = Statement {
                sid: None,
                effect: Effect::Allow,
                principal: Some(scope.clone()),
                action: everything(),
                resource: everything(),
                condition: vec![],
            };
            let policy = Policy { version: Version::V2012, id: None, statements: vec![statement] };
            Ladder::new([[&Compiled::new(&policy)]])
        })
        .collect();
    let (Some(action), facts) = (Action::parse("a:a"), Facts::complete()) else { return vec![] };
    let choice = |known: Known| {
        let request = Request { action: &action, resource: Some("*"), facts: &facts, caller: Some(known.caller()) };
        let own = tests.iter().enumerate().filter(|(_, test)| test.decide(&request) == Decision::Allowed);
        let bits = Bits::of(tests.len(), own.map(|(at, _)| at));
        Choice { bits, value: Value::Caller(known), needs: vec![], matched: vec![] }
    };
    callers(principals).into_iter().map(choice).collect()
}
