//! Speed and memory of the controller: a cluster in one process, the controller and an organization in memory in another.
//!
//!     cargo bench --bench controller -- [medium|big|large]...
//!
//! `README.md` beside this file says what is measured and what came of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that goes wrong stops"
)]

mod cluster;
#[allow(dead_code, reason = "the other benchmark uses the rest")]
#[path = "../organization/generate.rs"]
mod generate;
#[path = "../organization/measure.rs"]
mod measure;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bylaw::api::organization::{Access, Partition};
use bylaw::aws::offline::{self, Offline};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::aws::queue::Queue;
use bylaw::aws::{AwsError, Port, Request, Response};
use bylaw::controller::{Context, Door, Doors, follow, run};
use bylaw::names::{Kind, NodeId};
use bylaw::process::Metrics;
use futures::future::BoxFuture;
use generate::Size;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use measure::{Cost, Meter, status};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 7;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match &*arguments {
        ["serve", size] => block_on(serve(size_of(size))),
        ["control", size, url] => block_on(control(size_of(size), url)),
        [] => ["medium", "large"].into_iter().for_each(bench),
        sizes => sizes.iter().copied().for_each(bench),
    }
}

fn size_of(name: &str) -> Size {
    match name {
        "medium" => generate::MEDIUM,
        "big" => Size { units: 400, accounts: 10_000, policies: 200, attachments: 480 },
        "large" => generate::LARGE,
        other => panic!("`{other}`: expected medium, big or large"),
    }
}

/// One thread, whose CPU is counted.
fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Two processes, so that what the cluster costs is not counted.
fn bench(name: &str) {
    let size = size_of(name);
    println!("\n== {name}: {} OUs, {} accounts, {} policies", size.units, size.accounts, size.policies);
    let own = std::env::current_exe().unwrap();
    let directory = std::env::temp_dir().join(format!("bylaw-bench-{}", std::process::id()));
    let mut server = Command::new(&own).args(["serve", name]).stdout(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let mut control = Command::new(&own);
    control.args(["control", name, url.trim()]);
    control.env("BYLAW_CACHE_DIR", directory.join("cache")).env("BYLAW_STATE_DIR", directory.join("state"));
    let ended = control.status().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(ended.success());
}

async fn serve(size: Size) {
    let address = cluster::Cluster::of(&generate::desired(size, SEED)).serve().await;
    println!("http://{address}");
    std::future::pending::<()>().await;
}

/// When which write reached AWS; the lease left out.
type Writes = Arc<Mutex<Vec<(Instant, &'static str)>>>;

struct Wire {
    world: Arc<Offline>,
    writes: Writes,
}

impl Port for Wire {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        let lease = match request {
            Request::TagResource { resource, .. } | Request::UntagResource { resource, .. } => {
                matches!(resource, Resource::Node(NodeId::Root(_)))
            }
            _ => false,
        };
        if request.is_write() && !lease {
            self.writes.lock().unwrap().push((Instant::now(), request.operation()));
        }
        self.world.call(request)
    }
}

struct Ways(Arc<Offline>, Writes);

impl Doors for Ways {
    fn open<'a>(&'a self, _: Partition, _: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>> {
        let port: Box<dyn Port> = Box::new(Wire { world: self.0.clone(), writes: self.1.clone() });
        Box::pin(async { Ok(Paced::new(port, Conduct { pace: Pace::None, ..Conduct::default() })) })
    }

    fn queue<'a>(
        &'a self,
        _: Partition,
        _: Option<&'a Access>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Queue>, String>> {
        Box::pin(async { Err("there is no queue".to_owned()) })
    }
}

fn told(what: &str, cost: Cost, more: &str) {
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "{what:<32} {:>8.0} ms CPU {:>8.0} ms wall {:>5} MiB before, {:>5} at most, {:>5} after  {more}",
        cost.cpu.as_secs_f64() * 1e3,
        cost.wall.as_secs_f64() * 1e3,
        mib(cost.before),
        mib(cost.peak),
        mib(status("VmRSS:")),
    );
}

/// What the bench looks at from outside.
struct Stand {
    client: kube::Client,
    metrics: Metrics,
    calls: Arc<Offline>,
}

impl Stand {
    fn passes(&self) -> u64 {
        let text = self.metrics.text();
        let counts = text.lines().filter_map(|line| line.strip_prefix("bylaw_passes_total{")?.split(' ').nth(1));
        counts.map(|count| count.parse::<u64>().unwrap()).sum()
    }

    async fn statuses(&self) -> u64 {
        let request = axum::http::Request::get("/written").body(vec![]).unwrap();
        self.client.request::<[u64; 2]>(request).await.unwrap()[0]
    }

    /// Until no pass follows the last one.
    async fn quiet(&self) {
        let (mut passes, mut same) = (self.passes(), 0);
        // A pass gives way where it writes statuses: one look between two of them says nothing.
        while same < 20 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            same = if self.passes() == passes { same + 1 } else { 0 };
            passes = self.passes();
        }
    }

    /// Until as many passes are over.
    async fn passed(&self, passes: u64) {
        while self.passes() < passes {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn control(size: Size, url: &str) {
    let meter = Meter::start();
    let desired = generate::desired(size, SEED);
    told("(what is declared)", meter.stop(), "");
    let meter = Meter::start();
    let world = Arc::new(generate::settled(&desired, offline::Options::default()));
    told("(the organization in memory)", meter.stop(), "");
    let base = status("VmRSS:");

    let client = kube::Client::try_from(kube::Config::new(url.parse().unwrap())).unwrap();
    let began = Meter::start();
    let meter = Meter::start();
    let cluster = follow(&client);
    while cluster.objects().whole().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    told("start to ready", meter.stop(), "");

    let (metrics, writes) = (Metrics::default(), Writes::default());
    let context = Context {
        clock: Box::new(Timestamp::now),
        doors: Box::new(Ways(world.clone(), writes.clone())),
        metrics: metrics.clone(),
        instance: "bench".into(),
        predecessor: None,
        seed: SEED,
    };
    let stand = Stand { client: client.clone(), metrics, calls: world };
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let meter = Meter::start();
    tokio::task::LocalSet::new()
        .run_until(async {
            tokio::task::spawn_local(run(Arc::new(context), client.clone(), cluster.clone(), stopped));
            stand.passed(1).await;
            told("first pass", meter.stop(), &format!("{} statuses", stand.statuses().await));
            stand.quiet().await;
            for _ in 0..3 {
                let (passes, statuses) = (stand.passes(), stand.statuses().await);
                let calls = stand.calls.log().len();
                cluster.wake();
                let meter = Meter::start();
                stand.passed(passes + 1).await;
                let cost = meter.stop();
                let calls = stand.calls.log().len() - calls;
                told("idle pass", cost, &format!("{} statuses, {calls} writes", stand.statuses().await - statuses));
                stand.quiet().await;
            }
            for _ in 0..3 {
                let (passes, statuses) = (stand.passes(), stand.statuses().await);
                let edited = Instant::now();
                let meter = Meter::start();
                let api: Api<DynamicObject> =
                    Api::all_with(client.clone(), &bylaw::controller::watch::resource(Kind::Account));
                let tag = format!("{}", 1000 + passes);
                let patch = serde_json::json!({"spec": {"tags": {"cost-center": tag}}});
                api.patch("acct-00007", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
                let (at, operation) = loop {
                    if let Some(write) = writes.lock().unwrap().pop() {
                        break write;
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                };
                stand.passed(passes + 1).await;
                let cost = meter.stop();
                let statuses = stand.statuses().await - statuses;
                let after = at.duration_since(edited).as_millis();
                told("one object edited", cost, &format!("{operation} after {after} ms, {statuses} statuses"));
                stand.quiet().await;
            }
        })
        .await;
    let mib = |bytes: u64| bytes >> 20;
    let (rest, peak) = (status("VmRSS:"), began.stop().peak);
    println!(
        "at rest {} MiB, of which the controller {} MiB; the last peak {} MiB",
        mib(rest),
        mib(rest.saturating_sub(base)),
        mib(peak)
    );
}
