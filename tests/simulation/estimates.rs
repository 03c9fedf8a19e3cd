//! What a plan says it takes is what carrying it out makes: calls counted one by one, over plans of every kind.

use std::collections::BTreeSet;
use std::time::Duration;

use bylaw::apply::{Control, Lease, apply};
use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::pass::{self, Options};
use bylaw::plan::estimate::calls;
use bylaw::plan::model::takes_every_allow;
use bylaw::plan::{Action, Memory};

use super::start;
use super::wish::{MANAGEMENT, Wish, wide};
use crate::engine::clock;

/// Operations of one plan, where all of it could be carried out.
async fn compared(seed: u64) -> BTreeSet<&'static str> {
    let mut dice = Dice::new(seed);
    let management = Some(MANAGEMENT.parse().unwrap());
    // Nothing takes time, so that each creation is asked after once.
    let world = Offline::new(World { seed, management, creation_delay: Duration::ZERO, ..World::default() });
    start::populate(&world, &mut dice);
    let known: Vec<_> = world.state().accounts().keys().filter(|id| id.as_str() != MANAGEMENT).cloned().collect();
    let mut wish = Wish::random(&mut dice, &known);
    for _ in 0..dice.below(2) {
        wish.edit(&mut dice, &known);
    }
    wish.limits = wide();
    let (desired, clock, options) = (wish.render(), clock(), Options { prune: true, ..Options::default() });
    let planned = pass::plan(&world, &desired, None, &Memory::default(), &options, &clock).await.unwrap();
    let (reads, writes) = calls(&planned.plan);
    let lease = Lease::take(&world, &planned.observed.root.id, "test", &clock).await.unwrap();
    let port = Paced::new(&world, Conduct { pace: Pace::None, ..Conduct::default() });
    let control = Control::new(&clock, "test");
    let applied = apply(&port, &planned.plan, planned.observed.clone(), lease, control).await;
    if !applied.is_success() {
        return BTreeSet::new();
    }
    let (mut made, mut said) = (port.tally().calls, reads);
    said.extend(writes);
    // Where a policy that loses its last allow is attached, a plan alone does not tell.
    let bares = |action: &Action| match action {
        Action::UpdatePolicy { kind, content: Some(content), .. } => takes_every_allow(kind, content),
        _ => false,
    };
    if planned.plan.changes.iter().any(|change| bares(&change.action)) {
        [&mut made, &mut said].into_iter().for_each(|calls| {
            calls.remove("ListPoliciesForTarget");
        });
    }
    assert_eq!(said, made, "seed {seed}: {:#?}", planned.plan.changes);
    made.into_keys().collect()
}

#[tokio::test(start_paused = true)]
async fn an_estimate_is_what_a_run_makes() {
    let mut operations = BTreeSet::new();
    let mut plans = 0;
    for seed in 0..400 {
        let made = compared(seed).await;
        plans += u32::from(!made.is_empty());
        operations.extend(made);
    }
    println!("{plans} plans, {} operations: {operations:?}", operations.len());
    let writes = operations.iter().filter(|operation| bylaw::aws::port::is_write(operation));
    assert_eq!(writes.count(), 18, "not every write is in some plan: {operations:?}");
    assert!(plans > 200, "few plans could be carried out: {plans}");
}
