use super::*;
use crate::aws::offline::{Offline, Options as World};
use crate::names::{TAG_HOLD, TAG_RESOURCE, UnitId};
use crate::observed::{Gap, Part, Scope};
use k8s_openapi::jiff::Timestamp;

const NOW: Timestamp = Timestamp::constant(1_767_225_600, 0);

fn organization() -> Observed {
    let world = Offline::new(World { management: Some("111122223333".parse().unwrap()), ..World::default() });
    let scp = PolicyType::scp();
    let mut observed = world.with(|state| {
        state.set_policy_type(&scp, true);
        let root = state.root_node();
        let security = NodeId::Unit(state.add_unit(&root, "Security"));
        state.add_unit(&security, "Inner\u{1b}[2J");
        state.add_unit(&root, "Apps");
        let account = state.add_account(&security, "log-archive", "l@example.com");
        state.add_account(&security, "tooling", "t@example.com");
        let leave = state.add_policy(&scp, "deny-leave", "{}");
        state.attach(&leave, &root);
        state.attach(&leave, &NodeId::Account(account));
        state.to_observed(NOW)
    });
    for account in observed.accounts.values_mut().filter(|account| account.name == "tooling") {
        account.state = crate::aws::port::AccountState::Suspended;
        account.tags.get_mut().unwrap().insert(TAG_HOLD.into(), "2026-02-01T00:00:00Z".into());
    }
    for policy in observed.policies.values_mut().filter(|policy| policy.name == "deny-leave") {
        policy.tags.get_mut().unwrap().insert(TAG_RESOURCE.into(), "OrganizationPolicy/deny-leave".into());
    }
    observed
}

fn shown(observed: &Observed, options: Options) -> String {
    let mut out = vec![];
    run(observed, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Ids are drawn: for reading they are cut to their kind.
fn without_ids(text: &str) -> String {
    regex::Regex::new(r"(ou|r|p)-[a-z0-9]+(-[a-z0-9]+)?\b|\b[0-9]{12}\b")
        .unwrap()
        .replace_all(text, "<id>")
        .into_owned()
}

#[test]
fn a_tree_reads_like_one() {
    let text = without_ids(&shown(&organization(), Options::default()));
    let want = "\
Root  <id>
│ SCP deny-leave *
├── management  <id>  management account
├── Apps  <id>
└── Security  <id>
    ├── log-archive  <id>
    │     SCP deny-leave *
    ├── tooling  <id>  SUSPENDED  held until 2026-02-01T00:00:00Z
    └── Inner\\u{1b}[2J  <id>

3 OUs, 3 accounts (1 not active), 1 policy (1 SCP), 2 attachments, 1 hold
* kept by bylaw
";
    assert_eq!(text, want);
}

#[test]
fn awss_own_policies_and_colours_are_shown_when_asked_for() {
    let observed = organization();
    assert!(!shown(&observed, Options::default()).contains("FullAWSAccess"));
    assert!(
        shown(&observed, Options { all: true, ..Options::default() }).contains("SCP deny-leave *, FullAWSAccess\n")
    );
    assert!(!shown(&observed, Options::default()).contains('\u{1b}'));
    assert!(shown(&observed, Options { colour: true, ..Options::default() }).contains("\u{1b}[1mSecurity\u{1b}[0m"));
}

#[test]
fn what_is_not_known_is_never_shown_as_empty() {
    let mut observed = organization();
    let unit = observed.units.iter().find(|(_, unit)| unit.name == "Apps").unwrap().0.clone();
    let gap = |scope, error: &str| Gap { scope, error: error.into(), remedy: None };
    observed.gaps.push(gap(Scope::UnitsBelow(NodeId::Unit(unit.clone())), "throttled"));
    observed.gaps.push(gap(Scope::Accounts, "timed out"));
    observed.units.get_mut(&unit).unwrap().tags = Part::Unreadable { error: "denied".into(), remedy: None, at: NOW };
    observed.policies.values_mut().find(|p| p.name == "deny-leave").unwrap().targets = Part::Unread;
    observed.accounts.values_mut().find(|a| a.name == "log-archive").unwrap().parent = None;
    let text = without_ids(&shown(&observed, Options::default()));
    for line in [
        "├── Apps  <id>\n│   ├── ? its tags could not be read: denied\n│   └── ? what is below could not all be read: throttled\n",
        "? accounts could not all be read: timed out\n",
        "? attachments of SCP `deny-leave` (<id>): they were not read\n",
        "not placed: what lies above these is not known\n└── log-archive  <id>\n",
        "; at least: 5 parts could not be read\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&shown(&observed, Options { json: true, ..Options::default() })).unwrap();
    assert_eq!(json["notPlaced"][0]["name"], "log-archive");
    assert_eq!(json["summary"]["unknown"], 5);
}

#[test]
fn json_nests_as_the_tree_does() {
    let json: serde_json::Value =
        serde_json::from_str(&shown(&organization(), Options { json: true, ..Options::default() })).unwrap();
    assert_eq!(json["formatVersion"], 1);
    let root = &json["root"];
    assert_eq!((&root["kind"], &root["policies"][0]["name"]), (&"root".into(), &"deny-leave".into()));
    assert_eq!(root["policies"][0]["managed"], true);
    assert_eq!(root["children"][2]["children"][1]["state"], "SUSPENDED");
    assert_eq!(root["children"][2]["children"][1]["hold"], "2026-02-01T00:00:00Z");
}

#[test]
fn circles_and_long_chains_end() {
    let mut observed = organization();
    let ids: Vec<UnitId> = observed.units.keys().cloned().collect();
    for (at, above) in [(0, 1), (1, 2), (2, 0)] {
        observed.units.get_mut(&ids[at]).unwrap().parent = NodeId::Unit(ids[above].clone());
    }
    let mut parent = observed.root_node();
    for i in 0..2_000 {
        let id: UnitId = format!("ou-abcd-{i:08}").parse().unwrap();
        observed.units.insert(id.clone(), crate::observed::Unit { name: format!("d{i}"), parent, tags: Part::Unread });
        parent = NodeId::Unit(id);
    }
    assert!(shown(&observed, Options::default()).contains("not placed"), "folding ends as well");
    let text = shown(&observed, Options { all: true, ..Options::default() });
    assert!(["Apps", "Security", "d0 ", "d1999 "].iter().all(|name| text.contains(name)));
    assert!(text.contains("not placed"));
    assert!(shown(&observed, Options { json: true, ..Options::default() }).contains("\"d1999\""));
}
