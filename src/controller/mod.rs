//! The corridor between a cluster and an organization: watches in, one pass per Organization, statuses and Events out.
//!
//! Architecture invariants: one reconcile per Organization, and all other kinds wake it; nothing is planned before every
//! kind was listed to its end; an object that is gone from the cluster is never a reason to delete anything in AWS; and
//! the status of every object is projected from the one plan.

pub mod backoff;
pub mod keep;
pub mod leader;
pub mod objects;
pub mod watch;
pub mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use tokio::sync::watch as signal;
use tokio::task::JoinSet;

use self::backoff::{Backoff, spread};
use self::keep::{Again, Clock, Kept, Scene, keep};
use self::watch::Cluster;
use self::write::{MANAGER, Told, tell, write};
use crate::api::organization::{Access, Partition};
use crate::apply::Ledger;
use crate::aws::dice::Dice;
use crate::aws::{Paced, Port};
use crate::names::Kind;

/// Changes that come close together are looked at together.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// A paced way to AWS.
pub type Door = Paced<Box<dyn Port>>;

/// Opens ways to AWS.
pub trait Doors: Send + Sync {
    /// A way with the roles that an Organization names.
    ///
    /// # Errors
    /// For people: the configuration cannot be used.
    fn open<'a>(&'a self, partition: Partition, access: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>>;
}

/// What every pass is made with.
pub struct Context {
    /// Time.
    pub clock: Clock,
    /// The audit log.
    pub ledger: Box<dyn Ledger>,
    /// The name under which this controller takes the lease.
    pub who: String,
    /// Ways to AWS.
    pub doors: Box<dyn Doors>,
    /// Seed of pauses.
    pub seed: u64,
}

/// Runs until `stop` becomes true; the call in flight is finished then, and the leases are given back.
pub async fn run(cx: Arc<Context>, client: Client, stop: signal::Receiver<bool>) {
    let cluster = Arc::new(Cluster::default());
    let mut watches = JoinSet::new();
    for kind in Kind::ALL {
        watches.spawn(watch::watch(client.clone(), kind, cluster.clone()));
    }
    let recorder = Recorder::new(client.clone(), Reporter { controller: MANAGER.into(), instance: Some(cx.who.clone()) });
    let mut keepers: BTreeMap<Box<str>, signal::Sender<()>> = BTreeMap::new();
    // They share one task: what they wait for is AWS, and a pass borrows across its waits.
    let mut running = FuturesUnordered::new();
    let mut stopped = stop.clone();
    loop {
        let names: Vec<Box<str>> = match cluster.objects().whole() {
            Some(entries) => entries
                .iter()
                .filter(|(key, entry)| key.kind == Kind::Organization && !entry.deleting)
                .map(|(key, _)| key.name.clone())
                .collect(),
            None => keepers.keys().cloned().collect(),
        };
        keepers.retain(|name, _| names.contains(name));
        for name in names {
            match keepers.get(&name) {
                Some(wake) => drop(wake.send(())),
                None => {
                    let (wake, woken) = signal::channel(());
                    keepers.insert(name.clone(), wake);
                    let keeper = Keeper {
                        cx: cx.clone(),
                        client: client.clone(),
                        cluster: cluster.clone(),
                        recorder: recorder.clone(),
                        name,
                    };
                    running.push(keeper.run(woken, stop.clone()));
                }
            }
        }
        let looked = async {
            cluster.changed().await;
            tokio::time::sleep(DEBOUNCE).await;
        };
        futures::pin_mut!(looked);
        let ended = loop {
            tokio::select! {
                () = &mut looked => break false,
                _ = stopped.wait_for(|stop| *stop) => break true,
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
        let mut door: Option<(Partition, Option<Access>, Door)> = None;
        loop {
            woken.mark_unchanged();
            let pause = match self.pass(&mut kept, &mut door, &mut told, stop.clone()).await {
                Some(Again::After(pause)) => {
                    backoff.reset();
                    spread(pause, &mut dice)
                }
                Some(Again::Failed) => backoff.failed(&mut dice),
                None => Duration::MAX,
            };
            let ended = tokio::select! {
                changed = woken.changed() => changed.is_err(),
                () = tokio::time::sleep(pause) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            if ended {
                break;
            }
        }
        if let (Some(lease), Some((_, _, door))) = (kept.lease, door)
            && let Err(error) = lease.give_back(&door, &*self.cx.clock).await
        {
            tracing::warn!("the lease could not be given back, it runs out by itself: {error}");
        }
    }

    /// One pass; `None` where there is nothing to make one of.
    async fn pass(
        &self,
        kept: &mut Kept,
        door: &mut Option<(Partition, Option<Access>, Door)>,
        told: &mut Told,
        stop: signal::Receiver<bool>,
    ) -> Option<Again> {
        let scene = Scene::of(&self.cluster, &self.name)?;
        let (partition, access) = scene.way();
        if door.as_ref().is_none_or(|(p, a, _)| *p != partition || *a != access) {
            match self.cx.doors.open(partition, access.as_ref()).await {
                Ok(opened) => *door = Some((partition, access, opened)),
                Err(error) => {
                    tracing::warn!(organization = %self.name, "AWS cannot be reached: {error}");
                    return Some(Again::Failed);
                }
            }
        }
        let (_, _, port) = door.as_ref()?;
        let began = Instant::now();
        let turnout = keep(&self.cx, &scene, port, || port.tally().total(), kept, stop).await;
        let (written, failed) = write(&self.cx, &self.client, &self.cluster, &turnout).await;
        tell(&self.recorder, &self.cluster, &told.news(&turnout.notices, Instant::now())).await;
        tracing::info!(organization = %self.name, seconds = began.elapsed().as_secs_f64(), written, "pass over");
        Some(if failed > 0 { Again::Failed } else { turnout.again })
    }
}
