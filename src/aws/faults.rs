//! `Faulty`: a seeded schedule of everything that goes wrong between bylaw and AWS, around a port, for simulation.
//!
//! The same seed makes the same run, byte for byte, as long as calls arrive in the same order (one thread, paused time).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use serde::Serialize;

use super::AwsError;
use super::dice::Dice;
use super::offline::{Offline, careless};
use super::port::{Page, Port, Request, Response};
use super::time::ServiceTime;

/// How often what goes wrong. Each number is a probability for each call that it can befall.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Schedule {
    /// The run follows from it.
    pub seed: u64,
    /// Refused for the rate.
    pub throttled: f64,
    /// A write is refused because another change is under way.
    pub busy: f64,
    /// A write is carried out and its answer lost.
    pub lost_answer: f64,
    /// A write is lost on the way to AWS.
    pub lost_request: f64,
    /// A read fails without an answer.
    pub broken_read: f64,
    /// A read answers what was true a few writes ago, if the port remembers ([`super::offline::Options::remember`]).
    pub stale: f64,
    /// A list answers without an error and leaves out what is there: all of it, or all behind its first page.
    pub short: f64,
    /// A call never answers; a write is carried out or not.
    pub hang: f64,
    /// Somebody else changes something between a read and the write.
    pub foreign: f64,
    /// The n-th write is carried out, and from then on nothing answers: the process died there.
    pub dies_after: Option<u64>,
    /// After so many calls the credentials are past their time: every call from then on is refused.
    pub expires_after: Option<u64>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Refused for the rate.
    Throttled,
    /// Another change is under way.
    Busy,
    /// Carried out, answer lost.
    LostAnswer,
    /// Lost on the way.
    LostRequest,
    /// No answer to a read.
    BrokenRead,
    /// An old answer.
    Stale,
    /// A list that leaves out what is there.
    Short,
    /// No answer ever.
    Hang,
    /// A foreign change.
    Foreign,
    /// Death.
    Died,
    /// The credentials ran out.
    Expired,
}

/// What was true a few writes ago: the request, and how many writes ago.
type Past = Box<dyn Fn(&Request, usize) -> Option<Result<Response, AwsError>> + Send + Sync>;
/// One change by somebody else, drawn from the dice; whether there was one.
type ForeignHand = Box<dyn Fn(&mut Dice) -> bool + Send + Sync>;

/// A port on which things go wrong.
pub struct Faulty<P> {
    port: P,
    schedule: Schedule,
    inner: Mutex<Inner>,
    past: Option<Past>,
    foreign: Option<ForeignHand>,
}

struct Inner {
    dice: Dice,
    calls: u64,
    carried_out: u64,
    dead: bool,
    faults: BTreeMap<Fault, u64>,
}

/// What befalls one call.
enum Fate {
    Well,
    Never,
    CarriedOutThenNever,
    Answer(Result<Response, AwsError>),
    CarriedOutThenLost,
}

/// Most writes that a stale read is behind.
const STALENESS: usize = 4;

impl<P: Port> Faulty<P> {
    /// Lets go wrong on `port` what the schedule says, but for stale reads and foreign changes, which need a look
    /// behind the port ([`Faulty::around`], [`Faulty::past`], [`Faulty::foreign`]).
    #[must_use]
    pub fn new(port: P, schedule: Schedule) -> Self {
        let inner =
            Inner { dice: Dice::new(schedule.seed), calls: 0, carried_out: 0, dead: false, faults: BTreeMap::new() };
        Self { port, schedule, inner: Mutex::new(inner), past: None, foreign: None }
    }

    /// Answers stale reads with this.
    #[must_use]
    pub fn past(
        mut self,
        past: impl Fn(&Request, usize) -> Option<Result<Response, AwsError>> + Send + Sync + 'static,
    ) -> Self {
        self.past = Some(Box::new(past));
        self
    }

    /// Makes foreign changes with this.
    #[must_use]
    pub fn foreign(mut self, hand: impl Fn(&mut Dice) -> bool + Send + Sync + 'static) -> Self {
        self.foreign = Some(Box::new(hand));
        self
    }

    /// The port behind.
    #[must_use]
    pub fn port(&self) -> &P {
        &self.port
    }

    /// What went wrong so far.
    #[must_use]
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.lock().faults.clone()
    }

    /// Writes carried out through this port so far.
    #[must_use]
    pub fn carried_out(&self) -> u64 {
        self.lock().carried_out
    }

    /// Whether the process died: every call is pending for ever.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.lock().dead
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws what befalls a call. Every call draws the same number of times, so that turning one knob leaves the rest
    /// of a run as it was for as long as can be.
    fn fate(&self, request: &Request) -> Fate {
        let mut inner = self.lock();
        if inner.dead {
            return Fate::Never;
        }
        let operation = request.operation();
        inner.calls += 1;
        if let Some(last) = self.schedule.expires_after
            && inner.calls > last
        {
            inner.faults.entry(Fault::Expired).or_insert(1);
            let message = "The security token included in the request is expired (simulated)";
            return Fate::Answer(Err(AwsError::answered(operation, "ExpiredTokenException", message, None)));
        }
        let write = request.is_write();
        let plan = &self.schedule;
        let dice = &mut inner.dice;
        let foreign = dice.chance(plan.foreign) && write;
        let hang = dice.chance(plan.hang);
        let throttled = dice.chance(plan.throttled);
        let busy = dice.chance(plan.busy) && write;
        let lost_request = dice.chance(plan.lost_request) && write;
        let lost_answer = dice.chance(plan.lost_answer) && write;
        let broken = dice.chance(plan.broken_read) && !write;
        let stale = dice.chance(plan.stale) && !write;
        let draw = dice.bits();
        let mut own = Dice::new(draw);
        let mut count = |fault| *inner.faults.entry(fault).or_default() += 1;
        if foreign
            && let Some(hand) = &self.foreign
            && hand(&mut own)
        {
            count(Fault::Foreign);
        }
        let refused = |code: &str, message: &str| Fate::Answer(Err(AwsError::answered(operation, code, message, None)));
        if throttled {
            count(Fault::Throttled);
            return refused("TooManyRequestsException", "You have sent too many requests (simulated).");
        }
        if busy {
            count(Fault::Busy);
            return refused("ConcurrentModificationException", "The target is being modified (simulated).");
        }
        if hang {
            count(Fault::Hang);
            return if write && own.chance(0.5) { Fate::CarriedOutThenNever } else { Fate::Never };
        }
        let lost = |code: &str| Fate::Answer(Err(AwsError::unanswered(operation, code, "lost (simulated)")));
        if lost_request {
            count(Fault::LostRequest);
            return lost("connection");
        }
        if lost_answer {
            count(Fault::LostAnswer);
            return Fate::CarriedOutThenLost;
        }
        if broken {
            count(Fault::BrokenRead);
            return lost("server");
        }
        if stale
            && let Some(past) = &self.past
            && let Some(answer) = past(request, 1 + own.below(STALENESS))
        {
            count(Fault::Stale);
            return Fate::Answer(answer);
        }
        // Drawn apart from the rest, which stays as it is without it.
        let mut apart = Dice::new(draw.rotate_left(17));
        if apart.chance(self.schedule.short)
            && let Some(answer) = self.short(request, &mut apart)
        {
            count(Fault::Short);
            return Fate::Answer(Ok(answer));
        }
        Fate::Well
    }

    /// A list without what is behind its first page of a moment ago, or without anything.
    fn short(&self, request: &Request, dice: &mut Dice) -> Option<Response> {
        let nothing = nothing(request)?;
        let past = self.past.as_ref().filter(|_| dice.chance(0.5));
        let Some(Ok(mut answer)) = past.and_then(|past| past(request, 1)) else { return Some(nothing) };
        match &mut answer {
            Response::Accounts(page) => page.next = None,
            Response::Units(page) => page.next = None,
            Response::Policies(page) => page.next = None,
            Response::Targets(page) => page.next = None,
            Response::Administrators(page) => page.next = None,
            Response::Creations(page) => page.next = None,
            _ => {}
        }
        Some(answer)
    }

    /// Carries a call out and counts it; whether it was the last of this life.
    async fn carry_out(&self, request: &Request) -> (Result<Response, AwsError>, bool) {
        let answer = self.port.call(request).await;
        let mut inner = self.lock();
        if request.is_write() && answer.is_ok() {
            inner.carried_out += 1;
            if self.schedule.dies_after.is_some_and(|last| inner.carried_out >= last) && !inner.dead {
                inner.dead = true;
                *inner.faults.entry(Fault::Died).or_default() += 1;
            }
        }
        // Others that were under way when the process died do not answer either.
        (answer, inner.dead)
    }
}

impl Faulty<Arc<Offline>> {
    /// Lets go wrong on the organization in memory what the schedule says, stale reads and careless people included.
    #[must_use]
    pub fn around(offline: &Arc<Offline>, schedule: Schedule) -> Self {
        let (past, hand) = (offline.clone(), offline.clone());
        Self::new(offline.clone(), schedule).past(move |request, back| past.recall(request, back)).foreign(
            move |dice| {
                // The state is let go before the write, which would copy what somebody still holds.
                let request = careless(&hand.state(), dice);
                request.is_some_and(|request| hand.foreign(&request).is_ok())
            },
        )
    }
}

/// The empty answer of a list of what an organization holds; `None` of what is no such list.
fn nothing(request: &Request) -> Option<Response> {
    fn empty<T>() -> Page<T> {
        Page { items: vec![], next: None }
    }
    Some(match request {
        Request::ListAccounts { .. } | Request::ListAccountsForParent { .. } => Response::Accounts(empty()),
        Request::ListOrganizationalUnitsForParent { .. } => Response::Units(empty()),
        Request::ListPolicies { .. } | Request::ListPoliciesForTarget { .. } => Response::Policies(empty()),
        Request::ListTargetsForPolicy { .. } => Response::Targets(empty()),
        Request::ListDelegatedAdministrators { .. } => Response::Administrators(empty()),
        Request::ListCreateAccountStatus { .. } => Response::Creations(empty()),
        _ => return None,
    })
}

impl<P: Port> Port for Faulty<P> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let fate = self.fate(request);
            match fate {
                Fate::Answer(answer) => return answer,
                Fate::Never => {}
                Fate::CarriedOutThenNever => drop(self.carry_out(request).await),
                Fate::Well => {
                    let (answer, dead) = self.carry_out(request).await;
                    if !dead {
                        return answer;
                    }
                }
                Fate::CarriedOutThenLost => {
                    // A call that AWS refused lost its answer all the same.
                    let (_, dead) = self.carry_out(request).await;
                    if !dead {
                        return Err(AwsError::unanswered(request.operation(), "connection", "lost (simulated)"));
                    }
                }
            }
            std::future::pending().await
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.port.time()
    }
}

#[cfg(test)]
#[path = "faults/tests.rs"]
mod tests;
