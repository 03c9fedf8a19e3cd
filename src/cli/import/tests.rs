use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{ImportError, Options, manifests, run};
use crate::aws::offline::{Offline, Options as World};
use crate::aws::port::{AccountState, Contact, ContactKind, PolicyTypeStatus};
use crate::cli::scratch::Scratch;
use crate::cli::snapshot;
use crate::desired::{Desired, Severity, Source, build, read};
use crate::names::{NodeId, PolicyId, PolicyType, TAG_HOLD, TAG_MANAGED_BY, TAG_RESOURCE, Tags};
use crate::observed::snapshot::{from_json, to_json};
use crate::observed::{Observed, Part};
use crate::pass;
use crate::plan::Memory;
use k8s_openapi::jiff::Timestamp;

#[path = "../../../benches/organization/generate.rs"]
mod generate;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn clock() -> Timestamp {
    NOW
}

async fn observe(world: &Offline) -> Observed {
    snapshot::observe(world, &clock).await.unwrap()
}

fn desired(files: &[(PathBuf, String)]) -> Desired {
    let sources: Vec<Source> = files
        .iter()
        .map(|(path, text)| Source { file: path.display().to_string().into(), bytes: text.clone().into_bytes() })
        .collect();
    let (manifests, issues) = read(&sources);
    assert!(issues.iter().all(|issue| issue.severity != Severity::Error), "{issues:#?}\n{files:#?}");
    let (desired, issues) = build(manifests, None);
    assert!(issues.iter().all(|issue| issue.severity != Severity::Error), "{issues:#?}\n{files:#?}");
    desired.unwrap()
}

/// Imports, plans the import over the port as `plan` does, and holds it to: nothing to do, nothing written.
async fn holds(world: &Offline) -> Vec<(PathBuf, String)> {
    let observed = observe(world).await;
    // The check behind the drafts is a net: what falls into it is named here, so that it hides no fault of the drafts.
    let (names, verdicts) = (super::names::Names::of(&observed), super::draft::Verdicts::default());
    let first = super::files(&super::draft::draft(&observed, &Options::default(), &names, &verdicts, &[]));
    let caught = super::check::complaints(&first, &observed);
    let expected = |why: &String| why.contains("characters; at most 128 are allowed");
    assert!(caught.values().all(expected), "{caught:#?}\n{first:#?}");

    let files = manifests(&observed, &Options::default()).unwrap();
    let desired = desired(&files);
    let options = pass::Options::default();
    let planned = pass::plan(world, &desired, None, &Memory::default(), &options, &clock).await.unwrap();
    let plan = planned.plan;
    assert!(plan.is_empty(), "{:#?} {:#?}\n{files:#?}", plan.changes, plan.refusals);
    assert!(plan.drift.is_empty(), "{:#?}", plan.drift);
    assert_eq!(world.writes(), 0);
    let again = manifests(&from_json(&to_json(&observed)).unwrap(), &Options::default()).unwrap();
    assert_eq!(files, again, "the same bytes a second time, and from the snapshot");
    files
}

fn text(files: &[(PathBuf, String)]) -> String {
    files.iter().map(|(path, text)| format!("=== {}\n{text}", path.display())).collect()
}

fn edit(world: &Offline, change: impl FnOnce(&mut Observed)) -> Offline {
    let mut observed = world.with(|state| state.to_observed(NOW));
    change(&mut observed);
    Offline::from_observed(&observed, World::default())
}

fn known<T>(value: T) -> Part<T> {
    Part::known(value, NOW)
}

const TYPES: [&str; 5] =
    ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY", "TAG_POLICY", "BACKUP_POLICY", "AISERVICES_OPT_OUT_POLICY"];

const CONTENTS: [(usize, &str); 9] = [
    (
        0,
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"DenyLeave","Effect":"Deny","Action":"organizations:LeaveOrganization","Resource":"*"}]}"#,
    ),
    (
        0,
        "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\"Effect\": \"Deny\", \"Action\": [\"ec2:*\", \"s3:*\"], \"Resource\": [\"*\"],\n    \"Condition\": {\"Bool\": {\"aws:MultiFactorAuthPresent\": false}, \"NumericLessThan\": {\"s3:max-keys\": 10}}}\n}",
    ),
    (
        0,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotAction":["iam:*"],"Resource":"*","Condition":{"StringNotEquals":{"aws:RequestedRegion":["no","on","1e3","0123","~","null"," ","a: b","-#x"]}}}]}"#,
    ),
    (0, r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#),
    (0, "not json at all"),
    (
        1,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*","Condition":{"NumericEquals":{"s3:max-keys":1.5}}}]}"#,
    ),
    (2, r#"{"tags":{"cost":{"tag_key":{"@@assign":"Cost"},"tag_value":{"@@assign":["100","yes","0o7","1:30"]}}}}"#),
    (
        3,
        r#"{"plans":{"daily":{"regions":{"@@assign":["eu-west-1"]},"rules":{"r":{"schedule_expression":{"@@assign":"cron(0 5 ? * * *)"},"target_backup_vault_name":{"@@assign":"v"}}},"selections":{"tags":{"t":{"iam_role_arn":{"@@assign":"arn:aws:iam::$account:role/x"},"tag_key":{"@@assign":"k"},"tag_value":{"@@assign":["v"]}}}}}}}"#,
    ),
    (4, r#"{"services":{"default":{"opt_out_policy":{"@@assign":"optOut"}}}}"#),
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => proptest::sample::select(vec![
            "Staging", "Production", "Data Science", "data_science", "NO", "null", "~", "0123", "1e3", "12:30", "organization",
            "accounts", "con", "日本語", "Ünïcode", " led", "trail ", "a: b", "# hash", "- dash", "'quote'", "\"dq\"", "back\\slash",
            "{}", "[x]", "*", "&a", "!t", "%p", "@at", "`tick`", "a\tb", "line\nbreak", "nel\u{85}", "ls\u{2028}", "\u{202e}rtl",
            "yes", "0x1F", ".5", "_1", "=", "<<", "a #b", "true", "é", "🦀", "---", "...", "?", "? a", ":", "a:", "|", ">", "x*",
        ]).prop_map(str::to_owned),
        1 => "[a-zA-Z0-9 _-]{1,20}",
        1 => "\\PC{1,12}",
        1 => any::<String>().prop_map(|s| s.chars().take(130).collect::<String>()).prop_filter("AWS wants a name", |s| !s.is_empty()),
    ]
}

fn tags() -> impl Strategy<Value = Tags> {
    let pair = (
        prop_oneof![
            proptest::sample::select(vec![
                "owner",
                "no",
                "0123",
                "aws:x",
                "bylaw.dev/x",
                "AWS:y",
                "k k",
                " ",
                "a\u{1f}",
                "ключ",
                TAG_HOLD
            ])
            .prop_map(str::to_owned),
            "[a-z]{1,8}",
        ],
        prop_oneof![name(), Just(String::new())],
    );
    prop_oneof![
        20 => proptest::collection::btree_map(pair.0.clone(), pair.1.clone(), 0..5).prop_map(Tags::from).boxed(),
        1 => Just((0..49).map(|i| (format!("k{i}"), "v".to_owned())).collect::<Tags>()).boxed(),
    ]
}

#[derive(Debug, Clone)]
struct Recipe {
    units: Vec<(Index, String, Tags)>,
    accounts: Vec<(Index, String, Tags, u8)>,
    policies: Vec<(Index, String, String, Tags, Vec<Index>)>,
    bare: Vec<Index>,
    types: u8,
    services: bool,
    claims: Vec<(Index, Index)>,
}

fn recipe() -> impl Strategy<Value = Recipe> {
    (
        proptest::collection::vec((any::<Index>(), name(), tags()), 0..10),
        proptest::collection::vec((any::<Index>(), name(), tags(), 0..12_u8), 0..12),
        proptest::collection::vec(
            (
                any::<Index>(),
                name(),
                prop_oneof![name(), Just(String::new())],
                tags(),
                proptest::collection::vec(any::<Index>(), 0..4),
            ),
            0..8,
        ),
        proptest::collection::vec(any::<Index>(), 0..3),
        any::<u8>(),
        any::<bool>(),
        proptest::collection::vec((any::<Index>(), any::<Index>()), 0..3),
    )
        .prop_map(|(units, accounts, policies, bare, types, services, claims)| Recipe {
            units,
            accounts,
            policies,
            bare,
            types,
            services,
            claims,
        })
}

/// The organization of a recipe, as AWS could hold it.
fn cook(recipe: &Recipe) -> Offline {
    let world = Offline::new(World::default());
    let mut observed = world.with(|state| {
        for (index, kind) in TYPES.iter().enumerate() {
            if recipe.types & (1 << index) != 0 {
                state.root.policy_types.insert(PolicyType::new(kind), PolicyTypeStatus::Enabled);
            }
        }
        let root = state.root_node();
        let mut parents: Vec<(NodeId, usize)> = vec![(root.clone(), 0)];
        for (at, name, _) in &recipe.units {
            let (parent, depth) = parents[at.index(parents.len())].clone();
            if depth < 5 && state.unit_named(&parent, name).is_none() {
                let id = state.add_unit(&parent, name);
                parents.push((NodeId::Unit(id), depth + 1));
            }
        }
        for (n, (at, name, _, _)) in recipe.accounts.iter().enumerate() {
            state.add_account(&parents[at.index(parents.len())].0, name, &format!("a{n}@example.com"));
        }
        for (at, name, ..) in &recipe.policies {
            let (kind, content) = CONTENTS[at.index(CONTENTS.len())];
            let kind = PolicyType::new(TYPES[kind]);
            if state.policy_named(&kind, name).is_none() {
                state.add_policy(&kind, name, content);
            }
        }
        state.to_observed(NOW)
    });
    let management = observed.organization.management_account.clone();
    let mut recipes = recipe.units.iter();
    for (unit, (_, _, tags)) in observed.units.values_mut().zip(&mut recipes) {
        unit.tags = known(tags.clone());
    }
    let members = observed.accounts.iter_mut().filter(|(id, _)| **id != management);
    for ((_, account), (_, _, tags, dice)) in members.zip(&recipe.accounts) {
        account.tags = known(tags.clone());
        account.state = match dice {
            0 => AccountState::Suspended,
            1 => AccountState::PendingActivation,
            2 => AccountState::Closed,
            _ => AccountState::Active,
        };
        if *dice >= 9 {
            let phone = if *dice == 9 { "x".repeat(40) } else { "+1 0".to_owned() };
            let contact = Contact { name: "no".into(), title: "a: b".into(), email: "s@example.com".into(), phone };
            account.contacts.insert(ContactKind::Security, known(Some(contact)));
        }
    }
    let mut nodes: Vec<NodeId> = vec![observed.root_node()];
    nodes.extend(observed.units.keys().cloned().map(NodeId::Unit));
    nodes.extend(observed.accounts.keys().cloned().map(NodeId::Account));
    let on = observed.root.policy_types.clone();
    let own = observed.policies.values_mut().filter(|policy| !policy.aws_managed);
    for (policy, (_, _, description, tags, at)) in own.zip(&recipe.policies) {
        policy.description = description.clone();
        policy.tags = known(tags.clone());
        let targets = at.iter().map(|at| nodes[at.index(nodes.len())].clone());
        policy.targets = known(if on.contains_key(&policy.kind) { targets.collect() } else { Default::default() });
    }
    let full: PolicyId = "p-FullAWSAccess".parse().unwrap();
    // AWS takes the last service control policy off no node.
    let of_kind = observed.policies.values().filter(|policy| !policy.aws_managed && policy.kind == PolicyType::scp());
    let others: Vec<NodeId> = of_kind.filter_map(|policy| policy.targets.get()).flatten().cloned().collect();
    if let Some(targets) = observed.policies.get_mut(&full).and_then(|policy| policy.targets.get_mut()) {
        if on.contains_key(&PolicyType::scp()) {
            targets.extend(nodes.iter().cloned());
        }
        let bare = recipe.bare.iter().map(|at| &nodes[at.index(nodes.len())]);
        bare.filter(|node| others.contains(node)).for_each(|node| {
            targets.remove(node);
        });
    }
    // Objects that an earlier bylaw kept; some claim the same name.
    for (at, name) in &recipe.claims {
        let names = ["security", "staging", "a.b", "data-science"];
        let name = names[name.index(names.len())];
        if let Some(unit) = (!observed.units.is_empty()).then(|| at.index(observed.units.len())) {
            let unit = observed.units.values_mut().nth(unit).unwrap();
            unit.tags.get_mut().unwrap().insert(TAG_RESOURCE.into(), format!("OrganizationalUnit/{name}"));
        }
    }
    if recipe.services {
        observed.services = known(["account.amazonaws.com".to_owned(), "ram.amazonaws.com".to_owned()].into());
        observed.administrators = known(
            observed.accounts.keys().take(3).map(|id| (id.clone(), ["ram.amazonaws.com".to_owned()].into())).collect(),
        );
        observed.delegation_policy = known(Some(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"D","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"organizations:Describe*","Resource":"*"}]}"#.into(),
        ));
    }
    Offline::from_observed(&observed, World::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn any_organization_imports_to_manifests_that_plan_nothing(recipe in recipe()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(holds(&cook(&recipe)));
    }
}

/// A small organization with what an import meets: same names, another tool's policy, a suspended account with a policy.
fn small() -> Offline {
    let world = Offline::new(World { management: Some("111122223333".parse().unwrap()), ..World::default() });
    let scp = PolicyType::scp();
    world.with(|state| {
        state.set_policy_type(&scp, true);
        let root = state.root_node();
        let research = NodeId::Unit(state.add_unit(&root, "Data Science"));
        let staging = NodeId::Unit(state.add_unit(&research, "Staging"));
        let platform = NodeId::Unit(state.add_unit(&root, "Platform"));
        state.add_unit(&platform, "Staging");
        state.add_account(&staging, "ds-staging", "ds@example.com");
        let gone = state.add_account(&platform, "old", "old@example.com");
        let leave = state.add_policy(&scp, "DenyLeave", CONTENTS[0].1);
        for node in [root, staging, NodeId::Account(gone.clone())] {
            state.attach(&leave, &node);
        }
        state.add_policy(&scp, "aws-guardrails-x", CONTENTS[0].1);
        state.add_policy(&scp, "broken", "{}}");
    });
    edit(&world, |observed| {
        let account = observed.accounts.values_mut().find(|account| account.name == "old").unwrap();
        account.state = AccountState::Suspended;
    })
}

#[tokio::test]
async fn what_is_left_out_is_told_and_the_rest_is_tidy() {
    let files = holds(&small()).await;
    let paths: Vec<String> = files.iter().map(|(path, _)| path.display().to_string()).collect();
    assert_eq!(paths, ["data-science.yaml", "organization.yaml", "platform.yaml", "policies/scp/deny-leave.yaml"]);
    let all = text(&files);
    for line in [
        "# left out: account `old`",
        "it is suspended",
        "it is the management account, which bylaw never changes",
        "# left out: SCP `aws-guardrails-x`",
        "# left out: SCP `broken`",
        "it is another tool's (`aws-guardrails-*`)",
        "  name: data-science-staging\n",
        "  name: platform-staging\n",
        "  ignore:\n    accounts:\n",
        "  targets:\n    - root: true\n    - organizationalUnitRef:\n        name: data-science-staging\n",
        "  content:\n    Version: \"2012-10-17\"\n    Statement:\n      - Sid: DenyLeave\n        Effect: Deny\n",
    ] {
        assert!(all.contains(line), "{line}\n{all}");
    }
    assert!(!all.contains("limits") && !all.contains("adoptionPolicy") && !all.contains("mode:"), "{all}");
}

#[tokio::test]
async fn names_of_an_earlier_bylaw_are_kept() {
    let world = edit(&small(), |observed| {
        let unit = observed.units.values_mut().find(|unit| unit.name == "Platform").unwrap();
        unit.tags = known(Tags::from([
            (TAG_RESOURCE.to_owned(), "OrganizationalUnit/pf".to_owned()),
            ("bylaw.dev/managed-by".to_owned(), "acme".to_owned()),
            ("bylaw.dev/deletion-policy".to_owned(), "Delete".to_owned()),
        ]));
    });
    let all = text(&holds(&world).await);
    for line in ["=== pf.yaml\n", "  deletionPolicy: Delete\n", "kind: Organization\nmetadata:\n  name: acme\n"] {
        assert!(all.contains(line), "{line}\n{all}");
    }
    assert!(!all.contains("bylaw.dev/resource"));
}

#[tokio::test]
async fn a_name_that_two_tags_claim_goes_to_no_third() {
    let world = edit(&small(), |observed| {
        let claim = || known(Tags::from([(TAG_RESOURCE.to_owned(), "OrganizationalUnit/platform".to_owned())]));
        let others = observed.units.values_mut().filter(|unit| unit.name != "Platform");
        assert_eq!(others.take(2).map(|unit| unit.tags = claim()).count(), 2);
    });
    let all = text(&holds(&world).await);
    assert!(!all.contains("kind: OrganizationalUnit\nmetadata:\n  name: platform\n"), "{all}");
}

#[tokio::test]
async fn an_account_without_full_access_stays_so() {
    let world = edit(&small(), |observed| {
        let account = observed.accounts.iter().find(|(_, a)| a.name == "ds-staging").unwrap().0.clone();
        let full = observed.policies.get_mut(&"p-FullAWSAccess".parse().unwrap()).unwrap();
        full.targets.get_mut().unwrap().remove(&NodeId::Account(account.clone()));
        // AWS takes the last one off no node.
        let other = observed.policies.values_mut().find(|policy| policy.name == "DenyLeave").unwrap();
        other.targets.get_mut().unwrap().insert(NodeId::Account(account));
    });
    let all = text(&holds(&world).await);
    assert_eq!(all.matches("baseAccess: AllowList").count(), 1, "{all}");
}

#[tokio::test]
async fn a_partial_reading_is_refused_and_its_rest_imported_on_request() {
    let mut observed = observe(&small()).await;
    let lost = Part::Unreadable { error: "throttled".into(), remedy: None, at: NOW };
    observed.units.values_mut().find(|unit| unit.name == "Platform").unwrap().tags = lost;
    observed.policies.values_mut().find(|policy| policy.name == "DenyLeave").unwrap().content = Part::Unread;
    observed.services = Part::Unread;
    let error = manifests(&observed, &Options::default()).unwrap_err();
    let told = error.to_string();
    for part in ["the tags of OU `Platform`", "the content of policy `DenyLeave`", "the trusted services"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(error.remedy().unwrap().contains("--partial"));
    let files = manifests(&observed, &Options { partial: true, ..Options::default() }).unwrap();
    let all = text(&files);
    assert!(all.contains("# not known: the tags of OU `Platform`"), "{all}");
    assert!(all.contains("its content was not read"), "{all}");
    assert!(desired(&files).policies.is_empty());
}

#[tokio::test]
async fn without_trusted_access_contacts_are_not_missing() {
    let world = small();
    let mut observed = observe(&world).await;
    assert!(observed.accounts.values().all(|account| account.contacts.is_empty()), "nobody asked in vain");
    for account in observed.accounts.values_mut() {
        account
            .contacts
            .insert(ContactKind::Billing, Part::Unreadable { error: "denied".into(), remedy: None, at: NOW });
    }
    assert!(manifests(&observed, &Options::default()).is_ok());
}

#[tokio::test]
async fn files_are_not_overwritten_unasked() {
    let observed = observe(&small()).await;
    let scratch = Scratch::new("import");
    let directory = scratch.join("made");
    let mut out = vec![];
    run(&observed, &Options::default(), &directory, false, &mut out).unwrap();
    let said = String::from_utf8(out).unwrap();
    assert!(
        said.contains("deny-leave.yaml (1 object)") && said.contains("4 files; nothing was written to AWS"),
        "{said}"
    );
    std::fs::write(directory.join("platform.yaml"), "mine").unwrap();
    std::fs::write(directory.join("stale.yaml"), "old").unwrap();
    let error = run(&observed, &Options::default(), &directory, false, &mut std::io::sink()).unwrap_err();
    assert!(
        error.to_string().contains("nothing was written")
            && matches!(error, ImportError::Exists(ref there) if there.len() == 4)
    );
    assert_eq!(std::fs::read_to_string(directory.join("platform.yaml")).unwrap(), "mine");
    let mut out = vec![];
    run(&observed, &Options::default(), &directory, true, &mut out).unwrap();
    assert!(String::from_utf8(out).unwrap().contains("stale.yaml, which this import did not write"));
    let left: Vec<_> = std::fs::read_dir(&directory)
        .unwrap()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty() && std::fs::read_to_string(directory.join("platform.yaml")).unwrap() != "mine");
}

/// The benchmark's organization before anybody governs it.
fn generated(size: generate::Size) -> Offline {
    edit(&generate::settled(&generate::desired(size, 7), World::default()), |observed| {
        let tags = observed.units.values_mut().map(|unit| &mut unit.tags);
        let tags = tags.chain(observed.accounts.values_mut().map(|account| &mut account.tags));
        for tags in tags.chain(observed.policies.values_mut().map(|policy| &mut policy.tags)) {
            tags.get_mut().unwrap().retain(|key, _| key != TAG_RESOURCE && key != TAG_MANAGED_BY);
        }
    })
}

#[tokio::test]
async fn the_medium_organization_imports_whole_and_plans_nothing() {
    let world = generated(generate::MEDIUM);
    let files = holds(&world).await;
    let desired = desired(&files);
    assert_eq!((desired.units.len(), desired.accounts.len(), desired.policies.len()), (100, 500, 50));
    let targets: usize = desired.policies.values().map(|policy| policy.spec.targets.len()).sum();
    assert_eq!(targets, 120);
    assert!(!text(&files).contains("name: ou-"), "every OU has a readable name");
}

/// `cargo test --lib large -- --ignored --nocapture` prints sizes and times.
#[test]
#[ignore = "a measurement"]
fn large() {
    let world = generated(generate::LARGE);
    let observed = world.with(|state| state.to_observed(NOW));
    let began = std::time::Instant::now();
    let json = to_json(&observed);
    println!("snapshot: {} bytes, written in {:?}", json.len(), began.elapsed());
    let began = std::time::Instant::now();
    let read = from_json(&json).unwrap();
    println!("read in {:?}", began.elapsed());
    assert_eq!(read, observed);
    for options in
        [crate::cli::tree::Options::default(), crate::cli::tree::Options { json: true, ..Default::default() }]
    {
        let began = std::time::Instant::now();
        let mut out = vec![];
        crate::cli::tree::run(&observed, &options, &mut out).unwrap();
        println!("tree (json: {}): {} bytes in {:?}", options.json, out.len(), began.elapsed());
    }
    let began = std::time::Instant::now();
    let options = Options::default();
    let names = super::names::Names::of(&observed);
    println!("  names: {:?}", began.elapsed());
    let draft = super::draft::draft(&observed, &options, &names, &super::draft::Verdicts::default(), &[]);
    println!("  draft: {:?}", began.elapsed());
    let files = super::files(&draft);
    println!("  files: {:?}", began.elapsed());
    assert!(super::check::complaints(&files, &observed).is_empty());
    println!("  check: {:?}", began.elapsed());
    let files = manifests(&observed, &options).unwrap();
    let size: usize = files.iter().map(|(_, text)| text.len()).sum();
    println!("import: {} files, {size} bytes in {:?}", files.len(), began.elapsed());
}
