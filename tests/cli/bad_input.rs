//! Manifests and credentials that are no good: place and remedy, and nothing is written.

use serde_json::json;

use crate::support::moto::{moto, random_account};
use crate::support::shell::Shell;

const ORGANIZATION: &str = "kind: Organization
apiVersion: bylaw.dev/v1alpha1
metadata: {name: acme}
spec: {managementAccountId: \"ACCOUNT\", policyTypes: [SERVICE_CONTROL_POLICY]}
";

#[test]
fn manifests_that_cannot_be_used_are_named_with_place_and_remedy() {
    let shell = Shell::new();
    let organization = ORGANIZATION.replace("ACCOUNT", shell.account.as_str());
    let account = |name: &str, more: &str| {
        format!(
            "---\nkind: Account\napiVersion: bylaw.dev/v1alpha1\nmetadata: {{name: {name}}}\nspec: {{name: {name}, {more}}}\n"
        )
    };
    std::fs::create_dir_all(shell.home.join("empty")).unwrap();
    let twice = [account("a", "email: a@b.example"), account("b", "email: A@b.example")].concat();
    let id = [account("a", "accountId: \"123456789012\""), account("b", "accountId: \"123456789012\"")].concat();
    for (path, words) in [
        (shell.file("broken.yaml", "a: [1"), &["broken.yaml:1:4", "never closed"][..]),
        (shell.file("binary.yaml", "kind: \0\0\0"), &["binary.yaml:1:7", "binary"]),
        (shell.file("nothing.yaml", ""), &["no `Organization` is declared"]),
        (shell.home.join("empty").to_str().unwrap().to_owned(), &["the directory holds no manifests"]),
        ("nowhere.yaml".to_owned(), &["there is no file or directory `nowhere.yaml`"]),
        (
            shell.file("field.yaml", &organization.replace("policyTypes", "policyType")),
            &["field.yaml:4", "`policyType`", "policyTypes"],
        ),
        (shell.file("kind.yaml", &format!("{organization}---\nkind: OrganisationalUnit\napiVersion: bylaw.dev/v1alpha1\nmetadata: {{name: x}}\n")), &["kind.yaml:6", "OrganizationalUnit"]),
        (shell.file("twice.yaml", &format!("{organization}{twice}")), &["twice.yaml", "b.example"]),
        (shell.file("id.yaml", &format!("{organization}{id}")), &["id.yaml", "123456789012"]),
    ] {
        for command in [&["plan", "-f", &path][..], &["apply", "--yes", "-f", &path]] {
            let ran = shell.run(command).exits(1).complains(words).complains(&["help"]);
            assert!(ran.out.is_empty(), "{ran}");
        }
    }
    assert!(shell.calls().is_empty(), "AWS was asked for manifests that cannot be used");
}

#[test]
fn credentials_of_another_account_see_nothing_and_write_nothing() {
    let shell = Shell::new();
    let files = shell.data_science();
    // Of no organization at all, and the management account of another one.
    let nobody = Shell::of(&random_account());
    let other = Shell::new();
    for wrong in [&nobody, &other] {
        for command in [&["plan", "-f", &files][..], &["apply", "--yes", "-f", &files]] {
            wrong.run(command).exits(1).complains(&[
                "the credentials are of account",
                wrong.account.as_str(),
                shell.account.as_str(),
                "AWS_PROFILE",
            ]);
        }
        assert_eq!(wrong.writes(), 0);
    }
    // A member account of the same organization, which is no delegated administrator.
    let made = shell.aws("CreateAccount", &json!({"AccountName": "m", "Email": "m@example.com"}));
    let member = made["CreateAccountStatus"]["AccountId"].as_str().unwrap().parse().unwrap();
    Shell::of(&member).run(&["plan", "-f", &files]).exits(1).complains(&["the credentials are of account"]);
    for command in [&["snapshot"][..], &["tree"], &["import", "-o", "imported"]] {
        let ran = nobody.run(command).exits(1).complains(&["AWSOrganizationsNotInUseException", "help: "]);
        assert!(ran.out.is_empty(), "{ran}");
    }
    assert!(!nobody.home.join("imported").exists());
}

#[test]
fn without_credentials_the_way_to_some_is_told() {
    let shell = Shell::new();
    let files = shell.data_science();
    let run = |arguments: &[&str]| {
        let mut command = shell.command(arguments);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
            command.env_remove(name);
        }
        crate::support::shell::Ran::from(command.output().unwrap()).exits(1)
    };
    run(&["plan", "-f", &files]).complains(&["no credentials were found", "AWS_PROFILE"]);
    shell.file(".aws/config", "[profile here]\nregion = us-east-1\n");
    run(&["plan", "-f", &files, "--profile", "elsewhere"]).complains(&["`elsewhere`", "help: "]);
    // A profile that is asked for is used, whatever keys the environment holds: they may be another organization's.
    shell.run(&["tree", "--profile", "elsewhere"]).exits(1).complains(&["`elsewhere`"]);
    // Where there are no files of profiles at all, it is named as well.
    let bare = Shell::new();
    bare.run(&["tree", "--profile", "nowhere"]).exits(1).complains(&["profile `nowhere` is in neither"]);
}

#[test]
fn consolidated_billing_is_no_ground_to_stand_on() {
    let account = random_account();
    moto().organizations(&account, "CreateOrganization", &json!({"FeatureSet": "CONSOLIDATED_BILLING"}));
    moto().zero(&account);
    let shell = Shell::of(&account);
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(1).complains(&["consolidated billing only", "all features"]);
    assert_eq!(shell.writes(), 0);
}

#[test]
fn a_policy_of_a_type_that_nobody_switches_on_is_refused() {
    let shell = Shell::new();
    let files = shell.example("data-science", |_, text| Some(text.replace("    - TAG_POLICY\n", "")));
    let ran = shell.run(&["plan", "-f", &files]);
    assert!([Some(1), Some(2)].contains(&ran.code), "{ran}");
    let all = format!("{}{}", ran.out, ran.err);
    assert!(all.contains("TAG_POLICY") && all.contains("policyTypes"), "{ran}");
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    let shell = Shell::of(&random_account());
    for (arguments, words) in [
        (&["plan"][..], "-f"),
        (&["apply"], "-f"),
        (&["plann"], "plan"),
        (&["plan", "-f", "x", "--timeout", "0s"], "10s"),
        (&["plan", "-f", "x", "--max-age=-1h"], "24h"),
        (&["apply", "plan.json", "--prune"], "--prune"),
        (&["tree", "--snapshot", "nowhere.json"], "bylaw snapshot"),
        (&["tree", "--endpoint-url", "localhost:5000"], "help: check the arguments"),
        (&["impact", "-f", "x", "--events", "y", "--at", "2026-05-01"], "`--at` says nothing to `impact`"),
    ] {
        shell.run(arguments).exits(1).complains(&[words]);
    }
}

#[cfg(feature = "controller")]
#[test]
fn a_kubeconfig_that_is_not_there_is_told_in_words() {
    let shell = Shell::of(&random_account());
    let ran = shell.run(&["approve"]).exits(1).complains(&[".kube/config` cannot be read: ", "help: ", "KUBECONFIG"]);
    assert!(!ran.err.to_lowercase().contains("infer") && ran.err.lines().count() == 2, "{ran}");
}

#[test]
fn the_error_that_ends_the_controller_is_json_as_its_log() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let shell = Shell::new();
    let kubeconfig = shell.home.join("kubeconfig.yaml");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n\
                clusters: [{name: a, cluster: {server: \"http://127.0.0.1:1\"}}]\nusers: [{name: a, user: {}}]\n";
    std::fs::write(&kubeconfig, text).unwrap();
    let shell = shell.with("KUBECONFIG", kubeconfig.to_str().unwrap());
    let ran = shell.run(&["controller", "--listen", &address]).exits(1);
    let lines: Vec<serde_json::Value> = ran
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`")))
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(last["level"], "ERROR", "{last:#}");
    assert!(last["message"].as_str().unwrap().contains(&format!("`{address}` cannot be listened on")), "{last:#}");
    assert!(last["help"].as_str().unwrap().contains("--listen"), "{last:#}");
    // For people it is what every command says.
    let ran = shell.with("BYLAW_LOG_FORMAT", "text").run(&["controller", "--listen", &address]).exits(1);
    ran.complains(&["error: ", "cannot be listened on", "help: "]);
    // The way to the cluster is looked for with the log at work.
    let nowhere = shell.with("KUBECONFIG", "/nowhere").run(&["controller"]).exits(1);
    let told: serde_json::Value = serde_json::from_str(nowhere.err.lines().last().unwrap()).unwrap();
    assert!(told["message"].as_str().unwrap().contains("the kubeconfig `/nowhere` cannot be read"), "{told:#}");
}
