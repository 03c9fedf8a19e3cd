//! A record as a request: who asks for what, on what, and under which condition keys.

use std::cell::OnceCell;

use memchr::memmem;

use super::classes::is_service;
use super::keys::Tags;
use super::reader::{Reader, Value};
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
    /// An AWS service as itself.
    Service,
    /// A person or workload of an identity provider, before it has assumed a role.
    Provider,
    /// Nobody: the request is not signed.
    Anonymous,
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
    ("AWSService", Kind::Service),
    ("WebIdentityUser", Kind::Provider),
    ("SAMLUser", Kind::Provider),
];

/// `userIdentity.accountId` of callers who sign nothing.
const ANONYMOUS: &[&str] = &["ANONYMOUS_PRINCIPAL", "anonymous", "Anonymous"];

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
#[derive(Debug, Clone)]
pub struct Who<'r, 'a> {
    /// The record.
    pub record: &'r Record<'a>,
    /// What kind of principal.
    pub kind: Kind,
    /// The account whose policies bind it; empty where it has none, or the record does not tell.
    pub account: &'r str,
    /// Whether SCPs of its account are asked. RCPs bind whoever calls.
    pub has_service_control: bool,
    /// What `aws:PrincipalArn` is: the role, not its session.
    pub arn: Option<&'r str>,
    /// The session's ARN.
    pub session_arn: Option<&'r str>,
    /// The account of the resource, once it was looked for.
    holder: OnceCell<Option<&'r str>>,
    /// The parameters, once it was looked whether they are whole.
    parameters: OnceCell<Option<&'r str>>,
    /// The tags that it sets, once they were looked for.
    tags: OnceCell<Tags<'r>>,
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

/// The accounts that a part of a record names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owners<'r> {
    None,
    One(&'r str),
    Several,
}

impl<'r> Owners<'r> {
    fn add(&mut self, account: &'r str) {
        *self = match *self {
            Self::None => Self::One(account),
            Self::One(known) if known == account => *self,
            _ => Self::Several,
        };
    }
}

/// The account of an ARN, where it has one.
fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

/// The accounts that own what a record's `resources` name.
fn owners<'r>(text: &'r str) -> Owners<'r> {
    let mut owners = Owners::None;
    let mut reader = Reader::new(text);
    let mut one = |reader: &mut Reader<'r>| {
        let (mut account, mut of_arn) = (None, None);
        reader.entries(|reader, key| {
            match (&*key, reader.value()?) {
                ("accountId", Value::Text(id)) => account = told(id),
                ("ARN" | "arn", Value::Text(arn)) => of_arn = account_of_arn(arn),
                _ => {}
            }
            Some(())
        })?;
        if let Some(account) = account.or(of_arn) {
            owners.add(account);
        }
        Some(())
    };
    let read = match reader.peek() {
        Some(b'[') => reader.list(&mut one),
        _ => None,
    };
    // What cannot be read may name another.
    if read.is_none() && reader.peek().is_some() { Owners::Several } else { owners }
}

/// The accounts of the ARNs that a request names.
fn named(text: &str) -> Owners<'_> {
    let mut owners = Owners::None;
    let mut reader = Reader::new(text);
    // Mostly there is none.
    if memmem::find(text.as_bytes(), b"\"arn:").is_some() {
        let _ = reader.entries(|reader, _| {
            if let Value::Text(text) = reader.value()?
                && let Some(account) = account_of_arn(text)
            {
                owners.add(account);
            }
            Some(())
        });
    }
    owners
}

impl<'r, 'a> Who<'r, 'a> {
    /// Of that record.
    #[must_use]
    pub fn of(record: &'r Record<'a>) -> Self {
        let identity = &record.user_identity;
        let kind = match KINDS.iter().find(|(name, _)| *name == &*identity.kind) {
            Some((_, kind)) => *kind,
            None if is_service(identity) => Kind::Service,
            None if ANONYMOUS.contains(&&*identity.account_id) => Kind::Anonymous,
            None => Kind::Other,
        };
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
            Kind::Service | Kind::Provider | Kind::Anonymous | Kind::Other => (None, None),
        };
        let has_account = !matches!(kind, Kind::Service | Kind::Provider | Kind::Anonymous);
        let account = told(&identity.account_id).or_else(|| arn.and_then(|arn| arn.split(':').nth(4)));
        let account = account.filter(|_| has_account).unwrap_or_default();
        Self {
            record,
            kind,
            account,
            has_service_control: has_account,
            arn,
            session_arn,
            holder: OnceCell::new(),
            parameters: OnceCell::new(),
            tags: OnceCell::new(),
        }
    }

    /// The parameters of the request, where the record has them whole.
    #[must_use]
    pub fn parameters(&self) -> Option<&'r str> {
        *self.parameters.get_or_init(|| {
            // What is too large CloudTrail leaves out and says so.
            self.record.request_parameters.filter(|text| text.starts_with('{') && !text.contains("\"omitted\":true"))
        })
    }

    /// The tags that the request sets.
    pub(super) fn tags(&self) -> &Tags<'r> {
        self.tags.get_or_init(|| Tags::of(self.parameters()))
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

    /// The account of the resource: by the record's `resources`, else by the ARNs among the request's parameters, else the one
    /// that the record was delivered to. `None` where these do not agree, or tell nothing.
    #[must_use]
    pub fn resource_account(&self) -> Option<&'r str> {
        *self.holder.get_or_init(|| match self.record.resources.map(owners) {
            Some(Owners::One(account)) => Some(account),
            Some(Owners::Several) => None,
            _ => {
                // Where a call across accounts is told twice, each record has the account that it was delivered to.
                let own = told(&self.record.recipient_account_id).filter(|_| self.record.shared_event_id.is_empty());
                match self.record.request_parameters.map(named) {
                    Some(Owners::One(account)) if own.is_none() || own == Some(account) => Some(account),
                    Some(Owners::One(_) | Owners::Several) => None,
                    _ => own,
                }
            }
        })
    }

    /// `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &'r str {
        let arn = told(&self.record.user_identity.arn).or(self.arn);
        arn.and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws")
    }

    /// How the principal is called in reports: its ARN, the service, the identity provider, or the id that stands for it.
    #[must_use]
    pub fn name(&self) -> &'r str {
        let id = &*self.record.user_identity.principal_id;
        let own = match self.kind {
            Kind::Service => told(&self.record.user_identity.invoked_by),
            Kind::Provider => told(&self.record.user_identity.identity_provider),
            Kind::Anonymous => Some("anonymous"),
            _ => self.arn,
        };
        own.or_else(|| told(id.split(':').next().unwrap_or(id))).unwrap_or("a principal that is not told")
    }
}

/// A request, for a judge. What the judge does not look at is not in it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The caller's account; empty where it has none.
    pub account: Box<str>,
    /// Whether the SCPs of that account are asked. RCPs bind whoever calls.
    pub has_service_control: bool,
    /// The account of the resource, where it is told; the caller's where no RCP is asked.
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
            (Kind::Anonymous, _) => Some(Caller::Anonymous),
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
            (r#"{"type":"AWSAccount","accountId":"ANONYMOUS_PRINCIPAL"}"#, Kind::Anonymous, None, ""),
            (r#"{"type":"AWSService","invokedBy":"delivery.logs.amazonaws.com"}"#, Kind::Service, None, ""),
            (r#"{"invokedBy":"delivery.logs.amazonaws.com"}"#, Kind::Service, None, ""),
            (r#"{"type":"WebIdentityUser","userName":"u","identityProvider":"arn:p"}"#, Kind::Provider, None, ""),
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
    fn the_resources_account_is_that_of_the_records_arns() {
        let of = |more: &str| {
            let text = format!(r#"{{"recipientAccountId":"111122223333","userIdentity":{{"type":"IAMUser"}}{more}}}"#);
            let record = Record::parse(&text).unwrap();
            Who::of(&record).resource_account().map(str::to_owned)
        };
        let cases = [
            ("", Some("111122223333")),
            (r#","resources":[]"#, Some("111122223333")),
            // A bucket of another account, as the caller's trail tells it.
            (
                r#","resources":[{"ARN":"arn:aws:s3:::b/k"},{"accountId":"444455556666","ARN":"arn:aws:s3:::b"}]"#,
                Some("444455556666"),
            ),
            (r#","resources":[{"ARN":"arn:aws:kms:eu-west-1:444455556666:key/k"}]"#, Some("444455556666")),
            (
                r#","sharedEventID":"x","resources":[{"ARN":"arn:aws:kms:eu-west-1:444455556666:key/k"}]"#,
                Some("444455556666"),
            ),
            (r#","resources":[{"ARN":"arn:aws:kms:eu-west-1:444455556666:key/k"},{"accountId":"111122223333"}]"#, None),
            (r#","requestParameters":{"keyId":"arn:aws:kms:eu-west-1:444455556666:key/k"}"#, None),
            (r#","requestParameters":{"keyId":"arn:aws:kms:eu-west-1:111122223333:key/k"}"#, Some("111122223333")),
            (r#","requestParameters":{"policyArn":"arn:aws:iam::aws:policy/A"}"#, Some("111122223333")),
            (r#","sharedEventID":"x""#, None),
            (
                r#","sharedEventID":"x","requestParameters":{"roleArn":"arn:aws:iam::444455556666:role/r"}"#,
                Some("444455556666"),
            ),
        ];
        for (more, expected) in cases {
            assert_eq!(of(more).as_deref(), expected, "{more}");
        }
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
