//! One writer: a tag on the root names who may write, and until when (design section 3). Controllers and command lines
//! see each other by it without a cluster between them.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::aws::port::Resource;
use crate::aws::{AwsError, Port, Request, Response};
use crate::names::{NodeId, RootId, TAG_HOLD, TAG_LEASE, Tags};
use crate::observed::{Clock, pages};
use crate::plan::guard::hold;

/// How long a lease counts without being renewed, where nothing else is asked for: who dies in the middle of a run keeps
/// others out no longer than this.
pub const LENGTH: SignedDuration = SignedDuration::from_secs(120);
/// Longest time between looking for another's lease and writing one's own.
const SETTLE: Duration = Duration::from_secs(2);
/// Longest time between two looks at the tag while something is written: the brake, and a lease taken away by hand, are
/// seen within it, however long the lease still counts.
const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// The right to write, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    root: RootId,
    holder: String,
    length: SignedDuration,
    until: Timestamp,
    /// When the tag was last seen, or written, as ours.
    seen: Timestamp,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("`{holder}` writes to this organization until {until:.0}")]
    Held {
        /// Who.
        holder: String,
        /// Until when.
        until: Timestamp,
    },
    /// Somebody put the brake on the root.
    #[error("the root is held {0}")]
    Braked(String),
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
    /// Takes a lease of [`LENGTH`].
    ///
    /// # Errors
    /// As [`Self::take_for`].
    pub async fn take(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<Self, LeaseError> {
        Self::take_for(port, root, holder, LENGTH, clock).await
    }

    /// Takes a lease that counts for `length`, and is renewed when half of that is over: looks, writes the tag, waits, and
    /// looks again. Two may look at once and both find it free: the last to write stays, and since nobody writes later than
    /// [`SETTLE`] after looking, whoever still sees its own tag after twice that time has it alone. `holder` is cut to what
    /// a tag value may hold.
    ///
    /// # Errors
    /// Another holder's lease that has not run out, or AWS's error.
    pub async fn take_for(
        port: &dyn Port,
        root: &RootId,
        holder: &str,
        length: SignedDuration,
        clock: Clock<'_>,
    ) -> Result<Self, LeaseError> {
        let holder = as_holder(holder);
        let began = tokio::time::Instant::now();
        look(port, root, &holder, clock()).await?;
        let now = clock();
        let lease = Self { root: root.clone(), holder, length, until: now + length, seen: now };
        within(SETTLE.saturating_sub(began.elapsed()), lease.write(port)).await?;
        tokio::time::sleep(SETTLE * 2).await;
        look(port, root, &lease.holder, clock()).await?;
        Ok(lease)
    }

    /// Whether it still counts at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// How long it still counts.
    #[must_use]
    pub fn left(&self, now: Timestamp) -> Duration {
        self.until.duration_since(now).try_into().unwrap_or_default()
    }

    /// When it is to be renewed.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.until - self.length / 2
    }

    /// Makes sure that the lease outlives the next write.
    ///
    /// # Errors
    /// The lease ran out or went to somebody else: nothing may be written any more.
    pub async fn keep(&mut self, port: &dyn Port, clock: Clock<'_>) -> Result<(), LeaseError> {
        let now = clock();
        let due = now > self.due();
        if !due && now.duration_since(self.seen) <= LOOK_EVERY {
            return Ok(());
        }
        // It ran out, or somebody took the tag away: anybody may have had it since, so it is taken anew, with all that
        // belongs to it.
        if !self.holds(now) || look(port, &self.root, &self.holder, now).await? == Seen::Free {
            self.until = now;
            *self = Self::take_for(port, &self.root, &self.holder, self.length, clock).await?;
            return Ok(());
        }
        self.seen = now;
        if due {
            let renewed = Self { until: now + self.length, ..self.clone() };
            within(self.left(clock()), renewed.write(port)).await?;
            *self = renewed;
        }
        Ok(())
    }

    /// Gives the lease back. One that ran out is left as it is: the tag may be another's by now.
    ///
    /// # Errors
    /// AWS's error; the lease then runs out by itself.
    pub async fn give_back(self, port: &dyn Port, clock: Clock<'_>) -> Result<(), AwsError> {
        if !self.holds(clock() + LEAST_TO_GIVE_BACK) {
            return Ok(());
        }
        if clock().duration_since(self.seen) > LOOK_EVERY && !is_of(port, &self.root, &self.holder, clock()).await? {
            return Ok(());
        }
        untag(port, self.root.clone(), self.left(clock())).await
    }

    /// Takes the tag of `holder` off, whatever became of writing it: for who stopped in the middle of taking the lease.
    ///
    /// # Errors
    /// AWS's error; what was written then runs out by itself.
    pub async fn withdraw(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<(), AwsError> {
        if is_of(port, root, &as_holder(holder), clock()).await? {
            untag(port, root.clone(), SETTLE).await?;
        }
        Ok(())
    }

    async fn write(&self, port: &dyn Port) -> Result<(), AwsError> {
        let resource = Resource::Node(NodeId::Root(self.root.clone()));
        let tags = Tags::from([(TAG_LEASE.to_owned(), self.to_string())]);
        port.call(&Request::TagResource { resource, tags }).await.map(drop)
    }
}

/// A lease with less than this left is not given back: the call might arrive when the tag is another's.
const LEAST_TO_GIVE_BACK: SignedDuration = SignedDuration::from_secs(60);

/// What a tag value may hold of a holder's name.
fn as_holder(name: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || "_.:/=+-".contains(c) { c } else { '-' };
    name.chars().map(allowed).take(128).collect()
}

/// Drops a write that has not been answered in time, so that it is not sent later than that: it may be done or not.
async fn within<T>(time: Duration, call: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer,
        Err(_) => Err(AwsError::unanswered("TagResource", "timeout", "the lease could not be written in time")),
    }
}

async fn untag(port: &dyn Port, root: RootId, time: Duration) -> Result<(), AwsError> {
    let keys = vec![TAG_LEASE.to_owned()];
    let request = Request::UntagResource { resource: Resource::Node(NodeId::Root(root)), keys };
    within(time, async { port.call(&request).await.map(drop) }).await
}

/// Whose lease the root carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// The one's who looks.
    Ours,
    /// Nobody's that counts.
    Free,
}

/// Fails where somebody else holds the lease now, or holds the root: whoever waits for an end of all writing need not wait
/// for the end of a run.
async fn look(port: &dyn Port, root: &RootId, holder: &str, now: Timestamp) -> Result<Seen, LeaseError> {
    let mut seen = Seen::Free;
    for (key, value) in tags(port, root).await? {
        if key == TAG_LEASE {
            check(&value, holder, now)?;
            if parse(&value).is_some_and(|(found, _)| found == holder) {
                seen = Seen::Ours;
            }
        }
        if key == TAG_HOLD
            && let Some(until) = hold(&value, now)
        {
            return Err(LeaseError::Braked(until));
        }
    }
    Ok(seen)
}

/// Whether the lease is that holder's, whether or not the root is held.
async fn is_of(port: &dyn Port, root: &RootId, holder: &str, now: Timestamp) -> Result<bool, AwsError> {
    let is_ours = |value: &str| parse(value).is_some_and(|(found, until)| found == holder && until > now);
    Ok(tags(port, root).await?.iter().any(|(key, value)| key == TAG_LEASE && is_ours(value)))
}

async fn tags(port: &dyn Port, root: &RootId) -> Result<Vec<(String, String)>, AwsError> {
    let resource = Resource::Node(NodeId::Root(root.clone()));
    let answers = pages(port, Request::ListTagsForResource { resource, token: None }).await?;
    let tags = answers.into_iter().filter_map(|answer| match answer {
        Response::Tags(page) => Some(page.items),
        _ => None,
    });
    Ok(tags.flatten().collect())
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
