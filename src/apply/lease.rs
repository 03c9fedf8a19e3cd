//! One writer: a tag on the root names who may write, and until when (design section 3). Controllers and command lines
//! see each other by it without a cluster between them.

use std::fmt;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::aws::port::Resource;
use crate::aws::{AwsError, Port, Request, Response};
use crate::names::{NodeId, RootId, TAG_LEASE, Tags};
use crate::observed::{Clock, pages};

/// How long a lease counts without being renewed.
pub const LENGTH: SignedDuration = SignedDuration::from_secs(120);
/// A lease with less than this left is renewed before the next write.
const RENEW_BELOW: SignedDuration = SignedDuration::from_secs(60);

/// The right to write, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    root: RootId,
    holder: String,
    until: Timestamp,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("`{holder}` writes to this organization until {until}")]
    Held {
        /// Who.
        holder: String,
        /// Until when.
        until: Timestamp,
    },
    /// AWS did not take or show the tag.
    #[error(transparent)]
    Aws(#[from] AwsError),
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.holder, self.until)
    }
}

impl Lease {
    /// Takes the lease: looks, writes the tag, and looks again, since two may write at once and the last one stays.
    /// `holder` is cut to what a tag value may hold.
    ///
    /// # Errors
    /// Another holder's lease that has not run out, or AWS's error.
    pub async fn take(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<Self, LeaseError> {
        let holder: String = holder
            .chars()
            .map(|c| if c.is_alphanumeric() || "_.:/=+-".contains(c) { c } else { '-' })
            .take(128)
            .collect();
        look(port, root, &holder, clock()).await?;
        let lease = Self { root: root.clone(), holder, until: clock() + LENGTH };
        lease.write(port).await?;
        look(port, root, &lease.holder, clock()).await?;
        Ok(lease)
    }

    /// Whether it still counts at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Makes sure that the lease outlives the next write.
    ///
    /// # Errors
    /// The lease ran out or went to somebody else: nothing may be written any more.
    pub async fn keep(&mut self, port: &dyn Port, clock: Clock<'_>) -> Result<(), LeaseError> {
        let now = clock();
        if self.until.duration_since(now) >= RENEW_BELOW {
            return Ok(());
        }
        look(port, &self.root, &self.holder, now).await?;
        let renewed = Self { until: now + LENGTH, ..self.clone() };
        renewed.write(port).await?;
        *self = renewed;
        Ok(())
    }

    /// Gives the lease back.
    ///
    /// # Errors
    /// AWS's error; the lease then runs out by itself.
    pub async fn give_back(self, port: &dyn Port) -> Result<(), AwsError> {
        let keys = vec![TAG_LEASE.to_owned()];
        port.call(&Request::UntagResource { resource: Resource::Node(NodeId::Root(self.root)), keys }).await.map(drop)
    }

    async fn write(&self, port: &dyn Port) -> Result<(), AwsError> {
        let resource = Resource::Node(NodeId::Root(self.root.clone()));
        let tags = Tags::from([(TAG_LEASE.to_owned(), self.to_string())]);
        port.call(&Request::TagResource { resource, tags }).await.map(drop)
    }
}

/// Fails where somebody else holds the lease now.
async fn look(port: &dyn Port, root: &RootId, holder: &str, now: Timestamp) -> Result<(), LeaseError> {
    let resource = Resource::Node(NodeId::Root(root.clone()));
    for page in pages(port, Request::ListTagsForResource { resource, token: None }).await? {
        let Response::Tags(page) = page else { continue };
        for (key, value) in page.items {
            if key == TAG_LEASE {
                check(&value, holder, now)?;
            }
        }
    }
    Ok(())
}

/// Fails where the tag's value is another's lease that has not run out. A value that is no lease counts as none.
pub fn check(value: &str, holder: &str, now: Timestamp) -> Result<(), LeaseError> {
    match parse(value) {
        Some((other, until)) if other != holder && until > now => Err(LeaseError::Held { holder: other, until }),
        _ => Ok(()),
    }
}

/// Holder and end of a lease tag.
#[must_use]
pub fn parse(value: &str) -> Option<(String, Timestamp)> {
    let (holder, until) = value.rsplit_once('@')?;
    Some((holder.to_owned(), until.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_holders_running_lease_counts() {
        let now: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        let tag = "alice:laptop:1@2026-11-24T12:01:00Z";
        assert!(matches!(check(tag, "bob", now), Err(LeaseError::Held { holder, .. }) if holder == "alice:laptop:1"));
        assert!(check(tag, "alice:laptop:1", now).is_ok());
        assert!(check(tag, "bob", now + SignedDuration::from_mins(2)).is_ok());
        assert!(check("nonsense", "bob", now).is_ok());
    }
}
