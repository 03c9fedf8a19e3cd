//! A plan that is kept, begun, and broken off in the middle: what is left of it is known again and runs, and nothing else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bylaw::apply::{Control, Progress};
use bylaw::aws::Request;
use bylaw::aws::dice::Dice;
use bylaw::aws::faults::{Faulty, Schedule};
use bylaw::aws::offline::{Offline, Options as World};
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Resource;
use bylaw::desired::Desired;
use bylaw::names::{NodeId, TAG_MANAGED_BY, TAG_RESOURCE};
use bylaw::pass::{self, Options, Planned};
use bylaw::plan::kept::{Known, Made, approvals};
use bylaw::plan::{Action, Change, Guarded, Memory, Plan, guard};

use super::ports::Hook;
use super::regressions::{actions, add_policy, add_unit, applied, organization, ou, planned, policy, unit, wish};
use super::start;
use super::wish::{MANAGEMENT, Wish, text};
use crate::engine::clock;

/// What `plan --out` keeps: the hashes of the changes, and the approvals.
struct Kept {
    shown: BTreeSet<String>,
    options: Options,
}

impl Kept {
    fn of(plan: &Plan<Guarded>, options: &Options) -> Self {
        let mut options = options.clone();
        options.approvals.hashes.extend(approvals(plan));
        Self { shown: plan.changes.iter().map(Change::fingerprint).collect(), options }
    }

    /// What of the plan of now `apply PLAN` runs, and which changes of now the kept plan did not show.
    fn left(&self, planned: Planned, desired: &Desired) -> (Planned, Vec<Change>) {
        let Planned { observed, plan } = planned;
        let known = Known::of(&plan, &self.shown, &Made::of(desired, &observed));
        let new = plan.changes.iter().filter(|change| !known.holds(change)).cloned().collect();
        let only = plan.clone().only(&known.standing(&plan));
        let plan = guard(only, desired, &observed, &self.options.approvals, clock()());
        (Planned { observed, plan }, new)
    }
}

fn verb(change: &Change) -> String {
    format!("{} {:?}", change.object, change.action.verb())
}

fn verbs(plan: &Plan<Guarded>) -> BTreeSet<String> {
    plan.changes.iter().map(verb).collect()
}

async fn run(
    port: &dyn bylaw::aws::Port,
    desired: &Desired,
    planned: Planned,
    options: &Options,
    stops: usize,
) -> Planned {
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let clock = clock();
    let progress = |progress: &Progress<'_>| stop.send_modify(|stop| *stop |= progress.over >= stops);
    let control = Control { stop: stopped, progress: &progress, ..Control::new(&clock, "one") };
    let report = pass::apply_plan(port, desired, planned, &mut Memory::default(), options, control).await.unwrap();
    Planned { observed: report.applied.observed, plan: report.left }
}

fn populated(seed: u64, dice: &mut Dice) -> Arc<Offline> {
    let management = Some(MANAGEMENT.parse().unwrap());
    let world = Arc::new(Offline::new(World { seed, management, ..World::default() }));
    start::populate(&world, dice);
    world
}

/// One plan, broken off up to four times. `Ok`: how often, and how many changes were left to the end.
async fn broken_off(seed: u64) -> Result<(usize, usize), String> {
    let mut dice = Dice::new(seed);
    let world = populated(seed, &mut dice);
    let twin = populated(seed, &mut Dice::new(seed));
    let mut wish = Wish::random(&mut dice, &[]);
    (0..dice.below(3)).for_each(|_| wish.edit(&mut dice, &[]));
    (wish.mode, wish.suspend) = (bylaw::api::Mode::Enforce, false);
    let desired = wish.render();
    let mut options = Options { prune: true, ..Options::default() };
    let mut plan = pass::plan(&world, &desired, None, &Memory::default(), &options, &clock()).await.unwrap();
    // What can be approved is, as a person does who keeps a plan for a change window.
    for _ in 0..4 {
        options.approvals.hashes.extend(plan.plan.refusals.iter().filter_map(|refusal| refusal.hash.clone()));
        plan = pass::plan(&world, &desired, None, &Memory::default(), &options, &clock()).await.unwrap();
    }
    let kept = Kept::of(&plan.plan, &options);
    let whole = run(&twin, &desired, plan.clone(), &options, usize::MAX).await;
    // What a first plan makes possible is for the next, and must not be taken for part of the first.
    if !whole.plan.changes.is_empty() {
        return Ok((0, 0));
    }
    let (mut breaks, mut left) = (0, 0);
    for round in 0..5 {
        let now = pass::plan(&world, &desired, None, &Memory::default(), &kept.options, &clock()).await.unwrap();
        let (now, new) = kept.left(now, &desired);
        if !new.is_empty() {
            return Err(format!("not known again: {new:#?}\nrefused {:#?}", now.plan.refusals));
        }
        left = now.plan.changes.len();
        if std::env::var_os("BYLAW_TRACE").is_some() {
            println!("-- round {round}: {left} left");
            now.plan.changes.iter().for_each(|change| println!("   {} {:?}", change.object, change.action));
            let refused = now.plan.refusals.iter();
            refused.for_each(|refusal| println!("   REFUSED {} {}", refusal.rule, refusal.message));
        }
        if left == 0 {
            break;
        }
        if round == 4 {
            run(&world, &desired, now, &kept.options, usize::MAX).await;
            break;
        }
        breaks += 1;
        let way = dice.below(3);
        let dies_after = (way == 0).then(|| 2 + dice.below(6) as u64);
        let hook = Arc::new(Hook::new(world.clone(), dies_after, tokio::time::Instant::now()));
        let throttled = if way == 1 { 0.85 } else { 0.0 };
        let schedule = Schedule { seed: dice.bits(), throttled, dies_after, ..Schedule::default() };
        let conduct = Conduct { pace: Pace::None, patience: Duration::from_secs(2), seed, ..Conduct::default() };
        let port = Paced::new(Faulty::new(hook.clone(), schedule), conduct);
        let stops = if way == 2 { dice.below(6) } else { usize::MAX };
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (clock, mut memory) = (clock(), Memory::default());
        let progress = |progress: &Progress<'_>| stop.send_modify(|stop| *stop |= progress.over >= stops);
        let control = Control { stop: stopped, progress: &progress, ..Control::new(&clock, "one") };
        tokio::select! {
            biased;
            () = hook.died.notified() => {}
            _ = pass::apply_plan(&port, &desired, now, &mut memory, &kept.options, control) => {}
        }
        tokio::time::sleep(Duration::from_secs(130)).await;
    }
    let end = pass::plan(&world, &desired, None, &Memory::default(), &kept.options, &clock()).await.unwrap();
    let (is, shall) = (verbs(&end.plan), verbs(&whole.plan));
    if is != shall {
        return Err(format!("left are {is:?}; a run that nobody breaks off leaves {shall:?}: {:#?}", end.plan));
    }
    Ok((breaks, left))
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_was_kept_and_broken_off_is_gone_on_with() {
    let (mut plans, mut breaks, mut failed) = (0, 0, vec![]);
    let seeds = super::variable("BYLAW_SEED").map_or(0..600, |seed| seed..seed + 1);
    for seed in seeds {
        match broken_off(seed).await {
            Ok((broken, _)) => {
                plans += usize::from(broken > 0);
                breaks += broken;
            }
            Err(why) => failed.push(format!("plan {seed}: {why}")),
        }
    }
    println!("{plans} plans, broken off {breaks} times");
    assert!(failed.is_empty(), "{} plans cannot be gone on with, the first is {}", failed.len(), failed[0]);
    assert!(
        super::variable("BYLAW_SEED").is_some() || plans > 300 && breaks > plans,
        "little was broken off: {plans} {breaks}"
    );
}

/// A plan of an OU and a policy on it, kept, and carried out up to the creation of both.
async fn begun() -> (Offline, Wish, Kept) {
    let world = organization();
    let mut wish = wish();
    wish.units = [(0, unit("Dev"))].into();
    wish.policies = [(0, policy(0, 1, [ou(0)]))].into();
    let plan = planned(&world, &wish, false).await;
    let kept = Kept::of(&plan.plan, &Options::default());
    let creations = plan.plan.changes.iter().filter(|change| change.action.verb() == bylaw::plan::Verb::Create).count();
    assert_eq!((creations, plan.plan.changes.len()), (2, 3));
    run(&world, &wish.render(), plan, &kept.options, creations).await;
    assert_eq!(world.state().units().len(), 1);
    (world, wish, kept)
}

fn attachments(planned: &Planned) -> usize {
    actions(planned).iter().filter(|action| matches!(action, Action::Attach { .. })).count()
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_run_of_a_kept_plan_made_is_known_by_its_object() {
    let (world, wish, kept) = begun().await;
    let (left, new) = kept.left(planned(&world, &wish, false).await, &wish.render());
    assert_eq!((attachments(&left), new), (1, vec![]));
    let report = applied(&world, &wish, left).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_was_edited_after_a_kept_plan_made_it_is_attached_nowhere() {
    let (world, wish, kept) = begun().await;
    let policy = world.state().policy_named(&super::wish::kind(0), "pol0").unwrap().clone();
    let content = Some(text(0, 2, 0));
    world.foreign(&Request::UpdatePolicy { policy, name: None, description: None, content }).unwrap();
    let (left, new) = kept.left(planned(&world, &wish, false).await, &wish.render());
    assert_eq!((attachments(&left), new.len()), (0, 1), "{:#?}", left.plan.changes);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_made_in_the_place_of_what_a_kept_plan_made_is_not_taken_for_it() {
    let (world, wish, kept) = begun().await;
    let made = world.state().units().keys().next().unwrap().clone();
    world.foreign(&Request::DeleteOrganizationalUnit { unit: made }).unwrap();
    add_unit(&world, "Dev", &[]);
    let (left, new) = kept.left(planned(&world, &wish, false).await, &wish.render());
    assert_eq!(attachments(&left), 0, "{:#?}", left.plan.changes);
    assert!(!new.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_approval_does_not_go_over_to_another_thing_of_the_same_object() {
    let world = organization();
    let tags = [(TAG_RESOURCE, "OrganizationalUnit/u0"), (TAG_MANAGED_BY, "org")];
    let first = add_unit(&world, "Dev", &tags);
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0"), (TAG_MANAGED_BY, "org")], &[]);
    let mut wish = wish();
    wish.units = [(0, unit("Dev"))].into();
    wish.policies = [(0, policy(0, 1, [ou(0)]))].into();
    let plan = planned(&world, &wish, false).await;
    let kept = Kept::of(&plan.plan, &Options::default());
    assert_eq!(attachments(&plan), 1);
    // Somebody gives the tags to another OU.
    let keys = tags.iter().map(|(key, _)| (*key).to_owned()).collect();
    let resource = Resource::Node(NodeId::Unit(first));
    world.foreign(&Request::UntagResource { resource, keys }).unwrap();
    add_unit(&world, "Other", &tags);
    let (left, new) = kept.left(planned(&world, &wish, false).await, &wish.render());
    assert_eq!(attachments(&left), 0, "{:#?}", left.plan.changes);
    assert!(new.iter().any(|change| matches!(change.action, Action::Attach { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_approved_changes_is_approved_and_no_other_change_is() {
    let world = organization();
    let mut wish = wish();
    wish.units = (0..4).map(|at| (at, unit(&format!("OU {at}")))).collect();
    wish.limits.max_creates = 0;
    let plan = planned(&world, &wish, false).await;
    let [refusal] = plan.plan.refusals.as_slice() else { panic!("{:#?}", plan.plan.refusals) };
    let mut options = Options::default();
    options.approvals.hashes.extend(refusal.hash.clone());
    let clock = clock();
    let desired = wish.render();
    let plan = pass::plan(&world, &desired, None, &Memory::default(), &options, &clock).await.unwrap();
    let kept = Kept::of(&plan.plan, &options);
    run(&world, &desired, plan, &options, 2).await;
    assert_eq!(world.state().units().len(), 2);
    // The hash was of all four; two are left.
    let now = pass::plan(&world, &desired, None, &Memory::default(), &kept.options, &clock).await.unwrap();
    assert!(now.plan.refusals.is_empty(), "{:#?}", now.plan.refusals);
    // Others of the same rule are not approved by it.
    wish.units.insert(4, unit("OU 4"));
    let desired = wish.render();
    let more = pass::plan(&world, &desired, None, &Memory::default(), &kept.options, &clock).await.unwrap();
    assert_eq!((more.plan.changes.len(), super::regressions::rules(&more)), (2, vec!["limit-creates"]));
    assert_eq!(more.plan.refusals[0].changes.len(), 1, "{:#?}", more.plan.refusals);
    let (left, _) = kept.left(now, &desired);
    assert_eq!(left.plan.changes.len(), 2);
}
