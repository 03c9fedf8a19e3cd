//! Where the simulation looks in: below everything that goes wrong ([`Hook`]), and right below the engine ([`Ear`]).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bylaw::apply::ledger::{Entry, Ledger, Outcome};
use bylaw::aws::offline::{Hand, Offline, careless};
use bylaw::aws::port::Resource;
use bylaw::aws::{AwsError, Port, Request, Response, dice::Dice};
use bylaw::names::NodeId;
use futures::future::BoxFuture;
use tokio::sync::Notify;

use super::watch::{Watch, is_lease};

/// Sees every write as AWS carries it out, and ends the life after the n-th.
pub struct Hook {
    pub world: Arc<Offline>,
    pub watch: Mutex<Option<Watch>>,
    pub died: Notify,
    dies_after: Option<u64>,
    writes: AtomicU64,
}

impl Hook {
    pub fn new(world: Arc<Offline>, dies_after: Option<u64>) -> Self {
        Self { world, watch: Mutex::default(), died: Notify::new(), dies_after, writes: AtomicU64::new(0) }
    }

    /// One change by somebody else.
    pub fn foreign(&self, dice: &mut Dice) -> bool {
        let Some(request) = careless(&self.world.state(), dice) else { return false };
        // Somebody who takes the lease or the brake away by hand is told not to.
        if matches!(&request, Request::UntagResource { resource: Resource::Node(NodeId::Root(_)), .. }) {
            return false;
        }
        let done = self.world.foreign(&request).is_ok();
        if done && let Some(watch) = self.watch.lock().unwrap().as_mut() {
            watch.foreign(&request, &self.world.state());
        }
        done
    }
}

impl Port for Hook {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            if !request.is_write() {
                return self.world.call(request).await;
            }
            let before = self.world.state();
            let answer = self.world.call(request).await;
            if answer.is_ok() {
                let log = self.world.log();
                let made = log.last().filter(|entry| entry.hand == Hand::Caller).and_then(|entry| entry.made.clone());
                if let Some(watch) = self.watch.lock().unwrap().as_mut() {
                    watch.wrote(request, made.as_deref(), &before, &self.world.state());
                }
                let writes = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
                if self.dies_after == Some(writes) {
                    self.died.notify_one();
                }
            }
            answer
        })
    }
}

/// What the engine asked and was told since the apply began.
#[derive(Default)]
pub struct Heard {
    reads: Vec<Request>,
    /// Writes that were announced to the ledger and not made yet.
    announced: Vec<Request>,
    pub ledger_open: BTreeMap<String, i64>,
    pub outcomes: u64,
    pub problems: Vec<String>,
    made: Vec<String>,
}

/// Hears what the engine says, and is its ledger.
pub struct Ear<P> {
    port: P,
    heard: Arc<Mutex<Heard>>,
    pub listening: AtomicBool,
}

impl<P> Ear<P> {
    pub fn new(port: P) -> Self {
        Self { port, heard: Arc::default(), listening: AtomicBool::new(false) }
    }
    pub fn heard(&self) -> &Mutex<Heard> {
        &self.heard
    }
}

fn same(a: &Request, b: &Request) -> bool {
    // Tokens differ from page to page.
    let json = |request: &Request| {
        let mut value = serde_json::to_value(request).unwrap();
        if let Some(inner) = value.as_object_mut().and_then(|object| object.values_mut().next())
            && let Some(fields) = inner.as_object_mut()
        {
            fields.remove("token");
        }
        value
    };
    json(a) == json(b)
}

impl Heard {
    fn read(&self, wanted: &Request) -> bool {
        self.reads.iter().any(|read| same(read, wanted))
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
            self.reads.push(request.clone());
        }
    }
}

impl<P: Port> Port for Ear<P> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
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
            let answer = self.port.call(request).await;
            if listening {
                self.heard.lock().unwrap().told(request, &answer);
            }
            answer
        })
    }
}

impl<P: Port> Ledger for Ear<P> {
    fn record(&self, entry: &Entry<'_>) -> Result<(), String> {
        let mut heard = self.heard.lock().unwrap();
        let name = format!("{:?}", entry.request);
        match entry.outcome {
            None => {
                *heard.ledger_open.entry(name).or_default() += 1;
                heard.announced.push(entry.request.clone());
            }
            Some(outcome) => {
                heard.outcomes += 1;
                *heard.ledger_open.entry(name).or_default() -= 1;
                // A creation that was found made is never sent.
                if let Some(at) = heard.announced.iter().position(|announced| announced == entry.request) {
                    // Nor is what would have outlived the lease.
                    let unsent = matches!(outcome, Outcome::Unknown { error } if error.code == "lease");
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
