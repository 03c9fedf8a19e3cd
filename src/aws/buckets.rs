//! AWS's rates: one table of token buckets, the bucket itself, and the least time that a number of calls takes.
//!
//! Pure: the time is an argument. Organizations' rates are those of its quotas page (aws-facts section 1, per account),
//! Account Management's those of its own quotas page.

use std::collections::BTreeMap;
use std::time::Duration;

/// How fast AWS takes one operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls a second in the long run.
    pub per_second: f64,
    /// Calls at once after a pause.
    pub burst: f64,
}

const fn rate(per_second: f64, burst: f64) -> Rate {
    Rate { per_second, burst }
}

/// Rates that AWS publishes.
const RATES: &[(&str, Rate)] = &[
    ("AttachPolicy", rate(2.0, 3.0)),
    ("CloseAccount", rate(0.05, 1.0)),
    ("CreateAccount", rate(0.1, 3.0)),
    ("CreateOrganizationalUnit", rate(1.0, 2.0)),
    ("CreatePolicy", rate(2.0, 3.0)),
    ("DeleteOrganizationalUnit", rate(2.0, 3.0)),
    ("DeletePolicy", rate(2.0, 3.0)),
    ("DescribeAccount", rate(20.0, 30.0)),
    ("DescribeCreateAccountStatus", rate(2.0, 2.0)),
    ("DescribeOrganization", rate(1.0, 2.0)),
    ("DescribePolicy", rate(2.0, 2.0)),
    ("DetachPolicy", rate(2.0, 3.0)),
    ("EnableAWSServiceAccess", rate(1.0, 2.0)),
    ("EnablePolicyType", rate(1.0, 1.0)),
    ("GetAlternateContact", rate(10.0, 15.0)),
    ("ListAWSServiceAccessForOrganization", rate(1.0, 3.0)),
    ("ListAccounts", rate(8.0, 12.0)),
    ("ListAccountsForParent", rate(5.0, 8.0)),
    ("ListCreateAccountStatus", rate(5.0, 8.0)),
    ("ListDelegatedAdministrators", rate(5.0, 8.0)),
    ("ListDelegatedServicesForAccount", rate(1.0, 3.0)),
    ("ListOrganizationalUnitsForParent", rate(5.0, 8.0)),
    ("ListParents", rate(5.0, 8.0)),
    ("ListPolicies", rate(5.0, 8.0)),
    ("ListPoliciesForTarget", rate(5.0, 8.0)),
    ("ListRoots", rate(1.0, 2.0)),
    ("ListTagsForResource", rate(10.0, 15.0)),
    ("ListTargetsForPolicy", rate(5.0, 8.0)),
    ("MoveAccount", rate(2.0, 3.0)),
    ("PutAccountName", rate(1.0, 1.0)),
    ("PutAlternateContact", rate(5.0, 8.0)),
    ("RegisterDelegatedAdministrator", rate(1.0, 2.0)),
    ("TagResource", rate(4.0, 6.0)),
    ("UntagResource", rate(4.0, 6.0)),
    ("UpdateOrganizationalUnit", rate(2.0, 3.0)),
    ("UpdatePolicy", rate(2.0, 3.0)),
];

/// For operations without a published rate (the delegation policy, `GetCallerIdentity`): as slow as the slowest
/// published read, since each is called once a pass.
const UNPUBLISHED: Rate = rate(1.0, 2.0);

/// The rate of an operation, as AWS spells it.
#[must_use]
pub fn rate_of(operation: &str) -> Rate {
    RATES
        .binary_search_by(|(name, _)| name.cmp(&operation))
        .ok()
        .and_then(|at| RATES.get(at))
        .map_or(UNPUBLISHED, |(_, rate)| *rate)
}

/// The least time in seconds that AWS takes for `calls` calls of one operation after a pause: `(calls - burst) / rate`.
#[must_use]
pub fn seconds(operation: &str, calls: u64) -> f64 {
    let rate = rate_of(operation);
    #[allow(clippy::cast_precision_loss, reason = "nobody makes 2^53 calls")]
    let calls = calls as f64;
    ((calls - rate.burst) / rate.per_second).max(0.0)
}

/// The least time in seconds for all those calls: each operation has its own bucket, so the slowest decides.
#[must_use]
pub fn least_seconds(calls: &BTreeMap<&str, u64>) -> f64 {
    calls.iter().map(|(operation, calls)| seconds(operation, *calls)).fold(0.0, f64::max)
}

/// A token bucket. It starts full.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenBucket {
    rate: Rate,
    tokens: f64,
    at: Duration,
}

/// Sums of fractions of tokens are off by less than this.
const ROUNDING: f64 = 1e-9;

impl TokenBucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self { rate, tokens: rate.burst, at: Duration::ZERO }
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate.per_second).min(self.rate.burst);
        self.at = self.at.max(now);
    }

    /// How long until a call is allowed; zero if it is now. Takes nothing.
    pub fn wait(&mut self, now: Duration) -> Duration {
        self.refill(now);
        let missing = 1.0 - self.tokens;
        if missing <= ROUNDING {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(missing / self.rate.per_second)
    }

    /// Takes one token for a call at `now`.
    ///
    /// # Errors
    /// The time until there is one, where there is none.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        let wait = self.wait(now);
        if wait.is_zero() {
            self.tokens = (self.tokens - 1.0).max(0.0);
            return Ok(());
        }
        Err(wait)
    }

    /// Empties the bucket: AWS says that others have drawn from it.
    pub fn drain(&mut self, now: Duration) {
        self.refill(now);
        self.tokens = 0.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_known_rates_are_found() {
        assert!(RATES.is_sorted_by_key(|(name, _)| name));
        assert_eq!(rate_of("ListTagsForResource"), rate(10.0, 15.0));
        assert_eq!(rate_of("CloseAccount"), rate(0.05, 1.0));
        assert_eq!(rate_of("DescribeResourcePolicy"), UNPUBLISHED);
    }

    #[test]
    fn estimates() {
        assert!((seconds("ListTagsForResource", 650) - 63.5).abs() < 1e-9);
        assert!(seconds("ListTagsForResource", 15).abs() < 1e-9);
        assert!(seconds("ListTagsForResource", 0).abs() < 1e-9);
        let calls = BTreeMap::from([("ListTagsForResource", 650), ("DescribePolicy", 50), ("ListRoots", 1)]);
        assert!((least_seconds(&calls) - 63.5).abs() < 1e-9);
        assert!(least_seconds(&BTreeMap::new()).abs() < 1e-9);
    }

    #[test]
    fn a_drained_bucket_fills_again() {
        let mut bucket = TokenBucket::new(rate(2.0, 3.0));
        bucket.drain(Duration::from_secs(10));
        assert_eq!(bucket.take(Duration::from_secs(10)), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(Duration::from_millis(10_500)), Ok(()));
    }

    #[test]
    fn time_that_goes_back_gives_nothing() {
        let mut bucket = TokenBucket::new(rate(1.0, 1.0));
        assert_eq!(bucket.take(Duration::from_secs(5)), Ok(()));
        assert!(bucket.take(Duration::from_secs(1)).is_err());
        assert!(bucket.take(Duration::from_millis(5_900)).is_err());
        assert_eq!(bucket.take(Duration::from_secs(6)), Ok(()));
    }

    proptest! {
        /// In every window, not only from the start, no more than burst + rate * length.
        #[test]
        fn never_more_than_burst_and_rate(
            per_second in 0.05f64..30.0, burst in 1u32..30, gaps in prop::collection::vec(0u64..2_000, 1..300)
        ) {
            let rate = rate(per_second, f64::from(burst));
            let mut bucket = TokenBucket::new(rate);
            let mut now = Duration::ZERO;
            let mut granted = Vec::new();
            for gap in gaps {
                now += Duration::from_millis(gap / 4);
                if bucket.take(now).is_ok() {
                    granted.push(now.as_secs_f64());
                }
            }
            for (first, from) in granted.iter().enumerate() {
                for (last, to) in granted.iter().enumerate().skip(first) {
                    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
                    let count = (last - first + 1) as f64;
                    prop_assert!(count <= rate.burst + rate.per_second * (to - from) + 1e-6);
                }
            }
        }

        /// After the wait that it names, the call is granted.
        #[test]
        fn the_wait_it_names_is_enough(per_second in 0.05f64..30.0, burst in 1u32..5, calls in 1usize..40) {
            let mut bucket = TokenBucket::new(rate(per_second, f64::from(burst)));
            let mut now = Duration::ZERO;
            for _ in 0..calls {
                if let Err(wait) = bucket.take(now) {
                    now += wait;
                    prop_assert!(bucket.take(now).is_ok());
                }
            }
        }
    }
}
