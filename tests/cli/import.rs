//! An organization that nobody governs yet, taken over without a change to it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::shell::{Shell, written};

fn tags(index: usize) -> Value {
    json!([{"Key": "team", "Value": format!("team-{}", index % 4)}, {"Key": "cost-center", "Value": format!("{:04}", index * 37)}])
}

/// 10 OUs on three levels, 20 accounts, 8 policies of two types, 19 attachments.
fn seed(shell: &Shell) {
    let root = shell.aws("ListRoots", &json!({}))["Roots"][0]["Id"].clone();
    for kind in ["SERVICE_CONTROL_POLICY", "TAG_POLICY"] {
        shell.aws("EnablePolicyType", &json!({"RootId": root, "PolicyType": kind}));
    }
    let mut units: Vec<Value> = vec![];
    for index in 0..10 {
        let parent = match index {
            0..4 => root.clone(),
            _ => units[(index - 4) / 2].clone(),
        };
        let body = json!({"ParentId": parent, "Name": format!("Unit {index:02}"), "Tags": tags(index)});
        units.push(shell.aws("CreateOrganizationalUnit", &body)["OrganizationalUnit"]["Id"].clone());
    }
    let mut accounts: Vec<Value> = vec![];
    for index in 0..20 {
        let (name, email) = (format!("account-{index:02}"), format!("account-{index:02}@example.com"));
        let made = shell.aws("CreateAccount", &json!({"AccountName": name, "Email": email, "Tags": tags(index)}));
        let id = made["CreateAccountStatus"]["AccountId"].clone();
        let to = &units[index % units.len()];
        shell.aws("MoveAccount", &json!({"AccountId": id, "SourceParentId": root, "DestinationParentId": to}));
        accounts.push(id);
    }
    for index in 0..8 {
        let (kind, content) = match index {
            0..6 => (
                "SERVICE_CONTROL_POLICY",
                json!({"Version": "2012-10-17", "Statement": [{"Sid": format!("Deny{index}"), "Effect": "Deny",
                    "Action": ["s3:DeleteBucket", "ec2:RunInstances"], "Resource": "*",
                    "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["eu-central-1"]}}}]}),
            ),
            _ => ("TAG_POLICY", json!({"tags": {"team": {"tag_key": {"@@assign": "team"}}}})),
        };
        let body = json!({"Name": format!("policy-{index}"), "Type": kind, "Description": format!("policy {index}"),
            "Content": content.to_string(), "Tags": tags(index)});
        let policy = shell.aws("CreatePolicy", &body)["Policy"]["PolicySummary"]["Id"].clone();
        for target in [&units[index], &accounts[index * 2]] {
            shell.aws("AttachPolicy", &json!({"PolicyId": policy, "TargetId": target}));
        }
        if index % 3 == 0 {
            shell.aws("AttachPolicy", &json!({"PolicyId": policy, "TargetId": root}));
        }
    }
    shell.calls();
}

#[test]
fn an_organization_is_taken_over_without_a_change() {
    let shell = Shell::new();
    seed(&shell);
    // moto does not know the delegation policy: the one part that is missing, and it is named.
    let ran = shell.run(&["import", "-o", "org"]).exits(1).complains(&["the delegation policy", "--partial"]);
    assert!(!shell.home.join("org").exists(), "half an import: {ran}");
    let ran = shell.run(&["import", "-o", "org", "--partial"]).exits(0);
    let read = shell.calls();
    assert_eq!(written(&read), 0, "import wrote: {ran}");
    shell.run(&["validate", "-f", "org"]).exits(0);
    // What import read the plan after it need not read again: neither tags nor anything else that is not read each time.
    let first = shell.run(&["plan", "-f", "org"]).exits(0).says(&["No changes"]);
    let calls = shell.calls();
    assert_eq!(read["ListTagsForResource"], 2 * (1 + 10 + 21 + 8), "the refused import and this one: {read:?}");
    assert_eq!((calls["ListTagsForResource"], calls["DescribePolicy"]), (1, 8), "{calls:?}\n{first}");
    shell.run(&["plan", "-f", "org"]).exits(0).says(&["No changes"]);
    assert_eq!(shell.calls(), calls, "the first plan after an import is as warm as the second");
    let elsewhere = shell.elsewhere();
    let folder = shell.home.join("org");
    elsewhere.run(&["plan", "-f", folder.to_str().unwrap()]).exits(0).says(&["No changes"]);
    assert_eq!(shell.calls()["ListTagsForResource"], 1 + 10 + 21 + 8, "where nothing was kept all is read");
    shell.run(&["apply", "-f", "org", "--yes"]).exits(0).says(&["No changes"]);
    assert_eq!(shell.writes(), 0);
    // What is there is not overwritten unasked.
    shell.run(&["import", "-o", "org", "--partial"]).exits(1).complains(&["--force"]);
    shell.run(&["import", "-o", "org", "--partial", "--force"]).exits(0);

    // The same from a file, with no AWS in reach.
    shell.run(&["snapshot", "-o", "org.json"]).exits(1);
    let offline = shell.at("http://127.0.0.1:9");
    offline.run(&["import", "-o", "again", "--partial", "--snapshot", "org.json"]).exits(0);
    offline.run(&["plan", "-f", "again", "--snapshot", "org.json"]).exits(0);
    offline.run(&["tree", "--snapshot", "org.json"]).exits(0).quietly().says(&["Unit 09", "account-19", "policy-7"]);
    let read = |folder: &str| {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for entry in std::fs::read_dir(shell.home.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
        files
    };
    assert_eq!(read("org"), read("again"));
}
