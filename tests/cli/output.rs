//! What is printed for machines has the form that is published, and says what a partial reading leaves open.

use serde_json::{Value, json};

use crate::support::form;
use crate::support::shell::Shell;

/// A snapshot of what `examples/data-science` makes, in a file.
fn snapshot(shell: &Shell) -> Value {
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    let ran = shell.run(&["snapshot"]);
    let mut snapshot = ran.json("snapshot");
    // moto does not know the delegation policy; AWS does.
    snapshot["delegationPolicy"] = json!({"known": {"value": null, "at": snapshot["listsAt"]}});
    shell.file("org.json", &snapshot.to_string());
    snapshot
}

#[test]
fn every_json_output_has_the_published_form() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["plan", "-f", &files, "-o", "json", "--out", "plan.json"]).exits(2).json("plan");
    let saved = std::fs::read_to_string(shell.home.join("plan.json")).unwrap();
    form::fits("plan", &serde_json::from_str(&saved).unwrap());
    shell.run(&["apply", "plan.json", "-o", "json", "--yes"]).exits(0).json("apply");
    snapshot(&shell);
    shell.run(&["tree", "--snapshot", "org.json", "-o", "json"]).exits(0).quietly().json("tree");
    shell.run(&["tree", "--snapshot", "org.json", "-o", "json", "--all"]).exits(0).quietly().json("tree");
    shell.run(&["validate", "-f", &files, "-o", "json"]).exits(0).quietly().json("validate");
    shell.run(&["lint", &files, "-o", "json"]).exits(0).quietly().json("lint");
    let broken = shell.file("broken.yaml", "kind: Account\napiVersion: bylaw.dev/v1alpha1\nspec: {nmae: x}\n---\na: [");
    let told =
        shell.run(&["validate", "-f", &broken, "-f", "nowhere", "-o", "json"]).exits(1).quietly().json("validate");
    assert!(told["summary"]["errors"].as_u64() > Some(2), "{told}");
}

#[test]
fn a_plan_on_a_snapshot_does_not_take_what_it_lacks_for_not_there() {
    let shell = Shell::new();
    let whole = snapshot(&shell);
    let files = shell.data_science();
    shell.run(&["plan", "-f", &files, "--snapshot", "org.json"]).exits(0).quietly();
    let denied = |operation: &str| {
        json!({
            "error": format!("{operation}: AccessDeniedException: You don't have permissions to access this resource."),
            "remedy": format!("allow `organizations:{operation}`"),
            "at": whole["listsAt"],
        })
    };
    type Spoil<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let spoils: [(&str, Spoil<'_>); 5] = [
        (
            "ListTagsForResource",
            Box::new(|it| {
                for units in it["units"].as_object_mut().unwrap().values_mut() {
                    units["tags"] = json!({"unreadable": denied("ListTagsForResource")});
                    units["name"] = "renamed".into();
                }
            }),
        ),
        (
            "ListAccounts",
            Box::new(|it| {
                it["accounts"].as_object_mut().unwrap().retain(|_, account| account["name"] != "data-science");
                let denied = denied("ListAccounts");
                it["gaps"] = json!([{"scope": "accounts", "error": denied["error"], "remedy": denied["remedy"]}]);
            }),
        ),
        (
            "ListPolicies",
            Box::new(|it| {
                it["policies"] = json!({});
                let denied = denied("ListPolicies");
                it["gaps"] = json!([{"scope": {"policies": "SERVICE_CONTROL_POLICY"}, "error": denied["error"], "remedy": denied["remedy"]}]);
            }),
        ),
        (
            "ListTargetsForPolicy",
            Box::new(|it| {
                for policy in it["policies"].as_object_mut().unwrap().values_mut() {
                    policy["targets"] = json!({"unreadable": denied("ListTargetsForPolicy")});
                }
            }),
        ),
        (
            "DescribePolicy",
            Box::new(|it| {
                for policy in it["policies"].as_object_mut().unwrap().values_mut() {
                    policy["content"] = json!({"unreadable": denied("DescribePolicy")});
                }
            }),
        ),
    ];
    for (operation, spoil) in spoils {
        let mut partial = whole.clone();
        spoil(&mut partial);
        form::fits("snapshot", &partial);
        shell.file("partial.json", &partial.to_string());
        let ran = shell.run(&["plan", "-f", &files, "--snapshot", "partial.json", "-o", "json"]).exits(2);
        let ran = ran.complains(&["warning: ", operation, "help: "]);
        let plan = ran.json("plan");
        let bad =
            |change: &&Value| change["operation"] != "tag" && change["object"] != "OrganizationPolicy/project-tag";
        let changes: Vec<&Value> = plan["changes"].as_array().unwrap().iter().filter(bad).collect();
        assert!(changes.is_empty(), "{operation}: planned on what is not known: {changes:#?}");
        let refusals = plan["refusals"].as_array().unwrap();
        let told = refusals.iter().find(|refusal| refusal["rule"] == "partial-read");
        let told = told.unwrap_or_else(|| panic!("{operation}: {ran}"));
        let remedy = told["remedy"].as_str().unwrap();
        assert!(remedy.starts_with(&format!("allow `organizations:{operation}`")), "{told}");
        assert!(told["message"].as_str().unwrap().contains(operation), "{told}");
        // A rehearsal runs none of it either.
        shell.run(&["apply", "-f", &files, "--snapshot", "partial.json", "--yes"]).exits(1);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_told_before_aws_is_read() {
    let shell = Shell::new();
    let files = shell.data_science();
    std::fs::create_dir_all(shell.home.join("here")).unwrap();
    shell.file("file", "");
    for (arguments, words) in [
        (&["plan", "-f", &files, "--out", "gone/plan.json"][..], "there is no directory `gone`"),
        (&["plan", "-f", &files, "--out", "here"], "it is a directory"),
        (&["snapshot", "-o", "gone/org.json"], "there is no directory `gone`"),
        (&["import", "-o", "file/organization"], "`file` is a file"),
        (&["crds", "--out", "file"], "`file` is a file"),
    ] {
        let ran = shell.run(arguments).exits(1).complains(&["cannot ", words, "help: "]);
        assert!(ran.out.is_empty(), "{ran}");
    }
    assert!(shell.calls().is_empty(), "AWS was read for an output that cannot be written");
}

#[test]
fn a_snapshot_of_another_organization_is_told_as_such() {
    let shell = Shell::new();
    snapshot(&shell);
    let other = shell.elsewhere();
    let files = other.data_science().replace("data-science", "other");
    std::fs::create_dir_all(&files).unwrap();
    let manifests = "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {name: other}\nspec: {managementAccountId: \"999988887777\"}\n";
    std::fs::write(format!("{files}/organization.yaml"), manifests).unwrap();
    let ran = shell.run(&["plan", "-f", &files, "--snapshot", "org.json"]).exits(1);
    ran.complains(&["the snapshot is of the organization of account", shell.account.as_str(), "999988887777"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_is_no_panic() {
    let shell = Shell::of(&crate::support::moto::random_account());
    for arguments in [&["completions", "bash"][..], &["crds"], &["iam-policy", "management"], &["demo"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = shell.command(arguments).stdout(full).output().unwrap();
        crate::support::shell::Ran::from(output).exits(1).complains(&["the output could not be written"]);
    }
}

#[test]
fn a_reader_who_has_read_enough_changes_no_exit_code() {
    let shell = Shell::new();
    snapshot(&shell);
    for (arguments, code) in [
        (&["tree", "--snapshot", "org.json", "--all"][..], 0),
        (&["crds"], 0),
        (&["completions", "zsh"], 0),
        (&["validate", "-f", "nowhere", "-o", "json"], 1),
    ] {
        let mut child = shell.spawn(arguments);
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn what_is_no_kept_plan_is_not_applied_as_one() {
    let shell = Shell::new();
    let files = shell.data_science();
    for path in [files.clone(), format!("{files}/units.yaml")] {
        shell.run(&["apply", &path]).exits(1).complains(&["is no plan that was kept", "bylaw apply -f "]);
    }
    shell.run(&["plan", "-f", &files, "--out", "plan.json"]).exits(2);
    let plan = std::fs::read_to_string(shell.home.join("plan.json")).unwrap();
    let mut edited: Value = serde_json::from_str(&plan).unwrap();
    edited["saved"]["sources"][0]["text"] = "a: [".into();
    shell.file("edited.json", &edited.to_string());
    let ran = shell.run(&["apply", "edited.json", "--yes"]).exits(1);
    ran.complains(&["`edited.json`", "it was edited", "bylaw plan"]);
    assert_eq!(shell.writes(), 0);
}
