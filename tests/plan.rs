//! What is planned and what is refused: each case settles an organization by one set of manifests, lets somebody else at
//! it where the case says so, and reads the plan of another set line by line.

mod approvals;
mod guard;
mod lists;
mod partial;
mod renamed;

use std::fmt::Write;

use bylaw::aws::Request;
use bylaw::aws::offline::Offline;
use bylaw::names::{NodeId, PolicyId, PolicyType, Tags};
use bylaw::pass::Options;
use bylaw::plan::{Action, Guarded, Memory, NodeRef, Plan};

use crate::engine::{apply, from_text, plan, world};

const MANAGEMENT: &str = "111111111111";

/// `Organization` with limits that are in nobody's way, unless `spec` says otherwise.
fn organization(spec: &str) -> String {
    let limits = "limits: {maxCreates: 100, maxDeletes: 100, maxMoves: 100, maxDetaches: 100, maxUpdates: 100, maxTags: 100, maxAffected: {accounts: 1000, percent: 100}}";
    let limits = if spec.contains("limits:") { "" } else { limits };
    object(
        "Organization",
        "org",
        &format!("managementAccountId: \"{MANAGEMENT}\"\npolicyTypes: [SERVICE_CONTROL_POLICY]\n{limits}\n{spec}"),
    )
}

fn object(kind: &str, name: &str, spec: &str) -> String {
    let spec: String = spec.lines().filter(|line| !line.trim().is_empty()).fold(String::new(), |mut text, line| {
        writeln!(text, "  {line}").unwrap();
        text
    });
    format!("---\napiVersion: bylaw.dev/v1alpha1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n{spec}")
}

fn unit(name: &str, parent: &str, more: &str) -> String {
    let parent = if parent.is_empty() { String::new() } else { format!("parentRef: {{name: {parent}}}\n") };
    object("OrganizationalUnit", name, &format!("name: {name}\n{parent}{more}"))
}

fn account(name: &str, unit: &str, more: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!("organizationalUnitRef: {{name: {unit}}}\n") };
    object("Account", name, &format!("email: {name}@example.com\nname: {name}\n{unit}{more}"))
}

/// A service control policy that denies these actions, attached to these OUs (`/`: the root; `@name`: an account).
fn policy(name: &str, denies: &str, targets: &str) -> String {
    policy_with(name, denies, targets, "")
}

fn policy_with(name: &str, denies: &str, targets: &str, more: &str) -> String {
    let actions: Vec<String> = denies.split_whitespace().map(|action| format!("\"{action}\"")).collect();
    let statements = format!("[{{Effect: Deny, Action: [{}], Resource: \"*\"}}]", actions.join(", "));
    with_statements(name, &statements, targets, more)
}

fn with_statements(name: &str, statements: &str, targets: &str, more: &str) -> String {
    let targets: Vec<String> = targets
        .split_whitespace()
        .map(|target| match target.strip_prefix('@') {
            _ if target == "/" => "{root: true}".to_owned(),
            Some(account) => format!("{{accountRef: {{name: {account}}}}}"),
            None => format!("{{organizationalUnitRef: {{name: {target}}}}}"),
        })
        .collect();
    let content = format!("{{Version: \"2012-10-17\", Statement: {statements}}}");
    object(
        "OrganizationPolicy",
        name,
        &format!("type: SERVICE_CONTROL_POLICY\ncontent: {content}\ntargets: [{}]\n{more}", targets.join(", ")),
    )
}

/// Two OUs below the root, one below `prod`, an account in each.
fn tree() -> String {
    [
        unit("prod", "", ""),
        unit("dev", "", ""),
        unit("team", "prod", ""),
        account("a-prod", "prod", ""),
        account("a-dev", "dev", ""),
        account("a-team", "team", ""),
    ]
    .concat()
}

async fn settle(manifests: &str) -> (Offline, Memory) {
    let (world, desired) = (world(MANAGEMENT), from_text(manifests));
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = plan(&world, &desired, &memory, &options).await;
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    (world, memory)
}

/// The plan of `manifests`, one line a change and a refusal.
async fn lines(world: &Offline, memory: &Memory, manifests: &str, options: &Options) -> Vec<String> {
    let planned = plan(world, &from_text(manifests), memory, options).await;
    shown(world, &planned.plan)
}

fn shown(world: &Offline, plan: &Plan<Guarded>) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .changes
        .iter()
        .map(|change| {
            let (operation, _) = change.action.operations();
            let target = match &change.action {
                Action::Attach { target, .. } | Action::Detach { target, .. } => format!(" {}", named(world, target)),
                Action::MoveAccount { to, .. } => format!(" {}", named(world, to)),
                _ => String::new(),
            };
            format!("{operation} {}{target}", change.object.name)
        })
        .collect();
    lines.extend(plan.refusals.iter().map(|refusal| {
        let held: Vec<&str> = refusal.changes.iter().map(|change| change.action.operations().0).collect();
        format!("refused {} {} [{}]", refusal.rule, refusal.object.name, held.join(" "))
    }));
    lines
}

fn named(world: &Offline, node: &NodeRef) -> String {
    match node {
        NodeRef::Known(NodeId::Root(_)) => "/".into(),
        NodeRef::Known(NodeId::Unit(id)) => world.with(|state| state.units()[id].name.clone()),
        NodeRef::Known(NodeId::Account(id)) => world.with(|state| state.accounts()[id].name.clone()),
        NodeRef::New(key) => key.to_string(),
    }
}

fn unit_of(world: &Offline, name: &str) -> NodeId {
    world.with(|state| NodeId::Unit(state.units().iter().find(|(_, unit)| unit.name == name).unwrap().0.clone()))
}

fn policy_of(world: &Offline, name: &str) -> PolicyId {
    world.with(|state| state.policies().iter().find(|(_, policy)| policy.name == name).unwrap().0.clone())
}

fn tag(world: &Offline, node: &NodeId, key: &str, value: &str) {
    world.with(|state| state.tags_mut(node).unwrap().insert(key.into(), value.into()));
}

/// Settles `before`, and expects the plan of `after` to be these lines.
async fn expect(before: &[String], after: &[String], want: &[&str]) {
    let (world, memory) = settle(&before.concat()).await;
    assert_eq!(lines(&world, &memory, &after.concat(), &Options::default()).await, want);
}

#[tokio::test(start_paused = true)]
async fn a_swap_attaches_before_it_detaches() {
    let before = [organization(""), tree(), policy("old", "s3:* ec2:*", "prod"), policy("new", "s3:* ec2:*", "dev")];
    let after = [organization(""), tree(), policy("old", "s3:* ec2:*", "dev"), policy("new", "s3:* ec2:*", "prod")];
    let want = ["AttachPolicy new prod", "AttachPolicy old dev", "DetachPolicy new dev", "DetachPolicy old prod"];
    expect(&before, &after, &want).await;
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_goes_to_another_policy_is_added_there_before_it_is_taken_out_here() {
    let before = [organization(""), tree(), policy("p", "s3:* ec2:*", "prod"), policy("q", "kms:*", "prod")];
    let after = [organization(""), tree(), policy("p", "s3:*", "prod"), policy("q", "kms:* ec2:*", "prod")];
    expect(&before, &after, &["UpdatePolicy q", "UpdatePolicy p"]).await;
    let after = [
        organization(""),
        tree(),
        policy("p", "s3:*", "prod"),
        policy("q", "kms:*", "prod"),
        policy("r", "ec2:*", "prod"),
    ];
    expect(&before, &after, &["CreatePolicy r", "AttachPolicy r prod", "UpdatePolicy p"]).await;
}

#[tokio::test(start_paused = true)]
async fn two_policies_that_change_places_by_content_would_open_a_window_and_are_refused() {
    let before = [organization(""), tree(), policy("p", "s3:*", "prod"), policy("q", "ec2:*", "prod")];
    let after = [organization(""), tree(), policy("p", "ec2:*", "prod"), policy("q", "s3:*", "prod")];
    expect(&before, &after, &["refused window p [UpdatePolicy]", "refused window q [UpdatePolicy]"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_deny_that_a_wider_one_covers_is_not_missed() {
    let before = [organization(""), tree(), policy("p", "s3:PutObject", "prod"), policy("q", "s3:*", "dev")];
    let after = [organization(""), tree(), policy("p", "s3:PutObject", "dev"), policy("q", "s3:*", "dev prod")];
    expect(&before, &after, &["AttachPolicy p dev", "AttachPolicy q prod", "DetachPolicy p prod"]).await;
}

#[tokio::test(start_paused = true)]
async fn an_account_moves_after_its_new_place_is_guarded_and_before_its_old_one_is_not() {
    let before = [organization(""), tree(), policy("p", "s3:*", "prod")];
    let moved = tree().replace(
        "name: a-prod\n  organizationalUnitRef: {name: prod}",
        "name: a-prod\n  organizationalUnitRef: {name: dev}",
    );
    let after = [organization(""), moved, policy("p", "s3:*", "dev")];
    expect(&before, &after, &["AttachPolicy p dev", "MoveAccount a-prod dev", "DetachPolicy p prod"]).await;
}

#[tokio::test(start_paused = true)]
async fn full_slots_refuse_the_new_policy_and_keep_what_it_was_to_replace() {
    let many: Vec<String> = (0..9).map(|n| policy(&format!("p{n}"), &format!("s3:Action{n} s3:All"), "prod")).collect();
    let before = [organization(""), tree(), many.concat()];
    let mut swapped = many.clone();
    swapped[0] = policy("p0", "s3:Action0 s3:All", "dev");
    let after = [organization(""), tree(), swapped.concat(), policy("new", "s3:Action0", "prod")];
    let want = [
        "CreatePolicy new",
        "AttachPolicy p0 dev",
        "refused slots new [AttachPolicy]",
        "refused window p0 [DetachPolicy]",
    ];
    expect(&before, &after, &want).await;
}

#[tokio::test(start_paused = true)]
async fn a_deny_is_kept_while_what_it_shares_with_the_one_that_follows_it_waits() {
    let many: Vec<String> = (1..9).map(|n| policy(&format!("p{n}"), &format!("ec2:Action{n}"), "prod")).collect();
    let planned = async |old: &str, new: &str| {
        let before = [organization(""), tree(), many.concat(), policy("old", old, "prod")];
        let after = [organization(""), tree(), many.concat(), policy("old", old, "dev"), policy("new", new, "prod")];
        let (world, memory) = settle(&before.concat()).await;
        lines(&world, &memory, &after.concat(), &Options::default()).await
    };
    // The slots are full, so that the new one does not come. What is narrower, or shares some requests, is denied before and after.
    for (old, new) in [("s3:*", "s3:Put*"), ("s3:Get*", "s3:*Object"), ("s3:GetObject", "s3:Get*")] {
        let lines = planned(old, new).await;
        assert!(lines.contains(&"refused slots new [AttachPolicy]".to_owned()), "{lines:?}");
        assert!(lines.contains(&"refused window old [DetachPolicy]".to_owned()), "{old} {new}: {lines:?}");
    }
    // What have no request in common need not wait for each other.
    let lines = planned("s3:Get*", "s3:Put*").await;
    assert!(lines.contains(&"DetachPolicy old prod".to_owned()), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn past_a_limit_all_changes_of_the_kind_are_refused_and_run_by_their_hash() {
    let before = [organization(""), tree()];
    let limits = "limits: {maxCreates: 1, maxMoves: 0}";
    let moved = tree().replace("{name: team}", "{name: dev}");
    let after =
        [organization(limits), moved, unit("one", "", ""), unit("two", "one", ""), account("new", "two", "")].concat();
    let (world, memory) = settle(&before.concat()).await;
    let planned = plan(&world, &from_text(&after), &memory, &Options::default()).await;
    let want = [
        "refused limit-creates org [CreateOrganizationalUnit CreateOrganizationalUnit CreateAccount]",
        "refused limit-moves org [MoveAccount]",
        "refused depends new [MoveAccount]",
    ];
    let mut found = shown(&world, &planned.plan);
    found.sort();
    let mut want: Vec<String> = want.map(str::to_owned).to_vec();
    want.sort();
    assert_eq!(found, want);
    let hashes = planned.plan.refusals.iter().filter_map(|refusal| refusal.hash.clone());
    let approved = Options { approvals: bylaw::plan::Approvals::of(hashes), ..Options::default() };
    assert!(plan(&world, &from_text(&after), &memory, &approved).await.plan.refusals.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_held_node_and_all_below_it_are_left_alone_until_the_hold_runs_out() {
    let before = [organization(""), tree(), policy("p", "s3:*", "team dev")].concat();
    let after = [organization(""), tree(), policy("p", "s3:*", "dev")].concat();
    let (world, memory) = settle(&before).await;
    let prod = unit_of(&world, "prod");
    let held = ["refused hold p [DetachPolicy]"];
    for until in ["2030-01-01T00:00:00Z", "soon"] {
        tag(&world, &prod, "bylaw.dev/hold", until);
        assert_eq!(lines(&world, &memory, &after, &Options::default()).await, held, "{until}");
    }
    tag(&world, &prod, "bylaw.dev/hold", "2020-01-01T00:00:00Z");
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["DetachPolicy p team"]);
}

#[tokio::test(start_paused = true)]
async fn an_ou_is_renamed_in_place_and_never_moved() {
    let before = [organization(""), tree()];
    let renamed = tree().replace("name: team\n  parentRef", "name: squad\n  parentRef");
    expect(&before, &[organization(""), renamed], &["UpdateOrganizationalUnit team"]).await;
    let moved = tree().replace("name: team\n  parentRef: {name: prod}", "name: team\n  parentRef: {name: dev}");
    expect(&before, &[organization(""), moved], &["refused move-unit team []"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_adopted_as_the_object_says() {
    let (world, memory) = settle(&organization("")).await;
    world.with(|state| {
        let root = state.root_node();
        state.add_unit(&root, "prod");
    });
    let manifests = |more: &str| [organization(""), unit("prod", "", more)].concat();
    let options = Options::default();
    assert_eq!(lines(&world, &memory, &manifests(""), &options).await, ["TagResource prod"]);
    let create = manifests("adoptionPolicy: Create");
    assert_eq!(lines(&world, &memory, &create, &options).await, ["refused exists prod []"]);
    tag(&world, &unit_of(&world, "prod"), "bylaw.dev/resource", "OrganizationalUnit/other");
    assert_eq!(lines(&world, &memory, &manifests(""), &options).await, ["refused taken prod []"]);
    let absent = [organization(""), unit("absent", "", "adoptionPolicy: Adopt")].concat();
    assert_eq!(lines(&world, &memory, &absent, &options).await, ["refused missing absent []"]);
}

#[tokio::test(start_paused = true)]
async fn excluding_below_a_target_attaches_to_the_siblings() {
    let before = [organization(""), tree()];
    let excluding = policy_with("p", "s3:*", "/", "excluding: [{organizationalUnitRef: {name: team}}]");
    let after = [organization(""), tree(), excluding];
    expect(&before, &after, &["CreatePolicy p", "AttachPolicy p dev", "AttachPolicy p a-prod"]).await;
}

#[tokio::test(start_paused = true)]
async fn exclusive_attachments_drop_what_nobody_declares_but_not_what_is_ignored_or_awss() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    world.with(|state| {
        let prod = NodeId::Unit(state.units().iter().find(|(_, unit)| unit.name == "prod").unwrap().0.clone());
        for name in ["by-hand", "aws-guardrails-x"] {
            let deny = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
            let policy = state.add_policy(&PolicyType::scp(), name, deny);
            state.attach(&policy, &prod);
        }
    });
    let options = Options::default();
    assert!(lines(&world, &memory, &before, &options).await.is_empty());
    let exclusive =
        [organization(""), tree().replace("name: prod\n---", "name: prod\n  attachments: Exclusive\n---")].concat();
    assert_eq!(lines(&world, &memory, &exclusive, &options).await, ["DetachPolicy prod prod"]);
}

#[tokio::test(start_paused = true)]
async fn an_allow_list_is_swapped_in_attach_first_and_never_leaves_nothing_allowed() {
    let before = [organization(""), tree()];
    let allow = tree().replace("name: prod\n---", "name: prod\n  baseAccess: AllowList\n---");
    expect(&before, &[organization(""), allow.clone()], &["refused last-policy prod [DetachPolicy]"]).await;
    let list = with_statements("list", "[{Effect: Allow, Action: [\"s3:*\", \"ec2:*\"], Resource: \"*\"}]", "prod", "");
    let want = ["CreatePolicy list", "AttachPolicy list prod", "DetachPolicy prod prod"];
    expect(&before, &[organization(""), allow, list], &want).await;
}

#[tokio::test(start_paused = true)]
async fn absence_is_no_delete_without_opt_in_and_prune() {
    let doomed = policy_with("doomed", "s3:*", "prod", "deletionPolicy: Delete");
    let empty = unit("empty", "dev", "deletionPolicy: Delete");
    let before = [organization(""), tree(), policy("kept", "kms:*", "prod"), doomed, empty].concat();
    let after = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    assert!(lines(&world, &memory, &after, &Options::default()).await.is_empty());
    let prune = Options { prune: true, ..Options::default() };
    let want = ["DetachPolicy doomed prod", "DeletePolicy doomed", "DeleteOrganizationalUnit empty"];
    assert_eq!(lines(&world, &memory, &after, &prune).await, want);
    let limited = [organization("limits: {maxDeletes: 1, maxDetaches: 5}"), tree()].concat();
    let want = ["refused limit-deletes org [DeletePolicy DeleteOrganizationalUnit]"];
    let found = lines(&world, &memory, &limited, &prune).await;
    assert!(found.iter().any(|line| line == want[0]), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_suspended_or_ignored_is_left_alone() {
    let before = [organization(""), tree(), policy("p", "s3:*", "prod")].concat();
    let (world, memory) = settle(&before).await;
    let p = policy_of(&world, "p");
    let prod = unit_of(&world, "prod");
    world.foreign(&Request::DetachPolicy { policy: p, target: prod }).unwrap();
    let options = Options::default();
    assert_eq!(lines(&world, &memory, &before, &options).await, ["AttachPolicy p prod"]);
    let suspended = [organization(""), tree(), policy_with("p", "s3:*", "prod", "suspend: true")].concat();
    assert!(lines(&world, &memory, &suspended, &options).await.is_empty());
    let unit_suspended = [
        organization(""),
        tree().replace("name: prod\n---", "name: prod\n  suspend: true\n---"),
        policy("p", "s3:*", "prod"),
    ]
    .concat();
    assert!(lines(&world, &memory, &unit_suspended, &options).await.is_empty());
    let ignored = [organization("ignore: {organizationalUnits: [pr*]}"), tree(), policy("p", "s3:*", "prod")].concat();
    assert!(lines(&world, &memory, &ignored, &options).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_fact_that_somebody_changes_back_again_and_again_is_contested() {
    let manifests = [organization(""), tree(), policy("p", "s3:*", "prod")].concat();
    let (world, mut memory) = settle(&manifests).await;
    let (p, prod, desired) = (policy_of(&world, "p"), unit_of(&world, "prod"), from_text(&manifests));
    let options = Options::default();
    for _ in 0..3 {
        world.foreign(&Request::DetachPolicy { policy: p.clone(), target: prod.clone() }).unwrap();
        let planned = plan(&world, &desired, &memory, &options).await;
        assert_eq!(shown(&world, &planned.plan), ["AttachPolicy p prod"]);
        apply(&world, &desired, planned, &mut memory, &options).await;
    }
    world.foreign(&Request::DetachPolicy { policy: p, target: prod }).unwrap();
    assert_eq!(lines(&world, &memory, &manifests, &options).await, ["refused contested p []"]);
}

#[tokio::test(start_paused = true)]
async fn the_wrong_organization_is_refused_before_anything_is_planned() {
    let (other, desired) = (world("222222222222"), from_text(&organization("")));
    let clock = crate::engine::clock();
    let refused = bylaw::pass::plan(&other, &desired, None, &Memory::default(), &Options::default(), &clock).await;
    assert!(matches!(refused, Err(bylaw::pass::PassError::WrongAccount { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn only_declared_tags_are_bylaws() {
    let before = [organization(""), tree()].concat();
    let (world, memory) = settle(&before).await;
    let prod = unit_of(&world, "prod");
    tag(&world, &prod, "by-hand", "1");
    let options = Options::default();
    assert!(lines(&world, &memory, &before, &options).await.is_empty());
    let after = [organization(""), tree().replace("name: prod\n---", "name: prod\n  tags: {owner: x}\n---")].concat();
    let planned = plan(&world, &from_text(&after), &memory, &options).await;
    let [change] = planned.plan.changes.as_slice() else { panic!("{:#?}", planned.plan.changes) };
    let Action::Tag { set, .. } = &change.action else { panic!("{change:#?}") };
    assert_eq!(*set, Tags::from([("owner".into(), "x".into())]));
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_somebody_attached_where_no_manifest_does_is_drift() {
    let limits = "limits: {maxAffected: {accounts: 0, percent: 0}}";
    let manifests = [organization(""), tree(), policy("p", "s3:*", "prod")].concat();
    let (world, memory) = settle(&manifests).await;
    let root = world.with(|state| state.root_node());
    world.foreign(&Request::AttachPolicy { policy: policy_of(&world, "p"), target: root }).unwrap();
    let strict = [organization(limits), tree(), policy("p", "s3:*", "prod")].concat();
    let planned = plan(&world, &from_text(&strict), &memory, &Options::default()).await;
    assert_eq!(shown(&world, &planned.plan), ["DetachPolicy p /"]);
    assert_eq!(planned.plan.drift.len(), 1, "{:#?}", planned.plan.drift);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_a_stopped_run_made_is_placed_by_the_next_whatever_the_limits() {
    let limits = "limits: {maxMoves: 0, maxAffected: {accounts: 0, percent: 0}}";
    let before = [organization(""), unit("prod", "", ""), policy("p", "s3:*", "prod")].concat();
    let after =
        [organization(limits), unit("prod", "", ""), policy("p", "s3:*", "prod"), account("new", "prod", "")].concat();
    let (world, memory) = settle(&before).await;
    world.with(|state| {
        let root = state.root_node();
        let id = state.add_account(&root, "new", "new@example.com");
        let tags = state.tags_mut(&NodeId::Account(id)).unwrap();
        tags.insert("bylaw.dev/resource".into(), "Account/new".into());
        tags.insert("bylaw.dev/managed-by".into(), "org".into());
    });
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["MoveAccount new prod"]);
}

/// Limits that let nothing pass that is new to anybody.
const STRICT: &str = "limits: {maxCreates: 100, maxDeletes: 100, maxMoves: 100, maxDetaches: 100, maxAffected: {accounts: 0, percent: 0}}";

/// Runs a plan, whatever it refuses.
async fn pass(world: &Offline, memory: &mut Memory, manifests: &str) -> Plan<Guarded> {
    let (desired, options) = (from_text(manifests), Options::default());
    let planned = plan(world, &desired, memory, &options).await;
    apply(world, &desired, planned, memory, &options).await.left
}

const DENY: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;
const DENY_ALL: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;

fn rewrite(world: &Offline, policy: &PolicyId, content: &str) {
    let content = Some(content.to_owned());
    let request = Request::UpdatePolicy { policy: policy.clone(), name: None, description: None, content };
    world.foreign(&request).unwrap();
}

/// A policy that somebody made and attached by hand.
fn foreign_policy(world: &Offline, name: &str, at: &NodeId) -> PolicyId {
    world.with(|state| {
        let policy = state.add_policy(&PolicyType::scp(), name, DENY);
        state.attach(&policy, at);
        policy
    })
}

#[tokio::test(start_paused = true)]
async fn what_the_manifests_no_longer_attach_to_an_exclusive_node_is_no_drift() {
    let exclusive = tree().replace("name: prod\n---", "name: prod\n  attachments: Exclusive\n---");
    let ignoring = "ignore: {policies: [foreign]}";
    let before = [organization(ignoring), exclusive.clone(), policy("p", "ec2:*", "prod")].concat();
    let (world, mut memory) = settle(&before).await;
    let prod = unit_of(&world, "prod");
    foreign_policy(&world, "foreign", &prod);
    assert!(pass(&world, &mut memory, &before).await.is_empty());
    let options = Options::default();
    let held = "refused limit-affected prod [DetachPolicy]";
    // The manifest of `p` is deleted; or `ignore` no longer names what is foreign.
    let deleted = [organization(&format!("{ignoring}\n{STRICT}")), exclusive.clone()].concat();
    let seen = [organization(STRICT), exclusive.clone(), policy("p", "ec2:*", "prod")].concat();
    for (what, after) in [("deleted", deleted), ("no longer ignored", seen)] {
        for memory in [&memory, &Memory::default()] {
            let planned = plan(&world, &from_text(&after), memory, &options).await;
            assert_eq!(shown(&world, &planned.plan), [held], "{what}");
            assert!(planned.plan.drift.is_empty(), "{what}: {:#?}", planned.plan.drift);
        }
        // What is refused stays refused, pass after pass.
        let mut memory = memory.clone();
        pass(&world, &mut memory, &after).await;
        assert_eq!(lines(&world, &memory, &after, &options).await, [held], "{what}");
    }
    // What came since the last pass goes, whomever it reaches.
    let strict = [organization(&format!("{ignoring}\n{STRICT}")), exclusive, policy("p", "ec2:*", "prod")].concat();
    foreign_policy(&world, "by-hand", &prod);
    let planned = plan(&world, &from_text(&strict), &memory, &options).await;
    assert_eq!(shown(&world, &planned.plan), ["DetachPolicy prod prod"]);
    assert_eq!(planned.plan.drift.len(), 1, "{:#?}", planned.plan.drift);
}

#[tokio::test(start_paused = true)]
async fn what_the_manifests_ignored_is_no_drift_once_they_do_not() {
    let ignoring = "ignore: {organizationalUnits: [prod]}";
    let p = policy("p", "s3:*", "dev");
    let (world, mut memory) = settle(&[organization(""), tree(), p.clone()].concat()).await;
    let prod = unit_of(&world, "prod");
    world.foreign(&Request::AttachPolicy { policy: policy_of(&world, "p"), target: prod }).unwrap();
    let before = [organization(ignoring), tree(), p.clone()].concat();
    assert!(pass(&world, &mut memory, &before).await.is_empty());
    let after = [organization(STRICT), tree(), p].concat();
    let held = ["refused limit-affected p [DetachPolicy]"];
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, held);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_its_manifest_binds_to_something_else_has_not_drifted() {
    let before = [organization(""), tree(), policy("p", "s3:*", "prod")].concat();
    let (world, memory) = settle(&before).await;
    let (dev, other) =
        (unit_of(&world, "dev"), world.with(|state| state.add_policy(&PolicyType::scp(), "q", DENY_ALL)));
    world.foreign(&Request::AttachPolicy { policy: other.clone(), target: dev }).unwrap();
    let bound = policy("p", "s3:*", "prod")
        .replace("  name: p\n", &format!("  name: p\n  annotations: {{bylaw.dev/id: {other}}}\n"));
    let after = [organization(STRICT), tree(), bound].concat();
    let planned = plan(&world, &from_text(&after), &memory, &Options::default()).await;
    assert!(planned.plan.drift.is_empty(), "{:#?}", planned.plan.drift);
    let moved = |action: &Action| {
        matches!(action, Action::Attach { .. } | Action::Detach { .. } | Action::UpdatePolicy { content: Some(_), .. })
    };
    assert!(!planned.plan.changes.iter().any(|change| moved(&change.action)), "{:#?}", planned.plan.changes);
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_brought_to_its_text_before_it_is_attached_again() {
    let before =
        [organization(""), tree(), policy("p", "s3:* ec2:*", "prod"), policy("q", "s3:* ec2:*", "prod dev")].concat();
    let (world, memory) = settle(&before).await;
    let strict = before.replace(&organization(""), &organization(STRICT));
    let (p, q, prod) = (policy_of(&world, "p"), policy_of(&world, "q"), unit_of(&world, "prod"));
    // Rewritten to more and to less; attached nowhere any more, and still attached elsewhere.
    for text in [DENY_ALL, DENY] {
        for (policy, name) in [(&p, "p"), (&q, "q")] {
            world.foreign(&Request::DetachPolicy { policy: policy.clone(), target: prod.clone() }).unwrap();
            rewrite(&world, policy, text);
            let (desired, options) = (from_text(&strict), Options::default());
            let planned = plan(&world, &desired, &memory, &options).await;
            let want = [format!("UpdatePolicy {name}"), format!("AttachPolicy {name} prod")];
            assert_eq!(shown(&world, &planned.plan), want, "{text}");
            assert!(planned.plan.changes.iter().all(|change| change.reason == bylaw::plan::Reason::Drift));
            let mut memory = memory.clone();
            assert!(apply(&world, &desired, planned, &mut memory, &options).await.left.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_attachment_that_never_was_with_this_text_is_no_drift() {
    let before = [organization(""), tree(), policy("p", "s3:*", "prod")].concat();
    let (world, mut memory) = settle(&before).await;
    let (p, prod) = (policy_of(&world, "p"), unit_of(&world, "prod"));
    let after = [organization(STRICT), tree(), policy("p", "*", "prod")].concat();
    // The edit alone is refused; so it is beside a detachment, which is put right with the text that was in force.
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["refused limit-affected p [UpdatePolicy]"]);
    world.foreign(&Request::DetachPolicy { policy: p.clone(), target: prod.clone() }).unwrap();
    let want = ["AttachPolicy p prod", "refused limit-affected p [UpdatePolicy]"];
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, want);
    // Once the text is there by another hand, attaching it is as new as the text.
    rewrite(&world, &p, DENY_ALL);
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["refused limit-affected p [AttachPolicy]"]);
    pass(&world, &mut memory, &after).await;
    assert_eq!(lines(&world, &memory, &after, &Options::default()).await, ["refused limit-affected p [AttachPolicy]"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_denied_for_a_while_counts_like_what_is_denied_for_good() {
    let guard = policy("guard", "s3:*", "/");
    let before = [organization(""), tree(), guard.clone(), policy("p", "s3:*", "/")].concat();
    let (world, memory) = settle(&before).await;
    // Made stricter at the root, and taken off it in the same commit.
    let limits = "limits: {maxDetaches: 9, maxAffected: {accounts: 1, percent: 100}}";
    let after = [organization(limits), tree(), guard, policy("p", "*", "dev")].concat();
    let shown = lines(&world, &memory, &after, &Options::default()).await;
    assert!(!shown.contains(&"UpdatePolicy p".to_owned()), "{shown:#?}");
    assert!(shown.iter().any(|line| line.starts_with("refused limit-affected p")), "{shown:#?}");
}
