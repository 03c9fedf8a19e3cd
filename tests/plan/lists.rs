//! Lists that answer without an error and leave out what is there: whatever AWS cannot answer so is a partial reading. Each
//! case changes one answer of AWS.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bylaw::aws::offline::Options as World;
use bylaw::aws::paced::{Conduct, Pace, Paced};
use bylaw::aws::port::Page;
use bylaw::aws::{AwsError, Port, Response};
use bylaw::names::AccountId;
use bylaw::observed::{Observed, Scope, Wants, pages, read};
use bylaw::pass::Planned;
use bylaw::plan::Change;
use futures::future::BoxFuture;

use super::*;

/// The organization, with an answer put in the place of some.
struct Says<'a, F>(&'a Offline, F);

impl<F: Fn(&Request, Response) -> Response + Send + Sync> Port for Says<'_, F> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move { Ok((self.1)(request, self.0.call(request).await?)) })
    }
}

/// The answers of the operations that `is` names without the items that `keep` does not keep.
fn without<'a>(
    is: impl Fn(&Request) -> bool + Send + Sync + 'a,
    keep: impl Fn(&str) -> bool + Send + Sync + 'a,
) -> impl Fn(&Request, Response) -> Response + Send + Sync + 'a {
    fn kept<T>(page: &mut Page<T>, id: impl Fn(&T) -> String, keep: &dyn Fn(&str) -> bool) {
        page.items.retain(|item| keep(&id(item)));
    }
    move |request, mut answer| {
        if is(request) {
            match &mut answer {
                Response::Accounts(page) => kept(page, |item| item.id.to_string(), &keep),
                Response::Units(page) => kept(page, |item| item.id.to_string(), &keep),
                Response::Policies(page) => kept(page, |item| item.id.to_string(), &keep),
                Response::Targets(page) => kept(page, ToString::to_string, &keep),
                other => panic!("{other:?}"),
            }
        }
        answer
    }
}

async fn planned(port: &dyn Port, manifests: &str, previous: Option<&Observed>) -> Planned {
    let (desired, options) = (from_text(manifests), Options::default());
    bylaw::pass::plan(port, &desired, previous, &Memory::default(), &options, &crate::engine::clock()).await.unwrap()
}

/// That whatever the manifests weigh is refused for one contradiction, which names all `words`.
async fn is_refused(port: &dyn Port, manifests: &str, previous: Option<&Observed>, scope: &Scope, words: &[&str]) {
    let planned = planned(port, manifests, previous).await;
    let [gap] = planned.observed.gaps.as_slice() else { panic!("{:#?}", planned.observed.gaps) };
    assert_eq!(gap.scope, *scope);
    assert!(words.iter().all(|word| gap.error.contains(word)), "{gap:#?}");
    let creates = |change: &Change| matches!(change.action, Action::CreatePolicy { .. });
    assert!(planned.plan.changes.iter().all(creates), "{:#?}", planned.plan.changes);
    assert!(!planned.plan.refusals.is_empty());
    for refusal in &planned.plan.refusals {
        assert_eq!((refusal.rule, &refusal.hash), ("partial-read", &None), "{refusal:#?}");
        assert!(refusal.message.contains(&gap.error), "{refusal:#?}");
    }
}

const NONE: &str = "limits: {maxMoves: 50, maxAffected: {accounts: 0, percent: 0}}";

/// Four accounts, and a policy to come on a node.
async fn before() -> (Offline, String) {
    let before = [organization(NONE), tree()].concat();
    let (world, _) = settle(&before.replace(NONE, "")).await;
    (world, before)
}

fn lists_accounts(request: &Request) -> bool {
    matches!(request, Request::ListAccounts { .. })
}

#[tokio::test(start_paused = true)]
async fn an_organization_without_its_management_account_was_not_listed() {
    let (world, before) = before().await;
    let after = [before, policy("stop", "*", "/")].concat();
    let management = [MANAGEMENT, "ListAccounts", "DescribeOrganization"];
    is_refused(&Says(&world, without(lists_accounts, |_| false)), &after, None, &Scope::Accounts, &management).await;
    let others = Says(&world, without(lists_accounts, |id| id != MANAGEMENT));
    is_refused(&others, &after, None, &Scope::Accounts, &management).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_that_the_last_reading_had_is_asked_for_before_it_counts_as_gone() {
    let (world, before) = before().await;
    let after = [before, policy("stop", "*", "/")].concat();
    let last = planned(&world, &after, None).await.observed;
    let team = account_of(&world, "a-team");
    let short = Says(&world, without(lists_accounts, |id| id != team.as_str()));
    let words = ["ListAccounts", "DescribeAccount", team.as_str()];
    is_refused(&short, &after, Some(&last), &Scope::Accounts, &words).await;
    // One that left costs a call, once.
    world.with(|state| state.take_account(&team));
    let counted = Paced::new(&world, Conduct { pace: Pace::None, ..Conduct::default() });
    let now = planned(&counted, &after, Some(&last)).await.observed;
    assert_eq!((now.gaps.as_slice(), counted.tally().calls["DescribeAccount"]), (&[][..], 1));
    let counted = Paced::new(&world, Conduct { pace: Pace::None, ..Conduct::default() });
    assert!(planned(&counted, &after, Some(&now)).await.observed.gaps.is_empty());
    assert!(!counted.tally().calls.contains_key("DescribeAccount"));
}

#[tokio::test(start_paused = true)]
async fn an_ou_and_a_policy_that_the_last_reading_had_are_asked_for_as_well() {
    let (world, before) = before().await;
    let (empty, other) = world.with(|state| {
        let root = state.root_node();
        let other = state.add_policy(&PolicyType::scp(), "other", "{}");
        (state.add_unit(&root, "empty"), other)
    });
    let after = [before, policy("stop", "*", "/")].concat();
    let last = planned(&world, &after, None).await.observed;
    let units = |request: &Request| matches!(request, Request::ListOrganizationalUnitsForParent { .. });
    let short = Says(&world, without(units, |id| id != empty.as_str()));
    let below = Scope::UnitsBelow(last.root_node());
    is_refused(&short, &after, Some(&last), &below, &["ListParents", empty.as_str()]).await;
    let policies = |request: &Request| matches!(request, Request::ListPolicies { .. });
    let short = Says(&world, without(policies, |id| id != other.as_str()));
    let scope = Scope::Policies(PolicyType::scp());
    is_refused(&short, &after, Some(&last), &scope, &["ListPolicies", "DescribePolicy", other.as_str()]).await;
}

#[tokio::test(start_paused = true)]
async fn an_ou_that_no_list_shows_hides_no_account_below_it() {
    let (world, before) = before().await;
    let (prod, team) = (unit_of(&world, "prod"), unit_of(&world, "team"));
    let after = [before, policy("stop", "*", "dev")].concat();
    let below_prod = |request: &Request| matches!(request, Request::ListOrganizationalUnitsForParent { parent, .. } if *parent == prod);
    let planned = planned(&Says(&world, without(below_prod, |_| false)), &after, None).await;
    let [gap] = planned.observed.gaps.as_slice() else { panic!("{:#?}", planned.observed.gaps) };
    assert_eq!(gap.scope, Scope::UnitsBelow(planned.observed.root_node()));
    assert!(gap.error.contains(team.as_str()) && gap.error.contains("ListOrganizationalUnitsForParent"), "{gap:#?}");
    let shown = shown(&world, &planned.plan);
    assert!(!shown.iter().any(|line| line.starts_with("AttachPolicy") || line.starts_with("CreateOrg")), "{shown:#?}");
    assert!(shown.iter().any(|line| line.starts_with("refused partial-read")), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_runs_in_a_ring_is_no_tree() {
    let (world, before) = before().await;
    let after = [before, policy("stop", "*", "/")].concat();
    let (prod, team) = (unit_of(&world, "prod"), unit_of(&world, "team"));
    let ring = |request: &Request, mut answer: Response| {
        if let (Request::ListOrganizationalUnitsForParent { parent, .. }, Response::Units(page)) =
            (request, &mut answer)
            && *parent == team
        {
            let NodeId::Unit(id) = prod.clone() else { panic!() };
            page.items.push(bylaw::aws::port::UnitFact { id, name: "prod".into() });
        }
        answer
    };
    let planned = planned(&Says(&world, ring), &after, None).await;
    let scopes: Vec<_> = planned.observed.gaps.iter().map(|gap| &gap.scope).collect();
    assert_eq!(scopes, [&Scope::UnitsBelow(planned.observed.root_node())], "{:#?}", planned.observed.gaps);
    assert!(planned.plan.changes.iter().all(|change| matches!(change.action, Action::CreatePolicy { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_in_two_places_is_in_none() {
    let (world, before) = before().await;
    let after = [before, policy("stop", "*", "dev")].concat();
    let (dev, team) = (unit_of(&world, "dev"), account_of(&world, "a-team"));
    // Emulators tell no paths: then an account is where it is listed.
    let world = Offline::from_state(world.state(), World { paths: false, ..World::default() });
    let twice = |request: &Request, mut answer: Response| {
        if let (Request::ListAccountsForParent { parent, .. }, Response::Accounts(page)) = (request, &mut answer)
            && *parent == dev
        {
            let found = world.state().accounts()[&team].clone();
            let (id, parent) = (team.clone(), None);
            let fact =
                bylaw::aws::port::AccountFact { id, name: found.name, email: found.email, state: found.state, parent };
            page.items.push(fact);
        }
        answer
    };
    is_refused(&Says(&world, twice), &after, None, &Scope::Accounts, &[team.as_str(), dev.as_str()]).await;
    // One that only the walk shows is not in the list of accounts.
    let short = Says(&world, without(lists_accounts, |id| id != team.as_str()));
    let planned = planned(&short, &after, None).await;
    let [gap] = planned.observed.gaps.as_slice() else { panic!("{:#?}", planned.observed.gaps) };
    let words = ["ListAccounts", "ListAccountsForParent", team.as_str()];
    assert!(gap.scope == Scope::Accounts && words.iter().all(|word| gap.error.contains(word)), "{gap:#?}");
    let shown = shown(&world, &planned.plan);
    assert!(!shown.iter().any(|line| line.starts_with("AttachPolicy")), "{shown:#?}");
}

/// The manifests after `a-dev` has gone to `prod`.
fn moved(before: &str) -> String {
    before.replace(
        "name: a-dev\n  organizationalUnitRef: {name: dev}",
        "name: a-dev\n  organizationalUnitRef: {name: prod}",
    )
}

#[tokio::test(start_paused = true)]
async fn policies_are_not_gone_since_their_list_is_empty() {
    let (world, before) = before().await;
    foreign_policy(&world, "foreign", &unit_of(&world, "dev"));
    let after = moved(&before);
    let held = ["refused limit-affected a-dev [MoveAccount]"];
    assert_eq!(lines(&world, &Memory::default(), &after, &Options::default()).await, held);
    let scp = Scope::Policies(PolicyType::scp());
    let policies = |request: &Request| matches!(request, Request::ListPolicies { .. });
    let words = ["ListPolicies", "p-FullAWSAccess"];
    is_refused(&Says(&world, without(policies, |_| false)), &after, None, &scp, &words).await;
    // Nor since the type seems to be off.
    let off = |_: &Request, mut answer: Response| {
        if let Response::Roots(page) = &mut answer {
            page.items.iter_mut().for_each(|root| root.policy_types.clear());
        }
        answer
    };
    let planned = planned(&Says(&world, off), &after, None).await;
    let [gap] = planned.observed.gaps.as_slice() else { panic!("{:#?}", planned.observed.gaps) };
    assert!(gap.scope == scp && gap.error.contains("ListRoots"), "{gap:#?}");
    let shown = shown(&world, &planned.plan);
    assert!(shown.contains(&"refused partial-read a-dev [MoveAccount]".to_owned()), "{shown:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_without_any_service_control_policy_shows_that_a_list_is_short() {
    let before = [organization(&format!("{NONE}\nbaseAccess: Full")), tree()].concat();
    let (world, _) = settle(&before.replace(NONE, "")).await;
    foreign_policy(&world, "foreign", &unit_of(&world, "dev"));
    let after = moved(&before);
    let scp = Scope::Policies(PolicyType::scp());
    let targets = |request: &Request| matches!(request, Request::ListTargetsForPolicy { .. });
    let team = account_of(&world, "a-team");
    for keep in [false, true] {
        let short = Says(&world, without(targets, |id| keep && id != team.as_str()));
        is_refused(&short, &after, None, &scp, &["ListTargetsForPolicy"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_only_its_target_shows_is_missing_in_the_list() {
    let world = world(MANAGEMENT);
    let ids: Vec<PolicyId> = world.with(|state| {
        state.set_policy_type(&PolicyType::scp(), true);
        let root = state.root_node();
        let ids = (0..9).map(|n| state.add_policy(&PolicyType::scp(), &format!("p{n}"), "{}"));
        let ids: Vec<PolicyId> = ids.collect();
        state.attach(&ids[0], &root);
        ids
    });
    // So many that the nodes are asked what is attached.
    let policies = |request: &Request| matches!(request, Request::ListPolicies { .. });
    let short = Says(&world, without(policies, |id| id != ids[0].as_str()));
    let observed = read(&short, &Wants::default(), None, &crate::engine::clock()).await.unwrap();
    let [gap] = observed.gaps.as_slice() else { panic!("{:#?}", observed.gaps) };
    assert_eq!(gap.scope, Scope::Policies(PolicyType::scp()));
    assert!(gap.error.contains(ids[0].as_str()) && gap.error.contains("ListPoliciesForTarget"), "{gap:#?}");
}

/// A list that always has one more page.
#[derive(Default)]
struct Endless(Mutex<BTreeMap<&'static str, usize>>);

impl Port for Endless {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        let mut calls = self.0.lock().unwrap();
        let count = calls.entry(request.operation()).or_default();
        *count += 1;
        let next = Some(count.to_string());
        Box::pin(async move { Ok(Response::Accounts(Page { items: vec![], next })) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_tokens_are_always_new_ends_as_well() {
    let error = pages(&Endless::default(), Request::ListAccounts { token: None }).await.unwrap_err();
    assert!(error.code == "garbage" && error.message.contains("does not end"), "{error}");
}

fn account_of(world: &Offline, name: &str) -> AccountId {
    world.state().account_of(&format!("{name}@example.com")).unwrap().clone()
}
