//! Deterministic simulation: thousands of short lives of one engine over an organization in memory, under a seeded
//! schedule of everything that goes wrong, with every invariant of design section 4 asked after every write.
//!
//! `BYLAW_LIVES` is the number of lives, `BYLAW_SEED` the first seed; a failing life prints the command that replays it.

mod birth;
mod end;
mod estimates;
mod excuses;
mod judge;
mod kept;
mod life;
mod looks;
mod model;
mod mutants;
mod ports;
mod regressions;
mod settled;
mod start;
mod watch;
mod wish;
mod writers;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use life::{Tally, live};
use mutants::Mutant;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: `{text}`")))
}

fn one(seed: u64, mutant: Mutant) -> Result<Tally, String> {
    catch_unwind(AssertUnwindSafe(|| live(seed, mutant))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!(
            "panic: {}",
            text.or_else(|| panic.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default()
        ))
    })
}

/// Lives `count` lives from `first` on, on all cores; ends at the first that fails unless told to go on.
fn lives(first: u64, count: u64) -> (Tally, Vec<(u64, String)>) {
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let (tally, failures) = (Mutex::new(Tally::default()), Mutex::new(vec![]));
    let all = std::env::var_os("BYLAW_ALL").is_some();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                let mut own = Tally::default();
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || stop.load(Ordering::Relaxed) {
                        break;
                    }
                    match one(seed, Mutant::None) {
                        Ok(life) => own.add(&life),
                        Err(why) => {
                            stop.store(!all, Ordering::Relaxed);
                            eprintln!("life {seed}: {why}");
                            failures.lock().unwrap_or_else(PoisonError::into_inner).push((seed, why));
                        }
                    }
                }
                tally.lock().unwrap_or_else(PoisonError::into_inner).add(&own);
            });
        }
    });
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort();
    (tally.into_inner().unwrap_or_else(PoisonError::into_inner), failures)
}

fn simulate(count: u64) {
    let first = variable("BYLAW_SEED").unwrap_or(0);
    let count = variable("BYLAW_LIVES").unwrap_or(count);
    let began = Instant::now();
    let (tally, failures) = lives(first, count);
    for (seed, why) in &failures {
        println!("life {seed}: {why}");
        println!(
            "  replay: BYLAW_SEED={seed} BYLAW_LIVES=1 BYLAW_TRACE=1 cargo test --test bylaw simulation::lives -- --nocapture"
        );
    }
    println!(
        "{} lives in {:.0} s: {} passes, {} deaths, {} writes watched, {} further checks; {} became whole",
        tally.lives,
        began.elapsed().as_secs_f64(),
        tally.passes,
        tally.deaths,
        tally.writes,
        tally.checks,
        tally.whole
    );
    println!("faults: {:?}", tally.faults);
    println!("outcomes: {:?}", tally.outcomes);
    println!("refused to the end: {:?}", tally.refusals);
    assert!(failures.is_empty(), "{} of {count} lives failed", failures.len());
    if count >= 1_000 {
        assert!(tally.whole * 5 > tally.lives * 2, "too few lives become whole: nothing would be proven");
        assert!(tally.faults.len() == 11, "not every fault was injected: {:?}", tally.faults);
    }
}

#[test]
fn lives_keep_every_invariant_and_become_as_declared() {
    simulate(10_000);
}

#[test]
#[ignore = "a million lives take an hour or two"]
fn a_million_lives() {
    simulate(1_000_000);
}

#[test]
fn no_write_falls_into_the_lease_of_another() {
    let mut got = [0; 3];
    for seed in 0..300 {
        let leases = writers::race(seed).unwrap_or_else(|why| panic!("race {seed}: {why}"));
        got[leases] += 1;
    }
    println!("races in which none, one, both got the lease: {got:?}");
    assert!(got[1] > 10 && got[2] > 10, "the races prove little: {got:?}");
}

#[test]
fn wrong_engines_are_found() {
    for (mutant, sign) in Mutant::ALL {
        let found = (0..3_000).find(|seed| one(*seed, mutant).is_err_and(|why| why.starts_with(sign)));
        println!("{mutant:?}: {}", found.map_or("not found".into(), |seed| format!("found in life {seed}")));
        assert!(found.is_some(), "{mutant:?} is not found by the check `{sign}`");
    }
}
