//! What lives and critical reading found wrong in the engine, each once and by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use bylaw::api::{AdoptionPolicy, BaseAccess};
use bylaw::apply::lease::parse;
use bylaw::apply::{Control, Lease, Outcome};
use bylaw::aws::dice::Dice;
use bylaw::aws::offline::{Account, Offline};
use bylaw::aws::port::{AccountState, PolicySummary};
use bylaw::aws::{AwsError, Page, Port, Request, Response};
use bylaw::desired::NodeKey;
use bylaw::names::{AccountId, NodeId, PolicyId, TAG_DELETION, TAG_HOLD, TAG_LEASE, TAG_RESOURCE, Tags, UnitId};
use bylaw::observed::{Wants, read};
use bylaw::pass::{Options, Planned, Report};
use bylaw::plan::{Action, Memory};
use futures::future::BoxFuture;
use k8s_openapi::jiff::SignedDuration;

use super::wish::{MANAGEMENT, Wish, WishAccount, WishPolicy, WishUnit, kind, text, wide};
use crate::engine::{clock, plan, world};

/// A port that answers some requests by itself.
struct Told<'a, F>(&'a Offline, F);

impl<F: Fn(&Request) -> Option<Result<Response, AwsError>> + Send + Sync> Port for Told<'_, F> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            match (self.1)(request) {
                Some(answer) => answer,
                None => self.0.call(request).await,
            }
        })
    }
}

fn lost(request: &Request) -> Option<Result<Response, AwsError>> {
    Some(Err(AwsError::unanswered(request.operation(), "server", "lost")))
}

pub fn wish() -> Wish {
    let mut wish = Wish::random(&mut Dice::new(1), &[]);
    (wish.units, wish.accounts, wish.policies) = Default::default();
    (wish.exclusive, wish.base, wish.limits) = (false, None, wide());
    wish.ignore = Default::default();
    (wish.services, wish.delegation) = (0, None);
    wish
}
pub fn unit(name: &str) -> WishUnit {
    let (parent, base, tag) = (None, None, None);
    let adoption = AdoptionPolicy::AdoptOrCreate;
    WishUnit {
        name: name.into(),
        parent,
        exclusive: false,
        base,
        adoption,
        delete: false,
        suspend: false,
        tag,
        label: 0,
    }
}
pub fn account(parent: Option<usize>) -> WishAccount {
    WishAccount {
        id: None,
        name: "acc".into(),
        parent,
        base: None,
        close: false,
        suspend: false,
        contacts: 0,
        administers: false,
        tag: None,
        label: 0,
    }
}
pub fn policy(index: usize, mask: u8, targets: impl IntoIterator<Item = NodeKey>) -> WishPolicy {
    WishPolicy {
        kind: 0,
        name: format!("pol{index}"),
        mask,
        allow: 0,
        targets: targets.into_iter().collect(),
        selects: None,
        excluding: BTreeSet::new(),
        adoption: AdoptionPolicy::AdoptOrCreate,
        delete: false,
        suspend: false,
        tag: None,
    }
}
pub fn ou(index: usize) -> NodeKey {
    NodeKey::Unit(format!("u{index}").into())
}

/// An organization with service control policies on.
pub fn organization() -> Offline {
    let world = world(MANAGEMENT);
    world.with(|state| {
        (0..3).for_each(|at| state.set_policy_type(&kind(at), true));
        state.services.insert("account.amazonaws.com".into());
    });
    world
}
pub fn add_unit(world: &Offline, name: &str, tags: &[(&str, &str)]) -> UnitId {
    let (parent, tags) = (world.state().root_node(), of(tags));
    match world.foreign(&Request::CreateOrganizationalUnit { parent, name: name.into(), tags }) {
        Ok(Response::UnitCreated(unit)) => unit.id,
        other => panic!("{other:?}"),
    }
}
pub fn add_account(world: &Offline, number: u64, parent: NodeId, email: &str, tags: &[(&str, &str)]) -> AccountId {
    let id: AccountId = format!("{number:012}").parse().unwrap();
    let (name, email, contacts) = ("acc".into(), email.into(), BTreeMap::new());
    let account = Account { name, email, state: AccountState::Active, parent, tags: of(tags), contacts };
    world.with(|state| {
        state.put_account(id.clone(), account);
        let full = state.default_policy(&kind(0)).unwrap();
        state.attach(&full, &NodeId::Account(id.clone()));
    });
    id
}
pub fn add_policy(world: &Offline, name: &str, content: String, tags: &[(&str, &str)], at: &[NodeId]) -> PolicyId {
    let (kind, description, tags) = (kind(0), String::new(), of(tags));
    match world.foreign(&Request::CreatePolicy { kind, name: name.into(), description, content, tags }) {
        Ok(Response::PolicyCreated(policy)) => {
            for target in at {
                world.foreign(&Request::AttachPolicy { policy: policy.id.clone(), target: target.clone() }).unwrap();
            }
            policy.id
        }
        other => panic!("{other:?}"),
    }
}
fn of(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

pub async fn planned(port: &dyn Port, wish: &Wish, prune: bool) -> Planned {
    let options = Options { prune, ..Options::default() };
    bylaw::pass::plan(port, &wish.render(), None, &Memory::default(), &options, &clock()).await.unwrap()
}
pub async fn applied(port: &dyn Port, wish: &Wish, planned: Planned) -> Report {
    let clock = clock();
    let control = Control::new(&clock, "test");
    let (mut memory, options) = (Memory::default(), Options::default());
    bylaw::pass::apply_plan(port, &wish.render(), planned, &mut memory, &options, control).await.unwrap()
}
pub fn rules(planned: &Planned) -> Vec<&'static str> {
    planned.plan.refusals.iter().map(|refusal| refusal.rule).collect()
}
pub fn actions(planned: &Planned) -> Vec<&Action> {
    planned.plan.changes.iter().map(|change| &change.action).collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_move_failed_keeps_what_guards_it_where_it_is() {
    let world = organization();
    let from = NodeId::Unit(add_unit(&world, "From", &[(TAG_RESOURCE, "OrganizationalUnit/u0")]));
    add_unit(&world, "To", &[(TAG_RESOURCE, "OrganizationalUnit/u1")]);
    add_account(&world, 5, from.clone(), "a0@example.com", &[(TAG_RESOURCE, "Account/a0")]);
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/p0")];
    let guard = add_policy(&world, "pol0", text(0, 1, 0), &tags, std::slice::from_ref(&from));
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("From")), (1, unit("To"))]);
    wish.accounts = BTreeMap::from([(0, account(Some(1)))]);
    wish.policies = BTreeMap::from([(0, policy(0, 1, [ou(1)]))]);
    let denied = |request: &Request| match request {
        Request::MoveAccount { .. } => {
            Some(Err(AwsError::answered("MoveAccount", "AccessDeniedException", "no", None)))
        }
        _ => None,
    };
    let port = Told(&world, denied);
    let plan = planned(&port, &wish, false).await;
    assert!(actions(&plan).iter().any(|action| matches!(action, Action::Detach { .. })), "{:#?}", plan.plan.changes);
    let report = applied(&port, &wish, plan).await;
    assert!(report.applied.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Blocked { .. })));
    assert!(world.state().is_attached(&guard, &from), "the account lost its guard");
}

#[tokio::test(start_paused = true)]
async fn what_has_unreadable_tags_is_not_taken_over_by_its_name() {
    let world = organization();
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/of-somebody-else")];
    let other = add_policy(&world, "pol0", text(0, 1, 0), &tags, &[]);
    let mut wish = wish();
    wish.policies = BTreeMap::from([(0, policy(0, 2, [NodeKey::Root]))]);
    let port = Told(&world, |request: &Request| match request {
        Request::ListTagsForResource { resource, .. } if resource.as_str() == other.as_str() => lost(request),
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert_eq!(rules(&plan), ["partial-read"]);
}

#[tokio::test(start_paused = true)]
async fn accounts_that_were_not_listed_keep_every_guard() {
    let world = organization();
    let root = world.state().root_node();
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], std::slice::from_ref(&root));
    let mut wish = wish();
    wish.policies = BTreeMap::from([(0, policy(0, 2, []))]);
    let whole = planned(&world, &wish, false).await;
    assert_eq!(whole.plan.changes.len(), 2, "{:#?}", whole.plan.changes);
    let port = Told(&world, |request: &Request| match request {
        Request::ListAccounts { .. } => lost(request),
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert!(rules(&plan).iter().all(|rule| *rule == "partial-read"), "{:?}", rules(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_not_narrowed_while_nobody_knows_where_it_is() {
    let world = organization();
    let root = world.state().root_node();
    add_policy(&world, "pol0", text(0, 3, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], &[root]);
    let mut wish = wish();
    wish.policies = BTreeMap::from([(0, policy(0, 1, [NodeKey::Root]))]);
    let port = Told(&world, |request: &Request| match request {
        Request::ListTargetsForPolicy { .. } | Request::ListPoliciesForTarget { .. } => lost(request),
        _ => None,
    });
    assert_eq!(actions(&planned(&port, &wish, false).await), Vec::<&Action>::new());
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_tags_are_unreadable_may_be_held() {
    let world = organization();
    let held = add_unit(&world, "Held", &[(TAG_HOLD, "2030-01-01T00:00:00Z")]);
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("Held"))]);
    wish.policies = BTreeMap::from([(0, policy(0, 1, [ou(0)]))]);
    let port = Told(&world, |request: &Request| match request {
        Request::ListTagsForResource { resource, .. } if resource.as_str() == held.as_str() => lost(request),
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert!(!actions(&plan).iter().any(|action| matches!(action, Action::Attach { .. })), "{:#?}", plan.plan.changes);
}

#[tokio::test(start_paused = true)]
async fn a_declared_account_in_a_stalled_ou_is_not_closed_for_what_its_tag_says() {
    let world = organization();
    let root = world.state().root_node();
    let tags = [(TAG_RESOURCE, "Account/of-old"), (TAG_DELETION, "Close")];
    let id = add_account(&world, 5, root, "five@example.com", &tags);
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, WishUnit { adoption: AdoptionPolicy::Adopt, ..unit("Missing") })]);
    wish.accounts = BTreeMap::from([(0, WishAccount { id: Some(id), ..account(Some(0)) })]);
    let plan = planned(&world, &wish, true).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert_eq!(rules(&plan), ["missing"]);
}

#[tokio::test(start_paused = true)]
async fn a_new_account_that_cannot_leave_the_root_is_not_created() {
    let world = organization();
    add_unit(&world, "Held", &[(TAG_HOLD, "2030-01-01T00:00:00Z")]);
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("Held"))]);
    wish.accounts = BTreeMap::from([(0, account(Some(0)))]);
    let plan = planned(&world, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new(), "{:?}", rules(&plan));
}

#[tokio::test(start_paused = true)]
async fn a_new_account_is_created_before_it_is_made_an_administrator() {
    let world = organization();
    let mut wish = wish();
    wish.accounts = BTreeMap::from([(0, WishAccount { administers: true, ..account(None) })]);
    let plan = planned(&world, &wish, false).await;
    let report = applied(&world, &wish, plan).await;
    assert!(report.applied.is_success(), "{:#?}", report.applied.outcomes);
}

#[tokio::test(start_paused = true)]
async fn changes_that_make_up_for_one_another_do_not_hide_whom_one_of_them_alone_affects() {
    let world = organization();
    let root = world.state().root_node();
    let ids: Vec<AccountId> =
        (0..3).map(|at| add_account(&world, 10 + at, root.clone(), &format!("x{at}@example.com"), &[])).collect();
    let on = |ids: &[AccountId]| ids.iter().cloned().map(NodeId::Account).collect::<Vec<_>>();
    let tags = |name: &'static str| [(TAG_RESOURCE, name)];
    // The first two have both: what the one policy loses the other gains. The third has one alone.
    add_policy(&world, "pol0", text(0, 16, 0), &tags("OrganizationPolicy/p0"), &on(&ids));
    add_policy(&world, "pol1", text(0, 1, 0), &tags("OrganizationPolicy/p1"), &on(&ids[..2]));
    let mut wish = wish();
    wish.accounts =
        ids.iter().enumerate().map(|(at, id)| (at, WishAccount { id: Some(id.clone()), ..account(None) })).collect();
    let node = |at: usize| NodeKey::Account(format!("a{at}").into());
    wish.policies =
        BTreeMap::from([(0, policy(0, 17, [node(0), node(1), node(2)])), (1, policy(1, 16, [node(0), node(1)]))]);
    wish.limits.max_affected.accounts = 0;
    let plan = planned(&world, &wish, false).await;
    assert!(!actions(&plan).iter().any(|action| matches!(action, Action::UpdatePolicy { .. })), "{:#?}", plan.plan);
    assert!(rules(&plan).contains(&"limit-affected"));
}

#[tokio::test(start_paused = true)]
async fn the_last_allow_of_a_node_is_neither_detached_nor_edited_away() {
    let world = organization();
    let root = world.state().root_node();
    let own = add_policy(
        &world,
        "pol0",
        text(0, 1, 1),
        &[(TAG_RESOURCE, "OrganizationPolicy/p0")],
        std::slice::from_ref(&root),
    );
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    world.foreign(&Request::DetachPolicy { policy: full, target: root.clone() }).unwrap();
    let mut wish = wish();
    // Edited to a deny alone, and taken off the root in the same commit.
    wish.policies = BTreeMap::from([(0, policy(0, 1, []))]);
    let plan = planned(&world, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new(), "{:?}", rules(&plan));
    assert_eq!(rules(&plan), ["last-policy", "last-policy"]);
    assert!(world.state().is_attached(&own, &root));
}

#[tokio::test(start_paused = true)]
async fn the_last_allow_of_a_node_stays_when_somebody_took_the_other_away_since_the_plan() {
    let world = organization();
    let target = NodeId::Unit(add_unit(&world, "Dev", &[]));
    for (name, at) in [("deny", 1), ("other", 2)] {
        let allow = if name == "other" { 1 } else { 0 };
        add_policy(&world, name, text(0, at, allow), &[], std::slice::from_ref(&target));
    }
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, WishUnit { base: Some(BaseAccess::AllowList), ..unit("Dev") })]);
    let plan = planned(&world, &wish, false).await;
    let other = world.state().policy_named(&kind(0), "other").unwrap().clone();
    world.foreign(&Request::DetachPolicy { policy: other, target: target.clone() }).unwrap();
    let report = applied(&world, &wish, plan).await;
    assert!(report.applied.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Changed { .. })));
    assert!(world.state().is_attached(&"p-FullAWSAccess".parse().unwrap(), &target));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_has_is_refused_and_not_tried_again_and_again() {
    let world = organization();
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/other")], &[]);
    add_policy(&world, "before", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], &[]);
    let mut wish = wish();
    wish.policies = BTreeMap::from([(0, policy(0, 1, []))]);
    let plan = planned(&world, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert_eq!(rules(&plan), ["taken"]);
}

#[tokio::test(start_paused = true)]
async fn contacts_of_an_account_that_is_known_by_its_tag_are_read() {
    let world = organization();
    let root = world.state().root_node();
    add_account(&world, 5, root, "changed@example.com", &[(TAG_RESOURCE, "Account/a0")]);
    let mut wish = wish();
    wish.accounts = BTreeMap::from([(0, WishAccount { contacts: 4, ..account(None) })]);
    let plan = planned(&world, &wish, false).await;
    assert_eq!(rules(&plan), Vec::<&str>::new());
    assert!(actions(&plan).iter().any(|action| matches!(action, Action::PutContact { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_policy_of_an_earlier_life_that_says_something_else_is_not_taken_for_the_new_one() {
    let world = organization();
    let root = world.state().root_node();
    // The list lags behind: the plan creates what is there already, with older content.
    add_policy(&world, "pol0", text(0, 2, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], &[]);
    let mut wish = wish();
    wish.policies = BTreeMap::from([(0, policy(0, 1, [NodeKey::Root]))]);
    let late = Mutex::new(false);
    let port = Told(&world, |request: &Request| match request {
        Request::ListPolicies { kind, .. } if !*late.lock().unwrap() => {
            let (id, kind) = (world.state().default_policy(kind)?, kind.clone());
            let summary = PolicySummary { id, kind, name: "AWS".into(), description: String::new(), aws_managed: true };
            Some(Ok(Response::Policies(Page { items: vec![summary], next: None })))
        }
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert!(actions(&plan).iter().any(|action| matches!(action, Action::CreatePolicy { .. })));
    *late.lock().unwrap() = true;
    let report = applied(&port, &wish, plan).await;
    let old = world.state().policy_named(&kind(0), "pol0").unwrap().clone();
    assert!(!report.applied.is_success());
    assert!(!world.state().is_attached(&old, &root), "the old document was attached in place of the new");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_made_in_an_ou_that_a_list_left_out_and_that_is_held() {
    let world = organization();
    // The list lags behind: the plan creates what is there already, and somebody holds it.
    let held = add_unit(&world, "Old", &[(TAG_RESOURCE, "OrganizationalUnit/u5"), (TAG_HOLD, "true")]);
    let mut wish = wish();
    wish.units = BTreeMap::from([(5, unit("Old")), (3, WishUnit { parent: Some(5), ..unit("Workloads") })]);
    wish.accounts = BTreeMap::from([(0, account(Some(5)))]);
    let late = Mutex::new(false);
    let port = Told(&world, |request: &Request| match request {
        Request::ListOrganizationalUnitsForParent { .. } if !*late.lock().unwrap() => {
            Some(Ok(Response::Units(Page { items: vec![], next: None })))
        }
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert!(actions(&plan).iter().any(|action| matches!(action, Action::CreateUnit { name, .. } if name == "Old")));
    *late.lock().unwrap() = true;
    let report = applied(&port, &wish, plan).await;
    assert!(!report.applied.is_success());
    let held = NodeId::Unit(held);
    let state = world.state();
    assert!(state.units().values().all(|unit| unit.parent != held), "an OU was made in it");
    assert!(state.accounts().values().all(|account| account.parent != held), "an account was moved into it");
}

#[tokio::test(start_paused = true)]
async fn what_is_pruned_is_not_taken_off_a_node_that_is_left_alone() {
    let world = organization();
    let ignored = NodeId::Unit(add_unit(&world, "Theirs", &[]));
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/gone"), (TAG_DELETION, "Delete")];
    add_policy(&world, "gone", text(0, 1, 0), &tags, &[ignored]);
    let mut wish = wish();
    wish.ignore.organizational_units = vec!["Theirs".into()];
    let plan = planned(&world, &wish, true).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert_eq!(rules(&plan), ["not-empty"]);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_ran_out_is_not_taken_from_its_next_holder() {
    let world = organization();
    let (root, clock) = (world.state().root.id.clone(), clock());
    let first = Lease::take(&world, &root, "first", &clock).await.unwrap();
    tokio::time::sleep(Duration::from_secs(121)).await;
    let _second = Lease::take(&world, &root, "second", &clock).await.unwrap();
    first.give_back(&world, &clock).await.unwrap();
    let held = world.state().root.tags.get(TAG_LEASE).and_then(parse);
    assert_eq!(held.map(|(holder, _)| holder), Some("second".into()));
}

#[tokio::test(start_paused = true)]
async fn attachments_read_node_by_node_are_those_read_policy_by_policy() {
    let world = organization();
    let root = world.state().root_node();
    let unit = NodeId::Unit(add_unit(&world, "One", &[]));
    let mut reads = vec![];
    for many in [false, true] {
        // With more policies than nodes and types, asking the nodes is cheaper.
        for index in 0..if many { 12 } else { 1 } {
            let at = [vec![], vec![root.clone()], vec![root.clone(), unit.clone()]][index % 3].clone();
            add_policy(&world, &format!("{many}{index}"), text(0, 1, 0), &[], &at);
        }
        let asked = Mutex::new(BTreeSet::new());
        let port = Told(&world, |request: &Request| {
            asked.lock().unwrap().insert(request.operation());
            None
        });
        let wants =
            Wants { types: Some((0..1).map(kind).collect()), max_age: SignedDuration::ZERO, ..Wants::default() };
        let observed = read(&port, &wants, None, &clock()).await.unwrap();
        for (id, policy) in observed.policies.iter().filter(|(_, policy)| !policy.aws_managed) {
            assert_eq!(policy.targets.get(), Some(&world.state().targets(id)), "{id}");
        }
        reads.push(asked.into_inner().unwrap().contains("ListPoliciesForTarget"));
    }
    assert_eq!(reads, [false, true]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_while_observing_or_suspended() {
    let world = organization();
    for observe in [true, false] {
        let mut wish = wish();
        wish.units = BTreeMap::from([(0, unit("New"))]);
        wish.suspend = !observe;
        if observe {
            wish.mode = bylaw::api::Mode::Observe;
        }
        let before = world.writes();
        let desired = wish.render();
        let plan = plan(&world, &desired, &Memory::default(), &Options::default()).await;
        assert_eq!(plan.plan.changes.len(), 1);
        let clock = clock();
        let control = Control::new(&clock, "test");
        let (mut memory, options) = (Memory::default(), Options::default());
        assert!(bylaw::pass::apply_plan(&world, &desired, plan, &mut memory, &options, control).await.is_err());
        assert_eq!(world.writes(), before);
    }
}

#[tokio::test(start_paused = true)]
async fn an_allow_that_is_held_back_is_not_relied_on_by_a_detachment() {
    let world = organization();
    let root = world.state().root_node();
    let dev = NodeId::Unit(add_unit(&world, "Dev", &[(TAG_RESOURCE, "OrganizationalUnit/u0")]));
    add_account(&world, 5, dev.clone(), "five@example.com", &[]);
    let at = [root.clone(), dev];
    add_policy(&world, "pol0", text(0, 8, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], &at);
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("Dev"))]);
    // The deny goes over to a policy that may not be created, so the edit that brings the allow is held back.
    let edited = WishPolicy { allow: 1, ..policy(0, 1, [NodeKey::Root]) };
    wish.policies = BTreeMap::from([(0, edited), (1, policy(1, 8, [NodeKey::Root]))]);
    wish.base = Some(BaseAccess::AllowList);
    wish.limits.max_creates = 0;
    let plan = planned(&world, &wish, false).await;
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    let detached = |action: &&Action| matches!(action, Action::Detach { policy, .. } if *policy == full);
    assert!(!actions(&plan).iter().any(detached), "{:#?}", plan.plan.changes);
    assert!(rules(&plan).contains(&"window") && rules(&plan).contains(&"last-policy"), "{:?}", rules(&plan));
}

#[tokio::test(start_paused = true)]
async fn an_account_in_an_ou_that_was_not_listed_is_left_alone() {
    let world = organization();
    let held = NodeId::Unit(add_unit(&world, "Held", &[(TAG_HOLD, "2030-01-01T00:00:00Z")]));
    add_account(&world, 5, held, "a0@example.com", &[(TAG_RESOURCE, "Account/a0")]);
    let mut wish = wish();
    wish.accounts = BTreeMap::from([(0, WishAccount { name: "renamed".into(), ..account(None) })]);
    let port = Told(&world, |request: &Request| match request {
        Request::ListOrganizationalUnitsForParent { .. } => lost(request),
        _ => None,
    });
    assert_eq!(actions(&planned(&port, &wish, false).await), Vec::<&Action>::new());
}

#[tokio::test(start_paused = true)]
async fn a_policy_leaves_an_ou_that_only_has_the_name_of_one_that_cannot_be_created_now() {
    let world = organization();
    let other = NodeId::Unit(add_unit(&world, "Dev", &[]));
    add_policy(&world, "pol0", text(0, 1, 0), &[(TAG_RESOURCE, "OrganizationPolicy/p0")], &[other]);
    let mut wish = wish();
    // Its parent is suspended and so not created.
    wish.units = BTreeMap::from([
        (0, WishUnit { suspend: true, ..unit("Locked") }),
        (1, WishUnit { parent: Some(0), ..unit("Dev") }),
    ]);
    wish.policies = BTreeMap::from([(0, policy(0, 1, []))]);
    let plan = planned(&world, &wish, false).await;
    assert!(actions(&plan).iter().any(|action| matches!(action, Action::Detach { .. })), "{:#?}", plan.plan);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_removed_is_detached_once_where_attachments_are_exclusive() {
    let world = organization();
    let root = world.state().root_node();
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/gone"), (TAG_DELETION, "Delete")];
    add_policy(&world, "gone", text(0, 1, 0), &tags, &[root]);
    let mut wish = wish();
    wish.exclusive = true;
    let plan = planned(&world, &wish, true).await;
    let detached = actions(&plan).iter().filter(|action| matches!(action, Action::Detach { .. })).count();
    assert_eq!((detached, actions(&plan).len()), (1, 2), "{:#?}", plan.plan);
}

#[tokio::test(start_paused = true)]
async fn an_edit_does_not_take_the_last_allow_of_a_node_when_somebody_took_the_other_away_since_the_plan() {
    let world = organization();
    let target = NodeId::Unit(add_unit(&world, "Dev", &[(TAG_RESOURCE, "OrganizationalUnit/u0")]));
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/p0")];
    let own = add_policy(&world, "pol0", text(0, 1, 1), &tags, std::slice::from_ref(&target));
    let mut wish = wish();
    wish.units = BTreeMap::from([(0, unit("Dev"))]);
    wish.policies = BTreeMap::from([(0, policy(0, 1, [ou(0)]))]);
    let plan = planned(&world, &wish, false).await;
    assert!(matches!(actions(&plan).as_slice(), [Action::UpdatePolicy { .. }]), "{:#?}", plan.plan);
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    world.foreign(&Request::DetachPolicy { policy: full, target }).unwrap();
    let report = applied(&world, &wish, plan).await;
    assert!(report.applied.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Changed { .. })));
    assert_eq!(*world.state().policies()[&own].content, *text(0, 1, 1), "nothing is allowed at the OU any more");
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_within_two_minutes_when_somebody_holds_the_root() {
    let world = organization();
    let mut wish = wish();
    wish.accounts = (0..40).map(|at| (at, account(None))).collect();
    let plan = planned(&world, &wish, false).await;
    let root = world.state().root_node();
    let held = Mutex::new(None);
    let last = Mutex::new(tokio::time::Instant::now());
    let port = Told(&world, |request: &Request| {
        if matches!(request, Request::CreateAccount { .. }) {
            *last.lock().unwrap() = tokio::time::Instant::now();
            held.lock().unwrap().get_or_insert_with(|| {
                let tags = of(&[(TAG_HOLD, "2030-01-01T00:00:00Z")]);
                let resource = bylaw::aws::port::Resource::Node(root.clone());
                world.foreign(&Request::TagResource { resource, tags }).unwrap();
                tokio::time::Instant::now()
            });
        }
        None
    });
    let report = applied(&port, &wish, plan).await;
    assert!(report.applied.ended.is_some_and(|why| why.contains("held")));
    let since = *last.lock().unwrap() - held.lock().unwrap().unwrap();
    assert!(since < Duration::from_secs(120), "accounts were created {since:?} after somebody held the root");
}

#[tokio::test(start_paused = true)]
async fn what_is_held_since_the_plan_is_not_deleted() {
    let world = organization();
    let tags = [(TAG_RESOURCE, "OrganizationalUnit/gone"), (TAG_DELETION, "Delete")];
    let unit = add_unit(&world, "Gone", &tags);
    let plan = planned(&world, &wish(), true).await;
    assert!(matches!(actions(&plan).as_slice(), [Action::DeleteUnit { .. }]), "{:#?}", plan.plan);
    let resource = bylaw::aws::port::Resource::Node(NodeId::Unit(unit.clone()));
    world.foreign(&Request::TagResource { resource, tags: of(&[(TAG_HOLD, "2030-01-01T00:00:00Z")]) }).unwrap();
    let report = applied(&world, &wish(), plan).await;
    assert!(matches!(report.applied.outcomes.as_slice(), [(_, Outcome::Changed { .. })]));
    assert!(world.state().units().contains_key(&unit));
}

#[tokio::test(start_paused = true)]
async fn a_policy_whose_removal_is_refused_or_called_off_keeps_guarding() {
    let world = organization();
    let root = world.state().root_node();
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/gone"), (TAG_DELETION, "Delete")];
    let policy = add_policy(&world, "gone", text(0, 1, 0), &tags, std::slice::from_ref(&root));
    let mut strict = wish();
    strict.limits.max_deletes = 0;
    let plan = planned(&world, &strict, true).await;
    assert_eq!((actions(&plan), rules(&plan)), (vec![], vec!["limit-deletes", "depends"]));
    // Called off between the plan and its run.
    let plan = planned(&world, &wish(), true).await;
    let (resource, keys) = (bylaw::aws::port::Resource::Policy(policy.clone()), vec![TAG_DELETION.to_owned()]);
    world.foreign(&Request::UntagResource { resource, keys }).unwrap();
    let report = applied(&world, &wish(), plan).await;
    assert!(report.applied.outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Changed { .. })));
    assert!(world.state().is_attached(&policy, &root));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_could_not_be_read_stays_where_it_is() {
    let world = organization();
    let root = world.state().root_node();
    let tags = [(TAG_RESOURCE, "OrganizationPolicy/p0")];
    let unread = add_policy(&world, "pol0", text(0, 1, 0), &tags, std::slice::from_ref(&root));
    let mut wish = wish();
    // What it denies goes over to another, which may not be created.
    wish.policies = BTreeMap::from([(0, policy(0, 1, [])), (1, policy(1, 1, [NodeKey::Root]))]);
    wish.limits.max_creates = 0;
    let port = Told(&world, |request: &Request| match request {
        Request::DescribePolicy { policy } if *policy == unread => lost(request),
        _ => None,
    });
    let plan = planned(&port, &wish, false).await;
    assert_eq!(actions(&plan), Vec::<&Action>::new());
    assert!(rules(&plan).contains(&"partial-read"), "{:?}", rules(&plan));
}
