//! Where the simulation looks in: below everything that goes wrong ([`Hook`]), and right below the engine ([`Ear`]).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bylaw::apply::Halt;
use bylaw::apply::ledger::{Entry, Ledger, Outcome};
use bylaw::aws::offline::{Hand, Offline, State, careless};
use bylaw::aws::port::{Contact, Resource};
use bylaw::aws::{AwsError, ErrorClass, Port, Request, Response, ServiceTime, Still, dice::Dice};
use bylaw::names::{NodeId, ObjectKey, TAG_HOLD, Tags};
use bylaw::plan::Change;
use futures::future::BoxFuture;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::watch::{Watch, is_lease};

/// What somebody stops in the middle of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// All of it: the Organization is suspended.
    All,
    /// What is to be done for one object: it is deleted from the cluster.
    Object(ObjectKey),
}

/// A brake that is pulled when so many writes are carried out.
#[derive(Debug, Default)]
pub struct Brake {
    pub stop: Mutex<Option<(u64, Stop)>>,
    pulled: AtomicBool,
    /// For which object each announced write is.
    objects: Mutex<HashMap<Request, ObjectKey>>,
}

impl Brake {
    fn carried_out(&self, writes: u64) {
        if self.stop.lock().unwrap().as_ref().is_some_and(|(at, _)| writes >= *at) {
            self.pulled.store(true, Ordering::Relaxed);
        }
    }

    /// Whether what is done for the object is stopped by now.
    fn stops(&self, object: Option<&ObjectKey>) -> bool {
        let stop = self.stop.lock().unwrap();
        self.pulled.load(Ordering::Relaxed)
            && stop.as_ref().is_some_and(|(_, stop)| match stop {
                Stop::All => true,
                Stop::Object(key) => object == Some(key),
            })
    }

    /// As the engine asks it.
    pub fn wanted(&self, change: &Change) -> Result<(), Halt> {
        if !self.stops(Some(&change.object)) {
            return Ok(());
        }
        Err(match *self.stop.lock().unwrap() {
            Some((_, Stop::Object(_))) => Halt::Change("deleted".into()),
            _ => Halt::Run("suspended".into()),
        })
    }
}

/// Sees every write as AWS carries it out, and ends the life after the n-th.
pub struct Hook {
    pub world: Arc<Offline>,
    pub watch: Mutex<Option<Watch>>,
    pub died: Notify,
    pub brake: Arc<Brake>,
    dies_after: Option<u64>,
    writes: AtomicU64,
    began: Instant,
    traced: bool,
}

/// The time of day of lives that began then.
pub fn time_of_day(began: Instant) -> Timestamp {
    let passed = i64::try_from(began.elapsed().as_millis()).unwrap();
    Timestamp::from_millisecond(1_767_225_600_000 + passed).unwrap()
}

impl Hook {
    pub fn new(world: Arc<Offline>, dies_after: Option<u64>, began: Instant) -> Self {
        Self {
            world,
            watch: Mutex::default(),
            died: Notify::new(),
            brake: Arc::default(),
            dies_after,
            writes: AtomicU64::new(0),
            began,
            traced: std::env::var_os("BYLAW_TRACE").is_some(),
        }
    }

    fn now(&self) -> Timestamp {
        time_of_day(self.began)
    }

    /// One change by somebody else.
    pub fn foreign(&self, dice: &mut Dice) -> bool {
        let Some(request) = foreign(&self.world.state(), dice, &self.now()) else { return false };
        // Somebody who takes the lease or the brake away by hand is told not to.
        if matches!(&request, Request::UntagResource { resource: Resource::Node(NodeId::Root(_)), .. }) {
            return false;
        }
        let before = self.world.state();
        let done = self.world.foreign(&request).is_ok();
        if done && self.traced {
            println!("   foreign {request:?}");
        }
        if done && let Some(watch) = self.watch.lock().unwrap().as_mut() {
            watch.foreign(&request, &before, &self.world.state());
        }
        done
    }
}

/// What somebody else does: what a careless person does with the console, and what touches the rest that bylaw keeps.
/// `now` is a time of day.
pub fn foreign(state: &State, dice: &mut Dice, now: &Timestamp) -> Option<Request> {
    if dice.chance(0.7) {
        return careless(state, dice);
    }
    let resource = |dice: &mut Dice| -> Option<Resource> {
        if dice.chance(0.7) {
            let nodes: Vec<NodeId> = state.nodes().collect();
            return Some(Resource::Node(nodes[dice.below(nodes.len())].clone()));
        }
        let (id, policy) = dice.pick(state.policies().iter())?;
        (!policy.aws_managed).then(|| Resource::Policy(id.clone()))
    };
    match dice.below(6) {
        // The brake is put on, for a minute or for good, or by somebody who writes no times.
        0 => {
            let minute = *now + SignedDuration::from_secs(20 + 20 * i64::try_from(dice.below(10)).unwrap());
            let until = match dice.below(8) {
                0 => "until-monday".to_owned(),
                1 => "2030-01-01T00:00:00Z".to_owned(),
                _ => minute.to_string(),
            };
            Some(Request::TagResource { resource: resource(dice)?, tags: Tags::from([(TAG_HOLD.to_owned(), until)]) })
        }
        1 => {
            let (account, found) = dice.pick(state.accounts().iter())?;
            let kind = *dice.pick(found.contacts.keys().collect::<Vec<_>>().into_iter())?;
            let contact = found.contacts.get(&kind)?;
            let contact =
                Contact { phone: format!("{}1", contact.phone.get(..8).unwrap_or(&contact.phone)), ..contact.clone() };
            Some(Request::PutAlternateContact { account: account.clone(), kind, contact })
        }
        2 => {
            let (account, _) = dice.pick(state.accounts().iter())?;
            (*account != state.organization.management_account)
                .then(|| Request::PutAccountName { account: account.clone(), name: format!("acc{}", dice.below(5)) })
        }
        3 => {
            state.delegation_policy.as_ref()?;
            let content = r#"{"Version":"2012-10-17","Statement":[]}"#.to_owned();
            Some(Request::PutResourcePolicy { content })
        }
        4 => {
            let (id, policy) = dice.pick(state.policies().iter())?;
            let key = dice.pick(policy.tags.keys().collect::<Vec<_>>().into_iter())?.to_owned();
            Some(Request::UntagResource { resource: Resource::Policy(id.clone()), keys: vec![key] })
        }
        // Names change places under bylaw's hands.
        _ => {
            let (a, b) = (dice.pick(state.policies().iter())?, dice.pick(state.policies().keys())?);
            let name = format!("pol{}", dice.below(7));
            (!a.1.aws_managed && a.0 != b).then(|| Request::UpdatePolicy {
                policy: a.0.clone(),
                name: Some(name),
                description: None,
                content: None,
            })
        }
    }
}

impl Port for Hook {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            if !request.is_write() {
                let answer = self.world.call(request).await;
                if let Ok(told) = &answer
                    && let Some(watch) = self.watch.lock().unwrap().as_mut()
                {
                    watch.looks.read(request, told);
                    if self.traced {
                        println!("   read {request:?}");
                    }
                }
                return answer;
            }
            let object = self.brake.objects.lock().unwrap().get(request).cloned();
            if !is_lease(request)
                && self.brake.stops(object.as_ref())
                && let Some(watch) = self.watch.lock().unwrap().as_mut()
            {
                watch.problems.push(format!("brake: stopped, and sent all the same: {request:?}"));
            }
            let before = self.world.state();
            let answer = self.world.call(request).await;
            if self.traced && !is_lease(request) {
                println!("   write {request:?}: {:?}", answer.as_ref().err().map(|error| &error.code));
            }
            if answer.is_ok() {
                let made = self.world.last().filter(|entry| entry.hand == Hand::Caller).and_then(|entry| entry.made);
                if let Some(watch) = self.watch.lock().unwrap().as_mut() {
                    watch.wrote(request, made.as_deref(), &before, &self.world.state());
                }
                let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
                self.brake.carried_out(writes);
                if self.dies_after == Some(writes) {
                    self.died.notify_one();
                }
            }
            answer
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.world.time()
    }
}

/// What the engine asked and was told since the apply began.
#[derive(Default)]
pub struct Heard {
    reads: HashSet<Request>,
    /// Writes that were announced to the ledger and not made yet.
    announced: Vec<Request>,
    pub ledger_open: HashMap<Request, i64>,
    pub outcomes: u64,
    pub problems: Vec<String>,
    made: Vec<String>,
}

/// Hears what the engine says, and is its ledger.
pub struct Ear<P> {
    port: P,
    heard: Arc<Mutex<Heard>>,
    brake: Arc<Brake>,
    pub listening: AtomicBool,
}

impl<P> Ear<P> {
    pub fn new(port: P, brake: Arc<Brake>) -> Self {
        Self { port, heard: Arc::default(), brake, listening: AtomicBool::new(false) }
    }
    pub fn heard(&self) -> &Mutex<Heard> {
        &self.heard
    }
}

impl Heard {
    /// Whether the first page of it was read: tokens differ from page to page.
    fn read(&self, wanted: &Request) -> bool {
        self.reads.contains(wanted)
    }

    /// Invariant 7: each write is preceded by a look at what it touches, and announced.
    fn about_to(&mut self, request: &Request) {
        if is_lease(request) {
            return;
        }
        let tags = |resource: Resource| Request::ListTagsForResource { resource, token: None };
        let node = |id: &NodeId| tags(Resource::Node(id.clone()));
        let made = |id: &str| self.made.iter().any(|made| made == id);
        let looked = match request {
            Request::AttachPolicy { target, .. } | Request::DetachPolicy { target, .. } => {
                made(target.as_str())
                    || self
                        .reads
                        .iter()
                        .any(|read| matches!(read, Request::ListPoliciesForTarget { target: of, .. } if of == target))
            }
            Request::UpdatePolicy { policy, .. } => self.read(&Request::DescribePolicy { policy: policy.clone() }),
            Request::MoveAccount { account, .. } => {
                made(account.as_str()) || self.read(&Request::DescribeAccount { account: account.clone() })
            }
            Request::PutAccountName { account, .. } => {
                self.read(&Request::DescribeAccount { account: account.clone() })
            }
            Request::CloseAccount { account } => {
                self.read(&Request::DescribeAccount { account: account.clone() })
                    && self.read(&node(&NodeId::Account(account.clone())))
            }
            Request::DeletePolicy { policy } => {
                self.read(&Request::ListTargetsForPolicy { policy: policy.clone(), token: None })
                    && self.read(&tags(Resource::Policy(policy.clone())))
            }
            Request::DeleteOrganizationalUnit { unit } => {
                let parent = NodeId::Unit(unit.clone());
                self.read(&node(&parent))
                    && self.read(&Request::ListOrganizationalUnitsForParent { parent: parent.clone(), token: None })
                    && self.read(&Request::ListAccountsForParent { parent, token: None })
            }
            Request::TagResource { resource, .. } => self.read(&tags(resource.clone())),
            Request::UpdateOrganizationalUnit { .. } => {
                self.reads.iter().any(|read| matches!(read, Request::ListOrganizationalUnitsForParent { .. }))
            }
            Request::PutAlternateContact { account, kind, .. } => {
                made(account.as_str())
                    || self.read(&Request::GetAlternateContact { account: account.clone(), kind: *kind })
            }
            Request::EnablePolicyType { .. } => self.read(&Request::ListRoots { token: None }),
            _ => true,
        };
        if !looked {
            self.problems.push(format!("unlooked: nothing was read before {request:?}"));
        }
        match self.announced.iter().position(|announced| announced == request) {
            Some(at) => drop(self.announced.remove(at)),
            None => self.problems.push(format!("unrecorded: {request:?}")),
        }
    }

    fn told(&mut self, request: &Request, answer: &Result<Response, AwsError>) {
        match answer {
            Ok(Response::UnitCreated(unit)) => self.made.push(unit.id.to_string()),
            Ok(Response::PolicyCreated(policy)) => self.made.push(policy.id.to_string()),
            Ok(Response::Creation(creation)) => self.made.extend(creation.account.iter().map(ToString::to_string)),
            // A creation that was found again is looked at by list.
            Ok(Response::Accounts(page))
                if self.announced.iter().any(|request| matches!(request, Request::CreateAccount { .. })) =>
            {
                self.made.extend(page.items.iter().map(|account| account.id.to_string()));
            }
            Ok(Response::Units(page)) => self.made.extend(page.items.iter().map(|unit| unit.id.to_string())),
            _ => {}
        }
        if answer.is_ok() && !request.is_write() {
            self.reads.insert(request.clone());
        }
    }
}

impl<P: Port> Port for Ear<P> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        self.call_while(request, &|| Ok(()))
    }

    fn call_while<'a>(&'a self, request: &'a Request, still: Still<'a>) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let listening = self.listening.load(Ordering::Relaxed);
            if request.is_write() {
                let mut heard = self.heard.lock().unwrap();
                if listening {
                    heard.about_to(request);
                } else {
                    heard.problems.push(format!("a write while planning: {request:?}"));
                }
            }
            let answer = self.port.call_while(request, still).await;
            let mut heard = self.heard.lock().unwrap();
            if answer.as_ref().is_err_and(|error| error.class == ErrorClass::Unsent) {
                heard.announced.push(request.clone());
            } else if listening {
                heard.told(request, &answer);
            }
            answer
        })
    }

    fn time(&self) -> Option<ServiceTime> {
        self.port.time()
    }
}

impl<P: Port> Ledger for Ear<P> {
    fn record(&self, entry: &Entry<'_>) -> Result<(), String> {
        let mut heard = self.heard.lock().unwrap();
        let name = entry.request.clone();
        match entry.outcome {
            None => {
                *heard.ledger_open.entry(name).or_default() += 1;
                heard.announced.push(entry.request.clone());
                self.brake.objects.lock().unwrap().insert(entry.request.clone(), entry.change.object.clone());
            }
            Some(outcome) => {
                heard.outcomes += 1;
                *heard.ledger_open.entry(name).or_default() -= 1;
                // A creation that was found made is never sent.
                if let Some(at) = heard.announced.iter().position(|announced| announced == entry.request) {
                    // Nor is what would have outlived the lease, or is no longer wanted.
                    let unsent = matches!(outcome, Outcome::Stopped { .. });
                    if !unsent && !matches!(entry.request, Request::CreateAccount { .. }) {
                        heard.problems.push(format!("recorded {outcome:?}, and never sent: {:?}", entry.request));
                    }
                    heard.announced.remove(at);
                }
            }
        }
        Ok(())
    }
}
