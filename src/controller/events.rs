//! The ear of an Organization: the queue by which AWS tells what happened, from its messages to passes.
//!
//! A message is deleted when a pass has looked at what it names, and not before: a process that dies, or cannot read AWS,
//! gets it again. What is deleted at once is what asks for no pass. A message that comes twice is known by its event, and one
//! that never comes is made up for by the interval; so nothing here has to be exact, and nothing waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::pending;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::backoff::Backoff;
use super::keep::{Kept, Turnout};
use super::{Context, Door};
use crate::aws::dice::Dice;
use crate::aws::queue::{MOST, Message, Queue};
use crate::aws::{AwsError, ErrorClass, Port, Request, Response};
use crate::events::{Hint, Listener, Reading, read};
use crate::names::{AccountId, Kind};
use crate::status::{Notice, Weight};

/// Events that come close together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(300);
/// Most messages that wait for a pass. The rest stays in the queue meanwhile.
const MOST_HELD: usize = 1_000;
/// Errors in a row that time may mend, after which people are told.
const PATIENCE: u32 = 3;
/// A pass that an event asks for waits so many times as long as the last one took: where much goes on in an organization
/// others need AWS's rates too. One that takes a guard off does not wait.
const REST: u32 = 2;
/// A call that was to wait for messages and did not: the pause before the next.
const IDLE: Duration = Duration::from_secs(1);

/// What the queue says.
enum Said {
    Messages(Vec<Message>),
    /// It cannot be read; why, for people.
    Trouble(String),
    /// It can be read again.
    Well,
}

/// One queue that is listened to.
pub struct Ear {
    url: String,
    queue: Option<Arc<dyn Queue>>,
    said: mpsc::Receiver<Said>,
    task: Option<JoinHandle<()>>,
    /// ARN by which bylaw calls AWS, once it is known.
    caller: Option<String>,
    /// Receipts of the messages that wait for a pass, by event.
    held: BTreeMap<Box<str>, String>,
    /// What these say.
    fresh: Vec<Hint>,
    /// When a pass is to begin for them.
    due: Option<tokio::time::Instant>,
    /// Until then only what is urgent asks for a pass.
    rests: tokio::time::Instant,
    trouble: Option<String>,
    undeleted: Arc<Mutex<Option<String>>>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Ear {
    /// Listens to the queue from now on. One that cannot be opened is a trouble like any other.
    #[must_use]
    pub fn new(url: &str, queue: Result<Box<dyn Queue>, String>, seed: u64) -> Self {
        let (sender, said) = mpsc::channel(1);
        let (queue, trouble): (Option<Arc<dyn Queue>>, _) = match queue {
            Ok(queue) => (Some(queue.into()), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(why) = &trouble {
            tracing::warn!(queue = url, "the queue of events cannot be read: {why}");
        }
        let task = queue.clone().map(|queue| tokio::spawn(listen(queue, sender, seed)));
        Self {
            url: url.to_owned(),
            queue,
            said,
            task,
            caller: None,
            held: BTreeMap::new(),
            fresh: vec![],
            due: None,
            rests: tokio::time::Instant::now(),
            trouble,
            undeleted: Arc::default(),
        }
    }

    /// The queue.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Learns by which name bylaw itself appears in events. Until that is known, it takes its own calls for others', which
    /// costs a pass and nothing else.
    pub async fn learn_own_name(&mut self, door: &Door) {
        if self.caller.is_none()
            && let Ok(Response::Identity { arn, .. }) = door.call(&Request::GetCallerIdentity).await
        {
            self.caller = Some(arn);
        }
    }

    /// Resolves when a pass is to look at what was said, or at what troubles the queue. It may be dropped at any time.
    pub async fn woken(&mut self, kept: &mut Kept, management: Option<&AccountId>, cx: &Context) {
        loop {
            let said = match self.due {
                Some(due) => match tokio::time::timeout_at(due, self.said.recv()).await {
                    Ok(said) => said,
                    Err(_) => {
                        self.due = None;
                        return;
                    }
                },
                None if self.held.len() >= MOST_HELD => pending().await,
                None => self.said.recv().await,
            };
            match said {
                Some(Said::Messages(messages)) => {
                    let before = self.fresh.len();
                    self.take(messages, kept, management, cx);
                    self.schedule(before);
                }
                Some(Said::Trouble(why)) => {
                    tracing::warn!(queue = self.url, "the queue of events cannot be read: {why}");
                    self.trouble = Some(why);
                    return;
                }
                Some(Said::Well) => {
                    tracing::info!(queue = self.url, "the queue of events can be read again");
                    self.trouble = None;
                    return;
                }
                None => match self.due {
                    Some(due) => {
                        tokio::time::sleep_until(due).await;
                        self.due = None;
                        return;
                    }
                    None => pending().await,
                },
            }
        }
    }

    /// Says when a pass is due for the hints from the `from`th on.
    fn schedule(&mut self, from: usize) {
        let soon = tokio::time::Instant::now() + DEBOUNCE;
        for hint in self.fresh.iter().skip(from) {
            let due = if hint.is_urgent() { soon } else { soon.max(self.rests) };
            self.due = Some(self.due.map_or(due, |known| known.min(due)));
        }
    }

    /// Takes in messages.
    fn take(&mut self, messages: Vec<Message>, kept: &mut Kept, management: Option<&AccountId>, cx: &Context) {
        let now = (cx.clock)();
        let mut done = vec![];
        for message in messages {
            let reading = {
                let known = kept.observed.as_ref().map(|observed| &observed.accounts);
                let is_member = |account: &AccountId| {
                    management == Some(account) || known.is_some_and(|known| known.contains_key(account))
                };
                read(message.body.as_bytes(), &Listener { caller: self.caller.as_deref(), is_member: &is_member })
            };
            let outcome = match reading {
                Reading::Hint(hint) => self.hint(hint, message.receipt, &mut done, kept, now, cx),
                other => {
                    if let Reading::Garbage(why) = other {
                        let (id, bytes) = (message.id, message.body.len());
                        tracing::info!(
                            message = id,
                            bytes,
                            "a message that is no event was taken off the queue: {why}"
                        );
                    }
                    done.push(message.receipt);
                    match other {
                        Reading::Own => "own",
                        Reading::Failed => "failed",
                        Reading::Foreign => "foreign",
                        Reading::Garbage(_) => "garbage",
                        Reading::Other | Reading::Hint(_) => "other",
                    }
                }
            };
            cx.metrics.event(outcome);
        }
        self.delete(done);
    }

    fn hint(
        &mut self,
        hint: Hint,
        receipt: String,
        done: &mut Vec<String>,
        kept: &mut Kept,
        now: Timestamp,
        cx: &Context,
    ) -> &'static str {
        if !kept.note(&hint, now) {
            // Its first message has been looked at, or still waits and has another receipt now.
            match self.held.get_mut(&hint.id) {
                Some(held) => *held = receipt,
                None => done.push(receipt),
            }
            return "duplicate";
        }
        let lag = now.duration_since(hint.at).as_secs_f64();
        cx.metrics.event_lag(lag);
        tracing::info!(call = &*hint.call, by = hint.by, lag, "AWS tells of a change");
        if kept.observed.as_ref().is_some_and(|observed| observed.is_past(&hint)) {
            done.push(receipt);
        } else {
            self.held.insert(hint.id.clone(), receipt);
            self.fresh.push(hint);
        }
        "hint"
    }

    /// What was said since a pass looked last.
    #[must_use]
    pub fn fresh(&self) -> &[Hint] {
        &self.fresh
    }

    /// A pass that took so long has looked at everything that was said.
    pub fn looked(&mut self, took: Duration) {
        self.due = None;
        self.rests = tokio::time::Instant::now() + took.saturating_mul(REST);
        self.fresh.clear();
        let held = std::mem::take(&mut self.held);
        self.delete(held.into_values().collect());
    }

    /// Deletes messages without waiting for it: one that stays comes again, and is known then.
    fn delete(&self, receipts: Vec<String>) {
        let Some(queue) = self.queue.clone().filter(|_| !receipts.is_empty()) else { return };
        let undeleted = self.undeleted.clone();
        tokio::spawn(async move {
            let mut trouble = None;
            for batch in receipts.chunks(MOST) {
                if let Err(error) = queue.delete(batch.to_vec()).await {
                    trouble = Some(told(&error));
                }
            }
            let mut known = undeleted.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = &trouble
                && known.is_none()
            {
                tracing::warn!("messages cannot be taken off the queue of events, they come again: {why}");
            }
            *known = trouble;
        });
    }

    /// Adds what troubles the queue to what is told of the Organization.
    pub fn mention(&self, turnout: &mut Turnout) {
        let undeleted = self.undeleted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trouble = self.trouble.as_ref().map(|why| format!("events: the queue cannot be read: {why}"));
        let trouble = trouble.or(undeleted.map(|why| format!("events: messages cannot be taken off the queue: {why}")));
        let Some(trouble) = trouble else { return };
        for (key, said) in turnout.statuses.iter_mut().filter(|(key, _)| key.kind == Kind::Organization) {
            said.verdict.message = format!("{}; {trouble}", said.verdict.message);
            turnout.notices.push(Notice {
                object: key.clone(),
                weight: Weight::Warning,
                reason: "EventsUnreadable",
                action: "Listen",
                note: format!("{trouble}; until then the organization is looked at every `spec.interval`"),
            });
        }
    }
}

/// Reads the queue for ever.
async fn listen(queue: Arc<dyn Queue>, said: mpsc::Sender<Said>, seed: u64) {
    let (mut backoff, mut dice) = (Backoff::default(), Dice::new(seed));
    let (mut errors, mut told_of): (u32, Option<String>) = (0, None);
    loop {
        let asked = Instant::now();
        let next = match queue.receive().await {
            Ok(messages) => {
                (backoff, errors) = (Backoff::default(), 0);
                if told_of.take().is_some() && said.send(Said::Well).await.is_err() {
                    return;
                }
                if messages.is_empty() && asked.elapsed() < IDLE {
                    tokio::time::sleep(IDLE).await;
                }
                (!messages.is_empty()).then_some(Said::Messages(messages))
            }
            Err(error) => {
                errors = errors.saturating_add(1);
                tracing::debug!(%error, errors, "the queue of events was not read");
                let news = told_of.as_ref() != Some(&error.code) && (is_lasting(&error) || errors >= PATIENCE);
                if news {
                    told_of = Some(error.code.clone());
                    if said.send(Said::Trouble(told(&error))).await.is_err() {
                        return;
                    }
                }
                tokio::time::sleep(backoff.failed(&mut dice)).await;
                None
            }
        };
        if let Some(next) = next
            && said.send(next).await.is_err()
        {
            return;
        }
    }
}

/// Whether asking again will not help.
fn is_lasting(error: &AwsError) -> bool {
    matches!(
        error.class,
        ErrorClass::Denied
            | ErrorClass::NotFound
            | ErrorClass::Constraint
            | ErrorClass::Invalid
            | ErrorClass::Credentials
    )
}

/// An error for people, the same as long as its cause is: without the id of the request.
fn told(error: &AwsError) -> String {
    let remedy = match error.class {
        ErrorClass::NotFound => Some("check `spec.events.queueUrl`".to_owned()),
        _ => error.remedy(),
    };
    let remedy = remedy.map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("{}: {}: {}{remedy}", error.operation, error.code, error.message)
}

#[cfg(test)]
mod tests;
