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
    // What does not bind a principal is not said to allow it nowhere.
    let exempt = ask("aws-service-role/x.amazonaws.com/AWSServiceRoleForX", &[]).exits(0).quietly();
    assert!(exempt.out.contains("service-linked role") && !exempt.out.contains("nothing allows"), "{exempt}");
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
    // What has no end is not read to its end.
    let endless = "/dev/zero";
    ask("s3:GetObject", &["--identity-policy", endless]).exits(1).complains(&["larger than 16 MiB"]);
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
    assert_eq!(told["declaredOnly"], true);
    let text = shell.run(&["what-binds", "data-science-production", "-f", &files]).exits(0).quietly();
    assert!(text.out.contains("only the declared policies"), "{text}");
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

/// An organization with a region lock as SCP, a rule on tags, and an RCP on TLS.
fn guarded(shell: &Shell) -> String {
    let object = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}).to_string()
    };
    let policy = |name: &str, kind: &str, statement: Value| {
        let content = json!({"Version": "2012-10-17", "Statement": [statement]});
        object("OrganizationPolicy", name, json!({"type": kind, "targets": [{"root": true}], "content": content}))
    };
    let lock = json!({"Sid": "Regions", "Effect": "Deny", "NotAction": ["iam:*", "sts:*"], "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-west-1"]}}});
    let owner = json!({"Sid": "NoOwner", "Effect": "Deny", "Action": "ec2:CreateSubnet", "Resource": "*",
        "Condition": {"Null": {"aws:RequestTag/Owner": "true"}}});
    let tls = json!({"Sid": "Tls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:SecureTransport": "false"}}});
    let types = ["SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"];
    let documents = [
        object("Organization", "acme", json!({"managementAccountId": "111111111111", "policyTypes": types})),
        object("Account", "dev", json!({"name": "dev", "email": "dev@example.com", "accountId": "222222222222"})),
        policy("lock", types[0], lock),
        policy("owner", types[0], owner),
        policy("tls", types[1], tls),
    ];
    shell.file("guarded.yaml", &documents.join("\n---\n"))
}

#[test]
fn why_looks_where_aws_says_that_the_denial_was() {
    let shell = Shell::new();
    let files = guarded(&shell);
    let ana = "User: arn:aws:iam::222222222222:user/ana is not authorized to perform:";
    let why = |message: &str, more: &[&str]| {
        shell.run(&[&["why", message, "-f", &files, "-o", "json"][..], more].concat()).exits(0).json("why")
    };
    let sids = |told: &Value| -> Vec<String> {
        told["causes"].as_array().unwrap().iter().map(|cause| cause["sid"].as_str().unwrap().to_owned()).collect()
    };
    let get = format!("{ana} s3:GetObject on resource: \"arn:aws:s3:::data/x\"");
    let by_rcp = format!("{get} with an explicit deny in a resource control policy");
    assert_eq!(sids(&why(&by_rcp, &[])), ["Tls"]);
    assert_eq!(why(&by_rcp, &[])["dependsOn"], json!([]));
    let text = shell.run(&["why", &by_rcp, "-f", &files]).exits(0);
    let first = text.out.lines().nth(1).unwrap_or_default();
    assert_eq!(first, "AWS says: an explicit deny in a resource control policy", "{text}");
    assert!(text.out.contains("denied by Deny statement `Tls`") && !text.out.contains("Regions"), "{text}");
    // Nothing allowed it then, and everything does now: no statement that denies is the cause.
    let silent = "User: arn:aws:sts::222222222222:assumed-role/dev/ana is not authorized to perform: ec2:RunInstances because \
                  no service control policy allows the ec2:RunInstances action";
    let told = why(silent, &[]);
    assert_eq!((sids(&told), &told["saidExplicit"]), (vec![], &json!(false)));
    assert!(told["notes"].to_string().contains("policies have changed since"), "{told}");
    for (said, words) in [
        ("with an explicit deny in a permissions boundary", "it is set on the principal"),
        ("with an explicit deny in a VPC endpoint policy", "attached to the VPC endpoint"),
        ("because no session policy allows the s3:GetObject action", "when the session was made"),
        (
            "with an explicit deny in an identity-based policy: arn:aws:iam::222222222222:policy/P",
            "attached to the principal",
        ),
    ] {
        let told = why(&format!("{get} {said}"), &[]);
        assert!(sids(&told).is_empty() && told["notes"].to_string().contains(words), "{said}: {told}");
    }
    assert_eq!(
        why(
            &format!("{get} with an explicit deny in an identity-based policy: arn:aws:iam::222222222222:policy/P"),
            &[]
        )["saidPolicy"],
        "arn:aws:iam::222222222222:policy/P"
    );
    let user = format!(
        "{ana} iam:GetUser on resource: user bob because no identity-based policy allows the iam:GetUser action"
    );
    assert_eq!(why(&user, &[])["resource"], "arn:aws:iam::222222222222:user/bob");
    // The body of an answer, and what S3 does not say.
    let body = json!({"__type": "AccessDeniedException", "Message": by_rcp}).to_string();
    assert_eq!(sids(&why(&body, &[])), ["Tls"]);
    let bare = "An error occurred (AccessDenied) when calling the GetObject operation: Access Denied";
    let who = ["--principal", "arn:aws:iam::222222222222:user/ana", "--resource", "arn:aws:s3:::data/x"];
    let told = why(bare, &[&who[..], &["--context", "aws:RequestedRegion=us-east-1"]].concat());
    assert_eq!((&told["action"], sids(&told)), (&json!("s3:GetObject"), vec!["Regions".to_owned()]));
    let told = why("Access Denied", &[&who[..], &["--action", "s3:PutObject"]].concat());
    assert_eq!(told["action"], "s3:PutObject");
    shell.run(&["why", "Access Denied", "-f", &files]).exits(1).complains(&["--principal", "--action", "--resource"]);
}

#[test]
fn the_way_out_of_a_tag_that_the_resource_never_carries_is_not_to_send_it() {
    let shell = Shell::new();
    let files = guarded(&shell);
    let vpc = "arn:aws:ec2:eu-west-1:222222222222:vpc/vpc-0123456789abcdef0";
    let message = format!(
        "An error occurred (UnauthorizedOperation) when calling the CreateSubnet operation: You are not authorized to perform this \
         operation. User: arn:aws:sts::222222222222:assumed-role/x/s is not authorized to perform: ec2:CreateSubnet on resource: \
         {vpc} with an explicit deny in a service control policy"
    );
    let told = shell.run(&["why", &message, "-f", &files]).exits(0).quietly();
    assert!(told.out.contains("`NoOwner`") && told.out.contains("subnet/*"), "{told}");
    assert!(!told.out.contains("send `aws:RequestTag/Owner` with the request"), "{told}");
    // What an event tells of the request is known: the subnet had the tag, and the VPC never does.
    let event = json!({"eventSource": "ec2.amazonaws.com", "eventName": "CreateSubnet", "errorCode": "Client.UnauthorizedOperation",
        "errorMessage": message, "awsRegion": "eu-west-1", "recipientAccountId": "222222222222",
        "requestParameters": {"vpcId": "vpc-0123456789abcdef0", "tagSpecificationSet": {"items": [{"resourceType": "subnet", "tags": [{"key": "Owner", "value": "ana"}]}]}},
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::222222222222:assumed-role/x/s", "accountId": "222222222222",
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::222222222222:role/x"}}}});
    let told = shell.run(&["why", &event.to_string(), "-f", &files]).exits(0);
    assert!(told.out.contains("subnet/*") && !told.out.contains("Regions"), "{told}");
}

#[test]
fn questions_that_cannot_be_answered_say_what_to_do() {
    let shell = Shell::new();
    let files = shell.data_science();
    let cases: &[(&[&str], &[&str])] = &[
        (&["can", "--action", "s3:Get*", "--account", "data-science"], &["`s3:Get*` is not an action"]),
        (&["can", "--action", "s3", "--account", "data-science"], &["`s3` is not an action"]),
        (&["can", "--action", "s3:GetObject ", "--account", "data-science"], &["`s3:GetObject ` is not an action"]),
        (
            &["can", "--action", DEPLOY, "--account", "data-science", "--resource", "bucket"],
            &["`bucket` is no ARN of a resource"],
        ),
        (&["who-can", DEPLOY, "--resource", ""], &["`` is no ARN of a resource"]),
        (
            &["can", "--action", DEPLOY, "--account", "data-science", "--context", "aws:A=", "--context", "AWS:a=1"],
            &["`aws:a` is told to be absent, and to have a value"],
        ),
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
    // moto does not know the delegation policy, which is told.
    shell.run(&["snapshot", "-o", "org.json"]).exits(1);
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

/// Records of the example's production account, as CloudTrail has them.
fn record(account: &str, role: &str, name: &str, id: usize) -> Value {
    json!({
        "eventVersion": "1.11", "eventTime": format!("2026-11-01T10:00:{:02}Z", id % 60), "eventID": format!("e-{role}-{id}"),
        "eventSource": "sagemaker.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "eventType": "AwsApiCall",
        "sourceIPAddress": "192.0.2.1", "recipientAccountId": account, "readOnly": false,
        "userIdentity": {
            "type": "AssumedRole", "accountId": account, "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/ana"),
            "sessionContext": {"sessionIssuer": {"type": "Role", "arn": format!("arn:aws:iam::{account}:role/{role}"), "accountId": account}},
        },
        "requestParameters": {"endpointName": "x", "endpointConfigName": "c"},
    })
}

#[test]
fn a_pull_request_tells_which_recorded_calls_it_would_break() {
    let shell = Shell::new();
    let production = "999123456789".to_owned();
    // Records are of accounts that the manifests know by their ids.
    let email = "  email: aws-data-science-production@acme.example\n";
    let files = shell.example("data-science", |_, text| {
        Some(text.replace(email, &format!("  accountId: \"{production}\"\n{email}")))
    });
    let calls: Vec<Value> = (0..40)
        .map(|n| record(&production, if n < 30 { "dev" } else { "ml-deployer" }, "CreateEndpoint", n))
        .chain([record(shell.account.as_str(), "admin", "CreateEndpoint", 0)])
        .collect();
    let trail = shell.file("trail/a.json", &json!({"Records": calls}).to_string());
    // What is in force has no rule on who deploys.
    let old = shell.home.join("old");
    std::fs::create_dir_all(&old).unwrap();
    for file in ["organization.yaml", "policies.yaml", "units.yaml"] {
        let text = std::fs::read_to_string(std::path::Path::new(&files).join(file)).unwrap();
        let documents: Vec<&str> =
            text.split("\n---\n").filter(|text| !text.contains("name: production-deployments\n")).collect();
        std::fs::write(old.join(file), documents.join("\n---\n")).unwrap();
    }
    let old = old.to_str().unwrap();
    let base = ["impact", "-f", &files, "--against", old, "--events", &trail];
    let told = shell.run(&[&base[..], &["-o", "json"]].concat()).exits(2).quietly().json("impact");
    assert_eq!(told["denied"], json!({"exact": 30, "lower": 30, "upper": 30}));
    assert_eq!(told["allowed"]["upper"], 0);
    let line = &told["newlyDenied"][0];
    assert_eq!((&line["statement"], &line["count"]), (&json!("DeployedByOthers"), &json!(30)));
    assert_eq!(line["principal"], format!("arn:aws:iam::{production}:role/dev"));
    assert!(told["exemptions"][0]["condition"].to_string().contains("ArnNotLike"), "{told}");
    assert_eq!(told["declaredOnly"], true);
    // Of an account that no manifest names by its id, only that it may be there is known.
    let other = record("999900001111", "dev", "CreateEndpoint", 1);
    let elsewhere = shell.file("elsewhere.json", &json!({"Records": [other]}).to_string());
    let unknown = ["impact", "-f", &files, "--against", old, "--events", &elsewhere, "-o", "json"];
    let told = shell.run(&unknown).exits(2).json("impact");
    assert_eq!((&told["denied"]["lower"], &told["denied"]["upper"]), (&json!(0), &json!(1)));
    assert_eq!(told["unknown"][0]["dependsOn"], json!(["account"]));
    // The same manifests on both sides change nothing.
    shell.run(&["impact", "-f", &files, "--against", &files, "--events", &trail]).exits(0).quietly();
    for (form, words) in [("text", "30 of 40"), ("markdown", "bylaw impact"), ("html", "<html")] {
        let ran = shell.run(&[&base[..], &["-o", form]].concat()).exits(2).quietly();
        assert!(ran.out.contains(words), "{form}: {ran}");
    }
    // What cannot be read is named by file and byte, and the rest counts.
    shell.file("trail/b.json", "{\"Records\": [{\"eventSource\": ");
    let folder = shell.home.join("trail");
    let ran = shell.run(&["impact", "-f", &files, "--against", old, "--events", folder.to_str().unwrap()]).exits(1);
    assert!(ran.out.contains("30 of 40") && format!("{}{}", ran.out, ran.err).contains("b.json"), "{ran}");
    let sql = shell.run(&["impact", "-f", &files, "--against", old, "--sql", "athena"]).exits(0).quietly();
    assert!(sql.out.contains("GROUP BY") && sql.out.contains("cloudtrail_logs"), "{sql}");
    shell.run(&["impact", "-f", &files, "--against", old]).exits(1).complains(&["no events were named", "--sql"]);
    shell.run(&["impact", "--events", &trail]).exits(1).complains(&["name manifests with `-f`"]);
    shell.run(&["impact", "-f", &files, "--against", old, "--events", "nowhere"]).exits(1);
    assert!(shell.calls().is_empty());
}

#[test]
fn the_past_is_told_from_events() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    // moto does not know the delegation policy, which is told.
    shell.run(&["snapshot", "-o", "org.json"]).exits(1);
    let text = std::fs::read_to_string(shell.home.join("org.json")).unwrap();
    let snapshot: Value = serde_json::from_str(&text).unwrap();
    let policies = snapshot["policies"].as_object().unwrap();
    let (policy, found) = policies.iter().find(|(_, policy)| policy["name"] == "production-deployments").unwrap();
    let unit = found["targets"]["known"]["value"][0].as_str().unwrap();
    let call = |at: &str, name: &str, asked: Value| {
        json!({"eventSource": "organizations.amazonaws.com", "eventName": name, "eventTime": at, "eventID": at,
            "userIdentity": {"arn": "arn:aws:sts::111122223333:assumed-role/admin/ana"}, "requestParameters": asked})
    };
    let attached = call("2026-05-02T00:00:00Z", "AttachPolicy", json!({"policyId": policy, "targetId": unit}));
    let trail = shell.file("org/a.json", &json!({"Records": [attached]}).to_string());
    let ask = |more: &[&str]| {
        let base = [
            "can",
            "--account",
            "data-science-production",
            "--action",
            DEPLOY,
            "--snapshot",
            "org.json",
            "--events",
            &trail,
        ];
        shell.run(&[&base[..], more].concat())
    };
    ask(&[]).exits(4);
    ask(&["--at", "2026-05-03"]).exits(4);
    // Before it was attached nothing stood in the way.
    ask(&["--at", "2026-05-01"]).exits(0);
    let told =
        shell.run(&["history", "data-science-production", "--snapshot", "org.json", "--events", &trail, "-o", "json"]);
    let told = told.exits(0).json("history");
    assert_eq!((&told["events"][0]["policy"], told["events"].as_array().unwrap().len()), (&json!(policy), 1));
    let bound =
        shell.run(&["what-binds", "data-science-production", "--snapshot", "org.json", "--events", &trail]).exits(0);
    assert!(
        bound.out.contains("since 2026-05-02T00:00:00Z by arn:aws:sts::111122223333:assumed-role/admin/ana"),
        "{bound}"
    );
    shell.run(&["can", "--account", "x", "--action", DEPLOY, "--snapshot", "org.json", "--at", "2026-05-01"]).exits(1);
    ask(&["-f", &files, "--at", "2026-05-01"]).exits(0);
    let base = ["can", "--account", "data-science-production", "--action", DEPLOY, "-f", &files];
    let alone = [&base[..], &["--events", &trail, "--at", "2026-05-01"]].concat();
    shell.run(&alone).exits(1).complains(&["manifests do not tell", "--snapshot"]);
    ask(&["--at", "yesterday"]).exits(1).complains(&["2026-05-01"]);
}

/// An organization with one account, whose SCP wants a tag on everything.
fn tagged(shell: &Shell, resource: &str) -> String {
    let text = format!(
        r#"apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {{name: acme}}
spec:
  managementAccountId: "111111111111"
  policyTypes: [SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY]
---
apiVersion: bylaw.dev/v1alpha1
kind: Account
metadata: {{name: dev}}
spec: {{name: dev, email: dev@example.com, accountId: "222222222222"}}
---
apiVersion: bylaw.dev/v1alpha1
kind: OrganizationPolicy
metadata: {{name: tags}}
spec:
  type: SERVICE_CONTROL_POLICY
  targets: [{{root: true}}]
  content: {{"Version": "2012-10-17", "Statement": [{{"Sid": "NoOwner", "Effect": "Deny", "Action": ["ec2:RunInstances", "ec2:CreateSubnet"],
    "Resource": "{resource}", "Condition": {{"Null": {{"aws:RequestTag/Owner": "true"}}}}}}]}}
"#
    );
    shell.file("org.yaml", &text)
}

const ROLE: &str = "arn:aws:iam::222222222222:role/x";

#[test]
fn a_whole_call_is_asked_and_the_resource_that_decides_is_named() {
    let shell = Shell::new();
    let files = tagged(&shell, "*");
    let ask = |more: &[&str]| shell.run(&[&["can", "-f", &files, "--principal", ROLE][..], more].concat());
    let owned = ["--context", "aws:RequestTag/Owner=ana"];
    let subnet = ask(&[&["--action", "ec2:CreateSubnet"][..], &owned].concat()).exits(3).quietly();
    for words in ["denied by the declared policies", "on `vpc`:", "`NoOwner`", "what it creates alone"] {
        assert!(subnet.out.contains(words), "{subnet}");
    }
    ask(&[&["--action", "ec2:RunInstances"][..], &owned].concat()).exits(3);
    let vpc = "arn:aws:ec2:eu-west-1:222222222222:vpc/vpc-0123456789abcdef0";
    ask(&["--action", "ec2:CreateSubnet", "--resource", vpc]).exits(3);
    let files = tagged(&shell, "arn:aws:ec2:*:*:subnet/*");
    let ask =
        |more: &[&str]| shell.run(&[&["can", "-f", &files, "--principal", ROLE, "-o", "json"][..], more].concat());
    let told = ask(&[&["--action", "ec2:CreateSubnet"][..], &owned].concat()).exits(0).json("can");
    assert_eq!(told["declaredOnly"], true);
    let parts = told["authorizations"].as_array().unwrap();
    let part = |name: &str| parts.iter().find(|part| part["resourceType"] == name || part["action"] == name).unwrap();
    assert_eq!((&part("vpc")["needed"], &part("vpc")["decision"]), (&json!("Always"), &json!("allowed")));
    assert_eq!((&part("ipam-pool")["needed"], &part("ec2:CreateTags")["sure"]), (&json!("IfThere"), &json!(true)));
}

#[test]
fn requests_are_answered_line_by_line_and_a_bad_line_stops_none() {
    let shell = Shell::new();
    let files = tagged(&shell, "*");
    let lines = [
        format!(r#"{{"id": "a", "principal": "{ROLE}", "action": "ec2:CreateSubnet", "context": {{"aws:RequestTag/Owner": "ana"}}}}"#),
        "{".to_owned(),
        String::new(),
        r#"{"id": "b", "account": "dev", "action": "s3:GetObject", "context": {"aws:SourceVpce": null, "aws:TagKeys": ["a", "b"]}}"#.to_owned(),
        r#"{"account": "dev", "acton": "s3:GetObject"}"#.to_owned(),
        r#"{"account": "nobody", "action": "s3:GetObject"}"#.to_owned(),
        r#"{"account": "dev", "action": "s3:GetObject", "context": {"aws:A": 1}}"#.to_owned(),
    ];
    let file = shell.file("requests.jsonl", &lines.join("\n"));
    let told = shell.run(&["can", "-f", &files, "--requests", &file, "-o", "jsonl"]).exits(1);
    let records: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |line: u64| records.iter().find(|record| record["line"] == line).unwrap();
    assert_eq!((of(1)["id"].as_str(), of(1)["decision"].as_str()), (Some("a"), Some("denied")));
    assert_eq!(of(1)["decidedOn"]["resourceType"], "vpc");
    assert_eq!((of(4)["id"].as_str(), of(4)["decision"].as_str()), (Some("b"), Some("allowed")));
    for (line, words) in
        [(2, "EOF"), (5, "unknown field `acton`"), (6, "no account named `nobody`"), (7, "a string, a list of strings")]
    {
        let error = &of(line)["error"];
        assert!(error["message"].as_str().unwrap().contains(words), "{}", of(line));
        assert!(!error["help"].as_str().unwrap().is_empty() && of(line)["decision"].is_null());
    }
    assert_eq!(records.len(), 6);
    assert!(told.err.contains("4 lines are no requests"), "{told}");
    let long = format!("{{\"account\": \"{}\"}}\n{}\n", "x".repeat(1 << 20), lines[0]);
    let long =
        shell.run(&["can", "-f", &files, "--requests", &shell.file("long.jsonl", &long), "-o", "jsonl"]).exits(1);
    let records: Vec<Value> = long.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records[0]["error"]["message"].as_str().unwrap().contains("too long"), "{}", records[0]);
    assert_eq!((records[1]["line"].as_u64(), records[1]["decision"].as_str()), (Some(2), Some("denied")));
    let good = shell.file("good.jsonl", &format!("{}\n", lines[0]));
    shell.run(&["can", "-f", &files, "--requests", &good, "-o", "jsonl"]).exits(0).quietly();
    let streamed = shell.run_with_input(&["can", "-f", &files, "--requests", "-", "-o", "jsonl"], &lines[0]).exits(0);
    assert_eq!(streamed.out.lines().count(), 1, "{streamed}");
    let twice = shell.run(&["can", "-f", "-", "--requests", "-", "-o", "jsonl"]).exits(1);
    twice.complains(&["standard input is named twice"]);
    shell.run(&["can", "-f", &files, "--requests", &good]).exits(1).complains(&["-o jsonl"]);
    shell.run(&["can", "-f", &files, "--requests", "nowhere", "-o", "jsonl"]).exits(1).complains(&["nowhere"]);
}
