//! How many calls a plan that changes nothing takes, and what the cache is worth when it is not what it was.

use std::collections::BTreeMap;

use crate::support::shell::Shell;

fn organization(shell: &Shell) -> String {
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    // What apply knows goes with its home: the tests begin with an empty one.
    shell.calls();
    files
}

fn calls(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// 3 OUs, 3 accounts and the management account, 3 policies of 2 types: nothing is asked twice, and nothing that nobody
/// needs. The root's tags are read each time: they carry lease and brake.
fn cold() -> BTreeMap<String, u64> {
    calls(&[
        ("GetCallerIdentity", 1),
        ("DescribeOrganization", 1),
        ("ListRoots", 1),
        ("ListAccounts", 1),
        ("ListOrganizationalUnitsForParent", 4),
        ("ListPolicies", 2),
        ("ListTargetsForPolicy", 3),
        ("DescribePolicy", 3),
        ("ListTagsForResource", 1 + 3 + 4 + 3),
    ])
}

/// What policies say is read each time: no list tells that it was changed.
fn warm() -> BTreeMap<String, u64> {
    let mut warm = cold();
    warm.insert("ListTagsForResource".into(), 1);
    warm
}

/// With `--cached`.
fn cached() -> BTreeMap<String, u64> {
    let mut cached = warm();
    cached.remove("DescribePolicy");
    cached
}

#[test]
fn a_plan_asks_for_everything_once_and_then_for_what_may_have_changed() {
    let made = Shell::new();
    let files = organization(&made);
    let shell = made.elsewhere();
    shell.run(&["plan", "-f", &files]).exits(0).quietly();
    assert_eq!(shell.calls(), cold());
    shell.run(&["plan", "-f", &files]).exits(0).quietly();
    assert_eq!(shell.calls(), warm());
    shell.run(&["plan", "-f", &files, "--cached"]).exits(0).quietly();
    assert_eq!(shell.calls(), cached());
    shell.run(&["plan", "-f", &files, "--cached", "--max-age", "0s"]).exits(0).quietly();
    assert_eq!(shell.calls(), cold());
    shell.run(&["plan", "-f", &files, "--fresh"]).exits(0).quietly();
    assert_eq!(shell.calls(), cold());
    shell.run(&["plan", "-f", &files, "--max-age", "0s"]).exits(0).quietly();
    assert_eq!(shell.calls(), cold());
    // A run that finds nothing to do costs no more, and apply has left what a plan needs.
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    assert_eq!(shell.calls(), warm());
    made.run(&["plan", "-f", &files]).exits(0).quietly();
    assert_eq!(made.calls(), warm());
}

#[test]
fn a_cache_that_is_no_good_costs_calls_and_nothing_else() {
    let shell = Shell::new();
    let files = organization(&shell);
    let cache = shell.home.join(format!(".cache/bylaw/organizations/{}/snapshot.json", shell.account));
    let whole = std::fs::read_to_string(&cache).unwrap();
    // Of another organization that this account managed before.
    let id = whole.split("\"o-").nth(1).unwrap().split('"').next().unwrap();
    let foreign = whole.replace(id, "zzzzzzzzzz");
    for text in [&whole[..whole.len() / 2], "", "null", "\u{0}", "{\"formatVersion\": 99}", &foreign] {
        std::fs::write(&cache, text).unwrap();
        shell.run(&["plan", "-f", &files]).exits(0).says(&["No changes"]);
        let asked = shell.calls();
        // That it is another organization's is known only when AWS has said which it is: all is read a second time.
        let twice = if text == foreign { 2 } else { 1 };
        assert_eq!(asked["DescribePolicy"], 3 * twice, "{asked:?}");
        // It is whole again.
        shell.run(&["plan", "-f", &files]).exits(0).quietly();
        assert_eq!(shell.calls(), warm());
    }
}

#[test]
#[cfg(unix)]
fn without_a_place_to_write_a_plan_is_made_and_an_apply_is_not() {
    let shell = Shell::new();
    let files = organization(&shell);
    let nowhere = shell.with("BYLAW_CACHE_DIR", "/dev/null/cache").with("BYLAW_STATE_DIR", "/dev/null/state");
    nowhere.run(&["plan", "-f", &files]).exits(0).complains(&["warning: the snapshot of this pass could not be kept"]);
    nowhere.run(&["apply", "-f", &files, "--yes"]).exits(0);
    std::fs::write(
        format!("{files}/more.yaml"),
        "kind: OrganizationalUnit\napiVersion: bylaw.dev/v1alpha1\nmetadata: {name: more}\nspec: {name: More}\n",
    )
    .unwrap();
    shell.calls();
    let ran = nowhere.run(&["apply", "-f", &files, "--yes"]).exits(1);
    ran.complains(&["the audit log `/dev/null/state/", "nothing is written to AWS without it", "BYLAW_STATE_DIR"]);
    assert_eq!(shell.writes(), 0);
    // Homeless: no directory at all.
    let mut command = shell.command(&["plan", "-f", &files]);
    let ran = crate::support::shell::Ran::from(command.env_remove("HOME").output().unwrap()).exits(1);
    ran.complains(&["set `HOME`"]);
}

#[test]
fn a_policy_that_was_rewritten_by_hand_is_seen_by_the_next_plan_and_what_is_older_is_told() {
    let shell = Shell::new();
    let files = organization(&shell);
    let plan = shell.run(&["plan", "-f", &files]).exits(0).says(&[
        "No changes",
        "This rests on tags of 3 OUs, tags of 4 accounts, tags of 3 policies as an earlier pass read them",
        "`--fresh` reads all anew",
    ]);
    assert!(!plan.out.contains("contents of"), "{plan}");
    let fresh = shell.run(&["plan", "-f", &files, "--fresh"]).exits(0);
    assert!(!fresh.out.contains("This rests on"), "{fresh}");
    let listed = shell.aws("ListPolicies", &serde_json::json!({"Filter": "SERVICE_CONTROL_POLICY"}));
    let policies = listed["Policies"].as_array().unwrap().iter();
    let id = policies.filter(|policy| policy["AwsManaged"] != true).map(|policy| policy["Id"].clone()).next().unwrap();
    let open = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}]}"#;
    shell.aws("UpdatePolicy", &serde_json::json!({"PolicyId": id, "Content": open}));
    let cached = shell.run(&["plan", "-f", &files, "--cached"]).exits(0);
    cached.says(&["This rests on contents of 3 policies, tags of"]);
    let json = shell.run(&["plan", "-f", &files, "--cached", "-o", "json"]).exits(0).json("plan");
    assert_eq!(json["organization"]["older"][0]["part"], "contents", "{json:#}");
    assert!(json["message"].as_str().unwrap().contains("This rests on contents of 3 policies"), "{json:#}");
    shell
        .run(&["plan", "-f", &files])
        .exits(2)
        .says(&["Drift (1): changed outside bylaw since the last pass", "content"]);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["read again, nothing is left. This rests on"]);
}
