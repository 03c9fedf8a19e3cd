//! Plan and apply, as the README tells them.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::shell::Shell;

/// What moto cannot hold of `examples/platform`: policies of type `BACKUP_POLICY` (it answers 500).
fn platform(shell: &Shell) -> String {
    shell.example("platform", |file, text| {
        (!file.ends_with("daily-backups.yaml")).then(|| text.replace("    - BACKUP_POLICY\n", ""))
    })
}

/// An organization as `examples/data-science` says, and the manifests.
fn settled() -> (Shell, String) {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    shell.calls();
    (shell, files)
}

/// The policies of a type that are not AWS's.
fn policies(shell: &Shell, kind: &str) -> Vec<Value> {
    let answer = shell.aws("ListPolicies", &json!({"Filter": kind}));
    answer["Policies"].as_array().unwrap().iter().filter(|p| p["AwsManaged"] != true).cloned().collect()
}

fn named<'a>(policies: &'a [Value], name: &str) -> &'a str {
    policies.iter().find(|policy| policy["Name"] == name).unwrap()["Id"].as_str().unwrap()
}

fn root(shell: &Shell) -> String {
    shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].as_str().unwrap().to_owned()
}

#[test]
fn the_data_science_example_is_made_once() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["plan", "-f", &files]).exits(2).quietly().says(&[
        "create OU `DATA_SCIENCE_MULTI_ACCOUNT_DEPLOYMENTS`",
        "Plan: ",
        "Hash of the plan: ",
    ]);
    assert_eq!(shell.writes(), 0, "a plan wrote");
    // Nobody is there to say yes.
    shell.run(&["apply", "-f", &files]).exits(1).complains(&["nobody to ask", "--yes"]);
    assert_eq!(shell.writes(), 0, "nobody said yes");

    shell
        .run(&["apply", "-f", &files, "--yes"])
        .exits(0)
        .says(&["Applied 17 changes.", "The organization is as declared"]);
    assert_eq!(shell.writes(), 17 + 2, "17 changes, the lease taken and given back");
    shell.run(&["plan", "-f", &files]).exits(0).quietly().says(&["No changes"]);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["No changes"]);
    assert_eq!(shell.writes(), 0, "the second apply wrote");

    // Another machine, whose cache is empty, finds the same.
    shell.elsewhere().run(&["plan", "-f", &files]).exits(0).quietly();
    // The same manifests through a pipe.
    let all: Vec<String> = ["organization", "units", "policies"]
        .iter()
        .map(|name| std::fs::read_to_string(format!("{files}/{name}.yaml")).unwrap())
        .collect();
    shell.run_with_input(&["plan", "-f", "-"], &all.join("\n---\n")).exits(0).quietly();
    // The audit log has every write twice, before and after; what is in it is nobody else's business.
    let journal = shell.home.join(format!(".local/state/bylaw/organizations/{}/journal.jsonl", shell.account));
    assert_eq!(std::fs::read_to_string(&journal).unwrap().lines().count(), 34);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn the_platform_example_is_made_once() {
    let shell = Shell::new();
    let files = platform(&shell);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["The organization is as declared"]);
    assert!(shell.writes() > 60);
    shell.run(&["plan", "-f", &files]).exits(0).quietly().says(&["No changes"]);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["No changes"]);
    assert_eq!(shell.writes(), 0, "the second apply wrote");
}

#[test]
fn json_is_json_and_colours_are_for_terminals() {
    let shell = Shell::new();
    let files = shell.data_science();
    let plan = shell.run(&["plan", "-f", &files, "-o", "json"]).exits(2).quietly().json("plan");
    assert_eq!((&plan["formatVersion"], plan["changes"].as_array().unwrap().len()), (&json!(1), 17));
    let markdown = shell.run(&["plan", "-f", &files, "-o", "markdown"]).exits(2).quietly();
    assert!(markdown.out.starts_with('#'), "{markdown}");

    let refused = shell.run(&["apply", "-f", &files, "-o", "json"]).exits(1).complains(&["cannot ask", "--yes"]);
    assert!(refused.out.is_empty(), "{refused}");
    let applied = shell.run(&["apply", "-f", &files, "-o", "json", "--yes"]).exits(0).json("apply");
    assert_eq!((&applied["formatVersion"], &applied["converged"]), (&json!(1), &json!(true)), "{applied:#}");
    let again = shell.run(&["apply", "-f", &files, "-o", "json", "--yes"]).exits(0).quietly().json("apply");
    assert_eq!(again["converged"], json!(true), "{again:#}");

    let coloured = |shell: &Shell, how: &str| {
        let output = shell.command(&["tree", "--color", how]).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(coloured(&shell, "always"));
    assert!(!coloured(&shell, "never"));
    assert!(!coloured(&shell.with("NO_COLOR", "1"), "auto"));
    // Who asks for colours on this command line has them.
    assert!(coloured(&shell.with("NO_COLOR", "1"), "always"));
}

#[test]
fn a_reader_that_has_read_enough_is_no_error() {
    let (shell, files) = settled();
    for (arguments, code) in [
        (&["plan", "-f", &files, "--fresh"][..], 0),
        (&["apply", "-f", &files, "--yes"], 0),
        (&["tree"], 0),
        // moto does not know the delegation policy, and a snapshot that lacks a part says so.
        (&["snapshot"], 1),
        (&["crds"], 0),
        (&["--help"], 0),
    ] {
        let mut child = shell.spawn(arguments);
        drop(child.stdout.take());
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments:?}: {err}");
        assert!(!err.contains("pipe") && !err.contains("error: "), "{arguments:?}: {err}");
    }
}

#[test]
fn drift_is_put_right_and_named() {
    let (shell, files) = settled();
    let scps = policies(&shell, "SERVICE_CONTROL_POLICY");
    let id = named(&scps, "sagemaker-baseline");
    let target = &shell.aws("ListTargetsForPolicy", &json!({"PolicyId": id}))["Targets"][0]["TargetId"];
    shell.aws("DetachPolicy", &json!({"PolicyId": id, "TargetId": target}));
    shell.calls();
    shell
        .run(&["plan", "-f", &files])
        .exits(2)
        .says(&["Drift (1): changed outside bylaw since the last pass", "attach policy `sagemaker-baseline`"]);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    assert_eq!(shell.writes(), 1 + 2, "one attachment, the lease taken and given back");
    shell.run(&["plan", "-f", &files]).exits(0);
}

#[test]
fn a_saved_plan_is_run_as_it_was_shown() {
    let shell = Shell::new();
    let files = shell.data_science();
    let saved = shell.home.join("plan.json");
    let saved = saved.to_str().unwrap();
    shell.run(&["plan", "-f", &files, "--out", saved]).exits(2).quietly();
    // The manifests are in the plan: what becomes of the files does not matter.
    std::fs::remove_dir_all(&files).unwrap();
    shell.run(&["apply", saved]).exits(1).complains(&["nobody to ask"]);
    shell.run(&["apply", saved, "--yes"]).exits(0).says(&["Applied 17 changes."]);
    // Its place is not behind `-f`, where it is told as what it is.
    let beside = shell.run(&["plan", "-f", saved]).exits(1);
    beside.complains(&["warning[not-a-manifest]", "a plan that `bylaw plan --out` wrote", "without `-f`, runs it"]);
    // A second time there is nothing left of it.
    shell.calls();
    let again = shell.run(&["apply", saved, "--yes"]).exits(0).says(&["No changes"]);
    assert_eq!(again.err, "warning: nothing of the plan is left to do: AWS is as it declares already\n");
    assert_eq!(shell.writes(), 0);

    // Somebody else's organization.
    let other = Shell::new();
    let wrong = other.run(&["apply", saved, "--yes"]).exits(1);
    assert!(wrong.err.contains(other.account.as_str()) && wrong.err.contains(shell.account.as_str()), "{wrong}");
    assert_eq!(other.writes(), 0);
    // Files that are no plans.
    for (name, text) in
        [("half.json", &std::fs::read_to_string(saved).unwrap()[..500]), ("no.json", "{}"), ("bin", "\0")]
    {
        shell.run(&["apply", &shell.file(name, text), "--yes"]).exits(1).complains(&[name, "bylaw plan"]);
    }
    shell.run(&["apply", "nowhere.json", "--yes"]).exits(1).complains(&["`nowhere.json`", "bylaw plan"]);
    shell.run(&["apply", shell.home.to_str().unwrap(), "--yes"]).exits(1).complains(&["-f"]);
}

#[test]
fn a_saved_plan_whose_changes_are_void_says_what_is_needed_and_does_not_say_as_declared() {
    let (shell, files) = settled();
    let saved = shell.home.join("plan.json");
    let saved = saved.to_str().unwrap();
    let scps = policies(&shell, "SERVICE_CONTROL_POLICY");
    let at = |name: &str| {
        let id = named(&scps, name);
        let targets = shell.aws("ListTargetsForPolicy", &json!({"PolicyId": id}));
        json!({"PolicyId": id, "TargetId": targets["Targets"][0]["TargetId"]})
    };
    let (first, second) = (at("sagemaker-baseline"), at("production-deployments"));
    shell.aws("DetachPolicy", &first);
    shell.run(&["plan", "-f", &files, "--out", saved]).exits(2).says(&["attach policy `sagemaker-baseline`"]);
    // Somebody does it by hand, and undoes something else.
    shell.aws("AttachPolicy", &first);
    shell.aws("DetachPolicy", &second);
    shell.calls();
    let ran = shell.run(&["apply", saved, "--yes"]).exits(1).says(&[
        "Nothing of the saved plan runs. The organization is not as declared: 1 change is needed that the plan does not hold.",
        "needed, and not run: attach policy",
    ]);
    assert!(!ran.out.contains("No changes") && !ran.out.contains("is as declared"), "{ran}");
    let json = shell.run(&["apply", saved, "--yes", "-o", "json"]).exits(1).json("apply");
    assert_eq!((&json["converged"], json["left"]["changes"].as_array().unwrap().len()), (&json!(false), 1), "{json:#}");
    assert_eq!(shell.writes(), 0);

    // What is shown and what is used stand under one hash.
    let text = std::fs::read_to_string(saved).unwrap();
    for (from, to) in [("changed outside bylaw", "wished for"), ("\"prune\": false", "\"prune\": true")] {
        let edited = shell.file("edited.json", &text.replacen(from, to, 1));
        shell.run(&["apply", &edited, "--yes"]).exits(1).complains(&["it was edited", "bylaw plan --out FILE"]);
    }
    assert_eq!(shell.writes(), 0);
}

#[test]
fn of_a_saved_plan_only_what_is_still_right_is_run() {
    let shell = Shell::new();
    let files = shell.data_science();
    let saved = shell.home.join("plan.json");
    let saved = saved.to_str().unwrap();
    shell.run(&["plan", "-f", &files, "--out", saved]).exits(2);
    // Meanwhile somebody makes the OU by hand.
    let name = "DATA_SCIENCE_MULTI_ACCOUNT_DEPLOYMENTS";
    shell.aws("CreateOrganizationalUnit", &json!({"ParentId": root(&shell), "Name": name}));
    shell.calls();
    let ran = shell.run(&["apply", saved, "--yes"]).exits(1);
    let ran = ran.complains(&["warning: planned, and not left to do: ", "create OU"]);
    let ran = ran.complains(&["warning: needed by now, and not run because the plan did not show it: "]);
    ran.complains(&["warning: planned, and held back because what it needs is not as it was shown: create account"]);
    let calls = shell.calls();
    assert_eq!(calls.get("CreateAccount"), None, "an account without its OU: {calls:?}");
    // A new plan goes on.
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    shell.run(&["plan", "-f", &files]).exits(0);
}

#[test]
fn a_refused_change_is_let_pass_by_its_hash_alone() {
    let (shell, files) = settled();
    let path = format!("{files}/policies.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        text.replace("- organizations:LeaveOrganization", "- organizations:LeaveOrganization\n          - s3:*"),
    )
    .unwrap();
    let plan = shell.run(&["plan", "-f", &files, "-o", "json"]).exits(2).json("plan");
    let refusal = &plan["refusals"][0];
    let hash = refusal["hash"].as_str().unwrap_or_else(|| panic!("{plan:#}"));
    shell.run(&["plan", "-f", &files]).exits(2).says(&[hash, "--approve"]);
    shell.run(&["apply", "-f", &files, "--yes"]).exits(1).says(&[hash]);
    shell
        .run(&["apply", "-f", &files, "--yes", "--approve", "0000000000000000"])
        .exits(1)
        .complains(&["warning: no refusal has the hash `0000000000000000`", &format!("refused are `{hash}`")]);
    assert_eq!(shell.writes(), 0, "a refused change was written");
    let approved = shell.run(&["apply", "-f", &files, "--yes", "--approve", hash]).exits(0);
    assert!(!approved.err.contains("no refusal has"), "{approved}");
    assert_eq!(shell.calls().get("UpdatePolicy"), Some(&1));
    shell.run(&["plan", "-f", &files]).exits(0);
    // The audit log names who approved it.
    let journal = shell.home.join(format!(".local/state/bylaw/organizations/{}/journal.jsonl", shell.account));
    let log = std::fs::read_to_string(&journal).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let by: Vec<_> = entries.filter(|entry| entry.get("approvals").is_some()).collect();
    assert_eq!(by.len(), 2, "before the write and after it: {by:#?}");
    assert_eq!(by[0]["approvals"][0]["hash"], *hash);
    assert_eq!(by[0]["approvals"][0]["rules"], json!([refusal["rule"]]));
    assert_eq!(by[0]["approvals"][0]["approvers"], json!([by[0]["who"]]));
}

#[test]
fn only_what_opted_in_is_deleted_and_only_when_asked_to() {
    let shell = Shell::new();
    let files = shell.data_science();
    let retained =
        "kind: OrganizationalUnit\napiVersion: bylaw.dev/v1alpha1\nmetadata: {name: kept}\nspec: {name: Kept}\n";
    let deleted = retained.replace("kept", "gone").replace("Kept}", "Gone, deletionPolicy: Delete}");
    let extra = format!("{files}/extra.yaml");
    std::fs::write(&extra, format!("{retained}---\n{deleted}")).unwrap();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    std::fs::remove_file(&extra).unwrap();
    shell.calls();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    assert_eq!(shell.calls().get("DeleteOrganizationalUnit"), None);
    shell.run(&["plan", "-f", &files, "--prune"]).exits(2).says(&["delete OU `Gone`"]);
    shell.run(&["apply", "-f", &files, "--prune", "--yes"]).exits(0);
    assert_eq!(shell.calls().get("DeleteOrganizationalUnit"), Some(&1));
    let units = shell.aws("ListOrganizationalUnitsForParent", &json!({"ParentId": root(&shell)}));
    let names: Vec<&str> =
        units["OrganizationalUnits"].as_array().unwrap().iter().map(|unit| unit["Name"].as_str().unwrap()).collect();
    assert!(names.contains(&"Kept") && !names.contains(&"Gone"), "{names:?}");
}
