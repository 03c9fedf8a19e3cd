//! What takes hours, in virtual time: an outage of ten minutes, a day of holding the lease, its ends. The organization is in
//! memory; what is real is the pass, its pauses and the lease.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bylaw::api::organization::{Access, Partition};
use bylaw::apply::lease::{LeaseError, parse};
use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::aws::queue::Queue;
use bylaw::aws::{AwsError, Port, Request, Response, ServiceTime};
use bylaw::controller::backoff::{Backoff, spread};
use bylaw::controller::keep::{Again, Judged, Kept, Said, Turnout, keep};
use bylaw::controller::scene::Scene as Seen;
use bylaw::controller::tenure::{self, Claimant, LENGTH, Tenure};
use bylaw::controller::watch::{Cluster as Store, Watched};
use bylaw::controller::{Context, Door, Doors};
use bylaw::names::{Kind, ObjectKey, RootId, TAG_HOLD, TAG_LEASE, Tags};
use bylaw::process::Metrics;
use bylaw::status::{Readiness, Turn};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::jiff::SignedDuration;
use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::engine::clock;

const MANAGEMENT: &str = "111111111111";

/// A port that refuses everything for a while, and remembers when what was asked.
#[derive(Clone)]
struct Line {
    world: Arc<Offline>,
    began: Instant,
    calls: Arc<Mutex<Vec<(Duration, &'static str)>>>,
    outage: Arc<Mutex<Option<(Duration, Duration)>>>,
    /// The outage begins when this operation is called first, and lasts so long.
    trigger: Option<(&'static str, Duration)>,
}

impl Line {
    fn to(world: Offline) -> Self {
        let (calls, outage) = (Arc::default(), Arc::default());
        Self { world: Arc::new(world), began: Instant::now(), calls, outage, trigger: None }
    }

    fn fails_for(&self, time: Duration) {
        let now = self.began.elapsed();
        *self.outage.lock().unwrap() = Some((now, now + time));
    }

    fn door(&self) -> Arc<Door> {
        let conduct = Conduct { pace: Pace::Aws, ..Conduct::default() };
        Arc::new(Paced::new(Box::new(self.clone()) as Box<dyn Port>, conduct))
    }

    fn between(&self, from: Duration, to: Duration) -> Vec<&'static str> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, operation)| *operation).collect()
    }

    fn count(&self, operation: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(_, name)| *name == operation).count()
    }

    fn holder(&self) -> Option<String> {
        self.world.state().root.tags.get(TAG_LEASE).and_then(parse).map(|(holder, _)| holder)
    }

    fn root(&self) -> RootId {
        self.world.state().root.id.clone()
    }

    /// Somebody sets a tag of the root, or takes it away.
    fn tag(&self, key: &str, value: Option<String>) {
        let resource = Resource::Node(self.world.state().root_node());
        let request = match value {
            Some(value) => Request::TagResource { resource, tags: Tags::from([(key.to_owned(), value)]) },
            None => Request::UntagResource { resource, keys: vec![key.to_owned()] },
        };
        self.world.foreign(&request).unwrap();
    }
}

impl Port for Line {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        let (now, name) = (self.began.elapsed(), request.operation());
        self.calls.lock().unwrap().push((now, name));
        let mut outage = self.outage.lock().unwrap();
        if let Some((_, lasts)) = self.trigger.filter(|(trigger, _)| *trigger == name)
            && outage.is_none()
        {
            *outage = Some((now, now + lasts));
        }
        if outage.is_some_and(|(from, to)| now >= from && now < to) {
            return async move { Err(AwsError::unanswered(name, "503", "Service Unavailable")) }.boxed();
        }
        drop(outage);
        self.world.call(request)
    }

    fn time(&self) -> Option<ServiceTime> {
        self.world.time()
    }
}

struct NoDoors;
impl Doors for NoDoors {
    fn open<'a>(&'a self, _: Partition, _: Option<&'a Access>) -> BoxFuture<'a, Result<Door, String>> {
        async { Err(String::new()) }.boxed()
    }
    fn queue<'a>(
        &'a self,
        _: Partition,
        _: Option<&'a Access>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Box<dyn Queue>, String>> {
        async { Err(String::new()) }.boxed()
    }
}

fn context() -> Arc<Context> {
    let (clock, doors) = (Box::new(clock()), Box::new(NoDoors));
    Arc::new(Context { clock, doors, metrics: Metrics::default(), instance: "test".into(), predecessor: None, seed: 1 })
}

fn world() -> Offline {
    Offline::new(World { management: Some(MANAGEMENT.parse().unwrap()), ..World::default() })
}

fn claimant(who: &str) -> Claimant {
    Claimant { management: MANAGEMENT.parse().unwrap(), who: who.into(), predecessor: None }
}

/// The objects of `examples/data-science` as a cluster holds them.
fn store() -> Arc<Store> {
    store_of(|_| {})
}

/// The same, edited.
fn store_of(edit: impl Fn(&mut Value)) -> Arc<Store> {
    let store = Arc::new(Store::default());
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data-science");
    let files = ["organization.yaml", "units.yaml", "policies.yaml"];
    let texts = files.map(|file| std::fs::read_to_string(folder.join(file)).unwrap());
    let mut objects: Vec<DynamicObject> = vec![];
    for text in texts.iter().flat_map(|text| text.split("\n---\n")) {
        let mut value: Value = serde_saphyr::from_str(text).unwrap();
        value["metadata"]["uid"] = json!(format!("uid-{}", objects.len()));
        value["metadata"]["generation"] = json!(1);
        edit(&mut value);
        objects.push(serde_json::from_value(value).unwrap());
    }
    for watched in Watched::all() {
        store.take(watched, Event::Init);
        let kind = watched.resource().kind;
        let of_kind = |object: &&DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == kind);
        for object in objects.iter().filter(of_kind) {
            store.take(watched, Event::InitApply(object.clone()));
        }
        store.take(watched, Event::InitDone);
    }
    store
}

#[tokio::test(start_paused = true)]
async fn after_ten_minutes_without_aws_all_is_as_declared_by_itself() {
    const OUTAGE: Duration = Duration::from_secs(600);
    let line = Line { trigger: Some(("CreatePolicy", OUTAGE)), ..Line::to(world()) };
    let (cx, door, store) = (context(), line.door(), store());
    let (mut kept, mut backoff, mut dice) = (Kept::default(), Backoff::default(), Dice::new(1));
    let (_stop, stop) = tokio::sync::watch::channel(false);
    let mut told = vec![];
    while line.began.elapsed() < Duration::from_secs(3600) {
        let scene = Seen::of(&store, "acme").unwrap();
        tenure::settle(&mut kept.tenure, scene.claimant(&cx), &cx, Some(&door)).await;
        let note = |_| async {}.boxed_local();
        let turnout = keep(&cx, &note, &scene, &door, &mut kept, stop.clone()).await;
        let organization = turnout.statuses.iter().find(|(key, _)| key.kind == Kind::Organization).unwrap().1;
        let all = turnout.statuses.values().all(|said| said.verdict.ready == Readiness::True);
        told.push((line.began.elapsed(), organization.verdict.clone(), all));
        tokio::time::sleep(match turnout.again {
            Again::After(pause) => {
                backoff.reset();
                spread(pause, &mut dice)
            }
            Again::Failed => backoff.failed(&mut dice),
        })
        .await;
    }
    let (from, to) = line.outage.lock().unwrap().unwrap();
    let during: Vec<_> = told.iter().filter(|(at, ..)| *at > from && *at < to).collect();
    let calls = line.between(from, to);
    println!("{} passes and {} calls in the outage", during.len(), calls.len());
    assert!((3..=15).contains(&during.len()), "{during:#?}");
    // The pass asks less and less; the lease is asked for once a minute.
    assert!(calls.len() <= 400, "{}", calls.len());
    let late = line.between(to - Duration::from_secs(300), to).len();
    assert!(late < calls.len() / 2, "{late} of {} calls in the second half", calls.len());
    assert!(during.iter().all(|(.., all)| !all), "{during:#?}");
    // The pass that it interrupted tells of each object what became of it; the next ones, that there is no plan.
    for (at, verdict, _) in during.iter().skip(1) {
        let is_told = verdict.ready == Readiness::False && verdict.reason == "AwsError" && verdict.turn == Turn::Bylaw;
        assert!(is_told, "{at:?}: {verdict:?}");
    }
    let whole = told.iter().find(|(at, _, all)| *at > to && *all).expect("all is as declared in the end");
    println!("as declared {:?} after the outage", whole.0 - to);
    // The longest pause, and the making of what was left: three accounts, each minutes under way.
    assert!(whole.0 - to < Duration::from_secs(300 + 600), "{:?}", whole.0 - to);
    for (operation, times) in [("CreateAccount", 3), ("CreateOrganizationalUnit", 3)] {
        let done = line.world.log().iter().filter(|entry| entry.request.operation() == operation).count();
        assert_eq!(done, times, "{operation}");
    }
    assert_eq!(line.holder().as_deref(), Some("controller:uid-0:test"));
    tenure::settle(&mut kept.tenure, None, &cx, None).await;
    assert_eq!(line.holder(), None, "the lease is given back");
}

#[tokio::test(start_paused = true)]
async fn a_day_of_holding_the_lease_is_one_tag_in_five_minutes() {
    let (cx, line) = (context(), Line::to(world()));
    let mut tenure = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    // Whoever has something to write waits for nothing.
    let before = Instant::now();
    assert!(tenure.lend(&line.root()).await.unwrap().is_some());
    assert_eq!(before.elapsed(), Duration::ZERO);
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    let (tags, looks) = (line.count("TagResource"), line.count("ListTagsForResource"));
    println!("a day: {tags} times TagResource, {looks} times ListTagsForResource");
    assert!((280..=290).contains(&tags) && looks <= tags + 2, "{tags} {looks}");
    tenure.end().await;
    assert_eq!((line.holder(), line.count("UntagResource")), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn who_crashed_keeps_others_out_for_ten_minutes_and_its_successor_for_half_of_one() {
    let (cx, line) = (context(), Line::to(world()));
    let crashed = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(400)).await;
    drop(crashed);
    assert_eq!(line.holder().as_deref(), Some("controller:one"));
    let mut other = Tenure::begin(cx.clone(), line.door(), claimant("controller:two"));
    let refused = other.lend(&line.root()).await.map(drop);
    assert!(matches!(refused, Err(LeaseError::Held { holder, .. }) if holder == "controller:one"));
    let successor = Claimant { predecessor: Some("controller:one".into()), ..claimant("controller:next") };
    let mut next = Tenure::begin(cx.clone(), line.door(), successor);
    let asked = Instant::now();
    assert!(next.lend(&line.root()).await.unwrap().is_some());
    let took = asked.elapsed();
    println!("its successor has it {took:?} later");
    // Whoever is taken for crashed and is not has looked at the tag by then, and what it had begun is over.
    assert!((25..40).contains(&took.as_secs()), "{took:?}");
    drop(next);
    let (dropped, root) = (Instant::now(), line.root());
    while line.holder().as_deref() != Some("controller:two") {
        assert!(dropped.elapsed() < Duration::from_secs(11 * 60), "it is never taken over");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    println!("taken over {:?} after the crash", dropped.elapsed());
    assert!(dropped.elapsed() >= Duration::try_from(LENGTH).unwrap() - Duration::from_secs(60));
    assert!(other.lend(&root).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_predecessor_that_is_at_work_all_the_same_writes_nothing_beside_its_successor() {
    let (cx, line) = (context(), Line::to(world()));
    let mut first = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(100)).await;
    let mut lent = first.lend(&line.root()).await.unwrap();
    let lease = lent.as_mut().unwrap();
    let successor = Claimant { predecessor: Some("controller:one".into()), ..claimant("controller:two") };
    let mut second = Tenure::begin(cx.clone(), line.door(), successor);
    let root = line.root();
    let (taken, mut at_work) = (second.lend(&root), Instant::now());
    tokio::pin!(taken);
    let door = line.door();
    loop {
        tokio::select! {
            taken = &mut taken => {
                assert!(taken.unwrap().is_some());
                break;
            }
            // As a run does before each write.
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                if lease.keep(&*door, &*cx.clock).await.is_ok() {
                    at_work = Instant::now();
                }
            }
        }
    }
    assert!(at_work.elapsed() > Duration::from_secs(15), "what it had begun is not over: {:?}", at_work.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_controller_whose_clock_is_eleven_minutes_ahead_takes_no_lease_that_counts() {
    let world = World { management: Some(MANAGEMENT.parse().unwrap()), tells_time: true, ..World::default() };
    let line = Line::to(Offline::new(world));
    let right = clock();
    for minutes in [-11, 11] {
        let holder = Tenure::begin(context(), line.door(), claimant("controller:one"));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let wrong = {
            let right = clock();
            move || right() + SignedDuration::from_mins(minutes)
        };
        let cx = Context { clock: Box::new(wrong), ..Arc::into_inner(context()).unwrap() };
        let mut other = Tenure::begin(Arc::new(cx), line.door(), claimant("controller:two"));
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            let refused = other.lend(&line.root()).await.map(drop);
            assert!(matches!(refused, Err(LeaseError::Held { .. })), "{minutes} minutes: {refused:?} at {}", right());
        }
        holder.end().await;
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert_eq!(line.holder().as_deref(), Some("controller:two"));
        other.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_is_given_back_to_who_brakes_and_taken_again_after_it() {
    let (cx, line) = (context(), Line::to(world()));
    let mut tenure = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    line.tag(TAG_HOLD, Some("2027-01-01T00:00:00Z".into()));
    tokio::time::sleep(Duration::from_secs(310)).await;
    assert_eq!(line.holder(), None);
    assert!(matches!(tenure.lend(&line.root()).await.map(drop), Err(LeaseError::Braked(_))));
    line.tag(TAG_HOLD, None);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(line.holder().as_deref(), Some("controller:one"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_an_outage_outlasted_is_taken_anew() {
    let (cx, line) = (context(), Line::to(world()));
    let mut tenure = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    line.fails_for(Duration::from_secs(1200));
    tokio::time::sleep(Duration::from_secs(1100)).await;
    // It ran out, and AWS does not answer.
    assert!(matches!(tenure.lend(&line.root()).await.map(drop), Err(LeaseError::Aws(_))));
    let calls = line.between(Duration::from_secs(610), Duration::from_secs(1100)).len();
    println!("{calls} calls in 8 minutes of an outage");
    assert!(calls < 100, "{calls}");
    tokio::time::sleep(Duration::from_secs(180)).await;
    let asked = Instant::now();
    assert!(tenure.lend(&line.root()).await.unwrap().is_some());
    assert_eq!(asked.elapsed(), Duration::ZERO, "it is held before anybody needs it");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_took_off_by_hand_is_not_renewed_over_its_next_holder() {
    let (cx, line) = (context(), Line::to(world()));
    let mut tenure = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    line.tag(TAG_LEASE, None);
    let mut second = Tenure::begin(cx.clone(), line.door(), claimant("controller:two"));
    assert!(second.lend(&line.root()).await.unwrap().is_some());
    tokio::time::sleep(Duration::from_secs(90)).await;
    // What is held in mind is looked at before it is written under.
    let door = line.door();
    let mut lease = tenure.lend(&line.root()).await.unwrap();
    let kept = lease.as_mut().unwrap().keep(&*door, &*cx.clock).await;
    assert!(matches!(kept, Err(LeaseError::Held { holder, .. }) if holder == "controller:two"));
    drop(lease);
    tenure.end().await;
    assert_eq!(line.holder().as_deref(), Some("controller:two"), "what is another's is not given back");
}

#[tokio::test(start_paused = true)]
async fn who_is_told_to_end_while_it_takes_the_lease_leaves_no_tag() {
    let (cx, line) = (context(), Line::to(world()));
    let tenure = Tenure::begin(cx.clone(), line.door(), claimant("controller:one"));
    while line.holder().is_none() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let asked = Instant::now();
    tenure.end().await;
    assert_eq!(line.holder(), None);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_is_approved_is_written_down_before_it_is_begun_and_what_vanished_is_told() {
    let (cx, line) = (context(), Line::to(world()));
    let store = store_of(|object| {
        if object["kind"] == "Organization" {
            object["spec"]["limits"]["maxCreates"] = json!(0);
        }
    });
    let (door, mut kept) = (line.door(), Kept::default());
    let (_stop, stop) = tokio::sync::watch::channel(false);
    let noted: Mutex<Vec<Value>> = Mutex::default();
    let note = |used: Vec<Judged>| {
        let created = line.count("CreateOrganizationalUnit");
        let told = used.into_iter().map(|(given, _, fields)| {
            json!({"name": given.name, "covers": fields["covers"], "usedAt": fields["usedAt"], "created": created})
        });
        noted.lock().unwrap().extend(told);
        async {}.boxed_local()
    };
    let fact = |turnout: &Turnout, field: &str| {
        let of = |(key, _): &(&ObjectKey, &Said)| key.kind == Kind::Organization;
        turnout.statuses.iter().find(of).unwrap().1.facts.get(field).cloned().unwrap_or_default()
    };
    let scene = Seen::of(&store, "acme").unwrap();
    let refused = keep(&cx, &note, &scene, &door, &mut kept, stop.clone()).await;
    let refusal = fact(&refused, "refusals")[0].clone();
    assert_eq!(refusal["rule"], "limit-creates");
    let approval = json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": "Approval", "metadata": {"name": "yes", "uid": "y"},
        "spec": {"for": {"kind": "Organization", "name": "acme"}, "hash": refusal["hash"], "approver": "jane",
            "reason": "r", "expiresAt": "2100-01-01T00:00:00Z"}});
    store.take(Watched::Approvals, Event::Apply(serde_json::from_value(approval).unwrap()));
    let scene = Seen::of(&store, "acme").unwrap();
    let done = keep(&cx, &note, &scene, &door, &mut kept, stop.clone()).await;
    let noted = noted.into_inner().unwrap();
    let [told] = noted.as_slice() else { panic!("{noted:#?}") };
    assert_eq!((&told["name"], &told["created"]), (&json!("yes"), &json!(0)), "before anything was created");
    let covers = told["covers"].as_array().unwrap();
    assert_eq!(covers.len(), usize::try_from(refusal["changes"].as_u64().unwrap()).unwrap());
    let [(_, verdict, fields)] = done.approvals.as_slice() else { panic!("one approval") };
    assert_eq!((verdict.ready, &fields["covers"]), (Readiness::True, &told["covers"]));
    assert_eq!(fields["usedAt"], told["usedAt"], "the time does not change with the end of the pass");

    // An empty list takes the place of what the status said before.
    assert_eq!((fact(&done, "refusals"), fact(&done, "refusedTogether")), (json!([]), json!([])));

    // An older backup knows nothing of one account.
    assert_eq!(fact(&done, "vanished"), json!({"objects": 0}));
    while line.world.state().accounts().values().filter(|account| account.name == "data-science").count() == 0 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        let scene = Seen::of(&store, "acme").unwrap();
        keep(&cx, &(|_| async {}.boxed_local()), &scene, &door, &mut kept, stop.clone()).await;
    }
    let gone = json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": "Account", "metadata": {"name": "data-science"}});
    store.take(Watched::Declared(Kind::Account), Event::Delete(serde_json::from_value(gone).unwrap()));
    let scene = Seen::of(&store, "acme").unwrap();
    let missed = keep(&cx, &(|_| async {}.boxed_local()), &scene, &door, &mut kept, stop.clone()).await;
    let vanished = fact(&missed, "vanished");
    assert_eq!(vanished["objects"], 1, "{vanished:#}");
    assert!(vanished["named"][0].as_str().unwrap().starts_with("Account/data-science ("), "{vanished:#}");
    let told: Vec<_> = missed.notices.iter().filter(|notice| notice.reason == "Vanished").collect();
    assert!(told.len() == 1 && told[0].note.contains("Account/data-science ("), "{told:#?}");
}
