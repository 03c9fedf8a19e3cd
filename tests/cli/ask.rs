//! Questions to the organization: `can`, `who-can`, `what-binds`, `why`, `history`, on manifests and snapshots alone.

use serde_json::{Value, json};

use crate::support::shell::Shell;

const DEPLOY: &str = "sagemaker:CreateEndpoint";

/// The id that an account of the example gets in a rehearsal.
fn account(shell: &Shell, files: &str, name: &str) -> String {
    let told = shell.run(&["who-can", DEPLOY, "-f", files, "-o", "json"]).exits(0).quietly().json("who-can");
    let accounts = told["accounts"].as_array().unwrap();
    accounts.iter().find(|account| account["name"] == name).unwrap()["account"].as_str().unwrap().to_owned()
}

#[test]
fn a_decision_is_its_exit_code_and_names_the_statement() {
    let shell = Shell::new();
    let files = shell.data_science();
    let production = account(&shell, &files, "data-science-production");
    let ask = |principal: &str, more: &[&str]| {
        let arn = format!("arn:aws:iam::{production}:role/{principal}");
        shell.run(&[&["can", "--principal", &arn, "--action", DEPLOY, "-f", &files][..], more].concat())
    };
    ask("ml-deployer", &[]).exits(0).quietly();
    let denied = ask("dev", &[]).exits(3).quietly();
    for words in
        ["denied", "`DeployedByOthers`", "OU PRODUCTION", "OrganizationPolicy/production-deployments", "policies.yaml:"]
    {
        assert!(denied.out.contains(words), "{denied}");
    }
    let told = ask("dev", &["-o", "json"]).exits(3).json("can");
    assert_eq!(told["decision"], "denied");
    assert_eq!(told["decidedBy"]["sid"], "DeployedByOthers");
    // Nobody in particular: it hangs on who asks.
    let nobody =
        shell.run(&["can", "--account", "data-science-production", "--action", DEPLOY, "-f", &files, "-o", "json"]);
    let told = nobody.exits(4).json("can");
    assert_eq!(told["dependsOn"], json!(["aws:PrincipalArn"]));
    let told = shell
        .run(&[
            "can",
            "--account",
            "data-science-production",
            "--action",
            DEPLOY,
            "-f",
            &files,
            "--context",
            "AWS:principalarn=arn:aws:iam::1:role/ml-deployer",
            "-o",
            "json",
        ])
        .exits(0)
        .json("can");
    assert_eq!(told["decision"], "allowed");
    assert!(shell.calls().is_empty(), "AWS was asked");
}

#[test]
fn policies_that_are_brought_along_have_their_say() {
    let shell = Shell::new();
    let files = shell.data_science();
    let role = format!("arn:aws:iam::{}:role/x", account(&shell, &files, "data-science"));
    let policy = |name: &str, effect: &str| {
        let text =
            json!({"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": "s3:Get*", "Resource": "*"}});
        shell.file(name, &text.to_string())
    };
    let (allow, deny) = (policy("allow.json", "Allow"), policy("deny.json", "Deny"));
    let ask = |action: &str, more: &[&str]| {
        shell.run(&[&["can", "--principal", &role, "--action", action, "-f", &files, "-o", "json"][..], more].concat())
    };
    ask("s3:GetObject", &["--identity-policy", &allow]).exits(0);
    let told = ask("s3:PutObject", &["--identity-policy", &allow]).exits(3).json("can");
    assert_eq!(told["lacking"], json!(["the identity's policies"]));
    ask("s3:GetObject", &["--identity-policy", &allow, "--boundary", &deny]).exits(3);
    ask("s3:GetObject", &["--identity-policy", "nowhere.json"]).exits(1).complains(&["nowhere.json", "help"]);
    let broken = shell.file("broken.json", "{");
    ask("s3:GetObject", &["--identity-policy", &broken]).exits(1).complains(&["broken.json", "bylaw lint"]);
}

#[test]
fn who_can_counts_accounts_and_units_and_tells_reasons() {
    let shell = Shell::new();
    let files = shell.data_science();
    let told = shell.run(&["who-can", DEPLOY, "-f", &files, "-o", "json"]).exits(0).quietly().json("who-can");
    assert_eq!(told["summary"], json!({"allowed": 3, "denied": 0, "depends": 1}));
    let unit =
        |name: &str| told["units"].as_array().unwrap().iter().find(|unit| unit["name"] == name).cloned().unwrap();
    assert_eq!(unit("PRODUCTION")["depends"], 1);
    assert_eq!(unit("STAGING")["allowed"], 1);
    let everyone = "arn:aws:iam::{account}:role/dev";
    let told = shell.run(&["who-can", DEPLOY, "--principal", everyone, "-f", &files]).exits(0).quietly();
    assert!(told.out.contains("denied in 1 account") && told.out.contains("`DeployedByOthers`"), "{told}");
}

#[test]
fn what_binds_tells_every_statement_with_its_origin() {
    let shell = Shell::new();
    let files = shell.data_science();
    let told =
        shell.run(&["what-binds", "data-science-production", "-f", &files, "-o", "json"]).exits(0).json("what-binds");
    let policies = told["policies"].as_array().unwrap();
    let of = |name: &str| policies.iter().find(|policy| policy["policyName"] == name).unwrap();
    assert_eq!(of("production-deployments")["nodeName"], "PRODUCTION");
    assert_eq!(of("production-deployments")["object"], "OrganizationPolicy/production-deployments");
    assert!(of("sagemaker-baseline")["statements"].as_array().unwrap().len() > 5);
    assert_eq!(of("FullAWSAccess")["statements"][0]["effect"], "Allow");
    let text = shell.run(&["what-binds", "data-science-production", "-f", &files]).exits(0).quietly();
    assert!(text.out.contains("DeployedByOthers Deny") && text.out.contains("TAG project-tag"), "{text}");
}

#[test]
fn a_denial_is_explained_from_its_message_or_its_event() {
    let shell = Shell::new();
    let files = shell.data_science();
    let production = account(&shell, &files, "data-science-production");
    let owned = shell.example("data-science", |_, text| {
        let name = "  name: production-deployments\n";
        Some(text.replace(name, &format!("{name}  annotations: {{bylaw.dev/owner: ml-platform}}\n")))
    });
    let files = owned.as_str();
    let message = format!(
        "User: arn:aws:sts::{production}:assumed-role/dev/ana is not authorized to perform: {DEPLOY} on resource: \
         arn:aws:sagemaker:eu-west-1:{production}:endpoint/x with an explicit deny in a service control policy"
    );
    let told = shell.run(&["why", &message, "-f", files]).exits(0).quietly();
    for words in [
        "`DeployedByOthers`",
        "owner ml-platform",
        "way out: call as arn:aws:iam::*:role/ml-deployer",
        "ask ml-platform",
    ] {
        assert!(told.out.contains(words), "{told}");
    }
    let event = json!({"Records": [{"eventSource": "sagemaker.amazonaws.com", "eventName": "CreateEndpoint", "errorCode": "AccessDenied",
        "errorMessage": message, "userIdentity": {"arn": format!("arn:aws:sts::{production}:assumed-role/dev/ana")}}]});
    let file = shell.file("event.json", &event.to_string());
    let told = shell.run(&["why", &file, "-f", files, "-o", "json"]).exits(0).json("why");
    assert_eq!((&told["decision"], &told["said"]), (&json!("denied"), &json!("service control policy")));
    assert_eq!(told["causes"][0]["owner"], "ml-platform");
    // What the organization does not deny is said to be somebody else's.
    let other = message
        .replace("an explicit deny in a service control policy", "an explicit deny in an identity-based policy")
        .replace("/dev/", "/ml-deployer/");
    let told = shell.run(&["why", &other, "-f", files]).exits(0);
    assert!(told.out.contains("not of the organization"), "{told}");
}

#[test]
fn questions_that_cannot_be_answered_say_what_to_do() {
    let shell = Shell::new();
    let files = shell.data_science();
    let cases: &[(&[&str], &[&str])] = &[
        (&["can", "--action", "s3:Get*", "--account", "data-science"], &["`s3:Get*` is not an action"]),
        (&["can", "--action", "s3", "--account", "data-science"], &["`s3` is not an action"]),
        (&["can", "--action", DEPLOY], &["nobody is named", "--account"]),
        (&["can", "--action", DEPLOY, "--account", "data-scence"], &["did you mean `data-science`?", "bylaw tree"]),
        (&["can", "--action", DEPLOY, "--account", "000000000000"], &["no account `000000000000`"]),
        (&["can", "--action", DEPLOY, "--principal", "ana"], &["`ana` is no principal", "role/app"]),
        (
            &["can", "--action", DEPLOY, "--account", "data-science", "--context", "x"],
            &["`x` is no condition key", "KEY=VALUE"],
        ),
        (&["who-can", DEPLOY, "--principal", "arn:aws:iam::111122223333:role/x"], &["{account}"]),
        (&["what-binds", "nobody"], &["no account named `nobody`"]),
        (&["why", "it does not work"], &["does not tell who was denied", "--principal"]),
        (&["why", "{\"a\": 1}"], &["no CloudTrail event"]),
        (&["why", "{"], &["the event is no JSON"]),
        (&["history", "data-science"], &["--events"]),
    ];
    for (arguments, words) in cases {
        let ran = shell.run(&[arguments, &["-f", &files][..]].concat()).exits(1).complains(words);
        assert!(ran.out.is_empty(), "{ran}");
    }
    let warned = shell.run(&["can", "--action", "s3:GetObjects", "--account", "data-science", "-f", &files]).exits(0);
    assert!(warned.err.contains("did you mean `s3:GetObject`?"), "{warned}");
    assert!(shell.calls().is_empty());
}

#[test]
fn an_organization_is_asked_on_its_snapshot_and_on_what_manifests_would_make_of_it() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    shell.run(&["snapshot", "-o", "org.json"]).exits(0);
    let ask = |more: &[&str]| {
        let base =
            ["can", "--account", "data-science-production", "--action", DEPLOY, "--snapshot", "org.json", "-o", "json"];
        shell.run(&[&base[..], more].concat())
    };
    let told: Value = ask(&[]).exits(4).json("can");
    assert!(!told["walk"].as_array().unwrap().is_empty());
    ask(&["-f", &files]).exits(4);
    // A pull request moves the policy to another OU: asked on what it would leave.
    let moved = shell.example("data-science", |_, text| {
        let target = "organizationalUnitRef:\n        name: data-science-";
        Some(text.replace(&format!("{target}production"), &format!("{target}staging")))
    });
    ask(&["-f", &moved]).exits(0);
}
