//! `Paced`: the only place that waits and the only one that retries.
//!
//! Each operation has its own queue, first come first served, before a bucket a little tighter than AWS's, so that no
//! call is refused for jitter and no operation waits for another. Writes go one at a time, because AWS answers
//! parallel ones with "another request is already in progress" (aws-facts section 1). A write that got no answer is
//! never sent again: whoever asked must look first.
//!
//! Architecture invariant: no other room sleeps for AWS's sake or calls twice.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Serialize;
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::buckets::{Rate, TokenBucket, rate_of};
use super::dice::Dice;
use super::port::{Port, Request, Response, Still};
use super::time::ServiceTime;
use super::{AwsError, ErrorClass};
use crate::names::SPANS;

/// Whose rates to keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// AWS's published ones.
    Aws,
    /// None: an emulator.
    None,
}

/// How calls are made.
#[derive(Debug, Clone)]
pub struct Conduct {
    /// Whose rates to keep to.
    pub pace: Pace,
    /// Longest sum of the pauses that one call makes after refusals; then the refusal is the answer.
    pub patience: Duration,
    /// Longest wait for one answer; then it is unknown whether the call was carried out.
    pub timeout: Duration,
    /// Most reads on the wire at once.
    pub connections: usize,
    /// The jitter follows from it.
    pub seed: u64,
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            pace: Pace::Aws,
            patience: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            connections: 32,
            seed: 0,
        }
    }
}

/// What was spent on calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Calls sent, second tries included.
    pub calls: BTreeMap<&'static str, u64>,
    /// Of these, refused for a rate or another change under way.
    pub refused: BTreeMap<&'static str, u64>,
    /// Of these, without an answer.
    pub unanswered: BTreeMap<&'static str, u64>,
    /// Time that calls waited for a rate, for their turn to write or after a refusal, added up over all calls.
    pub waited: Duration,
}

impl Tally {
    /// All calls sent.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }
    /// All calls refused.
    #[must_use]
    pub fn total_refused(&self) -> u64 {
        self.refused.values().sum()
    }
}

/// What happens to a call, for progress.
#[derive(Debug)]
pub enum Moment<'a> {
    /// It goes on the wire.
    Sent(&'a Request),
    /// It has its final answer.
    Answered(&'a Request, Result<&'a Response, &'a AwsError>),
    /// It is tried again after a pause.
    Again(&'a Request, &'a AwsError, Duration),
}

type Observer = Arc<dyn Fn(Moment<'_>) + Send + Sync>;

/// The queue of one operation.
struct Queue {
    /// Held by the call that is next; tokio's mutex is first come, first served.
    turn: tokio::sync::Mutex<()>,
    bucket: Mutex<TokenBucket>,
}

/// A port that keeps to AWS's rates and tries again where nothing was done.
pub struct Paced<P> {
    port: P,
    conduct: Conduct,
    began: Instant,
    queues: Mutex<BTreeMap<&'static str, Arc<Queue>>>,
    writes: tokio::sync::Mutex<()>,
    reads: tokio::sync::Semaphore,
    tally: Mutex<Tally>,
    dice: Mutex<Dice>,
    observer: Option<Observer>,
}

/// A place on the wire, free again when dropped.
#[allow(dead_code, reason = "the guards are held, not looked at")]
enum Place<'a> {
    Write(tokio::sync::MutexGuard<'a, ()>),
    Read(Option<tokio::sync::SemaphorePermit<'a>>),
}

/// Attempts of a read that gets no answer.
const READ_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One call, for traces, named as OpenTelemetry names calls to AWS. Whoever sends it adds AWS's request id.
fn span(operation: &'static str) -> Span {
    tracing::trace_span!(target: SPANS, "call", otel.name = operation, otel.kind = "client", rpc.system = "aws-api",
        rpc.method = operation, outcome = Empty, aws.request_id = Empty, error.type = Empty, otel.status_code = Empty,
        otel.status_description = Empty)
}

/// Below AWS's rate by 2 %, and by a token, since calls do not arrive as evenly as they leave.
fn tighter(rate: Rate) -> Rate {
    Rate { per_second: rate.per_second * 0.98, burst: (rate.burst - 1.0).max(1.0) }
}

impl<P: Port> Paced<P> {
    /// Paces `port`.
    #[must_use]
    pub fn new(port: P, conduct: Conduct) -> Self {
        let seed = conduct.seed;
        let reads = tokio::sync::Semaphore::new(conduct.connections.max(1));
        Self {
            port,
            conduct,
            began: Instant::now(),
            queues: Mutex::default(),
            writes: tokio::sync::Mutex::default(),
            reads,
            tally: Mutex::default(),
            dice: Mutex::new(Dice::new(seed)),
            observer: None,
        }
    }

    /// Tells `observer` what happens to each call; it is called from the task that makes the call and must not block.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(Moment<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// What was spent so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.tally).clone()
    }

    /// The port behind.
    #[must_use]
    pub fn port(&self) -> &P {
        &self.port
    }

    fn tell(&self, moment: Moment<'_>) {
        if let Some(observer) = &self.observer {
            observer(moment);
        }
    }

    fn queue(&self, operation: &'static str) -> Arc<Queue> {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(operation).or_insert_with(|| {
            let bucket = Mutex::new(TokenBucket::new(tighter(rate_of(operation))));
            Arc::new(Queue { turn: tokio::sync::Mutex::default(), bucket })
        });
        queue.clone()
    }

    async fn place(&self, request: &Request) -> Place<'_> {
        if request.is_write() {
            Place::Write(self.writes.lock().await)
        } else {
            Place::Read(self.reads.acquire().await.ok())
        }
    }

    /// Waits for the rate and for a place on the wire, and sends once.
    async fn attempt(&self, request: &Request, still: Still<'_>, queue: &Queue) -> Result<Response, AwsError> {
        let operation = request.operation();
        let arrived = Instant::now();
        let turn = queue.turn.lock().await;
        // The token is taken when the call goes, not when it begins to wait for its place on the wire: calls that
        // waited there would leave bunched. A drain in between sends it round again, its place free for others.
        let _place = loop {
            if self.conduct.pace == Pace::Aws {
                let wait = lock(&queue.bucket).wait(self.began.elapsed());
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                    continue;
                }
            }
            let place = self.place(request).await;
            still()?;
            if self.conduct.pace == Pace::None || lock(&queue.bucket).take(self.began.elapsed()).is_ok() {
                break place;
            }
        };
        drop(turn);
        {
            let mut tally = lock(&self.tally);
            *tally.calls.entry(operation).or_default() += 1;
            tally.waited += arrived.elapsed();
        }
        self.tell(Moment::Sent(request));
        let span = span(operation);
        let call = self.port.call(request).instrument(span.clone());
        let answer = tokio::time::timeout(self.conduct.timeout, call).await.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", self.conduct.timeout.as_secs_f64());
            Err(AwsError::unanswered(operation, "timeout", &message))
        });
        match &answer {
            Ok(_) => {
                span.record("outcome", "ok");
            }
            Err(error) => {
                span.record("outcome", error.class.as_str()).record("otel.status_code", "ERROR");
                span.record("error.type", &error.code).record("otel.status_description", &error.message);
            }
        }
        answer
    }

    /// Half of a pause that doubles each time, and up to as much again.
    fn pause(&self, attempt: u32) -> Duration {
        let full = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
        full.mul_f64(0.5 + 0.5 * lock(&self.dice).fraction())
    }

    async fn carry_out(&self, request: &Request, still: Still<'_>) -> Result<Response, AwsError> {
        let operation = request.operation();
        let queue = self.queue(operation);
        let mut paused = Duration::ZERO;
        let (mut attempts, mut unanswered) = (0, 0);
        loop {
            let error = match self.attempt(request, still, &queue).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            match error.class {
                ErrorClass::Throttled => {
                    *lock(&self.tally).refused.entry(operation).or_default() += 1;
                    // Somebody else draws from the same bucket: all calls of this operation slow down, not this one.
                    lock(&queue.bucket).drain(self.began.elapsed());
                }
                ErrorClass::Busy => *lock(&self.tally).refused.entry(operation).or_default() += 1,
                ErrorClass::Unknown => {
                    *lock(&self.tally).unanswered.entry(operation).or_default() += 1;
                    unanswered += 1;
                    if request.is_write() || unanswered >= READ_ATTEMPTS {
                        return Err(error);
                    }
                }
                _ => return Err(error),
            }
            let pause = self.pause(attempts);
            attempts += 1;
            paused += pause;
            if paused > self.conduct.patience {
                return Err(error);
            }
            self.tell(Moment::Again(request, &error, pause));
            lock(&self.tally).waited += pause;
            tokio::time::sleep(pause).await;
        }
    }
}

fn always() -> Result<(), AwsError> {
    Ok(())
}

impl<P: Port> Port for Paced<P> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        self.call_while(request, &always)
    }

    fn call_while<'a>(&'a self, request: &'a Request, still: Still<'a>) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let answer = self.carry_out(request, still).await;
            self.tell(Moment::Answered(request, answer.as_ref()));
            answer
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.port.time()
    }
}

#[cfg(test)]
#[path = "paced/tests.rs"]
mod tests;
