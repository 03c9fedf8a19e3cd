//! One statement, compiled, and whether it speaks of a request.

use std::sync::Arc;

use super::among;
use super::clause::Tested;
use super::pattern::{Pattern, Reading};
use super::request::{Action, Caller, Key, Request, hash};
use super::truth::Truth;
use crate::policy::pattern::is_everything;
use crate::policy::principal::account_of;
use crate::policy::statement::{Effect, Policy, PrincipalKind, Principals, Scope, Statement, Version};

/// A lower-case name, with its hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    hash: u64,
    pub(super) text: Box<str>,
}

impl Name {
    fn new(text: &str) -> Self {
        Self { hash: hash(text), text: text.into() }
    }
}

/// Patterns of actions, sorted by what they need to be compared with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Actions {
    /// `*` is among them.
    pub(super) every: bool,
    /// `s3:getobject`, sorted.
    pub(super) exact: Box<[Name]>,
    /// `s3:get*`: the service, and the pattern of the name; sorted by service.
    pub(super) in_service: Box<[(Name, Pattern)]>,
    /// Those with a wildcard in the service's name.
    pub(super) whole: Box<[Pattern]>,
}

impl Actions {
    fn new(patterns: &[String]) -> Self {
        // No variables in actions: `${` is no letter of theirs.
        let pattern = |text: &str| Pattern::new(text, Reading::Wild, Version::V2008);
        let wild = |text: &str| text.contains(['*', '?']);
        let (mut every, mut exact, mut in_service, mut whole) = (false, vec![], vec![], vec![]);
        for text in patterns {
            let lower = text.to_ascii_lowercase();
            match lower.split_once(':') {
                _ if is_everything(text) => every = true,
                Some((service, name)) if !wild(service) && wild(name) => {
                    in_service.push((Name::new(service), pattern(name)));
                }
                _ if wild(&lower) => whole.push(pattern(&lower)),
                _ => exact.push(Name::new(&lower)),
            }
        }
        exact.sort_unstable();
        in_service.sort_by(|(one, _), (other, _)| one.cmp(other));
        Self { every, exact: exact.into(), in_service: in_service.into(), whole: whole.into() }
    }

    /// Whether an action whose name is not known is among them.
    fn may_match(&self, action: &Action, others: &[&str]) -> Truth {
        if self.every || self.whole.iter().any(Pattern::is_everything) {
            return Truth::Yes;
        }
        let whole =
            |of: &str| self.in_service.iter().any(|(service, name)| *service.text == *of && name.is_everything());
        let some = |of: &str| {
            let exact = self.exact.iter().filter_map(|name| name.text.split_once(':'));
            self.in_service
                .iter()
                .map(|(service, _)| &*service.text)
                .chain(exact.map(|(service, _)| service))
                .any(|it| it == of)
        };
        let mut services = [action.service()].into_iter().chain(others.iter().copied());
        if services.clone().all(whole) {
            Truth::Yes
        } else if !self.whole.is_empty() || services.any(some) {
            Truth::Depends
        } else {
            Truth::No
        }
    }

    fn matches(&self, action: &Action) -> bool {
        let from = self.exact.partition_point(|name| name.hash < action.hash);
        let mut exact = self.exact.iter().skip(from).take_while(|name| name.hash == action.hash);
        let from = self.in_service.partition_point(|(service, _)| service.hash < action.service_hash);
        let in_service = self.in_service.iter().skip(from);
        let mut in_service = in_service.take_while(|(service, _)| service.hash == action.service_hash);
        self.every
            || exact.any(|name| *name.text == *action.lower())
            || in_service.any(|(service, name)| *service.text == *action.service() && name.is_match(action.name()))
            || self.whole.iter().any(|pattern| pattern.is_match(action.lower()))
    }
}

/// A principal of a resource policy.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Everyone,
    /// An account, as its id or its root's ARN.
    Account(Box<str>),
    /// A user, role or session; an ARN has no wildcards in this element.
    Arn(Box<str>),
    Service(Box<str>),
    /// Federated identities and canonical users, which a [`Caller`] is never known as.
    Other,
}

/// Whether a statement names the caller, and how: it says which policies of his own account have to allow as well (IAM
/// user guide, "Policy evaluation logic", "Specifying a principal").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Naming {
    /// Not at all.
    Not,
    /// His account is named: all of them have to.
    Account,
    /// The role that he assumed, or everyone: only boundary and session policies do.
    Role,
    /// The user or the session itself: none.
    Himself,
}

fn named(kind: PrincipalKind, text: &str) -> Named {
    match kind {
        PrincipalKind::Aws if text == "*" => Named::Everyone,
        PrincipalKind::Aws => account_of(text).map_or_else(|| Named::Arn(text.into()), |id| Named::Account(id.into())),
        PrincipalKind::Service => Named::Service(text.into()),
        PrincipalKind::CanonicalUser | PrincipalKind::Federated => Named::Other,
    }
}

/// Whether a `NotPrincipal` of a Deny spares the caller. AWS asks to list the account beside the user, and account and role beside the
/// session; where some are left out, the statement "might" deny (IAM user guide, "NotPrincipal").
fn spares(named: &[Named], caller: Caller<'_>) -> Truth {
    if named.contains(&Named::Everyone) {
        return Truth::Yes;
    }
    let listed = |arn: &str| named.iter().any(|one| matches!(one, Named::Arn(own) if **own == *arn));
    let account =
        caller.account().is_some_and(|own| named.iter().any(|one| matches!(one, Named::Account(id) if **id == *own)));
    let parts = match caller {
        Caller::Root { .. } => vec![account],
        Caller::User { arn, .. } => vec![account, listed(arn)],
        // Without the session it is not known whether that is listed.
        Caller::Role { arn, session, .. } => vec![account, listed(arn), session.is_some_and(listed)],
        Caller::Federated { session, .. } => vec![account, listed(session)],
        Caller::Service(_) | Caller::Anonymous => vec![named.iter().any(|one| one.names(caller) > Naming::Not)],
    };
    match (parts.iter().any(|part| *part), parts.iter().all(|part| *part)) {
        (false, _) => Truth::No,
        (true, true) => Truth::Yes,
        (true, false) => Truth::Depends,
    }
}

impl Named {
    fn names(&self, caller: Caller<'_>) -> Naming {
        let when = |holds: bool, naming| if holds { naming } else { Naming::Not };
        match (self, caller) {
            (Self::Everyone, Caller::Service(_) | Caller::Anonymous) => Naming::Himself,
            (Self::Everyone, _) => Naming::Role,
            (Self::Account(id), _) => when(caller.account() == Some(id), Naming::Account),
            (Self::Arn(named), Caller::User { arn, .. }) => when(**named == *arn, Naming::Himself),
            (Self::Arn(named), Caller::Role { arn, session, .. }) => {
                if session == Some(named) {
                    Naming::Himself
                } else {
                    when(**named == *arn, Naming::Role)
                }
            }
            (Self::Arn(named), Caller::Federated { user, session, .. }) => {
                if **named == *session {
                    Naming::Himself
                } else {
                    when(**named == *user, Naming::Role)
                }
            }
            (Self::Service(named), Caller::Service(name)) => when(**named == *name, Naming::Himself),
            _ => Naming::Not,
        }
    }
}

/// A statement, ready to be tested.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    pub(super) effect: Effect,
    /// Its index in the policy.
    pub(super) statement: usize,
    pub(super) actions: Scope<Actions>,
    /// `None`: every resource.
    resources: Option<Scope<Box<[Pattern]>>>,
    /// `None`: no element, or `*` alone.
    principals: Option<Scope<Box<[Named]>>>,
    clauses: Box<[Tested]>,
}

impl Rule {
    pub(super) fn new(statement: &Statement, index: usize, version: Version) -> Self {
        let pattern = |text: &String| Pattern::new(text, Reading::Resource, version);
        let resources = statement.resource.map(|values| values.iter().map(pattern).collect::<Box<[_]>>());
        let everything = matches!(&resources, Scope::Only(patterns) if patterns.iter().any(Pattern::is_everything));
        let principals = statement.principal.as_ref().map(|scope| {
            scope.map(|principals| match principals {
                Principals::Everyone => Box::from([Named::Everyone]),
                Principals::Listed(kinds) => {
                    kinds.iter().flat_map(|(kind, names)| names.iter().map(|name| named(*kind, name))).collect()
                }
            })
        });
        Self {
            effect: statement.effect,
            statement: index,
            actions: statement.action.map(|values| Actions::new(values)),
            resources: (!everything).then_some(resources),
            principals,
            clauses: statement.condition.iter().map(|clause| Tested::new(clause, version)).collect(),
        }
    }

    /// Whether it allows or denies everything, whatever the request.
    pub(super) fn is_unconditional(&self) -> bool {
        matches!(&self.actions, Scope::Only(actions) if actions.every)
            && self.resources.is_none()
            && self.principals.is_none()
            && self.clauses.is_empty()
    }

    /// The same wherever it stands, to be compared with others.
    pub(super) fn anywhere(&self) -> Self {
        Self { statement: 0, ..self.clone() }
    }

    /// Whether it is of an action, as far as that is known.
    fn names_action(&self, action: &Action) -> Truth {
        match (action.open(), &self.actions) {
            (None, _) => self.is_of(action).into(),
            (Some(others), Scope::Only(actions)) => actions.may_match(action, others),
            (Some(others), Scope::AllBut(actions)) => !actions.may_match(action, others),
        }
    }

    /// Whether it is or may be of an action.
    pub(super) fn is_of(&self, action: &Action) -> bool {
        if action.is_open() {
            return self.names_action(action) > Truth::No;
        }
        match &self.actions {
            Scope::Only(actions) => actions.matches(action),
            Scope::AllBut(actions) => !actions.matches(action),
        }
    }

    /// How it names the caller of a request.
    pub(super) fn naming(&self, caller: Option<Caller<'_>>) -> Naming {
        match (&self.principals, caller) {
            // A policy without principals is of who asks.
            (None, _) | (_, None) => Naming::Account,
            (Some(Scope::Only(named)), Some(caller)) => {
                named.iter().map(|named| named.names(caller)).max().unwrap_or(Naming::Not)
            }
            (Some(Scope::AllBut(named)), Some(caller)) => {
                if named.iter().any(|named| named.names(caller) > Naming::Not) { Naming::Not } else { Naming::Account }
            }
        }
    }

    fn names(&self, request: &Request<'_>) -> Truth {
        let caller = request.caller;
        match (&self.principals, caller) {
            (None, _) => Truth::Yes,
            (Some(Scope::Only(named)), _) if named.contains(&Named::Everyone) => Truth::Yes,
            (Some(_), None) => Truth::Depends,
            (Some(Scope::AllBut(named)), Some(caller))
                if self.effect == Effect::Deny && !request.facts.is_complete() =>
            {
                !spares(named, caller)
            }
            (Some(_), Some(_)) => (self.naming(caller) > Naming::Not).into(),
        }
    }

    fn is_of_resource(&self, request: &Request<'_>) -> Truth {
        let Some(scope) = &self.resources else { return Truth::Yes };
        let found = match request.resource {
            Some(resource) => Truth::any(scope.named().iter().map(|pattern| pattern.matches(resource, request.facts))),
            None => all_of(scope.named(), request.facts.among()),
        };
        match scope {
            Scope::Only(_) => found,
            // What a variable without a value makes of the statement is not documented.
            Scope::AllBut(patterns)
                if found == Truth::No
                    && !request.facts.is_complete()
                    && patterns.iter().any(|pattern| pattern.lacks_variable(request.facts)) =>
            {
                Truth::Depends
            }
            Scope::AllBut(_) => !found,
        }
    }

    /// Whether it speaks of a request whose action is known to be its own.
    pub(super) fn applies(&self, request: &Request<'_>) -> Truth {
        self.applies_to(request, false)
    }

    /// The same where it is known whether who asks has a permissions boundary: a `NotPrincipal` that denies does not spare
    /// him then, whoever it names (IAM user guide, "NotPrincipal").
    pub(super) fn applies_to(&self, request: &Request<'_>, bounded: bool) -> Truth {
        let mut all = self.is_of_resource(request);
        if all == Truth::No {
            return all;
        }
        if request.action.is_open() {
            all = all.and(self.names_action(request.action));
        }
        let spares_none = bounded && self.effect == Effect::Deny && matches!(self.principals, Some(Scope::AllBut(_)));
        if !spares_none {
            all = all.and(self.names(request));
        }
        for clause in &self.clauses {
            if all == Truth::No {
                return all;
            }
            all = all.and(clause.holds(request.facts));
        }
        all
    }

    /// The parts that hang on what is not known: the action, the resource, the caller, and the indexes of clauses.
    pub(super) fn open_parts(&self, request: &Request<'_>) -> OpenParts {
        let open = |truth| truth == Truth::Depends;
        OpenParts {
            action: open(self.names_action(request.action)),
            resource: open(self.is_of_resource(request)),
            principal: open(self.names(request)),
            clauses: (0..self.clauses.len())
                .filter(|at| self.clauses.get(*at).is_some_and(|clause| open(clause.holds(request.facts))))
                .collect(),
        }
    }

    /// The condition keys that it looks at.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.resources().flat_map(Pattern::keys).chain(self.clauses.iter().flat_map(Tested::keys))
    }

    /// Whether it makes a difference which resource is asked for.
    pub(super) fn looks_at_resource(&self) -> bool {
        self.resources.is_some()
    }

    /// The patterns that resources are held against; none where it makes no difference which is asked for.
    pub(super) fn resources(&self) -> impl Iterator<Item = &Pattern> {
        self.resources.iter().flat_map(|scope| scope.named().iter())
    }
}

/// Whether patterns match a resource of which nothing is known but that it is among others. This allocates: a resource that is
/// named does not come here.
fn all_of(patterns: &[Pattern], among: &[Box<str>]) -> Truth {
    let mut found: Option<Truth> = None;
    for one in among {
        let of_one = if patterns.iter().any(|pattern| among::matches_all(pattern, one)) {
            Truth::Yes
        } else if patterns.iter().any(|pattern| among::may_match(pattern, one)) {
            Truth::Depends
        } else {
            Truth::No
        };
        found = match found {
            None => Some(of_one),
            Some(found) if found == of_one => Some(found),
            Some(_) => return Truth::Depends,
        };
    }
    found.unwrap_or(Truth::Depends)
}

/// What of a statement hangs on the unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenParts {
    /// The action, whose name is not known.
    pub action: bool,
    /// The resource.
    pub resource: bool,
    /// Who asks.
    pub principal: bool,
    /// Indexes into the statement's condition.
    pub clauses: Vec<usize>,
}

/// A document of statements, compiled once for every way that it is part of.
#[derive(Debug, Clone, PartialEq)]
pub struct Compiled {
    pub(super) rules: Arc<[Arc<Rule>]>,
}

impl Compiled {
    /// Compiles a policy.
    #[must_use]
    pub fn new(policy: &Policy) -> Self {
        let rule = |(at, statement)| Arc::new(Rule::new(statement, at, policy.version));
        Self { rules: policy.statements.iter().enumerate().map(rule).collect() }
    }
}
