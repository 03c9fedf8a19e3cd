//! What no manifest declares: counted where it was read, said to be not known where it was not, and never silent beside
//! the words "as declared".

use std::collections::BTreeSet;

use bylaw::cli::show::{self, Context};
use bylaw::desired::Desired;
use bylaw::names::{NodeId, PolicyType};
use bylaw::observed::{Gap, Observed, Part, Scope};
use bylaw::pass::{self, Options, Planned};
use bylaw::plan::undeclared::Sort;
use bylaw::plan::{self, Memory};
use bylaw::status;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::engine::{self, apply, from_text, world};

const DECLARED: &str = r#"
apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {name: main}
spec:
  managementAccountId: "111111111111"
  policyTypes: [SERVICE_CONTROL_POLICY]
  ignore: {organizationalUnits: [Foreign], accounts: [vendor-*], policies: [other-*]}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: prod}
spec: {name: Prod}
---
apiVersion: bylaw.dev/v1alpha1
kind: Account
metadata: {name: app}
spec: {name: app, email: app@acme.example, organizationalUnitRef: {name: prod}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {name: guard}
spec:
  type: SERVICE_CONTROL_POLICY
  targets: [{organizationalUnitRef: {name: prod}}]
  content: {Version: "2012-10-17", Statement: [{Effect: Deny, Action: "ec2:*", Resource: "*"}]}
"#;

const DENY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}"#;

/// The declared organization, settled, with what others added: by name, whatever is not to be counted begins otherwise.
async fn observed() -> (Desired, Observed) {
    let (world, desired) = (world("111111111111"), from_text(DECLARED));
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = engine::plan(&world, &desired, &memory, &options).await;
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left);
    let observed = engine::plan(&world, &desired, &memory, &options).await.observed;
    let mut value = serde_json::to_value(&observed).unwrap();
    let known = |value: Value| json!({"known": {"value": value, "at": "2026-01-01T00:00:00Z"}});
    let root = observed.root.id.as_str();
    for (id, name, parent) in [("ou-zzzz-11111111", "Shadow", root), ("ou-zzzz-22222222", "Foreign", root)] {
        value["units"][id] = json!({"name": name, "parent": parent, "tags": known(json!({}))});
    }
    for (id, name, state, parent) in [
        ("222222222221", "legacy", "ACTIVE", root),
        ("222222222222", "a-legacy", "ACTIVE", "ou-zzzz-11111111"),
        ("222222222223", "vendor-1", "ACTIVE", root),
        ("222222222224", "in-foreign", "ACTIVE", "ou-zzzz-22222222"),
        ("222222222225", "closed", "SUSPENDED", root),
    ] {
        let email = format!("{name}@acme.example");
        value["accounts"][id] =
            json!({"name": name, "email": email, "state": state, "parent": parent, "tags": known(json!({}))});
    }
    for (id, name, targets) in [
        ("p-11111111", "Stray", json!([root, "ou-zzzz-11111111", "ou-zzzz-22222222"])),
        ("p-22222222", "Idle", json!([])),
        ("p-33333333", "other-x", json!([root])),
        ("p-44444444", "aws-guardrails-x", json!([root])),
    ] {
        value["policies"][id] = json!({"type": "SERVICE_CONTROL_POLICY", "name": name, "description": "",
            "awsManaged": false, "content": known(json!(DENY)), "tags": known(json!({})), "targets": known(targets)});
    }
    (desired, serde_json::from_value(value).unwrap())
}

fn planned(desired: &Desired, observed: Observed) -> Planned {
    pass::plan_offline(desired, observed, &Memory::default(), &Options::default(), Timestamp::UNIX_EPOCH)
}

fn counts(planned: &Planned) -> [Option<usize>; 4] {
    Sort::ALL.map(|sort| planned.plan.undeclared.count(sort))
}

fn text(planned: &Planned, desired: &Desired) -> String {
    let mut out = vec![];
    show::plan::text(planned, desired, &Context::default(), false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_nobody_declares_is_counted_and_named_and_the_rest_is_not() {
    let (desired, observed) = observed().await;
    let planned = planned(&desired, observed);
    assert!(planned.plan.is_empty(), "{:#?}", planned.plan);
    assert_eq!(counts(&planned), [Some(2), Some(1), Some(2), Some(2)]);
    let shown = text(&planned, &desired);
    for line in [
        "Not declared: left alone",
        "  · 2 accounts: `a-legacy` (222222222222), `legacy` (222222222221)",
        "  · 1 OU: `Shadow` (ou-zzzz-11111111)",
        "  · 2 policies: `Idle` (p-22222222, attached nowhere), `Stray` (p-11111111)",
        "  · 2 attachments: `Stray` at the root, `Stray` at `Shadow`",
        "No changes. The organization is as declared; undeclared: 2 accounts, 1 OU, 2 policies, 2 attachments.",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line} is not in\n{shown}");
    }
    let output = show::json::plan(&planned, &desired, &Context::default(), None);
    assert_eq!(output["undeclared"]["accounts"]["count"], 2);
    assert_eq!(output["undeclared"]["attachments"]["found"][1]["target"], "ou-zzzz-11111111");
    assert!(output["message"].as_str().unwrap().contains("2 accounts"), "{output:#}");
    let comment = show::markdown::plan(&planned, &desired, &Context::default());
    assert!(comment.contains("undeclared: 2 accounts") && comment.contains("#### Not declared"), "{comment}");
}

#[tokio::test(start_paused = true)]
async fn where_everything_is_declared_nothing_is_said() {
    let (desired, mut observed) = observed().await;
    observed.units.retain(|id, _| !id.as_str().starts_with("ou-zzzz"));
    observed.accounts.retain(|id, _| !id.as_str().starts_with("22222"));
    observed.policies.retain(|id, _| !["p-11111111", "p-22222222"].contains(&id.as_str()));
    let planned = planned(&desired, observed);
    assert_eq!(counts(&planned), [Some(0); 4]);
    let shown = text(&planned, &desired);
    assert!(shown.ends_with("No changes. The organization is as declared.\n"), "{shown}");
    assert!(!shown.to_lowercase().contains("undeclared") && !shown.contains("Not declared"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_read_is_not_known_and_never_a_number() {
    let (desired, whole) = observed().await;
    let root = whole.root_node();
    type Lose = fn(&mut Observed, NodeId);
    let losses: [(Lose, [Option<usize>; 4], &str); 6] = [
        (|it, _| gap(it, Scope::Accounts), [None, Some(1), Some(2), Some(2)], "accounts not known"),
        (|it, root| gap(it, Scope::UnitsBelow(root)), [Some(2), None, Some(2), Some(2)], "OUs not known"),
        (|it, _| gap(it, Scope::Policies(PolicyType::scp())), [Some(2), Some(1), None, None], "policies not known"),
        (
            |it, _| it.policies.get_mut(&"p-11111111".parse().unwrap()).unwrap().targets = lost(),
            [Some(2), Some(1), Some(2), None],
            "attachments not known",
        ),
        // A place that is not known may be the ignored OU.
        (
            |it, _| it.accounts.get_mut(&"222222222224".parse().unwrap()).unwrap().parent = None,
            [None, Some(1), Some(2), Some(2)],
            "accounts not known",
        ),
        // An Account that is refused for want of the tags may be the one.
        (
            |it, _| {
                it.accounts.retain(|_, account| account.name != "app");
                it.accounts.get_mut(&"222222222221".parse().unwrap()).unwrap().tags = lost();
            },
            [None, Some(1), Some(2), Some(2)],
            "accounts not known",
        ),
    ];
    for (n, (lose, want, told)) in losses.into_iter().enumerate() {
        let mut observed = whole.clone();
        lose(&mut observed, root.clone());
        let planned = planned(&desired, observed);
        assert_eq!(counts(&planned), want, "loss {n}: {:#?}", planned.plan.undeclared);
        let beside = planned.plan.undeclared.told().unwrap();
        assert!(beside.contains(told), "loss {n}: {beside}");
        let shown = text(&planned, &desired);
        assert!(shown.contains(": not known"), "loss {n}: {shown}");
        assert!(!shown.contains("is as declared.\n"), "loss {n}: {shown}");
    }
}

fn gap(observed: &mut Observed, scope: Scope) {
    observed.gaps.push(Gap { scope, error: "List: AccessDeniedException: no".into(), remedy: None });
}

fn lost<T>() -> Part<T> {
    Part::Unreadable { error: "List: AccessDeniedException: no".into(), remedy: None, at: Timestamp::UNIX_EPOCH }
}

/// A type that is on and of which no manifest speaks is not read, which is said.
#[tokio::test(start_paused = true)]
async fn policies_of_a_type_that_no_manifest_names_are_not_known() {
    let (desired, mut observed) = observed().await;
    let on = observed.root.policy_types.values().next().copied().unwrap();
    observed.root.policy_types.insert(PolicyType::rcp(), on);
    let planned = planned(&desired, observed);
    let shown = text(&planned, &desired);
    assert!(shown.contains("not known: policies of type `RESOURCE_CONTROL_POLICY`"), "{shown}");
    let beside = "policies of type RESOURCE_CONTROL_POLICY not read";
    let last = shown.lines().last().unwrap();
    assert!(last.contains("as declared") && last.contains(beside), "{shown}");
    let comment = show::markdown::plan(&planned, &desired, &Context::default());
    assert!(
        comment.lines().next().unwrap().contains("policies of type RESOURCE&#95;CONTROL&#95;POLICY not read"),
        "{comment}"
    );
    let json = show::json::plan(&planned, &desired, &Context::default(), None);
    assert_eq!(json["undeclared"]["unreadPolicyTypes"], json!(["RESOURCE_CONTROL_POLICY"]));
    assert!(json["message"].as_str().unwrap().contains(beside), "{json:#}");
    let (counts, message) = status_of(&desired, &planned);
    assert_eq!(counts["unreadPolicyTypes"], json!(["RESOURCE_CONTROL_POLICY"]));
    assert!(message.contains("as declared") && message.contains(beside), "{message}");
}

/// Ten are named, however many there are; `--full` names all.
#[tokio::test(start_paused = true)]
async fn ten_are_named_and_the_others_counted() {
    let (desired, mut observed) = observed().await;
    let one = observed.accounts[&"222222222221".parse().unwrap()].clone();
    for n in 0..500 {
        let account = bylaw::observed::Account { name: format!("n{n:03}"), ..one.clone() };
        observed.accounts.insert(format!("3333333{n:05}").parse().unwrap(), account);
    }
    let planned = planned(&desired, observed);
    let shown = text(&planned, &desired);
    assert!(shown.contains("  · 502 accounts: `a-legacy`") && shown.contains("… and 492 more; `--full`"), "{shown}");
    assert!(shown.lines().count() < 20, "{shown}");
    let mut out = vec![];
    let full = Context { full: true, ..Context::default() };
    show::plan::text(&planned, &desired, &full, false, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("`n499`"));
}

/// What the Organization's status tells: what is undeclared, and the message of its condition `Ready`.
fn status_of(desired: &Desired, planned: &Planned) -> (Value, String) {
    let (key, binding) = (&desired.organization.key, plan::bind::bind(desired, &planned.observed));
    let pass = status::Pass {
        now: Timestamp::UNIX_EPOCH,
        calls: 0,
        drift: 0,
        refusals: &planned.plan.refusals,
        bundles: &planned.plan.bundles,
        undeclared: &planned.plan.undeclared,
        vanished: None,
    };
    let facts = status::facts(key, desired, &planned.observed, &binding, pass);
    let came = status::Came::Planned {
        drift: &[],
        left: &planned.plan,
        observed: &planned.observed,
        outcomes: &[],
        unapplied: None,
    };
    let subject =
        status::Subject { desired: Some(desired), issues: &[], came, deleted: &BTreeSet::new(), binding: &binding };
    let verdict = status::judge(&subject, [key]).remove(key).unwrap();
    (facts["undeclared"].clone(), verdict.message)
}

/// The Organization's status tells the same, and leaves out the number that is not known.
#[tokio::test(start_paused = true)]
async fn the_status_of_the_organization_tells_it_beside_as_declared() {
    let (desired, observed) = observed().await;
    let told = |planned: &Planned| status_of(&desired, planned);
    let whole = planned(&desired, observed.clone());
    let (counts, message) = told(&whole);
    let named = [
        "account a-legacy (222222222222)",
        "account legacy (222222222221)",
        "OU Shadow (ou-zzzz-11111111)",
        "policy Idle (p-22222222)",
        "policy Stray (p-11111111)",
    ];
    assert_eq!(
        counts,
        json!({"accounts": 2, "organizationalUnits": 1, "policies": 2, "attachments": 2, "named": named})
    );
    assert!(message.contains("as declared; undeclared: 2 accounts"), "{message}");
    let mut half = observed;
    half.policies.get_mut(&"p-11111111".parse().unwrap()).unwrap().targets = lost();
    let (counts, _) = told(&planned(&desired, half));
    assert_eq!((&counts["policies"], counts.get("attachments")), (&json!(2), None));
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_for_objects_that_are_gone_from_the_cluster_is_counted_and_named() {
    let (desired, mut observed) = observed().await;
    let organization = &desired.organization.key.name;
    let all = status::vanished(organization, |_| false, &observed).unwrap();
    let objects: Vec<&str> = all.iter().map(|named| named.split_once(" (").unwrap().0).collect();
    assert_eq!(objects, ["Account/app", "OrganizationPolicy/guard", "OrganizationalUnit/prod"]);
    let restored = status::vanished(organization, |key| key != "Account/app", &observed).unwrap();
    assert!(restored.len() == 1 && restored[0].starts_with("Account/app ("), "{restored:?}");
    assert_eq!(status::vanished(organization, |_| true, &observed), Some(vec![]));
    assert_eq!(status::vanished("another", |_| false, &observed), Some(vec![]), "it is another's");
    // What was not read is not known.
    observed.units.values_mut().next().unwrap().tags = bylaw::observed::Part::Unread;
    assert_eq!(status::vanished(organization, |_| true, &observed), None);
}
