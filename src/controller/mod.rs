//! The corridor between a cluster and an organization: watches in, one pass per Organization, statuses and Events out.
//!
//! Architecture invariants: one reconcile per Organization, and all other kinds wake it; nothing is planned before every
//! kind was listed to its end; an object that is gone from the cluster is never a reason to delete anything in AWS; and
//! the status of every object is projected from the one plan.

pub mod approvals;
pub mod backoff;
pub mod brakes;
pub mod events;
pub mod figures;
pub mod finalize;
pub mod keep;
pub mod leader;
pub mod objects;
pub mod said;
pub mod scene;
pub mod tenure;
pub mod watch;
pub mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio::sync::watch as signal;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use self::backoff::{Backoff, spread};
use self::events::Ear;
use self::keep::{Again, Clock, Kept, keep};
use self::scene::Scene;
use self::watch::{Cluster, Watched};
use self::write::{MANAGER, Told, tell, write, write_approvals};
use crate::api::organization::{Access, Partition};
use crate::aws::dice::Dice;
use crate::aws::queue::Queue;
use crate::aws::{Paced, Port};
use crate::names::{AccountId, Kind, SPANS};
use crate::process::Metrics;
use crate::process::metrics::{DONE, FAILED};

/// Changes that come closer together than this are looked at together: half of what belongs together can be refused, where
/// the whole is not.
const DEBOUNCE: Duration = Duration::from_millis(150);
/// Changes that go on for longer are looked at in between.
const LONGEST_DEBOUNCE: Duration = Duration::from_secs(3);

/// A paced way to AWS.
pub type Door = Paced<Box<dyn Port>>;

/// Opens ways to AWS.
pub trait Doors: Send + Sync {
    /// A way with the roles that an Organization names.
    ///
    /// # Errors
    /// For people: the configuration cannot be used.
    fn open<'a>(&'a self, partition: Partition, access: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>>;

    /// The queue of that URL, with the same roles.
    ///
    /// # Errors
    /// For people: the configuration cannot be used.
    fn queue<'a>(
        &'a self,
        partition: Partition,
        access: Option<&'a Access>,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Queue>, String>>;
}

/// What every pass is made with.
pub struct Context {
    /// Time.
    pub clock: Clock,
    /// Ways to AWS.
    pub doors: Box<dyn Doors>,
    /// Figures.
    pub metrics: Metrics,
    /// Name of this process, which no other has: for the leases, the audit log and Events.
    pub instance: String,
    /// The process that wrote for this cluster before, and was not heard of in time.
    pub predecessor: Option<String>,
    /// Seed of pauses.
    pub seed: u64,
}

/// Follows the cluster from now on.
#[must_use]
pub fn follow(client: &Client) -> Arc<Cluster> {
    let cluster = Arc::new(Cluster::default());
    for watched in Watched::all() {
        tokio::spawn(watch::watch(client.clone(), watched, cluster.clone()));
    }
    cluster
}

/// Keeps every Organization of the cluster until `stop` becomes true; the call in flight is finished then, and the leases
/// are given back.
pub async fn run(cx: Arc<Context>, client: Client, cluster: Arc<Cluster>, mut stop: signal::Receiver<bool>) {
    let reporter = Reporter { controller: MANAGER.into(), instance: Some(cx.instance.clone()) };
    let recorder = Recorder::new(client.clone(), reporter);
    let mut keepers: BTreeMap<Box<str>, signal::Sender<()>> = BTreeMap::new();
    // They share one task: what they wait for is AWS, and a pass borrows across its waits.
    let mut running = FuturesUnordered::new();
    loop {
        // What is looked at now needs no second look.
        let _ = cluster.changed().now_or_never();
        let names: Vec<Box<str>> = match cluster.objects().whole() {
            Some(entries) => entries
                .iter()
                .filter(|(key, entry)| key.kind == Kind::Organization && !entry.deleting)
                .map(|(key, _)| key.name.clone())
                .collect(),
            None => keepers.keys().cloned().collect(),
        };
        keepers.retain(|name, _| names.contains(name));
        finalize::let_go_of_ungoverned(&client, &cluster).await;
        let unkept = keep::unkept(&cluster);
        if let Some(turnout) = unkept {
            write(&cx, &client, &cluster, &turnout).await;
        }
        for name in names {
            if let Some(wake) = keepers.get(&name) {
                let _ = wake.send(());
                continue;
            }
            let (wake, woken) = signal::channel(());
            keepers.insert(name.clone(), wake);
            let (cx, client, cluster, recorder) = (cx.clone(), client.clone(), cluster.clone(), recorder.clone());
            running.push(Keeper { cx, client, cluster, recorder, name }.run(woken, stop.clone()));
        }
        let looked = async {
            cluster.changed().await;
            let still = async { while tokio::time::timeout(DEBOUNCE, cluster.changed()).await.is_ok() {} };
            // Where it is not quiet by then, it is looked at all the same.
            drop(tokio::time::timeout(LONGEST_DEBOUNCE, still).await);
        };
        futures::pin_mut!(looked);
        let ended = loop {
            tokio::select! {
                () = &mut looked => break false,
                _ = stop.wait_for(|stop| *stop) => break true,
                Some(()) = running.next() => {}
            }
        };
        if ended {
            break;
        }
    }
    drop(keepers);
    while running.next().await.is_some() {}
}

/// Keeps one Organization.
struct Keeper {
    cx: Arc<Context>,
    client: Client,
    cluster: Arc<Cluster>,
    recorder: Recorder,
    name: Box<str>,
}

impl Keeper {
    /// Until the Organization is gone or the process ends.
    async fn run(self, mut woken: signal::Receiver<()>, mut stop: signal::Receiver<bool>) {
        let mut kept = Kept::default();
        let (mut told, mut backoff, mut dice) = (Told::default(), Backoff::default(), Dice::new(self.cx.seed));
        let mut door: Option<Way> = None;
        loop {
            woken.mark_unchanged();
            let span = tracing::trace_span!(target: SPANS, "pass", organization = %self.name, outcome = Empty,
                calls = Empty, statuses = Empty);
            let pause = match self.pass(&mut kept, &mut door, &mut told, stop.clone()).instrument(span).await {
                Some(Again::After(pause)) => {
                    backoff.reset();
                    spread(pause, &mut dice)
                }
                Some(Again::Failed) => backoff.failed(&mut dice),
                None => keep::INTERVAL,
            };
            // It waits beside the rest, which needs what is kept.
            let mut tenure = kept.tenure.take();
            let ended = tokio::select! {
                changed = woken.changed() => changed.is_err(),
                () = tokio::time::sleep(pause) => false,
                () = self.told(&mut kept, &mut door) => false,
                () = tenure::changed(tenure.as_mut()) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            kept.tenure = tenure;
            if ended {
                break;
            }
        }
        tenure::settle(&mut kept.tenure, None, &self.cx, None).await;
        self.cx.metrics.forget(&self.name);
    }

    /// Resolves when AWS told of something that a pass should look at.
    async fn told(&self, kept: &mut Kept, way: &mut Option<Way>) {
        match way {
            Some(Way { ear: Some(ear), management, .. }) => ear.woken(kept, management.as_ref(), &self.cx).await,
            _ => std::future::pending().await,
        }
    }

    /// One pass; `None` where there is nothing to make one of.
    async fn pass(
        &self,
        kept: &mut Kept,
        way: &mut Option<Way>,
        told: &mut Told,
        stop: signal::Receiver<bool>,
    ) -> Option<Again> {
        let Some(scene) = Scene::of(&self.cluster, &self.name) else {
            // What is not known cannot be kept, and others are not to wait for it.
            tenure::settle(&mut kept.tenure, None, &self.cx, None).await;
            return None;
        };
        let began = Instant::now();
        finalize::settle(&self.client, &self.cluster).await;
        let turnout = match self.open(&scene, way, kept).await {
            Ok(way) => {
                let hints = way.ear.as_ref().map(Ear::fresh).unwrap_or_default();
                tenure::settle(&mut kept.tenure, scene.claimant(&self.cx), &self.cx, Some(&way.door)).await;
                let urgent = keep::put_back(&self.cx, &scene, &way.door, kept, hints, stop.clone()).await;
                tell(&self.recorder, &self.cluster, &told.news(&urgent, Instant::now())).await;
                let now = (self.cx.clock)();
                let note = |used: Vec<keep::Judged>| {
                    async move { write_approvals(&self.client, &used, now).await }.boxed_local()
                };
                let mut turnout = keep(&self.cx, &note, &scene, &way.door, kept, stop).await;
                if let Some(ear) = &mut way.ear {
                    if turnout.looked {
                        ear.looked(began.elapsed());
                    }
                    ear.mention(&mut turnout);
                }
                if let Some(tenure) = &mut kept.tenure {
                    tenure.mention(&mut turnout);
                }
                turnout
            }
            Err(why) => keep::hindered(&scene, why),
        };
        let span = tracing::trace_span!(target: SPANS, "status");
        let (written, failed) = write(&self.cx, &self.client, &self.cluster, &turnout).instrument(span).await;
        for object in &turnout.gone {
            finalize::let_go(&self.client, object).await;
        }
        tell(&self.recorder, &self.cluster, &told.news(&turnout.notices, Instant::now())).await;
        let seconds = began.elapsed().as_secs_f64();
        let outcome = if turnout.again == Again::Failed { FAILED } else { DONE };
        self.cx.metrics.pass(&self.name, outcome, seconds, (self.cx.clock)(), written);
        Span::current().record("outcome", outcome).record("statuses", written).record("calls", turnout.calls);
        match &turnout.cause {
            Some(cause) => tracing::warn!(organization = %self.name, seconds, written, outcome, "pass failed: {cause}"),
            None => tracing::info!(organization = %self.name, seconds, written, outcome, "pass over"),
        }
        Some(if failed > 0 { Again::Failed } else { turnout.again })
    }

    /// The way to AWS that the Organization names, and what is remembered of it; both are kept until it names others.
    async fn open<'w>(&self, scene: &Scene, way: &'w mut Option<Way>, kept: &mut Kept) -> Result<&'w mut Way, String> {
        let (partition, access, management) = scene.way();
        let other = |way: &mut Way| way.partition != partition || way.access != access || way.management != management;
        if way.take_if(other).is_some() {
            tenure::settle(&mut kept.tenure, None, &self.cx, None).await;
            *kept = Kept::default();
        }
        if way.is_none() {
            let door = Arc::new(self.cx.doors.open(partition, access.as_ref()).await?);
            if let Some(management) = &management {
                kept.remember(management, &self.cluster, &self.name)
                    .map_err(|error| format!("{error}; {}", error.remedy()))?;
            }
            *way = Some(Way { partition, access, management, door, ear: None });
        }
        let way = way.as_mut().ok_or_else(|| "there is no way to AWS".to_owned())?;
        way.listen(&self.cx, scene.queue()).await;
        Ok(way)
    }
}

/// A way to AWS and what it was opened for.
struct Way {
    partition: Partition,
    access: Option<Access>,
    management: Option<AccountId>,
    door: Arc<Door>,
    ear: Option<Ear>,
}

impl Way {
    /// Listens to the queue that the Organization names now, and to no other.
    async fn listen(&mut self, cx: &Context, url: Option<&str>) {
        if self.ear.as_ref().map(Ear::url) != url {
            self.ear = match url {
                Some(url) => {
                    let queue = cx.doors.queue(self.partition, self.access.as_ref(), url).await;
                    Some(Ear::new(url, queue, cx.seed))
                }
                None => None,
            };
        }
        if let Some(ear) = &mut self.ear {
            ear.learn_own_name(&self.door).await;
        }
    }
}
