//! The clock of the service, as its answers tell it.

use std::time::{Duration, SystemTime};

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// The time of the service, from the `Date` of one of its answers, which has whole seconds.
///
/// What has to be past is judged by [`Self::earliest`], what must not be past yet by [`Self::latest`]: the time that the
/// answer took lies between the two.
#[derive(Debug, Clone, Copy)]
pub struct ServiceTime {
    date: Timestamp,
    asked: Instant,
    answered: Instant,
    wall: SystemTime,
}

impl ServiceTime {
    /// The time of an answer that has just arrived, whose request was sent at `asked`.
    #[must_use]
    pub fn of(date: Timestamp, asked: Instant) -> Self {
        Self { date, asked, answered: Instant::now(), wall: SystemTime::now() }
    }

    /// The earliest that it can be now at the service.
    #[must_use]
    pub fn earliest(&self) -> Timestamp {
        later(self.date, self.answered.elapsed())
    }

    /// The latest that it can be now at the service. A steady clock stands still while the machine sleeps, so the one of
    /// the day is asked too.
    #[must_use]
    pub fn latest(&self) -> Timestamp {
        let slept = self.wall.elapsed().unwrap_or_default() + self.answered.duration_since(self.asked);
        later(self.date, Duration::from_secs(1) + self.asked.elapsed().max(slept))
    }
}

fn later(date: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| date.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
