//! One writer: a tag on the root names who may write, and until when. Controllers and command lines see each other by it
//! without a cluster between them.
//!
//! The holder is one process, so that two of anything (replicas, controllers of one cluster, copies of a cluster) are two
//! holders. The lease is judged by the clock of the service, as its answers tell it: a machine whose clock is wrong neither
//! takes a lease that counts for one that ran out, nor goes on under its own after that has run out.

use std::fmt;
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use tokio::time::Instant;

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
/// Longest time between a look at the tags of the root and the start of a write: the brake, and a lease taken away by hand,
/// are seen within it, however long the lease still counts.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Within this time of being sent a call is done or refused, whether or not its answer arrives.
pub(super) const A_CALL: Duration = Duration::from_secs(15);
/// How long whoever succeeds a holder waits before it writes: a predecessor that is at work all the same has looked at the
/// tag by then, and what it had begun is over.
const SUCCESSION: Duration = LOOK_EVERY.saturating_add(A_CALL).saturating_add(SETTLE);

/// The time by which leases, holds, contested facts and approvals are judged: that of the service, between two bounds, or that of `clock` where the service has
/// not told its own.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    earliest: Timestamp,
    latest: Timestamp,
}

impl Now {
    /// The time of now.
    #[must_use]
    pub fn of(port: &dyn Port, clock: Clock<'_>) -> Self {
        match port.time() {
            Some(time) => Self { earliest: time.earliest(), latest: time.latest() },
            None => {
                let now = clock();
                Self { earliest: now, latest: now }
            }
        }
    }

    /// The earliest that it can be: by it is judged whether something is past, as a hold.
    #[must_use]
    pub fn earliest(self) -> Timestamp {
        self.earliest
    }

    /// The latest that it can be: by it is judged whether something still counts, as an approval.
    #[must_use]
    pub fn latest(self) -> Timestamp {
        self.latest
    }

    /// The time until `end`, as short as it can be.
    #[must_use]
    pub fn until(self, end: Timestamp) -> Duration {
        end.duration_since(self.latest).try_into().unwrap_or_default()
    }
}

/// The right to write, until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    root: RootId,
    holder: String,
    length: SignedDuration,
    until: Timestamp,
    /// When the tags of the root were last asked for, and the lease was ours and the root not held.
    seen: Instant,
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
        Self::take_for(port, root, holder, None, LENGTH, clock).await
    }

    /// Takes a lease that counts for `length`, and is renewed when half of that is over: looks, writes the tag, waits, and
    /// looks again. Two may look at once and both find it free: the last to write stays, and since nobody writes later than
    /// [`SETTLE`] after looking, whoever still sees its own tag after twice that time has it alone. `holder` is cut to what
    /// a tag value may hold.
    ///
    /// The lease of `predecessor`, a process that is known to be over, is not waited for: it is taken, and used only after
    /// [`SUCCESSION`].
    ///
    /// # Errors
    /// Another holder's lease that has not run out, or AWS's error.
    pub async fn take_for(
        port: &dyn Port,
        root: &RootId,
        holder: &str,
        predecessor: Option<&str>,
        length: SignedDuration,
        clock: Clock<'_>,
    ) -> Result<Self, LeaseError> {
        let (holder, predecessor) = (as_holder(holder), predecessor.map(as_holder));
        let began = Instant::now();
        let succeeds = match look(port, root, &holder, clock).await {
            Err(LeaseError::Held { holder, .. }) if Some(&holder) == predecessor.as_ref() => true,
            looked => looked.map(|_| false)?,
        };
        let until = Now::of(port, clock).earliest + length;
        let mut lease = Self { root: root.clone(), holder, length, until, seen: began };
        within(SETTLE.saturating_sub(began.elapsed()), lease.write(port)).await?;
        tokio::time::sleep(if succeeds { SUCCESSION } else { SETTLE * 2 }).await;
        lease.seen = Instant::now();
        look(port, root, &lease.holder, clock).await?;
        Ok(lease)
    }

    /// Whether it still counts.
    #[must_use]
    pub fn holds(&self, now: Now) -> bool {
        now.latest < self.until
    }

    /// How long it still counts.
    #[must_use]
    pub fn left(&self, now: Now) -> Duration {
        now.until(self.until)
    }

    /// When it is to be renewed, by the clock of the service.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.until - self.length / 2
    }

    /// Whether it is to be renewed.
    #[must_use]
    pub fn is_due(&self, now: Now) -> bool {
        now.latest > self.due()
    }

    /// Whether a call that is sent now is over while the lease counts, and the tags of the root were looked at so lately
    /// that it may be sent.
    pub(super) fn covers_a_call(&self, now: Now) -> Cover {
        if self.left(now) <= A_CALL {
            Cover::RunsOut
        } else if self.seen.elapsed() > LOOK_EVERY {
            Cover::Unseen
        } else {
            Cover::Whole
        }
    }

    /// Makes sure that the lease outlives the next write.
    ///
    /// # Errors
    /// The lease ran out or went to somebody else: nothing may be written any more.
    pub async fn keep(&mut self, port: &dyn Port, clock: Clock<'_>) -> Result<(), LeaseError> {
        let due = self.is_due(Now::of(port, clock));
        // A look that is nearly too old would be so before the next call is sent.
        if !due && self.seen.elapsed() < LOOK_EVERY / 2 {
            return Ok(());
        }
        let asked = Instant::now();
        // It ran out, or somebody took the tag away: anybody may have had it since, so it is taken anew, with all that
        // belongs to it.
        if !self.holds(Now::of(port, clock)) || look(port, &self.root, &self.holder, clock).await? == Seen::Free {
            self.until = Timestamp::MIN;
            *self = Self::take_for(port, &self.root, &self.holder, None, self.length, clock).await?;
            return Ok(());
        }
        self.seen = asked;
        if due {
            let now = Now::of(port, clock);
            let renewed = Self { until: now.earliest + self.length, ..self.clone() };
            // No later than this after the look: see `SUCCESSION`.
            within(self.left(now).min(LOOK_EVERY), renewed.write(port)).await?;
            *self = renewed;
        }
        Ok(())
    }

    /// Gives the lease back. One that ran out is left as it is: the tag may be another's by now.
    ///
    /// # Errors
    /// AWS's error; the lease then runs out by itself.
    pub async fn give_back(self, port: &dyn Port, clock: Clock<'_>) -> Result<(), AwsError> {
        if self.left(Now::of(port, clock)) < LEAST_TO_GIVE_BACK {
            return Ok(());
        }
        if self.seen.elapsed() > LOOK_EVERY && !is_of(port, &self.root, &self.holder, clock).await? {
            return Ok(());
        }
        untag(port, self.root.clone(), self.left(Now::of(port, clock))).await
    }

    /// Takes the tag of `holder` off, whatever became of writing it: for who stopped in the middle of taking the lease.
    ///
    /// # Errors
    /// AWS's error; what was written then runs out by itself.
    pub async fn withdraw(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<(), AwsError> {
        if is_of(port, root, &as_holder(holder), clock).await? {
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
const LEAST_TO_GIVE_BACK: Duration = Duration::from_secs(60);

/// Whether a lease covers a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cover {
    /// It does.
    Whole,
    /// The tags of the root are to be looked at first.
    Unseen,
    /// It runs out before the call is over.
    RunsOut,
}

/// What a tag value may hold of a holder's name.
fn as_holder(name: &str) -> String {
    let allowed = |c: char| if c.is_alphanumeric() || "_.:/=+-".contains(c) { c } else { '-' };
    name.chars().map(allowed).take(128).collect()
}

/// Drops a write that has not been answered in time, so that it is not sent later than that: it may be done or not.
async fn within<T>(time: Duration, call: impl Future<Output = Result<T, AwsError>>) -> Result<T, AwsError> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer,
        Err(_) => {
            let message = format!(
                "the lease could not be written in the {} s that there are for it, whatever `--timeout` allows one call",
                time.as_secs()
            );
            Err(AwsError::unanswered("TagResource", "timeout", &message))
        }
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
async fn look(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<Seen, LeaseError> {
    let (mut seen, tags) = (Seen::Free, tags(port, root).await?);
    let now = Now::of(port, clock).earliest;
    for (key, value) in tags {
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
async fn is_of(port: &dyn Port, root: &RootId, holder: &str, clock: Clock<'_>) -> Result<bool, AwsError> {
    let tags = tags(port, root).await?;
    let now = Now::of(port, clock).earliest;
    let is_ours = |value: &str| parse(value).is_some_and(|(found, until)| found == holder && until > now);
    Ok(tags.iter().any(|(key, value)| key == TAG_LEASE && is_ours(value)))
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
