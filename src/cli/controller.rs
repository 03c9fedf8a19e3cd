//! `bylaw controller`: the operator.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::args::Reach;
use super::door::{self, Way};
use super::failure::Failure;
use super::log::Form;
use super::terminal::interrupted;
use crate::api::organization::{Access, Partition};
use crate::aws::queue::Queue;
use crate::controller::leader::{Candidate, Claim, Fenced, process_name};
use crate::controller::{Context, Door, Doors, figures, follow, run as keep_all};
use crate::process::{Filter, Health, Metrics, serve};

/// `controller`.
#[derive(Debug, Clone, clap::Args)]
pub struct Controller {
    /// Where `/healthz`, `/readyz`, `/metrics` and `/log-level` are served.
    #[arg(long, env = "BYLAW_LISTEN", default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Name of the cluster's Lease by which replicas agree on the one that writes.
    #[arg(long, env = "BYLAW_LEASE", default_value = "bylaw", value_name = "NAME")]
    pub lease: String,
    /// Namespace of that Lease.
    #[arg(long, env = "POD_NAMESPACE", default_value = "default", value_name = "NAMESPACE")]
    pub namespace: String,
    /// Name of this replica, such as that of its Pod; each process adds a number of its own to it.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub reach: Reach,
}

/// The threads of the controller: one that makes the passes, and two for the leases, watches and health. A pass that computes
/// for a while delays no renewal.
#[must_use]
pub fn threads() -> tokio::runtime::Builder {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    threads.worker_threads(2);
    threads
}

/// Runs until it is told to end, or loses the lease.
///
/// # Errors
/// The cluster cannot be reached, or another replica writes now. Where the log is JSON the error is its last line.
pub async fn run(asked: &Controller) -> Result<u8, Failure> {
    let (log, ending, form) = super::log::of_the_controller();
    let mut ended = control(asked, log).await;
    // Whoever reads the log reads JSON to its last line.
    if let (Form::Json, Err(failure)) = (form, &ended) {
        tracing::error!(help = failure.help, "{}", failure.message);
        ended = Ok(1);
    }
    ending.send().await;
    ended
}

async fn control(asked: &Controller, log: Filter) -> Result<u8, Failure> {
    let client = super::cluster::client().await?;
    let stop = interrupted();
    let metrics = Metrics::default();
    let listener = TcpListener::bind(asked.listen).await.map_err(|error| {
        let help = "give another address with `--listen`";
        Failure::new(format!("`{}` cannot be listened on: {error}", asked.listen), help)
    })?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "health and metrics are served");
    }
    let cluster = follow(&client);
    let (figures, counted, followed) = (metrics.clone(), cluster.clone(), cluster.clone());
    let waits = Box::new(move || {
        let objects = followed.objects();
        objects.missing().into_iter().map(|(kind, why)| format!("{kind}: {why}")).collect()
    });
    let count = Box::new(move || figures::count(&figures, &counted));
    tokio::spawn(serve(listener, Arc::new(Health { waits, log, count }), metrics.clone()));

    let instance = process_name(asked.name.as_deref().unwrap_or("bylaw"));
    // A connection of its own, so that no renewal waits for one that a pass has in use.
    let mut candidate = Candidate::new(&super::cluster::client().await?, &asked.namespace, &asked.lease, &instance);
    let claim = Claim::default();
    let mut told = stop.clone();
    tokio::select! {
        elected = candidate.elected(&claim) => elected.map_err(ends)?,
        _ = told.wait_for(|stop| *stop) => return Ok(0),
    }
    tracing::info!(%instance, "this replica writes");
    metrics.leader(true);
    let doors = Box::new(FencedDoors { reach: asked.reach.clone(), claim: claim.clone(), metrics: metrics.clone() });
    let seed = Timestamp::now().as_nanosecond().unsigned_abs() as u64;
    let predecessor = candidate.predecessor().map(str::to_owned);
    let context = Context { clock: Box::new(Timestamp::now), doors, metrics, instance, predecessor, seed };
    let (over, told) = oneshot::channel::<()>();
    let mut leading = tokio::spawn(async move {
        tokio::select! {
            why = candidate.lost(&claim) => Some(why),
            _ = told => {
                candidate.give_up(&claim).await;
                None
            }
        }
    });
    let lost = tokio::select! {
        lost = &mut leading => lost,
        () = keep_all(Arc::new(context), client, cluster, stop) => {
            drop(over);
            leading.await
        }
    };
    match lost {
        Ok(None) => Ok(0),
        // Whatever was in flight is left to its fate: the next leader looks before it writes.
        Ok(Some(why)) => Err(ends(why)),
        Err(_) => Err(ends("the lease is no longer renewed".into())),
    }
}

fn ends(why: String) -> Failure {
    Failure { message: format!("{why}: this replica ends"), help: None }
}

/// Ways to AWS behind the fence of the lease.
struct FencedDoors {
    reach: Reach,
    claim: Claim,
    metrics: Metrics,
}

impl Doors for FencedDoors {
    fn open<'a>(&'a self, partition: Partition, access: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>> {
        Box::pin(async move {
            let way = Way::of(&self.reach, partition, access);
            let (claim, metrics) = (self.claim.clone(), self.metrics.clone());
            let fenced = |port| Box::new(Fenced { port, claim, metrics }) as Box<dyn crate::aws::Port>;
            door::aws_behind(&way, fenced).await.map_err(|failure| failure.message)
        })
    }

    fn queue<'a>(
        &'a self,
        partition: Partition,
        access: Option<&'a Access>,
        url: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Queue>, String>> {
        Box::pin(async move {
            let way = Way::of(&self.reach, partition, access);
            door::queue(&way, url).await.map_err(|failure| failure.message)
        })
    }
}
