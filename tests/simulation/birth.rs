//! New accounts: none is ever made in the open, and what was stopped in the middle is gone on with as if it had not been.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bylaw::apply::Control;
use bylaw::aws::offline::{Offline, State};
use bylaw::aws::{AwsError, Port, Request, Response};
use bylaw::desired::{Desired, NodeKey};
use bylaw::names::{NodeId, TAG_HOLD, TAG_MANAGED_BY, TAG_RESOURCE};
use bylaw::pass::{self, Options, Report};
use bylaw::plan::model::Refusal;
use bylaw::plan::{Action, Memory};
use futures::future::BoxFuture;

use super::regressions::{
    account, actions, add_account, add_policy, add_unit, organization, ou, planned, policy, rules, unit, wish,
};
use super::watch::is_lease;
use super::wish::{Wish, WishAccount, WishPolicy, text};
use crate::engine::clock;

/// What befalls the calls of one kind.
#[derive(Debug, Clone, Copy)]
enum How {
    /// AWS refuses them.
    Refused,
    /// They do not arrive.
    Lost,
    /// They are carried out, and nobody hears of it.
    Unheard,
}

/// From the n-th on every call of one operation fails, for as long as nobody lifts it. After every write that AWS
/// carries out the accounts are looked at.
struct Ill<'a> {
    world: &'a Offline,
    desired: Desired,
    operation: &'static str,
    how: How,
    left: AtomicUsize,
    lifted: AtomicBool,
    problems: Mutex<Vec<String>>,
}

impl Port for Ill<'_> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let ill = request.operation() == self.operation
                && !is_lease(request)
                && !self.lifted.load(Ordering::Relaxed)
                && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err();
            let unheard = || Err(AwsError::unanswered(self.operation, "server", "no answer"));
            if ill {
                match self.how {
                    How::Refused => {
                        return Err(AwsError::answered(self.operation, "AccessDeniedException", "no", None));
                    }
                    How::Lost => return unheard(),
                    How::Unheard => {}
                }
            }
            let answer = self.world.call(request).await;
            if request.is_write() && answer.is_ok() {
                self.problems.lock().unwrap().extend(exposed(&self.world.state(), &self.desired));
            }
            if ill { unheard() } else { answer }
        })
    }
}

/// Accounts that bylaw made while their OU is not there, or a declared policy not on their way to the root.
fn exposed(state: &State, desired: &Desired) -> Vec<String> {
    let mut problems = vec![];
    for found in state.accounts().values().filter(|found| found.tags.contains_key(TAG_MANAGED_BY)) {
        let object = found.tags.get(TAG_RESOURCE).unwrap();
        let declared = desired.accounts.values().find(|account| account.key.to_string() == object).unwrap();
        let mut place = declared.spec.parent.clone();
        loop {
            let (node, above) = match &place {
                NodeKey::Unit(name) => {
                    let unit = &desired.units[name];
                    let id = state.units().iter().find(|(_, found)| found.name == unit.spec.name);
                    (id.map(|(id, _)| NodeId::Unit(id.clone())), Some(unit.spec.parent.clone()))
                }
                _ => (Some(state.root_node()), None),
            };
            let Some(node) = node else {
                problems.push(format!("`{object}` is there and `{place}` is not"));
                break;
            };
            for policy in desired.policies.values().filter(|policy| policy.spec.targets.contains(&place)) {
                let id = state.policies().iter().find(|(_, found)| found.name == policy.spec.name);
                if !id.is_some_and(|(id, _)| state.is_attached(id, &node)) {
                    problems.push(format!("`{object}` is there and `{place}` lacks `{}`", policy.key));
                }
            }
            match above {
                Some(above) => place = above,
                None => break,
            }
        }
    }
    problems
}

async fn pass(port: &dyn Port, desired: &Desired, memory: &mut Memory) -> Report {
    let (options, clock) = (Options::default(), clock());
    let planned = pass::plan(port, desired, None, memory, &options, &clock).await.unwrap();
    let control = Control::new(&clock, "test");
    pass::apply_plan(port, desired, planned, memory, &options, control).await.unwrap()
}

/// Two OUs, one in the other, accounts in both and beside them, and policies for all: nobody may be affected who is there.
fn first() -> Wish {
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("Outer")), (1, unit("Inner"))]);
    wish.units.get_mut(&1).unwrap().parent = Some(0);
    let named = |name: &str, parent| WishAccount { name: name.into(), contacts: 1, ..account(parent) };
    wish.accounts = BTreeMap::from([(0, named("one", Some(1))), (1, named("two", Some(0))), (2, named("three", None))]);
    let own = NodeKey::Account("a0".into());
    wish.policies = BTreeMap::from([
        (0, policy(0, 1, [ou(0)])),
        (1, policy(1, 2, [ou(1)])),
        (2, policy(2, 4, [NodeKey::Root])),
        (3, policy(3, 8, [own])),
        (4, WishPolicy { kind: 1, ..policy(4, 1, [ou(0), ou(1)]) }),
    ]);
    wish.limits.max_affected.accounts = 0;
    wish
}

/// One sick first apply, run as often as it takes, and the same when nothing fails any more.
async fn recovers(operation: &'static str, how: How, after: usize, forgets: bool) -> Result<(), String> {
    let world = organization();
    // Types that are off are switched on by the first apply.
    world.with(|state| state.set_policy_type(&super::wish::kind(1), operation != "EnablePolicyType"));
    let desired = first().render();
    let (left, lifted) = (AtomicUsize::new(after), AtomicBool::new(false));
    let ill = Ill { world: &world, desired: desired.clone(), operation, how, left, lifted, problems: Mutex::default() };
    let mut memory = Memory::default();
    for turn in 0..6 {
        ill.lifted.store(turn > 2, Ordering::Relaxed);
        let report = pass(&ill, &desired, &mut memory).await;
        if let Some(problem) = ill.problems.lock().unwrap().first() {
            return Err(format!("turn {turn}: {problem}"));
        }
        let asks = |refusal: &&Refusal| turn > 2 || refusal.hash.is_some();
        if let Some(refusal) = report.left.refusals.iter().find(asks) {
            return Err(format!("turn {turn}: {}: {}", refusal.rule, refusal.message));
        }
        if forgets {
            memory = Memory::default();
        }
        tokio::time::sleep(std::time::Duration::from_secs(200)).await;
        if turn == 5 && !(report.left.changes.is_empty() && report.applied.outcomes.is_empty()) {
            return Err(format!("never whole: {:?}", report.left.changes));
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whatever_fails_for_ever_no_account_is_made_in_the_open_and_a_run_after_it_needs_no_approval() {
    let operations = [
        "EnablePolicyType",
        "CreateOrganizationalUnit",
        "CreatePolicy",
        "AttachPolicy",
        "CreateAccount",
        "MoveAccount",
        "PutAlternateContact",
        "TagResource",
    ];
    let mut problems = BTreeSet::new();
    for operation in operations {
        for how in [How::Refused, How::Lost, How::Unheard] {
            for after in 0..6 {
                for forgets in [false, true] {
                    if let Err(why) = recovers(operation, how, after, forgets).await {
                        problems.insert(format!("{operation} {how:?} after {after}, forgets {forgets}: {why}"));
                    }
                }
            }
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_account_is_not_made_while_a_policy_of_its_ou_is_refused() {
    let world = organization();
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0"), (TAG_HOLD, "for ever")], &[]);
    let mut wish = first();
    wish.policies.retain(|index, _| *index == 0);
    let plan = planned(&world, &wish, false).await;
    let made = |action: &&Action| matches!(action, Action::CreateAccount { .. });
    // The account beside the OUs is nothing that the policy would bind.
    let made: Vec<_> = actions(&plan).into_iter().filter(made).collect();
    assert!(matches!(made.as_slice(), [Action::CreateAccount { name, .. }] if name == "three"), "{made:#?}");
    let why = "waits for the attachment of `pol0` to `OrganizationalUnit/u0`, which does not run";
    let told = plan.plan.refusals.iter().find(|refusal| refusal.message == why).unwrap();
    let held = told.changes.iter().filter(|change| matches!(change.action, Action::CreateAccount { .. }));
    assert_eq!(held.count(), 2, "{:#?}", plan.plan.refusals);
}

#[tokio::test(start_paused = true)]
async fn an_account_does_not_move_to_where_a_policy_is_refused_but_goes_back_there() {
    let world = organization();
    let root = world.state().root_node();
    let unit_id = add_unit(&world, "Outer", &[(TAG_RESOURCE, "OrganizationalUnit/u0")]);
    let id = add_account(&world, 5, NodeId::Unit(unit_id.clone()), "a0@example.com", &[(TAG_RESOURCE, "Account/a0")]);
    let mut wish = first();
    wish.units.remove(&1);
    wish.accounts = BTreeMap::from([(0, WishAccount { contacts: 0, name: "acc".into(), ..account(Some(0)) })]);
    wish.policies = BTreeMap::new();
    let (mut memory, desired) = (Memory::default(), wish.render());
    let report = pass(&world, &desired, &mut memory).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    world.foreign(&Request::MoveAccount { account: id, from: NodeId::Unit(unit_id), to: root }).unwrap();

    // A new policy of the OU that nobody may attach yet.
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0"), (TAG_HOLD, "for ever")], &[]);
    wish.policies = BTreeMap::from([(0, policy(0, 1, [ou(0)]))]);
    let plan = planned(&world, &wish, false).await;
    assert!(
        !actions(&plan).iter().any(|action| matches!(action, Action::MoveAccount { .. })),
        "{:#?}",
        plan.plan.changes
    );
    assert!(rules(&plan).contains(&"depends"), "{:#?}", plan.plan.refusals);
    let back = pass::plan(&world, &wish.render(), None, &memory, &Options::default(), &clock()).await.unwrap();
    assert!(actions(&back).iter().any(|action| matches!(action, Action::MoveAccount { .. })), "{:#?}", back.plan);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_aws_made_and_does_not_list_yet_is_not_asked_for_again() {
    for forgets in [false, true] {
        let world = organization();
        let mut wish = first();
        wish.accounts.retain(|index, _| *index == 0);
        // One that is attached to the account would show that the list is behind.
        wish.policies.clear();
        wish.limits = super::wish::wide();
        let desired = wish.render();
        let mut memory = Memory::default();
        let report = pass(&world, &desired, &mut memory).await;
        assert!(report.left.is_empty(), "{:#?}", report.left);
        if forgets {
            memory = Memory::default();
        }
        // The list of accounts is behind.
        let port = Behind(&world);
        let report = pass(&port, &desired, &mut memory).await;
        let asked = world.log().iter().filter(|entry| matches!(entry.request, Request::CreateAccount { .. })).count();
        assert_eq!(asked, 1, "forgets {forgets}: {:#?}", report.applied.outcomes);
        let vanished = report.left.refusals.iter().any(|refusal| refusal.rule == "vanished");
        assert!(forgets || vanished, "{:#?}", report.left.refusals);
        // When it is no longer behind, nothing is left to do.
        let report = pass(&world, &desired, &mut memory).await;
        assert!(report.left.is_empty() && report.applied.outcomes.is_empty(), "{:#?}", report.left);
    }
}

/// Lists no account but the management account.
struct Behind<'a>(&'a Offline);

impl Port for Behind<'_> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            let mut answer = self.0.call(request).await;
            if let Ok(Response::Accounts(page)) = &mut answer {
                page.items.retain(|account| account.id.as_str() == super::wish::MANAGEMENT);
            }
            answer
        })
    }
}
