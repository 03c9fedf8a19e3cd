//! How much is told, and how: five hundred refusals on one screen, fifty thousand accounts in a tree, and remedies that
//! name what is in the way.

use std::collections::BTreeSet;

use bylaw::apply::Outcome;
use bylaw::aws::error::EMAIL_TAKEN;
use bylaw::aws::offline::Offline;
use bylaw::aws::{Port, Request};
use bylaw::cli::show::{self, Context};
use bylaw::cli::{import, tree};
use bylaw::desired::Desired;
use bylaw::names::{Kind, NodeId, ObjectKey, PolicyType, Tags};
use bylaw::observed::{Account, Observed, Part};
use bylaw::pass::{self, Options, PassError, Planned};
use bylaw::plan::{Memory, Refusal};
use bylaw::status;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use crate::engine::{self, apply, from_text, world};

const BASE: &str = r#"
apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {name: main}
spec:
  managementAccountId: "111111111111"
  policyTypes: [SERVICE_CONTROL_POLICY]
  limits: {maxCreates: 5000, maxMoves: 5000, maxAffected: {accounts: 5000, percent: 100}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: a}
spec: {name: A}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationalUnit
metadata: {name: b}
spec: {name: B}
"#;

fn accounts(number: usize, unit: &str) -> String {
    (0..number)
        .map(|n| {
            format!(
                "---\napiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata: {{name: n{n:03}}}\nspec: {{name: n{n:03}, email: \
                 n{n:03}@acme.example, organizationalUnitRef: {{name: {unit}}}}}\n"
            )
        })
        .collect()
}

fn policy(name: &str, unit: &str) -> String {
    format!(
        "---\napiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: {name}}}\nspec:\n  type: \
         SERVICE_CONTROL_POLICY\n  targets: [{{organizationalUnitRef: {{name: {unit}}}}}]\n  content: {{Version: \
         \"2012-10-17\", Statement: [{{Effect: Deny, Action: \"s3:{name}\", Resource: \"*\"}}]}}\n"
    )
}

async fn settled(manifests: &str) -> (Offline, Memory, Desired) {
    let (world, desired) = (world("111111111111"), from_text(manifests));
    let (mut memory, options) = (Memory::default(), Options::default());
    let planned = engine::plan(&world, &desired, &memory, &options).await;
    let report = apply(&world, &desired, planned, &mut memory, &options).await;
    assert!(report.left.is_empty(), "{:#?}", report.left.refusals);
    (world, memory, desired)
}

fn text(planned: &Planned, desired: &Desired, full: bool) -> String {
    let mut out = vec![];
    let context = Context { full, ..Context::default() };
    show::plan::text(planned, desired, &context, false, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// One screen, whatever the number: the rule once, what to do once, ten of the objects, and how many more there are. What no
/// approval lifts stands first.
#[tokio::test(start_paused = true)]
async fn five_hundred_refusals_of_a_kind_are_one_block() {
    let (world, memory, desired) = settled(BASE).await;
    let mut planned = engine::plan(&world, &desired, &memory, &Options::default()).await;
    planned.plan.refusals = (0..500)
        .map(|n| Refusal {
            rule: "partial-read",
            object: ObjectKey::new(Kind::Account, &format!("n{n:03}")),
            message: format!("the tags of `{n}` could not be read"),
            remedy: "allow `organizations:ListTagsForResource`".into(),
            changes: vec![],
            hash: None,
            objects: vec![],
            cause: None,
        })
        .collect();
    let shown = text(&planned, &desired, false);
    assert!(shown.lines().count() < 30, "{shown}");
    for line in
        ["✗ partial-read 500 refusals", "… and 490 more objects", "· Account/n000 (no manifest): the tags of `0`"]
    {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert_eq!(shown.matches("to do: allow").count(), 1, "{shown}");
    assert_eq!(text(&planned, &desired, true).matches("to do: allow").count(), 500);

    // A comment of a pull request tells the same, and everything where everything is asked for and there is room.
    let markdown = |full: bool| show::markdown::plan(&planned, &desired, &Context { full, ..Context::default() });
    let comment = markdown(false);
    assert!(comment.lines().count() < 40 && comment.chars().count() < 4_000, "{comment}");
    for line in [
        "#### Refused (500): none of this runs",
        "- **partial-read**: 500 refusals\n  - to do: allow <code>organizations:ListTagsForResource</code>\n",
        "  - Account/n000 (no manifest): the tags of <code>0</code> could not be read\n",
        "  - … and 490 more; `bylaw plan --full` shows all\n",
    ] {
        assert!(comment.contains(line), "{line} is not in\n{comment}");
    }
    assert_eq!(comment.matches("to do: ").count(), 1, "{comment}");
    let all = markdown(true);
    assert_eq!(all.matches("  - Account/n").count(), 500, "{all}");
    for refusal in &mut planned.plan.refusals {
        refusal.message = format!("{} {}", refusal.message, "and why ".repeat(100));
    }
    let cut = show::markdown::plan(&planned, &desired, &Context { full: true, ..Context::default() });
    assert!(cut.chars().count() <= 65_536, "{}", cut.chars().count());
    let told = cut.matches("  - Account/n").count();
    assert!(told > 50 && cut.contains(&format!("Left out: {} refusals.", 500 - told)), "{told}: {cut}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_after_an_apply_is_told_by_rule_as_well() {
    let (world, mut memory, _) = settled(&format!("{BASE}{}", accounts(40, "a"))).await;
    let strict = BASE.replace("maxMoves: 5000", "maxMoves: 5").replace("maxCreates: 5000", "maxCreates: 1");
    let after = from_text(&format!("{strict}{}{}", accounts(40, "b"), policy("x", "b")));
    let options = Options::default();
    let planned = engine::plan(&world, &after, &memory, &options).await;
    let mut report = apply(&world, &after, planned.clone(), &mut memory, &options).await;
    let one = report.left.refusals.first().unwrap().clone();
    report.left.refusals = (0..60)
        .map(|n| Refusal { object: ObjectKey::new(Kind::Account, &format!("n{n:03}")), ..one.clone() })
        .collect();
    let mut out = vec![];
    show::result::text(&report, &planned, &after, &Context::default(), false, &mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains(&format!("✗ {} 60 refusals", one.rule)) && told.lines().count() < 40, "{told}");
}

/// By kind, then by name, whatever was looked at first; the same in every form.
#[tokio::test(start_paused = true)]
async fn drift_and_notes_stand_in_the_order_of_their_names() {
    let base = BASE.replace("  policyTypes:", "  ignore: {policies: [z-*]}\n  policyTypes:");
    let unit = "---\napiVersion: bylaw.dev/v1alpha1\nkind: OrganizationalUnit\nmetadata: {name: c}\nspec: {name: C}\n";
    let both = policy("a", "b").replace("{name: b}}]", "{name: b}}, {organizationalUnitRef: {name: c}}]");
    let manifests = format!("{base}{unit}{both}{}{}", policy("b", "b"), policy("z-z", "b"));
    let (world, memory, _) = settled(&manifests).await;
    let desired = from_text(&manifests.replace("spec: {name: C}", "spec: {name: C, suspend: true}"));
    let (a, b, unit) = world.with(|state| {
        let policy = |name: &str| state.policies().iter().find(|(_, policy)| policy.name == name).unwrap().0.clone();
        let unit = state.units().iter().find(|(_, unit)| unit.name == "B").unwrap().0.clone();
        (policy("a"), policy("b"), NodeId::Unit(unit))
    });
    let text_of_b = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ec2:*","Resource":"*"}]}"#;
    for request in [
        Request::DetachPolicy { policy: a, target: unit },
        Request::UpdatePolicy { policy: b, name: None, description: None, content: Some(text_of_b.into()) },
    ] {
        world.foreign(&request).unwrap();
    }
    let planned = engine::plan(&world, &desired, &memory, &Options::default()).await;
    let drift: Vec<String> = planned.plan.drift.iter().map(|drift| drift.object.to_string()).collect();
    assert_eq!(drift, ["OrganizationPolicy/a", "OrganizationPolicy/b"]);
    let notes: Vec<String> = planned.plan.notes.iter().map(|note| note.object.to_string()).collect();
    assert_eq!(notes, ["OrganizationalUnit/c", "OrganizationPolicy/a", "OrganizationPolicy/z-z"]);
    let context = Context::default();
    let forms = [
        ("text", text(&planned, &desired, false), ["Drift (2)", "Worth knowing"]),
        ("markdown", show::markdown::plan(&planned, &desired, &context), ["#### Drift (2)", "#### Worth knowing"]),
        ("json", show::json::plan(&planned, &desired, &context, None).to_string(), ["\"drift\":", "\"notes\":"]),
    ];
    for (form, shown, heads) in forms {
        for (head, names) in heads.iter().zip([&drift, &notes]) {
            let section = &shown[shown.find(head).unwrap_or_else(|| panic!("{form}: no {head} in {shown}"))..];
            let places: Vec<usize> = names.iter().map(|name| section.find(name.as_str()).unwrap()).collect();
            assert!(places.is_sorted(), "{form}, {head}: {places:?} in {section}");
        }
    }
}

/// What the status of an object tells of a pass that had nothing to do.
fn facts(
    key: &ObjectKey,
    desired: &Desired,
    observed: &Observed,
    undeclared: &bylaw::plan::Undeclared,
) -> serde_json::Map<String, serde_json::Value> {
    let binding = bylaw::plan::bind::bind(desired, observed);
    let pass = status::Pass {
        now: Timestamp::UNIX_EPOCH,
        calls: 0,
        drift: 0,
        refusals: &[],
        bundles: &[],
        undeclared,
        vanished: None,
    };
    status::facts(key, desired, observed, &binding, pass)
}

/// One organization has one number of OUs, accounts and policies, whoever is asked: AWS's own policies are no part of it.
#[tokio::test(start_paused = true)]
async fn counts_agree_between_commands_and_forms() {
    let (world, memory, desired) = settled(&format!("{BASE}{}{}", accounts(3, "a"), policy("x", "b"))).await;
    let planned = engine::plan(&world, &desired, &memory, &Options::default()).await;
    let observed = &planned.observed;
    assert!(observed.policies.values().any(|policy| policy.aws_managed), "there are policies of AWS's own");
    let words = "2 OUs, 4 accounts, 1 policy";
    assert!(text(&planned, &desired, false).contains(words));
    assert!(show::markdown::plan(&planned, &desired, &Context::default()).contains(words));
    let json = show::json::plan(&planned, &desired, &Context::default(), None);
    let of = |field: &str| json["organization"][field].as_u64().unwrap();
    assert_eq!([of("organizationalUnits"), of("accounts"), of("policies")], [2, 4, 1]);
    for all in [false, true] {
        let tree = |json: bool| {
            let mut out = vec![];
            tree::run(observed, &tree::Options { all, json, colour: false }, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert!(tree(false).contains("2 OUs, 4 accounts, 1 policy (1 SCP), 1 attachment"), "{}", tree(false));
        let json: serde_json::Value = serde_json::from_str(&tree(true)).unwrap();
        let summary = &json["summary"];
        let policies: u64 = summary["policies"].as_object().unwrap().values().filter_map(|n| n.as_u64()).sum();
        let of = |field: &str| summary[field].as_u64().unwrap();
        assert_eq!([of("organizationalUnits"), of("accounts"), policies, of("attachments")], [2, 4, 1, 1]);
    }
    let facts = facts(&desired.organization.key, &desired, observed, &planned.plan.undeclared);
    let of = |field: &str| facts[field].as_u64().unwrap();
    assert_eq!([of("organizationalUnits"), of("accounts"), of("policies")], [2, 4, 1]);
}

#[tokio::test(start_paused = true)]
async fn moves_of_one_way_are_one_change() {
    let (world, memory, _) = settled(&format!("{BASE}{}", accounts(40, "a"))).await;
    let after = from_text(&format!("{BASE}{}", accounts(40, "b")));
    let planned = engine::plan(&world, &after, &memory, &Options::default()).await;
    assert_eq!(planned.plan.changes.len(), 40, "{:#?}", planned.plan.refusals);
    let shown = text(&planned, &after, false);
    assert!(shown.contains("→ move 40 accounts from `A` to `B`"), "{shown}");
    assert!(shown.contains("`n000`, `n001`") && shown.contains("… and 30 more accounts"), "{shown}");
    assert!(shown.lines().count() < 20, "{shown}");
    assert_eq!(text(&planned, &after, true).matches("→ move account").count(), 40);
}

/// After it was applied only what the plan could not tell is told: the ids of new accounts, and what is not in place.
#[tokio::test(start_paused = true)]
async fn what_was_applied_is_not_listed_a_second_time() {
    let (world, mut memory, _) = settled(&format!("{BASE}{}", accounts(3, "a"))).await;
    let after = from_text(&format!("{BASE}{}{}", accounts(4, "b"), policy("x", "b")));
    let options = Options::default();
    let planned = engine::plan(&world, &after, &memory, &options).await;
    let report = apply(&world, &after, planned.clone(), &mut memory, &options).await;
    let mut out = vec![];
    show::result::text(&report, &planned, &after, &Context::default(), false, &mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains("create account `n003`") && told.contains("Applied "), "{told}");
    assert!(!told.contains("move account") && !told.contains("create policy"), "{told}");
}

fn large(number: usize, observed: &Observed) -> Observed {
    let mut observed = observed.clone();
    let mut one: Account = observed.accounts.values().find(|account| account.name == "n000").unwrap().clone();
    let Part::Known { value: tags, .. } = &mut one.tags else { panic!("the tags were read") };
    *tags = Tags::new();
    for n in 0..number {
        let account = Account { name: format!("x{n:05}"), email: format!("x{n}@acme.example"), ..one.clone() };
        observed.accounts.insert(format!("9{n:011}").parse().unwrap(), account);
    }
    observed
}

#[tokio::test(start_paused = true)]
async fn a_tree_of_fifty_thousand_accounts_is_folded_unless_all_is_asked_for() {
    let (world, memory, desired) = settled(&format!("{BASE}{}{}", accounts(1, "a"), policy("x", "b"))).await;
    let observed = engine::plan(&world, &desired, &memory, &Options::default()).await.observed;
    let large = large(50_000, &observed);
    let shown = |observed: &Observed, all: bool| {
        let mut out = vec![];
        tree::run(observed, &tree::Options { all, json: false, colour: false }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    let folded = shown(&large, false);
    assert!(folded.lines().count() < 20, "{}", folded.lines().count());
    assert!(folded.contains("50,001 accounts; `--all` shows all"), "{folded}");
    assert!(folded.contains("SCP x"), "what has a policy is shown: {folded}");
    assert!(folded.contains("2 OUs, 50,002 accounts"), "{folded}");
    assert!(shown(&large, true).lines().count() > 50_000);
    assert!(shown(&observed, false).contains("n000"), "a small organization is shown as a whole");
}

#[tokio::test(start_paused = true)]
async fn an_import_writes_files_that_people_can_open() {
    let (world, memory, desired) = settled(&format!("{BASE}{}", accounts(1, "a"))).await;
    let observed = engine::plan(&world, &desired, &memory, &Options::default()).await.observed;
    let large = large(450, &observed);
    let files = import::manifests(&large, &import::Options { partial: true, ..import::Options::default() }).unwrap();
    let all: usize = files.iter().map(|(_, text)| text.matches("\nkind: Account\n").count()).sum();
    assert!(all >= 451, "{all}");
    for (path, text) in &files {
        let objects = text.matches("apiVersion: ").count();
        assert!(objects <= 200, "{}: {objects} objects", path.display());
        assert!(!text.contains("---\n---") && !text.starts_with("---"), "{}", path.display());
    }
    assert!(files.iter().any(|(path, _)| path.to_string_lossy().ends_with("-2.yaml")));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_policy_names_where_it_is_attached() {
    let (world, memory, desired) = settled(&format!("{BASE}{}", policy("x", "b"))).await;
    let observed = engine::plan(&world, &desired, &memory, &Options::default()).await.observed;
    let key = ObjectKey::new(Kind::OrganizationPolicy, "x");
    let facts = facts(&key, &desired, &observed, &bylaw::plan::Undeclared::default());
    assert_eq!(facts["targets"], 1);
    assert_eq!(facts["attachments"][0]["name"], "B");
    assert!(facts["attachments"][0]["id"].as_str().unwrap().starts_with("ou-"));
}

/// The refusal names who fills the slots, and who of them is foreign.
#[tokio::test(start_paused = true)]
async fn full_slots_are_told_by_name() {
    let mine: String = (0..3).map(|n| policy(&format!("p{n}"), "a")).collect();
    let (world, memory, _) = settled(&format!("{BASE}{mine}")).await;
    let unit =
        world.with(|state| NodeId::Unit(state.units().iter().find(|(_, unit)| unit.name == "A").unwrap().0.clone()));
    for n in 0..6 {
        let content = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Deny","Action":"ec2:F{n}","Resource":"*"}}]}}"#
        );
        let request = Request::CreatePolicy {
            kind: PolicyType::scp(),
            name: format!("Theirs{n}"),
            description: String::new(),
            content,
            tags: bylaw::names::Tags::new(),
        };
        world.foreign(&request).unwrap();
        let policy = world.with(|state| {
            state.policies().iter().find(|(_, policy)| policy.name == format!("Theirs{n}")).unwrap().0.clone()
        });
        world.foreign(&Request::AttachPolicy { policy, target: unit.clone() }).unwrap();
    }
    let after = from_text(&format!("{BASE}{mine}{}", policy("new", "a")));
    let planned = engine::plan(&world, &after, &memory, &Options::default()).await;
    let refusal = planned.plan.refusals.iter().find(|refusal| refusal.rule == "slots").unwrap();
    for name in ["`FullAWSAccess` (AWS-managed)", "`p0`,", "`Theirs0` (foreign)", "`Theirs5` (foreign)"] {
        assert!(refusal.message.contains(name), "{name}: {}", refusal.message);
    }
    assert!(!refusal.message.contains("`p0` (foreign)"));
}

/// A port whose account creations end as AWS ends one of an e-mail that is taken elsewhere.
struct Taken<'a>(&'a Offline, std::sync::atomic::AtomicUsize);

impl Port for Taken<'_> {
    fn call<'a>(
        &'a self,
        request: &'a Request,
    ) -> futures::future::BoxFuture<'a, Result<bylaw::aws::Response, bylaw::aws::AwsError>> {
        Box::pin(async move {
            if matches!(request, Request::CreateAccount { .. }) {
                self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                return Err(bylaw::aws::AwsError::answered(
                    "CreateAccount",
                    EMAIL_TAKEN,
                    "AWS did not create it",
                    None,
                ));
            }
            self.0.call(request).await
        })
    }
}

/// AWS's answer will be the same tomorrow: one call, not one a pass, until the manifest names another address.
#[tokio::test(start_paused = true)]
async fn an_e_mail_that_is_taken_is_asked_for_once() {
    let (world, mut memory, _) = settled(BASE).await;
    let port = Taken(&world, Default::default());
    let desired = from_text(&format!("{BASE}{}", accounts(1, "a")));
    let options = Options::default();
    let calls = || port.1.load(std::sync::atomic::Ordering::SeqCst);
    for pass in 0..5 {
        let now = engine::clock();
        let planned = pass::plan(&port, &desired, None, &memory, &options, &now).await.unwrap();
        if pass > 0 {
            let told = planned.plan.refusals.iter().find(|refusal| refusal.rule == "email-taken").unwrap();
            assert!(told.message.contains("n000@acme.example") && told.remedy.contains("`spec.email`"), "{told:?}");
        }
        if planned.plan.changes.is_empty() {
            continue;
        }
        let report = apply(&port, &desired, planned, &mut memory, &options).await;
        let failed = report.applied.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed { .. }));
        assert!(failed, "{:#?}", report.applied.outcomes);
    }
    assert_eq!(calls(), 1);
    // Another address is another wish, and a day later AWS may say otherwise.
    let other = from_text(&format!("{BASE}{}", accounts(1, "a").replace("n000@", "other@")));
    assert!(!engine::plan(&world, &other, &memory, &options).await.plan.changes.is_empty());
    let observed = engine::plan(&world, &desired, &memory, &options).await.observed;
    let later = engine::clock()() + SignedDuration::from_hours(25);
    assert!(!pass::plan_offline(&desired, observed, &memory, &options, later).plan.changes.is_empty());
}

/// Ids that are all another organization's are one error, and none of theirs a refusal.
#[tokio::test(start_paused = true)]
async fn manifests_of_another_organization_are_told_once() {
    let (world, memory, desired) = settled(BASE).await;
    let observed = engine::plan(&world, &desired, &memory, &Options::default()).await.observed;
    let known = observed.organization.management_account.to_string();
    let bound = |ids: &[&str]| -> String {
        ids.iter()
            .map(|id| {
                format!("---\napiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata: {{name: x{id}}}\nspec: {{accountId: \"{id}\"}}\n")
            })
            .collect()
    };
    let ids: Vec<String> = (0..65).map(|n| format!("7{n:011}")).collect();
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let foreign = from_text(&format!("{BASE}{}", bound(&ids)));
    let error = pass::check_organization(&foreign, &observed).unwrap_err();
    assert!(matches!(error, PassError::ForeignIds { .. }), "{error:?}");
    assert!(error.to_string().contains("none of the 65 ids") && error.remedy().is_some(), "{error}");
    // One that is there, or a reading that is not whole, and it is no longer sure.
    ids.push(&known);
    let mixed = from_text(&format!("{BASE}{}", bound(&ids)));
    assert!(pass::check_organization(&mixed, &observed).is_ok());
    let mut half = observed.clone();
    half.gaps.push(bylaw::observed::Gap { scope: bylaw::observed::Scope::Accounts, error: "no".into(), remedy: None });
    assert!(pass::check_organization(&foreign, &half).is_ok());
    let two: BTreeSet<&str> = ids.iter().take(2).copied().collect();
    let few = from_text(&format!("{BASE}{}", bound(&two.into_iter().collect::<Vec<_>>())));
    assert!(pass::check_organization(&few, &observed).is_ok());
}

/// What no approval lifts comes first, what only waits for another refusal last.
#[tokio::test(start_paused = true)]
async fn the_refusal_that_no_approval_lifts_is_the_first() {
    let (p, q) = (policy("p", "a"), policy("q", "a"));
    let (world, memory, _) = settled(&format!("{BASE}{p}{q}{}", accounts(1, "a"))).await;
    let strict = BASE.replace("maxCreates: 5000", "maxCreates: 0");
    let (p, q) = (p.replace("s3:p", "s3:q"), q.replace("s3:q", "s3:p"));
    let after = from_text(&format!("{strict}{p}{q}{}{}", accounts(1, "a"), policy("other", "b")));
    let planned = engine::plan(&world, &after, &memory, &Options::default()).await;
    let order: Vec<(&str, bool)> =
        planned.plan.refusals.iter().map(|refusal| (refusal.rule, refusal.hash.is_some())).collect();
    let rules: BTreeSet<&str> = order.iter().map(|(rule, _)| *rule).collect();
    assert_eq!(rules, BTreeSet::from(["depends", "limit-creates", "window"]), "{order:?}");
    let rank = |(rule, hash): &(&str, bool)| (*rule == "depends", *hash);
    assert!(order.windows(2).all(|pair| rank(&pair[0]) <= rank(&pair[1])), "{order:?}");
}
