//! What is asked: an action, a resource, who asks, and what is known of the condition keys.

use std::fmt;

/// FNV-1a over the lower-case form: names of a policy are compared by it first, and by their letters where it agrees.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// An action, ready to be compared: case does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    spelled: Box<str>,
    lower: Box<str>,
    colon: usize,
    pub(super) hash: u64,
    pub(super) service_hash: u64,
    /// Where the name is not known: the other services that it may be of.
    open: Option<&'static [&'static str]>,
}

impl Action {
    /// `service:Name`. `None` where there is no colon, or nothing on one side of it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (service, name) = text.split_once(':')?;
        if service.is_empty() || name.is_empty() {
            return None;
        }
        Some(Self {
            spelled: text.into(),
            lower: text.to_ascii_lowercase().into(),
            colon: service.len(),
            hash: hash(text),
            service_hash: hash(service),
            open: None,
        })
    }

    /// An action whose name is not known, of that service or of one of the others: statements that speak of all of them or
    /// of none decide it (`*`, `service:*`, `NotAction` of other services), and of the rest it is not known whether they do.
    #[must_use]
    pub fn some_of(service: &str, others: &'static [&'static str]) -> Option<Self> {
        Some(Self { open: Some(others), ..Self::parse(&format!("{service}:*"))? })
    }

    /// Whether its name is not known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The service, or where its name is not known those that it may be of.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        [self.service()].into_iter().chain(self.open.into_iter().flatten().copied())
    }

    /// The other services that it may be of, where its name is not known.
    pub(super) fn open(&self) -> Option<&'static [&'static str]> {
        self.open
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.spelled
    }

    pub(super) fn lower(&self) -> &str {
        &self.lower
    }

    /// The service's prefix, in lower case.
    #[must_use]
    pub fn service(&self) -> &str {
        self.lower.get(..self.colon).unwrap_or_default()
    }

    pub(super) fn name(&self) -> &str {
        self.lower.get(self.colon + 1..).unwrap_or_default()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled)
    }
}

/// A condition key as policies name it, ready to be looked up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    spelled: Box<str>,
    lower: Box<str>,
    hash: u64,
}

impl Key {
    /// The key of that name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { spelled: name.into(), lower: name.to_ascii_lowercase().into(), hash: hash(name) }
    }

    /// As the policy spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.spelled
    }
}

/// What is known of one condition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact<'a> {
    /// Nothing.
    Unknown,
    /// The request does not carry it.
    Absent,
    /// Its values, at least one.
    Values(&'a [Box<str>]),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Key,
    /// `None`: unknown. Empty: absent.
    values: Option<Box<[Box<str>]>>,
}

/// The condition keys of a request. A key that was never told of is unknown, or absent where
/// [`Facts::complete`] was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Hashes of the keys of `entries`, which are looked through first.
    hashes: Vec<u64>,
    entries: Vec<Entry>,
    complete: bool,
    /// Patterns of the resources of which the request's is one, where it names none.
    among: Vec<Box<str>>,
    /// A key of one value that may have another instead, one of a pattern of `*`.
    or_like: Option<(Key, Box<str>)>,
}

impl Facts {
    /// Nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Everything that is not told of is absent: the request is known as a whole, as AWS knows it.
    #[must_use]
    pub fn complete() -> Self {
        Self { complete: true, ..Self::default() }
    }

    /// Tells a key's values. None of them: the key is absent, as AWS has it for an empty set.
    pub fn set(&mut self, key: &str, values: impl IntoIterator<Item = impl Into<Box<str>>>) {
        self.put(key, Some(values.into_iter().map(Into::into).collect()));
    }

    /// Tells the value of a key that has one.
    pub fn set_one(&mut self, key: &str, value: impl Into<Box<str>>) {
        self.set(key, [value]);
    }

    /// Tells that the request does not carry the key.
    pub fn set_absent(&mut self, key: &str) {
        self.put(key, Some(Box::default()));
    }

    /// Tells that nothing is known of the key.
    pub fn set_unknown(&mut self, key: &str) {
        self.put(key, None);
    }

    /// Tells the value of a key that may have another instead, one of a pattern of `*`.
    pub fn set_or_like(&mut self, key: &str, value: impl Into<Box<str>>, pattern: impl Into<Box<str>>) {
        self.set_one(key, value);
        self.or_like = Some((Key::new(key), pattern.into()));
    }

    /// What else the value of a key may be like.
    pub(super) fn or_like(&self, key: &Key) -> Option<&str> {
        self.or_like.as_ref().filter(|(own, _)| own.hash == key.hash && own.lower == key.lower).map(|(_, like)| &**like)
    }

    /// Whether a key may have another value than the one that was told.
    #[must_use]
    pub fn may_differ(&self, name: &str) -> bool {
        self.or_like(&Key::new(name)).is_some()
    }

    /// Whether everything that was not told of is absent.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Tells which resources a request without a named one can be of, as patterns of ARNs (`arn:aws:ec2:*:*:vpc/*`).
    pub fn set_among(&mut self, patterns: impl IntoIterator<Item = impl Into<Box<str>>>) {
        self.among = patterns.into_iter().map(Into::into).collect();
    }

    /// The resources that a request without a named one can be of; none where that is not known.
    #[must_use]
    pub fn among(&self) -> &[Box<str>] {
        &self.among
    }

    fn put(&mut self, key: &str, values: Option<Box<[Box<str>]>>) {
        let key = Key::new(key);
        self.or_like.take_if(|(own, _)| own.lower == key.lower);
        match self.entries.iter_mut().find(|entry| entry.key.lower == key.lower) {
            Some(known) => *known = Entry { key, values },
            None => {
                self.hashes.push(key.hash);
                self.entries.push(Entry { key, values });
            }
        }
    }

    /// What is known of a key.
    #[must_use]
    #[inline]
    pub fn get(&self, key: &Key) -> Fact<'_> {
        let same = |entry: &&Entry| entry.key.lower == key.lower;
        let at = self.hashes.iter().position(|hash| *hash == key.hash);
        let known = at.and_then(|at| {
            // Where only the hashes are the same, what comes after it is looked through.
            self.entries.get(at).filter(same).or_else(|| self.entries.iter().skip(at).find(same))
        });
        match known.map(|entry| entry.values.as_deref()) {
            None if self.complete => Fact::Absent,
            None | Some(None) => Fact::Unknown,
            Some(Some([])) => Fact::Absent,
            Some(Some(values)) => Fact::Values(values),
        }
    }

    /// The same by name.
    #[must_use]
    pub fn of(&self, name: &str) -> Fact<'_> {
        self.get(&Key::new(name))
    }

    /// Every key that was told of, with its values; `None` where it is told to be unknown, empty where it is absent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[Box<str>]>)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.values.as_deref()))
    }
}

/// Who asks, as principals of resource policies are compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// The root user of an account.
    Root {
        /// The account.
        account: &'a str,
    },
    /// An IAM user.
    User {
        /// Its account.
        account: &'a str,
        /// `arn:aws:iam::…:user/…`.
        arn: &'a str,
    },
    /// A role that was assumed.
    Role {
        /// Its account.
        account: &'a str,
        /// `arn:aws:iam::…:role/…`.
        arn: &'a str,
        /// `arn:aws:sts::…:assumed-role/…/…`, where it is known.
        session: Option<&'a str>,
    },
    /// A session by `GetFederationToken`.
    Federated {
        /// Its account.
        account: &'a str,
        /// The user that asked for it.
        user: &'a str,
        /// `arn:aws:sts::…:federated-user/…`.
        session: &'a str,
    },
    /// An AWS service, by its name (`cloudtrail.amazonaws.com`).
    Service(&'a str),
    /// Nobody knows who: a request that is not signed.
    Anonymous,
}

impl<'a> Caller<'a> {
    /// Its account, where it has one.
    #[must_use]
    pub fn account(self) -> Option<&'a str> {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::Role { account, .. }
            | Self::Federated { account, .. } => Some(account),
            Self::Service(_) | Self::Anonymous => None,
        }
    }
}

/// One request. An API call that AWS authorizes for several resources is several of them, all of which have to be allowed.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The action.
    pub action: &'a Action,
    /// The resource's ARN; `*` for an action that has none. `None`: unknown but for [`Facts::among`].
    pub resource: Option<&'a str>,
    /// What is known of the condition keys.
    pub facts: &'a Facts,
    /// Who asks, `None` where unknown. Only resource policies look at it.
    pub caller: Option<Caller<'a>>,
}
