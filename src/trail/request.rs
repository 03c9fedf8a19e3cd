//! A record as a request: who asks for what, on what, and under which condition keys.

use super::record::{Record, Session};
use crate::policy::eval::{Action, Caller, Facts, Request};

/// What kind of principal asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    User,
    /// A role that was assumed.
    Role,
    /// A session by `GetFederationToken`.
    Federated,
    /// Another that the record does not tell the ARN of.
    Other,
}

/// `userIdentity.type` → kind.
const KINDS: &[(&str, Kind)] = &[
    ("Root", Kind::Root),
    ("IAMUser", Kind::User),
    ("AssumedRole", Kind::Role),
    ("Role", Kind::Role),
    ("FederatedUser", Kind::Federated),
];

/// What a record tells of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Its values.
    Known,
    /// That the request did not carry it.
    Absent,
    /// Nothing.
    Unknown,
}

/// Values that are gathered into one text, which is used again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    text: String,
    /// Where each ends, and whether it is one.
    ends: Vec<(usize, bool)>,
}

impl Values {
    /// None any more.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds one.
    pub fn push(&mut self, value: &str) {
        self.text.push_str(value);
        self.ends.push((self.text.len(), true));
    }

    /// Adds one that is not known.
    pub fn push_unknown(&mut self) {
        self.ends.push((self.text.len(), false));
    }

    /// Adds the one value of a key; an empty one is not told.
    pub fn one(&mut self, value: &str) -> Told {
        if value.is_empty() {
            return Told::Unknown;
        }
        self.push(value);
        Told::Known
    }

    /// Adds one that is written piece by piece, unless that fails.
    pub fn build(&mut self, write: impl FnOnce(&mut String) -> Option<()>) -> bool {
        let before = self.text.len();
        let written = write(&mut self.text).is_some();
        if written {
            self.ends.push((self.text.len(), true));
        } else {
            self.text.truncate(before);
        }
        written
    }

    /// Only the first so many.
    pub fn truncate(&mut self, most: usize) {
        self.ends.truncate(most);
        self.text.truncate(self.ends.last().map_or(0, |(end, _)| *end));
    }

    /// Of several that are not known, from there on, one is left.
    pub fn dedup_from(&mut self, from: usize) {
        let mut seen = false;
        let mut at = 0;
        self.ends.retain(|(_, known)| {
            let keep = at < from || *known || !seen;
            seen |= at >= from && !known;
            at += 1;
            keep
        });
    }

    /// All of them; `None` for what is not known.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let begins = [0].into_iter().chain(self.ends.iter().map(|(end, _)| *end));
        begins.zip(&self.ends).map(|(from, (to, known))| self.text.get(from..*to).filter(|_| *known))
    }
}

/// Who a record is of.
#[derive(Debug, Clone, Copy)]
pub struct Who<'r, 'a> {
    /// The record.
    pub record: &'r Record<'a>,
    /// What kind of principal.
    pub kind: Kind,
    /// The account whose policies bind it; empty where the record does not tell.
    pub account: &'r str,
    /// What `aws:PrincipalArn` is: the role, not its session.
    pub arn: Option<&'r str>,
    /// The session's ARN.
    pub session_arn: Option<&'r str>,
}

fn told(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The last part of an ARN: what it names in its service, region and account.
#[must_use]
pub fn resource_of(arn: &str) -> &str {
    let fifth = arn.bytes().enumerate().filter(|(_, b)| *b == b':').nth(4);
    fifth.and_then(|(at, _)| arn.get(at + 1..)).unwrap_or_default()
}

impl<'r, 'a> Who<'r, 'a> {
    /// Of that record.
    #[must_use]
    pub fn of(record: &'r Record<'a>) -> Self {
        let identity = &record.user_identity;
        let kind = KINDS.iter().find(|(name, _)| *name == &*identity.kind).map_or(Kind::Other, |(_, kind)| *kind);
        let own = told(&identity.arn);
        let is = |arn: &str, kind: &str| resource_of(arn).starts_with(kind);
        let (arn, session_arn) = match kind {
            // Without its issuer a session does not tell the path of its role.
            Kind::Role => (
                told(&identity.session_context.session_issuer.arn).or(own.filter(|arn| is(arn, "role/"))),
                own.filter(|arn| is(arn, "assumed-role/")),
            ),
            Kind::Federated => (own, own),
            Kind::Root | Kind::User => (own, None),
            Kind::Other => (None, None),
        };
        let account = told(&identity.account_id).or_else(|| arn.and_then(|arn| arn.split(':').nth(4)));
        Self { record, kind, account: account.unwrap_or_default(), arn, session_arn }
    }

    /// The session that the call was made in.
    #[must_use]
    pub fn session(&self) -> &'r Session<'a> {
        &self.record.user_identity.session_context
    }

    /// The service that called for the principal.
    #[must_use]
    pub fn through(&self) -> Option<&'r str> {
        told(&self.record.user_identity.invoked_by)
    }

    /// Whether the call came over no VPC endpoint, for sure: its address is one of the internet.
    #[must_use]
    pub fn is_from_outside(&self) -> bool {
        let address = self.record.source_ip_address.parse::<core::net::Ipv4Addr>();
        let public = address.is_ok_and(|ip| !ip.is_private() && !ip.is_loopback() && !ip.is_link_local());
        public && self.through().is_none() && self.record.vpc_endpoint_id.is_empty()
    }

    /// The account of the resource, where all that the record tells agrees.
    #[must_use]
    pub fn resource_account(&self) -> Option<&'r str> {
        // Where a call across accounts is told twice, each record has the account that it was delivered to.
        told(&self.record.recipient_account_id).filter(|_| self.record.shared_event_id.is_empty())
    }

    /// `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &'r str {
        let arn = told(&self.record.user_identity.arn).or(self.arn);
        arn.and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws")
    }

    /// How the principal is called in reports: its ARN, or the id that stands for it.
    #[must_use]
    pub fn name(&self) -> &'r str {
        let id = &*self.record.user_identity.principal_id;
        self.arn.or_else(|| told(id.split(':').next().unwrap_or(id))).unwrap_or("a principal that is not told")
    }
}

/// A request, for a judge. What the judge does not look at is not in it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The account whose service control policies bind the caller.
    pub account: Box<str>,
    /// The account of the resource, where it is told.
    pub resource_account: Option<Box<str>>,
    /// What kind of principal asks.
    pub kind: Kind,
    /// The principal: a role's own ARN where it is a session of one. `None`: not told.
    pub principal: Option<Box<str>>,
    /// The session's ARN.
    pub session: Option<Box<str>>,
    /// What is asked for.
    pub action: Action,
    /// All resources that it is asked of, `None` for one that is not told. The call needs every one of them allowed.
    pub resources: Vec<Option<Box<str>>>,
    /// The region that was called.
    pub region: Box<str>,
    /// The condition keys that the judge looks at, as the record tells them.
    pub facts: Facts,
}

impl Call {
    /// What is asked of one of its resources.
    #[must_use]
    pub fn request<'c>(&'c self, resource: Option<&'c str>) -> Request<'c> {
        Request { action: &self.action, resource, facts: &self.facts, caller: self.caller() }
    }

    /// The caller, as resource policies are compared with it; `None` where the record does not tell.
    #[must_use]
    pub fn caller(&self) -> Option<Caller<'_>> {
        let account = &*self.account;
        match (self.kind, self.principal.as_deref()) {
            (Kind::Root, _) => Some(Caller::Root { account }),
            (Kind::User, Some(arn)) => Some(Caller::User { account, arn }),
            (Kind::Role, Some(arn)) => Some(Caller::Role { account, arn, session: self.session.as_deref() }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_those_that_policies_name() {
        let role = "arn:aws:iam::111122223333:role/a/R";
        let cases = [
            (
                r#"{"type":"Root","arn":"arn:aws:iam::111122223333:root","accountId":"111122223333"}"#,
                Kind::Root,
                Some("arn:aws:iam::111122223333:root"),
                "111122223333",
            ),
            (
                r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u"}"#,
                Kind::User,
                Some("arn:aws:iam::111122223333:user/u"),
                "111122223333",
            ),
            (
                r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::111122223333:role/a/R"}}}"#,
                Kind::Role,
                Some(role),
                "111122223333",
            ),
            (
                r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/R/s","accountId":"111122223333"}"#,
                Kind::Role,
                None,
                "111122223333",
            ),
            (
                r#"{"type":"AWSAccount","accountId":"444455556666","principalId":"AROAX:s"}"#,
                Kind::Other,
                None,
                "444455556666",
            ),
        ];
        for (identity, kind, arn, account) in cases {
            let text = format!(r#"{{"userIdentity":{identity}}}"#);
            let record = Record::parse(&text).unwrap();
            let who = Who::of(&record);
            assert_eq!((who.kind, who.arn, who.account), (kind, arn, account), "{identity}");
        }
        let record = Record::parse(r#"{"userIdentity":{"principalId":"AROAX:s"}}"#).unwrap();
        assert_eq!(Who::of(&record).name(), "AROAX");
    }

    #[test]
    fn values_stay_apart() {
        let mut values = Values::default();
        values.push("a");
        values.push_unknown();
        values.push("");
        values.push_unknown();
        assert!(!values.build(|text| {
            text.push('x');
            None
        }));
        values.dedup_from(0);
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some("a"), None, Some("")]);
        values.truncate(1);
        values.push("b");
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some("a"), Some("b")]);
    }
}
