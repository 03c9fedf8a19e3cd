//! What is planned from a partial reading, and what never: each case lets one call of AWS fail.

use bylaw::aws::{AwsError, Port, Response};
use bylaw::pass::Planned;
use futures::future::BoxFuture;

use super::*;

/// The organization, of which AWS does not answer some requests.
struct Without<'a, F>(&'a Offline, F);

impl<F: Fn(&Request) -> bool + Send + Sync> Port for Without<'_, F> {
    fn call<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, AwsError>> {
        Box::pin(async move {
            if (self.1)(request) {
                return Err(AwsError::answered(request.operation(), "AccessDeniedException", "no", None));
            }
            self.0.call(request).await
        })
    }
}

async fn without(
    world: &Offline,
    memory: &Memory,
    manifests: &str,
    fails: impl Fn(&Request) -> bool + Send + Sync,
) -> Planned {
    let (port, desired, options) = (Without(world, fails), from_text(manifests), Options::default());
    bylaw::pass::plan(&port, &desired, None, memory, &options, &crate::engine::clock()).await.unwrap()
}

/// Which requests fail.
type Fails<'a> = &'a (dyn Fn(&Request) -> bool + Send + Sync);

/// The manifests after `a-dev` has gone to `prod`.
fn moved(before: &str) -> String {
    before.replace(
        "name: a-dev\n  organizationalUnitRef: {name: dev}",
        "name: a-dev\n  organizationalUnitRef: {name: prod}",
    )
}

/// That move is past the limit on a whole reading, and refused without it while AWS does not answer some requests.
async fn is_weighed(world: &Offline, memory: &Memory, fails: Fails<'_>) {
    let after = [organization(STRICT), moved(&tree())].concat();
    let held = ["refused limit-affected a-dev [MoveAccount]"];
    assert_eq!(lines(world, memory, &after, &Options::default()).await, held);
    let planned = without(world, memory, &after, fails).await;
    assert_eq!(shown(world, &planned.plan), ["refused partial-read a-dev [MoveAccount]"]);
}

fn lists_accounts(request: &Request) -> bool {
    matches!(request, Request::ListAccounts { .. })
}

fn lists_policies(request: &Request) -> bool {
    matches!(request, Request::ListPolicies { .. })
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_not_attached_while_nobody_knows_whom_it_reaches() {
    let before = [organization(""), tree(), policy("p", "s3:*", "dev")].concat();
    let (world, memory) = settle(&before).await;
    let strict = [organization(STRICT), tree()].concat();
    for (what, after) in [("new", policy("deny", "*", "/")), ("there", policy("p", "s3:*", "dev /"))] {
        let after = [strict.clone(), policy("p", "s3:*", "dev"), after].concat();
        let after = if what == "there" { after.replacen(&policy("p", "s3:*", "dev"), "", 1) } else { after };
        let planned = without(&world, &memory, &after, lists_accounts).await;
        let shown = shown(&world, &planned.plan);
        assert!(!shown.iter().any(|line| line.starts_with("AttachPolicy")), "{what}: {shown:#?}");
        assert!(shown.iter().any(|line| line.starts_with("refused partial-read")), "{what}: {shown:#?}");
        assert!(planned.plan.refusals.iter().all(|refusal| refusal.hash.is_none()), "no approval reads a list");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_was_in_force_comes_back_from_a_partial_reading() {
    let manifests = [organization(STRICT), tree(), policy("p", "s3:*", "/")].concat();
    let (world, memory) = settle(&manifests.replace(&organization(STRICT), &organization(""))).await;
    let (p, root) = (policy_of(&world, "p"), world.with(|state| state.root_node()));
    world.foreign(&Request::DetachPolicy { policy: p.clone(), target: root }).unwrap();
    let planned = without(&world, &memory, &manifests, lists_accounts).await;
    assert!(shown(&world, &planned.plan).contains(&"AttachPolicy p /".to_owned()), "{:#?}", planned.plan);
    // Not with a text that nobody has read.
    let unread = |request: &Request| matches!(request, Request::DescribePolicy { policy } if *policy == p);
    let planned = without(&world, &memory, &manifests, unread).await;
    assert!(planned.plan.changes.is_empty(), "{:#?}", planned.plan.changes);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_not_moved_while_the_policies_here_and_there_are_not_known() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    foreign_policy(&world, "foreign", &unit_of(&world, "prod"));
    let after = moved(&before);
    assert_ne!(after, before);
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["MoveAccount a-dev prod"]);
    let targets = |request: &Request| {
        matches!(request, Request::ListTargetsForPolicy { .. } | Request::ListPoliciesForTarget { .. })
    };
    let contents = |request: &Request| matches!(request, Request::DescribePolicy { .. });
    let fails: [(&str, Fails<'_>); 3] = [("list", &lists_policies), ("targets", &targets), ("contents", &contents)];
    for (what, fails) in fails {
        let planned = without(&world, &memory, &after, fails).await;
        assert_eq!(shown(&world, &planned.plan), ["refused partial-read a-dev [MoveAccount]"], "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_move_is_judged_by_policies_of_every_type_that_is_on() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    let prod = unit_of(&world, "prod");
    world.with(|state| {
        let kind = PolicyType::new("TAG_POLICY");
        state.set_policy_type(&kind, true);
        let policy = state.add_policy(&kind, "tags", r#"{"tags":{"Owner":{"tag_key":{"@@assign":"Owner"}}}}"#);
        state.attach(&policy, &prod);
    });
    let lists_tags =
        |request: &Request| matches!(request, Request::ListPolicies { kind, .. } if kind.as_str() == "TAG_POLICY");
    is_weighed(&world, &memory, &lists_tags).await;
}

/// Puts an allow list on `prod` in place of the policy that allows everything, whose id it gives.
fn allow_list_by_another_hand(world: &Offline) -> PolicyId {
    let prod = unit_of(world, "prod");
    world.with(|state| {
        let list = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#;
        let policy = state.add_policy(&PolicyType::scp(), "list", list);
        state.attach(&policy, &prod);
    });
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    world.foreign(&Request::DetachPolicy { policy: full.clone(), target: prod }).unwrap();
    full
}

#[tokio::test(start_paused = true)]
async fn a_move_under_an_allow_list_is_weighed_though_nobody_declares_base_access() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    let full = allow_list_by_another_hand(&world);
    let places_full =
        |request: &Request| matches!(request, Request::ListTargetsForPolicy { policy, .. } if *policy == full);
    is_weighed(&world, &memory, &places_full).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_policy_that_allows_more_is_weighed_at_an_allow_list_that_nobody_declares() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    let full = allow_list_by_another_hand(&world);
    let wide = with_statements("wide", r#"[{Effect: Allow, Action: "*", Resource: "*"}]"#, "prod", "");
    let after = [organization(STRICT), tree(), wide].concat();
    let held = ["CreatePolicy wide", "refused limit-affected wide [AttachPolicy]"];
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, held);
    let places_full =
        |request: &Request| matches!(request, Request::ListTargetsForPolicy { policy, .. } if *policy == full);
    let planned = without(&world, &memory, &after, places_full).await;
    assert_eq!(shown(&world, &planned.plan), ["CreatePolicy wide", "refused partial-read wide [AttachPolicy]"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_after_a_run_that_failed_is_told_by_the_limit_that_holds_it_back() {
    let before = [organization(""), tree()].concat();
    let (world, mut memory) = settle(&before).await;
    foreign_policy(&world, "foreign", &unit_of(&world, "prod"));
    let fails = |request: &Request| matches!(request, Request::CreatePolicy { .. });
    let after = [organization("limits: {maxMoves: 0}"), moved(&tree()), policy("p", "ec2:*", "dev")].concat();
    let (port, desired, options) = (Without(&world, fails), from_text(&after), Options::default());
    let planned = bylaw::pass::plan(&port, &desired, None, &memory, &options, &crate::engine::clock()).await.unwrap();
    let limited = |plan: &Plan<Guarded>| {
        let found = plan.refusals.iter().find(|refusal| refusal.rule == "limit-moves");
        found.unwrap_or_else(|| panic!("{:#?}", plan.refusals)).hash.clone().unwrap()
    };
    let hash = limited(&planned.plan);
    let report = apply(&port, &desired, planned, &mut memory, &options).await;
    assert!(!report.applied.is_success() && report.unverified.is_none());
    assert_eq!(limited(&report.left), hash, "the plan and what is left name one hash");
}

#[tokio::test(start_paused = true)]
async fn one_failed_call_is_one_refusal_that_names_what_it_holds_back() {
    let many: Vec<String> = (0..30).map(|n| policy(&format!("p{n:02}"), &format!("s3:Action{n}"), "")).collect();
    let before = [organization(""), tree(), many.concat()].concat();
    let (world, memory) = settle(&before).await;
    let planned = without(&world, &memory, &before, lists_policies).await;
    let [refusal] = planned.plan.refusals.as_slice() else { panic!("{:#?}", planned.plan.refusals) };
    assert_eq!((refusal.rule, &*refusal.object.name, refusal.objects.len()), ("partial-read", "org", 30));
    assert!(refusal.message.contains("ListPolicies") && refusal.message.contains("30 objects"), "{}", refusal.message);
    assert!(refusal.message.contains("`OrganizationPolicy/p00`") && refusal.message.contains("and 20 more"));
    // Changes of several objects that rest on the same list are one refusal as well.
    let after = [organization(""), tree(), policy("new", "s3:*", "/"), policy("other", "ec2:*", "prod")].concat();
    let planned = without(&world, &memory, &after, lists_accounts).await;
    let partial: Vec<_> = planned.plan.refusals.iter().filter(|refusal| refusal.rule == "partial-read").collect();
    let [refusal] = partial.as_slice() else { panic!("{partial:#?}") };
    assert_eq!(refusal.changes.len(), 2, "{refusal:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_attached_while_its_text_could_not_be_read_is_no_drift_later() {
    let before = [organization(""), tree(), policy("p", "ec2:*", "prod")].concat();
    let (world, _) = settle(&before).await;
    let (p, mut memory) = (policy_of(&world, "p"), Memory::default());
    let unread = |request: &Request| matches!(request, Request::DescribePolicy { policy } if *policy == p);
    let planned = without(&world, &memory, &before, unread).await;
    let [refusal] = planned.plan.refusals.as_slice() else { panic!("{:#?}", planned.plan.refusals) };
    assert_eq!(refusal.rule, "partial-read");
    memory.learn(&planned.plan.facts);
    let after = [organization(STRICT), tree(), policy("p", "ec2:*", "")].concat();
    let planned = plan(&world, &from_text(&after), &memory, &Options::default()).await;
    assert_eq!(shown(&world, &planned.plan), ["refused limit-affected p [DetachPolicy]"]);
    assert!(planned.plan.drift.is_empty(), "{:#?}", planned.plan.drift);
    // One text that is not read is one refusal, of the edit and of the detachment.
    let planned = without(&world, &memory, &after, unread).await;
    let rules: Vec<_> = planned.plan.refusals.iter().map(|refusal| refusal.rule).collect();
    assert_eq!(rules, ["partial-read"], "{:#?}", planned.plan.refusals);
}
