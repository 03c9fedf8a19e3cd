//! What a pass of the controller writes, counted: into the cluster the statuses of what changed, to AWS what differs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bylaw::aws::Port;
use bylaw::aws::offline::{Offline, Options};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::controller::keep::{Kept, keep};
use bylaw::controller::scene::Scene;
use bylaw::controller::watch::{Cluster, resource};
use bylaw::controller::write::write;
use bylaw::controller::{Context, Door, Doors, follow};
use bylaw::names::{Kind, ObjectKey};
use bylaw::process::Metrics;
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::calls::generate;

#[path = "../benches/controller/cluster.rs"]
mod server;

struct NoDoors;

impl Doors for NoDoors {
    fn open<'a>(
        &'a self,
        _: bylaw::api::organization::Partition,
        _: Option<&'a bylaw::api::organization::Access>,
    ) -> BoxFuture<'a, Result<Door, String>> {
        Box::pin(async { Err("this test has its own".to_owned()) })
    }
    fn queue<'a>(
        &'a self,
        _: bylaw::api::organization::Partition,
        _: Option<&'a bylaw::api::organization::Access>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn bylaw::aws::queue::Queue>, String>> {
        Box::pin(async { Err("this test has none".to_owned()) })
    }
}

/// A cluster, an organization as it declares it, and what goes on between them.
struct Stand {
    server: Arc<server::Cluster>,
    client: Client,
    cluster: Arc<Cluster>,
    world: Arc<Offline>,
    door: Door,
    cx: Context,
    now: Arc<AtomicI64>,
    kept: Kept,
}

impl Stand {
    async fn new(size: generate::Size) -> Self {
        let desired = generate::desired(size, 7);
        let world = Arc::new(generate::settled(&desired, Options::default()));
        let server = server::Cluster::of(&desired);
        let url = format!("http://{}", server.clone().serve().await).parse().unwrap();
        let client = Client::try_from(kube::Config::new(url)).unwrap();
        let cluster = follow(&client);
        let port: Box<dyn Port> = Box::new(world.clone());
        let door = Paced::new(port, Conduct { pace: Pace::None, ..Conduct::default() });
        let now = Arc::new(AtomicI64::new(1_767_225_600));
        let clock = now.clone();
        let cx = Context {
            clock: Box::new(move || Timestamp::from_second(clock.load(Ordering::Relaxed)).unwrap()),
            doors: Box::new(NoDoors),
            metrics: Metrics::default(),
            instance: "test".into(),
            predecessor: None,
            seed: 7,
        };
        Self { server, client, cluster, world, door, cx, now, kept: Kept::default() }
    }

    async fn until(&self, what: impl Fn(&Arc<Cluster>) -> bool) {
        for _ in 0..3000 {
            if what(&self.cluster) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the cluster is not seen as expected");
    }

    /// Statuses, Events and AWS writes of one pass.
    async fn pass(&mut self) -> (u64, u64, Vec<String>) {
        self.until(|cluster| Scene::of(cluster, "bench").is_some()).await;
        let scene = Scene::of(&self.cluster, "bench").unwrap();
        let (before, calls) = (self.server.written(), self.world.log().len());
        let (_go_on, stop) = tokio::sync::watch::channel(false);
        let note = |_| async {}.boxed_local();
        let turnout = keep(&self.cx, &note, &scene, &self.door, &mut self.kept, stop).await;
        let (written, failed) = write(&self.cx, &self.client, &self.cluster, &turnout).await;
        let after = self.server.written();
        assert_eq!((after.0 - before.0, failed), (written as u64, 0));
        let writes = self.world.log().into_iter().skip(calls).map(|entry| format!("{:?}", entry.request));
        let writes = writes.filter(|request| !request.contains("bylaw.dev/lease")).collect();
        (written as u64, after.1 - before.1, writes)
    }
}

#[tokio::test]
async fn a_pass_writes_what_changed_and_no_more() {
    let size = generate::MEDIUM;
    let objects = (1 + size.units + size.accounts + size.policies) as u64;
    let mut stand = Stand::new(size).await;
    let (statuses, _, writes) = stand.pass().await;
    assert_eq!(
        (statuses, writes.len()),
        (objects, 0),
        "everything is as declared, and nothing had a status: {writes:?}"
    );
    stand.until(|cluster| cluster.objects().whole().unwrap().values().all(|it| it.status != Value::Null)).await;

    // The second takes fewer calls than the first, which the Organization tells.
    let organization = ObjectKey::new(Kind::Organization, "bench");
    let told = stand.cluster.objects().whole().unwrap()[&organization].status.clone();
    assert_eq!(stand.pass().await, (1, 0, vec![]));
    stand.until(|cluster| cluster.objects().whole().unwrap()[&organization].status != told).await;
    assert_eq!(stand.pass().await, (0, 0, vec![]), "nothing is new, not even the time");
    stand.now.fetch_add(60, Ordering::Relaxed);
    assert_eq!(stand.pass().await, (1, 0, vec![]), "the time of the last pass");

    let accounts: Api<DynamicObject> = Api::all_with(stand.client.clone(), &resource(Kind::Account));
    let patch = json!({"spec": {"tags": {"cost-center": "1234"}}});
    accounts.patch("acct-00007", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let key = ObjectKey::new(Kind::Account, "acct-00007");
    stand.until(|cluster| cluster.objects().whole().unwrap()[&key].generation == 2).await;
    stand.now.fetch_add(60, Ordering::Relaxed);
    let (statuses, _, writes) = stand.pass().await;
    assert_eq!(statuses, 2, "that of the account, and that of the Organization");
    let [write] = &*writes else { panic!("one call puts it right: {writes:#?}") };
    assert!(write.contains("TagResource") && write.contains("cost-center"), "{write}");
}
