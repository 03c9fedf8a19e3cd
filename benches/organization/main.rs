//! Speed and memory of the engine over the organization in memory.
//!
//!     cargo bench --no-default-features --bench organization -- [medium|large|initial|initial-large|drift]...
//!
//! `README.md` beside this file says what each measures and what came of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a benchmark that goes wrong stops"
)]

mod generate;
mod measure;

use std::collections::BTreeMap;
use std::time::Duration;

use bylaw::apply::Control;
use bylaw::aws::buckets;
use bylaw::aws::offline::{self, Offline};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::desired::Desired;
use bylaw::pass::{self, Options, Planned};
use bylaw::plan::Memory;
use generate::Size;
use k8s_openapi::jiff::Timestamp;
use measure::{Cost, Meter};
use tokio::time::Instant;

const SEED: u64 = 7;

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let chosen = if chosen.is_empty() { vec!["medium".into(), "initial".into(), "drift".into()] } else { chosen };
    // Time is the runtime's own and stands still while there is work: pauses cost nothing and are counted.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    for name in chosen {
        match name.as_str() {
            "medium" => runtime.block_on(nothing_to_do("medium", generate::MEDIUM)),
            "large" => runtime.block_on(nothing_to_do("large", generate::LARGE)),
            "initial" => runtime.block_on(initial("medium", generate::MEDIUM)),
            "initial-large" => runtime.block_on(initial("large", generate::LARGE)),
            "drift" => runtime.block_on(drift(generate::MEDIUM)),
            other => panic!("`{other}`: expected medium, large, initial, initial-large or drift"),
        }
    }
}

fn clock() -> impl Fn() -> Timestamp + Send + Sync {
    let began = Instant::now();
    move || {
        let passed = i64::try_from(began.elapsed().as_millis()).unwrap();
        Timestamp::from_millisecond(1_767_225_600_000 + passed).unwrap()
    }
}

fn told(name: &str, size: Size) {
    println!(
        "\n== {name}: {} OUs, {} accounts, {} policies, {} attachments",
        size.units, size.accounts, size.policies, size.attachments
    );
}

fn told_cost(what: &str, cost: Cost, calls: Option<u64>) {
    let mib = |bytes: u64| bytes >> 20;
    let calls = calls.map_or(String::new(), |calls| format!("  {calls} calls"));
    println!(
        "{what:<28} {:>9.1} ms CPU {:>9.1} ms wall  {:>4} MiB before, {:>4} MiB at most{calls}",
        cost.cpu.as_secs_f64() * 1e3,
        cost.wall.as_secs_f64() * 1e3,
        mib(cost.before),
        mib(cost.peak),
    );
}

fn told_calls(calls: &BTreeMap<&'static str, u64>) {
    let calls: Vec<String> = calls.iter().map(|(operation, calls)| format!("{operation} {calls}")).collect();
    println!("    {}", calls.join(", "));
}

fn unpaced(world: &Offline) -> Paced<&Offline> {
    Paced::new(world, Conduct { pace: Pace::None, ..Conduct::default() })
}

/// A pass over an organization in which everything is as declared: once knowing nothing, and once as every later pass.
async fn nothing_to_do(name: &str, size: Size) {
    told(name, size);
    let meter = Meter::start();
    let desired = generate::desired(size, SEED);
    told_cost("(what is declared)", meter.stop(), None);
    let meter = Meter::start();
    let world = generate::settled(&desired, offline::Options::default());
    told_cost("(the organization in memory)", meter.stop(), None);
    let (clock, mut memory, options) = (clock(), Memory::default(), Options::default());

    let port = unpaced(&world);
    let meter = Meter::start();
    let planned = pass::plan(&port, &desired, None, &memory, &options, &clock).await.unwrap();
    told_cost("cold pass", meter.stop(), Some(port.tally().total()));
    told_calls(&port.tally().calls);
    idle(&planned);
    memory.learn(&planned.plan.facts);

    let Planned { observed, plan } = planned;
    drop(plan);
    let meter = Meter::start();
    let planned = pass::plan_offline(&desired, observed, &memory, &options, clock());
    told_cost("plan after the read", meter.stop(), None);
    idle(&planned);

    let Planned { observed: previous, plan } = planned;
    drop(plan);
    for _ in 0..2 {
        let port = unpaced(&world);
        let meter = Meter::start();
        let planned = pass::plan(&port, &desired, Some(&previous), &memory, &options, &clock).await.unwrap();
        told_cost("warm pass", meter.stop(), Some(port.tally().total()));
        told_calls(&port.tally().calls);
        idle(&planned);
    }
}

fn idle(planned: &Planned) {
    let plan = &planned.plan;
    assert!(plan.is_empty() && plan.drift.is_empty(), "{:#?} {:#?}", plan.changes.first(), plan.refusals.first());
}

fn paced(world: &Offline) -> Paced<&Offline> {
    Paced::new(world, Conduct { pace: Pace::Aws, ..Conduct::default() })
}

async fn apply(
    port: &Paced<&Offline>,
    desired: &Desired,
    planned: Planned,
    memory: &mut Memory,
    options: &Options,
) -> pass::Report {
    let clock = clock();
    let control = Control::new(&clock, "bench");
    pass::apply_plan(port, desired, planned, memory, options, control).await.unwrap()
}

/// Everything from nothing, at AWS's rates.
async fn initial(name: &str, size: Size) {
    told(name, size);
    let desired = generate::desired(size, SEED);
    let world = generate::empty(offline::Options { throttled: true, ..offline::Options::default() });
    let port = paced(&world);
    let (clock, mut memory, options) = (clock(), Memory::default(), Options::default());
    let began = Instant::now();
    let meter = Meter::start();
    let planned = pass::plan(&port, &desired, None, &memory, &options, &clock).await.unwrap();
    told_cost("first plan", meter.stop(), Some(port.tally().total()));
    assert!(planned.plan.refusals.is_empty(), "{:#?}", planned.plan.refusals.first());
    let meter = Meter::start();
    let report = apply(&port, &desired, planned, &mut memory, &options).await;
    told_cost("apply", meter.stop(), Some(port.tally().total()));
    let failed = report.applied.outcomes.iter().find(|(_, outcome)| !outcome.is_success());
    assert!(failed.is_none(), "{failed:#?}");
    assert!(report.left.is_empty(), "{:#?} {:#?}", report.left.changes.first(), report.left.refusals.first());
    told_bound(&port, began.elapsed());
    let meter = Meter::start();
    let second = pass::plan(&port, &desired, Some(&report.applied.observed), &memory, &options, &clock).await;
    told_cost("second plan", meter.stop(), None);
    idle(&second.unwrap());
}

fn told_bound(port: &Paced<&Offline>, took: Duration) {
    let tally = port.tally();
    let mut rows: Vec<(f64, &str, u64)> =
        tally.calls.iter().map(|(name, calls)| (buckets::seconds(name, *calls), *name, *calls)).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (seconds, operation, calls) in &rows {
        println!("    {operation:<36} {calls:>7} calls {seconds:>10.1} s at least");
    }
    let least = rows.first().map_or(0.0, |row| row.0);
    println!(
        "    took {:.1} s of AWS's time, at least {least:.1} s: {:.3}; {} calls, {} refused",
        took.as_secs_f64(),
        took.as_secs_f64() / least,
        tally.total(),
        tally.total_refused()
    );
}

/// One attachment taken off by hand, found and put right.
async fn drift(size: Size) {
    told("drift of one attachment", size);
    let desired = generate::desired(size, SEED);
    let world = generate::settled(&desired, offline::Options::default());
    let (clock, mut memory, options) = (clock(), Memory::default(), Options::default());
    let planned = pass::plan(&unpaced(&world), &desired, None, &memory, &options, &clock).await.unwrap();
    idle(&planned);
    memory.learn(&planned.plan.facts);
    let (policy, target) = world.with(|state| {
        let own = state.policies().iter().find(|(id, policy)| !policy.aws_managed && !state.targets(id).is_empty());
        let policy = own.unwrap().0.clone();
        let target = state.targets(&policy).into_iter().next().unwrap();
        (policy, target)
    });
    world.foreign(&bylaw::aws::Request::DetachPolicy { policy, target }).unwrap();
    let port = unpaced(&world);
    let meter = Meter::start();
    let again = pass::plan(&port, &desired, Some(&planned.observed), &memory, &options, &clock).await.unwrap();
    told_cost("plan that finds it", meter.stop(), Some(port.tally().total()));
    told_calls(&port.tally().calls);
    let (reads, writes) = bylaw::plan::estimate::calls(&again.plan);
    println!("    to put it right: {reads:?} {writes:?}");
    let port = unpaced(&world);
    let meter = Meter::start();
    let report = apply(&port, &desired, again, &mut memory, &options).await;
    told_cost("apply, lease and look after", meter.stop(), Some(port.tally().total()));
    told_calls(&port.tally().calls);
    assert!(report.left.is_empty());
}
