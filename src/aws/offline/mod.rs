//! An AWS organization in memory that answers every [`Request`] as AWS does: its rules, quotas and error codes
//! (`aws-facts` sections 1 and 2), its asynchronous account creation, its paging and, where asked for, its throttles.
//!
//! For `bylaw apply --snapshot`, `bylaw demo`, simulation and tests. Time is tokio's, so a test with paused time
//! simulates hours in milliseconds. What is not AWS's documented behaviour is marked where it is decided.
//!
//! Architecture invariant: nothing here knows what bylaw wants of an organization.

mod access;
mod foreign;
mod mint;
mod policies;
mod reads;
mod refusal;
mod services;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod writes;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;

pub use access::{Identity, Rights};
pub use foreign::careless;
pub use state::{Account, Policy, Root, State, Unit};

use self::reads::View;
use self::refusal::Refusal;
use self::writes::Circumstances;
use crate::aws::buckets::{TokenBucket, rate_of};
use crate::aws::dice::Dice;
use crate::aws::port::{OrganizationFact, Port, Request, Response};
use crate::aws::time::ServiceTime;
use crate::aws::{AwsError, ErrorClass};
use crate::names::{AccountId, Tags};

/// How the organization in memory behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// Ids follow from it.
    pub seed: u64,
    /// The management account; left out: an id that follows from the seed.
    pub management: Option<AccountId>,
    /// Accounts tell their parent, as AWS's `Paths` do. Emulators leave it out.
    pub paths: bool,
    /// Items of a page; AWS: 20.
    pub page_size: usize,
    /// Lists begin, and may end, with an empty page, as AWS's may.
    pub empty_pages: bool,
    /// Refuse calls past AWS's published rates.
    pub throttled: bool,
    /// Refuse a write that arrives while another is under way; matters only with a latency.
    pub one_write_at_a_time: bool,
    /// From sending a call to its answer.
    pub latency: Duration,
    /// Most accounts; AWS: 10 until raised, at most 50,000.
    pub account_limit: usize,
    /// From `CreateAccount` to its end.
    pub creation_delay: Duration,
    /// From `CloseAccount` to its end.
    pub closing_delay: Duration,
    /// From `EnablePolicyType` to its end.
    pub enabling_delay: Duration,
    /// How long states before a write are kept for [`Offline::recall`]; zero keeps none.
    pub remember: Duration,
    /// The feature set is `ALL`.
    pub all_features: bool,
    /// Time of day at which the organization begins.
    pub began: Timestamp,
    /// Its answers tell its time of day, as AWS's do; an organization that is rehearsed on lives by the clock of the caller.
    pub tells_time: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            management: None,
            paths: true,
            page_size: 20,
            empty_pages: false,
            throttled: false,
            one_write_at_a_time: true,
            latency: Duration::ZERO,
            account_limit: 50_000,
            creation_delay: Duration::from_secs(30),
            closing_delay: Duration::from_secs(60),
            enabling_delay: Duration::ZERO,
            remember: Duration::ZERO,
            all_features: true,
            // 2026-01-01T00:00:00Z
            began: Timestamp::constant(1_767_225_600, 0),
            tells_time: false,
        }
    }
}

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Hand {
    /// A caller of the port.
    Caller,
    /// Somebody beside it ([`Offline::foreign`]).
    Foreign,
}

/// One write that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Time since the organization began.
    pub at: Duration,
    /// Who.
    pub hand: Hand,
    /// What.
    pub request: Request,
    /// Id of what it made, where it made something: an OU, a policy, a request to create an account.
    pub made: Option<String>,
}

/// The organization in memory.
#[derive(Debug)]
pub struct Offline {
    options: Options,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    identity: Identity,
    log: Vec<Entry>,
    buckets: BTreeMap<&'static str, TokenBucket>,
    /// States before a write, newest last, each with the time of that write.
    past: VecDeque<(Duration, State)>,
    now: Duration,
    seen: Option<Instant>,
    writing: bool,
}

/// States that are kept at most: a read that is older than so many writes is no longer "a moment ago".
const PAST: usize = 16;

impl Offline {
    /// A new organization: the root, the management account, AWS's own policies, every policy type off.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut dice = Dice::new(options.seed);
        let organization = OrganizationFact {
            id: mint::organization(&mut dice),
            management_account: options.management.clone().unwrap_or_else(|| mint::first_account(&mut dice)),
            all_features: options.all_features,
        };
        let root =
            Root { id: mint::root(&mut dice), name: "Root".into(), policy_types: BTreeMap::new(), tags: Tags::new() };
        let management = organization.management_account.clone();
        let mut state = State::bare(organization, root, dice);
        state.put_managed_policies();
        state.join(management, "management".into(), "management@example.com".into(), Tags::new());
        Self::from_state(state, options)
    }

    /// An organization in that state, called by its management account.
    #[must_use]
    pub fn from_state(state: State, options: Options) -> Self {
        let identity = Identity::new(state.organization.management_account.clone(), Rights::Management);
        let inner = Inner {
            state,
            identity,
            log: Vec::new(),
            buckets: BTreeMap::new(),
            past: VecDeque::new(),
            now: Duration::ZERO,
            seen: None,
            writing: false,
        };
        Self { options, inner: Mutex::new(inner) }
    }

    /// How it behaves.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// A copy of the state as it is now; cheap.
    #[must_use]
    pub fn state(&self) -> State {
        self.lock().state.clone()
    }

    /// Reads or changes the state directly, past every rule; not in the log.
    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut inner = self.lock();
        self.remember(&mut inner);
        change(&mut inner.state)
    }

    /// Carries out a write of somebody else in the management account: AWS's rules hold, throttles and latency do not.
    ///
    /// # Errors
    /// As AWS would refuse it.
    pub fn foreign(&self, request: &Request) -> Result<Response, AwsError> {
        let mut inner = self.lock();
        self.write(&mut inner, request, Hand::Foreign).map_err(|refusal| refusal.of(request.operation()))
    }

    /// Calls from now on come from this identity.
    pub fn sign_in(&self, identity: Identity) {
        self.lock().identity = identity;
    }

    /// The identity that calls come from.
    #[must_use]
    pub fn identity(&self) -> Identity {
        self.lock().identity.clone()
    }

    /// Writes that were carried out, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Entry> {
        self.lock().log.clone()
    }

    /// The newest write that was carried out.
    #[must_use]
    pub fn last(&self) -> Option<Entry> {
        self.lock().log.last().cloned()
    }

    /// How many writes were carried out.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.lock().log.len()
    }

    /// Time since the organization began, which is its first call.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.lock().now
    }

    /// The answer to a read out of the state `back` writes ago (1: before the last); `None` where that is not
    /// remembered, or the request writes.
    #[must_use]
    pub fn recall(&self, request: &Request, back: usize) -> Option<Result<Response, AwsError>> {
        let inner = self.lock();
        let index = inner.past.len().checked_sub(back.max(1))?;
        let (_, state) = inner.past.get(index)?;
        if request.is_write() {
            return None;
        }
        let answer = inner.identity.may(request).and_then(|()| state.read(request, &inner.identity, &self.view()));
        Some(answer.map_err(|refusal| refusal.of(request.operation())))
    }

    /// The state, with what AWS does by itself done up to now.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic in a test's closure leaves plain data behind.
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let instant = Instant::now();
        let passed = inner.seen.map_or(Duration::ZERO, |seen| instant.saturating_duration_since(seen));
        inner.seen = Some(instant);
        inner.now += passed;
        let now = inner.now;
        if inner.state.is_due(now) {
            self.remember(&mut inner);
            inner.state.settle(now);
        }
        while inner.past.front().is_some_and(|(at, _)| *at + self.options.remember < now) {
            inner.past.pop_front();
        }
        inner
    }

    fn view(&self) -> View {
        View { page_size: self.options.page_size, paths: self.options.paths, empty_pages: self.options.empty_pages }
    }

    fn remember(&self, inner: &mut Inner) {
        if !self.options.remember.is_zero() {
            if inner.past.len() >= PAST {
                inner.past.pop_front();
            }
            inner.past.push_back((inner.now, inner.state.clone()));
        }
    }

    fn write(&self, inner: &mut Inner, request: &Request, hand: Hand) -> Result<Response, Refusal> {
        let passed = SignedDuration::try_from(inner.now).unwrap_or_default();
        let at = Circumstances {
            now: inner.now,
            wall: self.options.began.checked_add(passed).unwrap_or(self.options.began),
            account_limit: self.options.account_limit,
            creation_delay: self.options.creation_delay,
            closing_delay: self.options.closing_delay,
            enabling_delay: self.options.enabling_delay,
        };
        self.remember(inner);
        let answer = inner.state.write(request, &at);
        match &answer {
            Ok(response) => {
                let made = match response {
                    Response::UnitCreated(unit) => Some(unit.id.to_string()),
                    Response::PolicyCreated(policy) => Some(policy.id.to_string()),
                    Response::Creation(creation) => Some(creation.id.clone()),
                    _ => None,
                };
                inner.log.push(Entry { at: inner.now, hand, request: request.clone(), made });
                // What takes no time is done with the answer.
                let now = inner.now;
                inner.state.settle(now);
            }
            Err(_) if !self.options.remember.is_zero() => {
                inner.past.pop_back();
            }
            Err(_) => {}
        }
        answer
    }

    /// One call as it arrives at AWS.
    fn answer(&self, request: &Request) -> Result<(Response, Option<Busy<'_>>), Refusal> {
        let mut inner = self.lock();
        let now = inner.now;
        inner.identity.may(request)?;
        if self.options.throttled {
            let operation = request.operation();
            let bucket = inner.buckets.entry(operation).or_insert_with(|| TokenBucket::new(rate_of(operation)));
            if bucket.take(now).is_err() {
                return Err(Refusal::new(
                    "TooManyRequestsException",
                    "You have sent too many requests in too short a period of time.",
                ));
            }
        }
        if !request.is_write() {
            return Ok((inner.state.read(request, &inner.identity, &self.view())?, None));
        }
        let takes_time = self.options.one_write_at_a_time && !self.options.latency.is_zero();
        if takes_time && inner.writing {
            return Err(Refusal::new(
                "TooManyRequestsException",
                "AWS Organizations can't complete your request because another request is already in progress.",
            ));
        }
        let response = self.write(&mut inner, request, Hand::Caller)?;
        inner.writing = takes_time;
        Ok((response, takes_time.then(|| Busy(self))))
    }
}

/// A write is under way until this is dropped.
struct Busy<'a>(&'a Offline);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner).writing = false;
    }
}

impl Port for Offline {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let way = self.options.latency / 2;
            if !way.is_zero() {
                tokio::time::sleep(way).await;
            }
            let answer = self.answer(request);
            if !way.is_zero() {
                tokio::time::sleep(way).await;
            }
            match answer {
                Ok((response, busy)) => {
                    drop(busy);
                    Ok(response)
                }
                Err(refusal) => {
                    let error = refusal.of(request.operation());
                    debug_assert_ne!(error.class, ErrorClass::Unknown, "{error}");
                    Err(error)
                }
            }
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        let passed = i64::try_from(self.lock().now.as_secs()).ok()?;
        let date = self.options.began.checked_add(SignedDuration::from_secs(passed)).ok()?;
        self.options.tells_time.then(|| ServiceTime::of(date, Instant::now()))
    }
}
