//! Records folded to distinct requests, each judged once.
//!
//! Two records are the same request where everything that the judge looks at is the same: time, address, user agent and
//! session make no difference where no statement tests them. A request that is known already costs a key written into a
//! buffer, its hash and a look into a table, and allocates nothing. The table is bounded: when it is full it is emptied, and what
//! comes again is judged again.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::actions;
use super::asked::Event;
use super::classes::{self, Class};
use super::record::{Record, seconds};
use super::request::{Call, Values, Who};
use super::tally::{Line, OTHERS, Tally};
use crate::policy::eval::Action;

/// How the policies of the organization bind an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// They do.
    Member,
    /// It is the management account: service control policies do not.
    Management,
    /// It is not of the organization.
    Foreign,
}

/// What a judge looks at for an action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looks {
    /// The patterns that resources are held against (`*` and `?`); none where the resource makes no difference.
    pub resources: Vec<Box<str>>,
    /// Whether policies of the resource's account may decide.
    pub resource_policies: bool,
    /// The condition keys that make a difference.
    pub keys: Vec<Box<str>>,
    /// What stands for the statements that decide, sorted, so that those of two actions can be compared.
    pub statements: Vec<u64>,
    /// Whether something allows only some requests, so that what no statement denies is not allowed by that alone.
    pub has_to_be_allowed: bool,
}

/// A statement that decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct By {
    /// The policy: its id, or the object that declares it.
    pub policy: Box<str>,
    /// The statement: its `Sid`, or its place.
    pub statement: Box<str>,
    /// The node that the policy is attached to.
    pub node: Box<str>,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Allowed, whatever is not known.
    Allowed,
    /// Denied; a [`By`] of nothing where no statement allows it.
    Denied(By),
    /// It hangs on these keys.
    Depends {
        /// Their names; `resource` and `action` for what is asked for.
        keys: Vec<Box<str>>,
        /// A statement that looks at them.
        by: By,
    },
}

/// What is answered under what is in force, and under what is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Under what is in force.
    pub before: Answer,
    /// Under what is declared.
    pub after: Answer,
    /// Whether the answer is certain to stay, although it may not be known which it is: the same statements decide.
    pub same: bool,
}

/// Says what policies make of a call.
pub trait Judge: Sync {
    /// How the organization's policies bind an account.
    fn binds(&self, account: &str) -> Bound;
    /// What makes a difference for an action, in any account.
    fn looks(&self, action: &Action) -> Looks;
    /// Both answers.
    fn judge(&self, call: &Call) -> Judgement;
}

/// Only records from then on, and before then (seconds since 1970).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// From then on.
    pub since: Option<i64>,
    /// Before then.
    pub until: Option<i64>,
}

/// The time of calls whose time cannot be read: later than every first one, and earlier than every last one.
const NEVER: (i64, i64) = (i64::MAX, i64::MIN);

impl Time {
    fn has(self, at: i64) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// What is known of an event name of a service.
struct Named {
    /// `None`: it is no name of AWS's.
    event: Option<Event>,
    data_plane: Option<usize>,
    limit: Option<&'static str>,
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// It stays what it is.
    Same,
    /// Something changes: index of the line without its resource, and which of the event's actions it is of.
    Changes(u32, u32),
}

/// Most lines that are kept apart; past them their principals are put together.
const MOST_LINES: usize = 100_000;

/// Lines, each once: several requests make one, and a request that is judged again finds its own.
#[derive(Default)]
struct Lines {
    list: Vec<Line>,
    index: HashMap<Line, u32, RandomState>,
}

impl Lines {
    fn find(&mut self, mut line: Line) -> u32 {
        if self.list.len() >= MOST_LINES && !self.index.contains_key(&line) {
            line.principal = OTHERS.into();
        }
        if let Some(at) = self.index.get(&line) {
            return *at;
        }
        let at = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.index.insert(line.clone(), at);
        self.list.push(line);
        at
    }
}

/// What stands for a request in a table: 128 bits of a hash with a seed that nobody knows. That two of a million requests
/// share one has a chance of 1 in 10^26; their texts would be five times as long, and each look at one a wait for memory.
#[derive(Debug, Clone, Copy)]
struct Prints(u64);

impl Default for Prints {
    fn default() -> Self {
        Self(RandomState::default().hash_one(0))
    }
}

impl Prints {
    fn of(self, key: &[u8]) -> u128 {
        xxh3_128_with_seed(key, self.0)
    }
}

/// Folds records, on one thread.
pub struct Fold<'j> {
    judge: &'j dyn Judge,
    time: Time,
    /// Requests that a table holds before it is emptied.
    most: usize,
    events: Vec<Named>,
    /// Their places, by source and name.
    names: HashMap<Box<[u8]>, usize, RandomState>,
    accounts: HashMap<Box<str>, Bound, RandomState>,
    prints: Prints,
    known: HashMap<u128, Known, RandomState>,
    /// Lines of requests that change, whose resources differ.
    lines: Lines,
    rows: HashMap<u128, usize, RandomState>,
    key: Vec<u8>,
    name: Vec<u8>,
    values: Values,
    group: String,
    /// What was found.
    pub tally: Tally,
}

impl<'j> Fold<'j> {
    /// Of nothing yet. The table holds so many requests at `most` before it is emptied: some 60 bytes each.
    #[must_use]
    pub fn new(judge: &'j dyn Judge, time: Time, most: usize) -> Self {
        Self {
            judge,
            time,
            most,
            events: vec![],
            names: HashMap::default(),
            accounts: HashMap::default(),
            prints: Prints::default(),
            known: HashMap::default(),
            lines: Lines::default(),
            rows: HashMap::default(),
            key: vec![],
            name: vec![],
            values: Values::default(),
            group: String::new(),
            tally: Tally::default(),
        }
    }

    /// Takes `count` calls like this record, the last of them at `last`.
    pub fn add(&mut self, record: &Record<'_>, count: u64, last: Option<i64>) {
        let first = seconds(&record.event_time);
        let last = last.or(first);
        let at = first.zip(last).unwrap_or(NEVER);
        self.tally.events += count;
        if first.is_none_or(|first| !self.time.has(first)) && (first.is_some() || self.time != Time::default()) {
            return self.tally.skip(Class::OutOfTime, count);
        }
        if first.is_some() {
            self.tally.seen(at);
        }
        self.tally.repeats.add(&record.event_id);
        let class = classes::class(record);
        if let Some(class) = class.filter(|class| !class.is_bound_by_resource()) {
            return self.tally.skip(class, count);
        }
        let refused = !record.error_code.is_empty();
        let Some(number) = self.find_event(record) else { return self.tally.skip(Class::UnknownAction, count) };
        let mut who = Who::of(record);
        who.has_service_control &= class.is_none();
        let bound = bound(&mut self.accounts, self.judge, who.account);
        let Some(named) = self.events.get(number) else { return };
        if let Some(plane) = named.data_plane {
            self.tally.data_plane(plane);
        }
        let Some(event) = &named.event else { return self.tally.skip(Class::UnknownAction, count) };
        // Where it is not told whose resource it is, it may be one of the organization's.
        let over_there = event.by_resource
            && who
                .resource_account()
                .is_none_or(|account| bound_of(&mut self.accounts, self.judge, account) == Bound::Member);
        let own = who.has_service_control && bound == Bound::Member;
        if !own && !over_there {
            return self.tally.skip(class.unwrap_or_else(|| outside(bound)), count);
        }
        if let Some(limit) = named.limit {
            self.tally.limits.insert(limit);
        }
        write_key(&mut self.key, number, &who, refused);
        event.write_key(&who, &mut self.values, &mut self.key);
        let print = self.prints.of(&self.key);
        let known = match self.known.get(&print) {
            Some(known) => *known,
            None => {
                let known = judged(self.judge, event, &who, refused, &mut self.values, &mut self.lines);
                self.tally.distinct += 1;
                if self.known.len() >= self.most {
                    self.known.clear();
                    self.tally.emptied += 1;
                }
                self.known.insert(print, known);
                known
            }
        };
        if event.is_open {
            self.tally.open(&record.event_source, &record.event_name, count);
        }
        match (known, class) {
            (Known::Same, Some(class)) => self.tally.skip(class, count),
            (Known::Same, None) if refused => self.tally.skip(Class::DeniedAlready, count),
            (Known::Same, None) => self.tally.evaluated += count,
            (Known::Changes(line, asked), _) => {
                self.tally.evaluated += count;
                if !record.shared_event_id.is_empty() {
                    self.tally.twice.add(&record.shared_event_id);
                }
                self.group.clear();
                event.name_resource(asked as usize, &who, &mut self.values, &mut self.group);
                self.key.clear();
                self.key.extend_from_slice(&line.to_le_bytes());
                self.key.extend_from_slice(self.group.as_bytes());
                let print = self.prints.of(&self.key);
                let row = match self.rows.get(&print) {
                    Some(row) => *row,
                    None => {
                        let Some(line) = self.lines.list.get(line as usize) else { return };
                        let row = self.tally.row(line, &self.group);
                        if self.rows.len() < self.most {
                            self.rows.insert(print, row);
                        }
                        row
                    }
                };
                self.tally.count(row, count, at);
            }
        }
    }

    /// Finds what is known of the record's event name, and learns it where it is new; `None`: there are too many.
    fn find_event(&mut self, record: &Record<'_>) -> Option<usize> {
        self.name.clear();
        self.name.extend_from_slice(record.event_source.as_bytes());
        self.name.push(0);
        self.name.extend_from_slice(record.event_name.as_bytes());
        if let Some(number) = self.names.get(self.name.as_slice()) {
            return Some(*number);
        }
        // AWS has some 22,000 actions: a trail with more names than that is not AWS's.
        if self.events.len() >= 50_000 {
            return None;
        }
        let named = Named {
            event: Event::learn(self.judge, &record.event_source, &record.event_name),
            data_plane: classes::data_plane(record),
            limit: actions::limit(&record.event_source, &record.event_name),
        };
        let number = self.events.len();
        self.names.insert(self.name.as_slice().into(), number);
        self.events.push(named);
        Some(number)
    }
}

fn bound(accounts: &mut HashMap<Box<str>, Bound, RandomState>, judge: &dyn Judge, account: &str) -> Bound {
    if account.is_empty() { Bound::Foreign } else { bound_of(accounts, judge, account) }
}

fn bound_of(accounts: &mut HashMap<Box<str>, Bound, RandomState>, judge: &dyn Judge, account: &str) -> Bound {
    if let Some(bound) = accounts.get(account) {
        return *bound;
    }
    let bound = judge.binds(account);
    // More than AWS has for one organization are no accounts.
    if accounts.len() < 100_000 {
        accounts.insert(account.into(), bound);
    }
    bound
}

/// The class of callers of such an account.
fn outside(bound: Bound) -> Class {
    if bound == Bound::Management { Class::Management } else { Class::Foreign }
}

/// Who asks for what, at the head of everything that the judge looks at.
fn write_key(key: &mut Vec<u8>, event: usize, who: &Who<'_, '_>, refused: bool) {
    key.clear();
    key.extend_from_slice(&event.to_le_bytes());
    key.push(u8::from(refused) | u8::from(who.has_service_control) << 1 | (who.kind as u8) << 2);
    for text in [who.account, who.name()] {
        key.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        key.extend_from_slice(text.as_bytes());
    }
}

fn judged(
    judge: &dyn Judge,
    event: &Event,
    who: &Who<'_, '_>,
    refused: bool,
    values: &mut Values,
    lines: &mut Lines,
) -> Known {
    let Some((judgement, action, at)) = event.judge(judge, who, values) else { return Known::Same };
    let Some(change) = super::tally::change(&judgement, refused) else { return Known::Same };
    // Who has no account is told by whose resource it asks for.
    let account = if who.account.is_empty() { who.resource_account().unwrap_or_default() } else { who.account };
    let line = Line { change, account: account.into(), principal: who.name().into(), action: action.into() };
    Known::Changes(lines.find(line), u32::try_from(at).unwrap_or(u32::MAX))
}

/// Envelopes in envelopes that are opened.
const ENVELOPES: usize = 2;

/// Reads the records out of what they come in, and takes them; says whether there was one.
///
/// # Errors
/// What stands in the envelope is no JSON.
pub fn opened(record: &Record<'_>, take: &mut dyn FnMut(&Record<'_>)) -> serde_json::Result<bool> {
    open(record, ENVELOPES, take)
}

fn open(record: &Record<'_>, depth: usize, take: &mut dyn FnMut(&Record<'_>)) -> serde_json::Result<bool> {
    if record.is_one() {
        take(record);
        return Ok(true);
    }
    let Some(text) = record.enveloped().filter(|_| depth > 0) else { return Ok(false) };
    if open(&Record::parse(text)?, depth - 1, take)? {
        return Ok(true);
    }
    // Forwarders put whole files of a trail into one message.
    let file: File<'_> = serde_json::from_str(text)?;
    let records = file.records.iter().filter(|record| record.is_one());
    Ok(records.map(take).count() > 0)
}

/// A file as a trail delivers it.
#[derive(serde::Deserialize)]
struct File<'a> {
    #[serde(borrow, default, rename = "Records")]
    records: Vec<Record<'a>>,
}

#[cfg(test)]
mod tests;
