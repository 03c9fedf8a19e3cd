use proptest::prelude::*;

use super::*;
use crate::aws::offline::{Offline, Options};
use crate::names::PolicyType;
use k8s_openapi::jiff::Timestamp;

fn organization() -> Observed {
    let world = Offline::new(Options::default());
    world.with(|state| {
        state.set_policy_type(&PolicyType::scp(), true);
        let root = state.root_node();
        let unit = NodeId::Unit(state.add_unit(&root, "Ünits \"x\"\n"));
        let below = NodeId::Unit(state.add_unit(&unit, "below"));
        let account = NodeId::Account(state.add_account(&below, "a", "a@example.com"));
        let policy = state.add_policy(&PolicyType::scp(), "p", "{}");
        state.attach(&policy, &account);
        state.attach(&policy, &unit);
        state.to_observed(Timestamp::constant(1_767_225_600, 0))
    })
}

fn told(text: &str) -> String {
    from_json(text).unwrap_err().to_string()
}

#[test]
fn a_snapshot_comes_back_as_it_was() {
    let observed = organization();
    let json = to_json(&observed);
    assert!(json.starts_with(r#"{"formatVersion":1,"kind":"Snapshot","#), "{json}");
    assert_eq!(from_json(&json).unwrap(), observed);
    assert_eq!(from_json(&format!("\u{feff}{json}\n")).unwrap(), observed);
    assert_eq!(to_json(&from_json(&json).unwrap()), json);
}

#[test]
fn what_is_no_snapshot_is_told() {
    let json = to_json(&organization());
    assert!(told("").contains("empty"));
    assert!(told("kind: Organization\n").contains("no JSON object"));
    assert!(told("{}").contains("has no `\"kind\": \"Snapshot\"`"));
    assert!(told(r#"{"kind":"Plan","formatVersion":1}"#).contains("`Plan`, expected `Snapshot`"));
    assert!(told(r#"{"kind":"Snapshot"}"#).contains("no `formatVersion`"));
    assert!(told(&json.replacen("\"formatVersion\":1", "\"formatVersion\":7", 1)).contains("format 7"));
    assert!(
        told(&json[..json.len() / 2 - 1]).contains("ends in the middle, at line 1"),
        "{}",
        told(&json[..json.len() / 2])
    );
    assert!(told(&json.replacen("\"units\":{", "\"units\":{,", 1)).contains("JSON is broken"));
    let text = told(r#"{"kind":"Snapshot","formatVersion":1,"organization":[1]}"#);
    assert!(!text.contains("struct"), "{text}");
}

#[test]
fn an_id_of_the_wrong_form_has_its_place() {
    let observed = organization();
    let management = observed.organization.management_account.to_string();
    let text = told(&to_json(&observed).replacen(&format!("\"{management}\""), "\"12\"", 1));
    assert!(text.contains("`12` is not an account id (12 digits)") && text.contains("line 1, column"), "{text}");
    let text = told(&to_json(&observed).replacen("\"ACTIVE\"", "\"ASLEEP\"", 1));
    assert!(text.contains("`ASLEEP` is unknown here; expected"), "{text}");
    let text = told(&to_json(&observed).replacen("\"accounts\":{", "\"accounts\":{\"a\":1,\"a\":2,", 1));
    assert!(text.contains("`a` is there twice"), "{text}");
    let text = told(&to_json(&observed).replacen("\"listedTypes\"", "\"listed\"", 1));
    assert!(text.contains("`listedTypes` is missing"), "{text}");
}

#[test]
fn ous_that_are_no_tree_are_refused() {
    let observed = organization();
    let edited = |change: &dyn Fn(&mut Observed)| {
        let mut observed = observed.clone();
        change(&mut observed);
        from_json(&to_json(&observed))
    };
    let ring = edited(&|o| {
        let ids: Vec<UnitId> = o.units.keys().cloned().collect();
        o.units.get_mut(&ids[0]).unwrap().parent = NodeId::Unit(ids[1].clone());
        o.units.get_mut(&ids[1]).unwrap().parent = NodeId::Unit(ids[0].clone());
    });
    assert!(ring.unwrap_err().to_string().contains("below itself"));
    let dangling = edited(&|o| o.units.values_mut().for_each(|unit| unit.parent = "r-zzzz".parse().unwrap()));
    assert!(dangling.unwrap_err().to_string().contains("`r-zzzz`, which is not in it"));
    let below = edited(&|o| {
        let account = o.accounts.keys().next().unwrap().clone();
        o.units.values_mut().for_each(|unit| unit.parent = NodeId::Account(account.clone()));
    });
    assert!(below.unwrap_err().to_string().contains("below the account"));
    let deep = edited(&|o| {
        let mut parent = o.root_node();
        for i in 0..100 {
            let id: UnitId = format!("ou-abcd-{i:08}").parse().unwrap();
            o.units.insert(id.clone(), crate::observed::Unit { name: "d".into(), parent, tags: Part::Unread });
            parent = NodeId::Unit(id);
        }
    });
    assert!(deep.unwrap_err().to_string().contains("AWS allows 5"));
}

#[test]
fn what_is_not_told_becomes_a_gap() {
    let mut observed = organization();
    let account = observed.accounts.iter().find(|(_, a)| a.name == "a").unwrap().0.clone();
    let stranger: NodeId = "ou-abcd-99999999".parse().unwrap();
    observed.accounts.get_mut(&account).unwrap().parent = Some(stranger.clone());
    observed.policies.values_mut().find(|p| p.name == "p").unwrap().targets.get_mut().unwrap().insert(stranger);
    observed.accounts.remove(&observed.organization.management_account);
    let read = from_json(&to_json(&observed)).unwrap();
    assert_eq!(read.accounts[&account].parent, None);
    assert!(read.gaps.iter().any(|gap| gap.scope == Scope::UnitsBelow(read.root_node())), "{:?}", read.gaps);
    assert!(read.gaps.iter().any(|gap| gap.scope == Scope::Accounts), "{:?}", read.gaps);
    let policy = read.policies.values().find(|p| p.name == "p").unwrap();
    assert!(policy.targets.error().unwrap().contains("ou-abcd-99999999"));
    assert_eq!(from_json(&to_json(&read)).unwrap(), read, "a second reading adds nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]
    /// Whatever is in a file: no panic, no endless walk, and what is taken is a tree.
    #[test]
    fn mutated_snapshots_are_read_or_refused(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 1..4)
    ) {
        let mut bytes = to_json(&organization()).into_bytes();
        for (at, other, how, byte) in edits {
            let (at, other) = (at.index(bytes.len()), other.index(bytes.len()));
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.drain(at.min(other)..at.max(other).min(at.min(other) + 40))),
                2 => {
                    let part: Vec<u8> = bytes[at.min(other)..at.max(other).min(at.min(other) + 60)].to_vec();
                    drop(bytes.splice(at..at, part));
                }
                _ => bytes[at] = b"0{}[]\",:"[usize::from(byte) % 8],
            }
        }
        if let Ok(observed) = from_json(&String::from_utf8_lossy(&bytes)) {
            for unit in observed.units.keys() {
                let chain = observed.chain(&NodeId::Unit(unit.clone()));
                prop_assert_eq!(chain.last(), Some(&observed.root_node()));
            }
            let mut out = vec![];
            crate::cli::tree::run(&observed, &crate::cli::tree::Options::default(), &mut out).unwrap();
            let _ = crate::cli::import::manifests(&observed, &crate::cli::import::Options { partial: true, ..Default::default() });
        }
    }
}
