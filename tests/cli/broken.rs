//! Endpoints that hang, lie and refuse: what is said, and what is not done.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::proxy::{Fault, Proxy};
use crate::support::shell::Shell;

const EXPIRED: Fault =
    Fault::Error(400, "ExpiredTokenException", "The security token included in the request is expired");
const DENIED: Fault = Fault::Error(400, "AccessDeniedException", "You don't have permissions to access this resource.");

#[test]
fn endpoints_that_do_not_answer_as_aws_does_end_in_words() {
    let shell = Shell::new();
    let files = shell.data_science();
    for (fault, words) in [
        (Fault::Hang, &["no answer within 1", "AWS_ENDPOINT_URL"][..]),
        (Fault::Close, &["connection", "AWS_ENDPOINT_URL"]),
        (Fault::Html, &["not JSON", "AWS_ENDPOINT_URL"]),
        (Fault::Truncated, &["not JSON", "AWS_ENDPOINT_URL"]),
        (Fault::Error(503, "Oops", "try later"), &["Oops", "help: "]),
    ] {
        let proxy = Proxy::start();
        proxy.on("DescribeOrganization", 0, usize::MAX, fault);
        let shell = shell.through(&proxy).with("BYLAW_TIMEOUT", "1s");
        let began = Instant::now();
        let ran = shell.run(&["plan", "-f", &files]).exits(1).complains(words);
        let ran = ran.complains(&["warning: DescribeOrganization", "asking again", "error: DescribeOrganization"]);
        assert!(ran.out.is_empty(), "{fault:?}: {ran}");
        assert!(began.elapsed() < Duration::from_secs(15), "{fault:?} takes {:?}", began.elapsed());
    }
    let nowhere = shell.at("http://127.0.0.1:9").run(&["plan", "-f", &files]).exits(1);
    nowhere.complains(&["refused", "AWS_ENDPOINT_URL"]);
    assert_eq!(shell.writes(), 0);
}

#[test]
fn one_answer_that_is_lost_is_asked_for_again() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    for operation in ["GetCallerIdentity", "ListAccounts", "ListPolicies"] {
        proxy.on(operation, 0, 1, Fault::Close);
    }
    shell.through(&proxy).run(&["plan", "-f", &files]).exits(2).complains(&["asking again"]).says(&["Plan: "]);
}

#[test]
fn a_list_without_end_is_a_part_that_is_not_known() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    let proxy = Proxy::start();
    proxy.on("ListAccounts", 0, usize::MAX, Fault::Loop);
    shell.calls();
    let ran = shell.through(&proxy).run(&["apply", "-f", &files, "--yes", "--prune"]).exits(1);
    ran.says(&["does not end", "No changes for what could be read; undeclared: "])
        .complains(&["nobody knows whether it is as declared"]);
    assert!(proxy.seen("ListAccounts") < 10);
    assert_eq!(shell.writes(), 0);
}

#[test]
fn what_may_not_be_read_is_told_and_nothing_is_taken_away_for_it() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    for operation in [
        "ListAccounts",
        "ListOrganizationalUnitsForParent",
        "ListPolicies",
        "DescribePolicy",
        "ListTargetsForPolicy",
        "ListTagsForResource",
    ] {
        let proxy = Proxy::start();
        proxy.on(operation, 0, usize::MAX, DENIED);
        // Without a cache, or it would know.
        let shell = shell.elsewhere().through(&proxy);
        shell.calls();
        let ran = shell.run(&["plan", "-f", &files, "--prune"]);
        let all = format!("{}{}", ran.out, ran.err);
        assert!(all.contains("AccessDeniedException") && all.contains(operation), "{operation} is not told:\n{ran}");
        let permission = format!("allow `organizations:{operation}`");
        assert!(all.contains(&permission), "{operation}: what is missing is not told:\n{ran}");
        assert!(ran.code == Some(2) || ran.code == Some(1), "{operation}: all is well?\n{ran}");
        let json = shell.run(&["plan", "-f", &files, "--prune", "-o", "json"]);
        if json.code == Some(2) {
            let plan = json.json("plan");
            let bad = |action: &str| ["delete", "detach", "move", "create", "close"].contains(&action);
            let changes = plan["changes"].as_array().unwrap();
            assert!(changes.iter().all(|change| !bad(change["action"].as_str().unwrap())), "{operation}: {json}");
            let refusals =
                plan["refusals"].as_array().unwrap().iter().filter(|refusal| refusal["rule"] == "partial-read");
            for refusal in refusals {
                let told = format!("{} {}", refusal["message"], refusal["remedy"]);
                assert!(told.contains(operation) && told.contains(&permission), "{operation}: {refusal}");
            }
        }
        shell.run(&["apply", "-f", &files, "--prune", "--yes"]).exits(1);
        assert_eq!(shell.writes(), 0, "{operation}: written on a partial reading");
    }
}

#[test]
fn nothing_may_be_read_at_all() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    proxy.on("DescribeOrganization", 0, usize::MAX, DENIED);
    let ran = shell.through(&proxy).run(&["plan", "-f", &files]).exits(1);
    ran.complains(&["AccessDeniedException", "allow `organizations:DescribeOrganization`", "bylaw iam-policy"]);
}

#[test]
fn credentials_that_expire_while_reading_end_the_command() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    proxy.on("*", 5, usize::MAX, EXPIRED);
    let ran = shell.through(&proxy).run(&["apply", "-f", &files, "--yes"]).exits(1);
    let ran = ran.complains(&["ExpiredTokenException", "sign in again"]);
    assert!(ran.out.is_empty(), "{ran}");
    assert_eq!(shell.writes(), 0);
}

#[test]
fn credentials_that_expire_while_writing_end_the_run_and_the_next_goes_on_at_once() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    proxy.on("CreatePolicy", 1, usize::MAX, EXPIRED).on("UntagResource", 0, usize::MAX, EXPIRED);
    let ran = shell.through(&proxy).run(&["apply", "-f", &files, "--yes"]).exits(1);
    ran.says(&["Applied 6 of 17 changes", "not started", "ended early", "ExpiredTokenException"]);
    // The lease could not be given back; the same person goes on all the same.
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0).says(&["Applied 11 changes."]);
    shell.run(&["plan", "-f", &files]).exits(0);
}

#[test]
fn a_write_that_is_denied_stops_what_depends_on_it_and_no_more() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    proxy.on("CreatePolicy", 0, 1, DENIED);
    let ran = shell.through(&proxy).run(&["apply", "-f", &files, "--yes"]).exits(1);
    ran.says(&[
        "create policy `production-deployments` (new) of type `SERVICE_CONTROL_POLICY`: failed",
        "AccessDeniedException",
        "allow `organizations:CreatePolicy`",
        "held back",
        "The organization is not as declared yet.",
    ]);
    let calls = shell.calls();
    // The account of the OU that the policy is for waits for it.
    assert_eq!((calls.get("CreatePolicy"), calls.get("CreateAccount")), (Some(&2), Some(&2)), "{calls:?}");
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
}

#[test]
fn a_write_whose_answer_is_lost_is_not_made_twice() {
    let shell = Shell::new();
    let files = shell.data_science();
    let proxy = Proxy::start();
    // moto makes a second OU of the same name where AWS refuses one, so no answer about OUs is lost here.
    for operation in ["EnablePolicyType", "CreatePolicy", "AttachPolicy", "CreateAccount", "MoveAccount"] {
        proxy.on(operation, 0, 1, Fault::Lost);
    }
    shell.through(&proxy).run(&["apply", "-f", &files, "--yes"]).exits(0);
    let calls = shell.calls();
    assert_eq!(calls["CreateAccount"], 3, "{calls:?}");
    let accounts = shell.aws("ListAccounts", &json!({}))["Accounts"].as_array().unwrap().len();
    let policies = ["SERVICE_CONTROL_POLICY", "TAG_POLICY"].map(|kind| {
        let policies = shell.aws("ListPolicies", &json!({"Filter": kind}))["Policies"].clone();
        policies.as_array().unwrap().iter().filter(|policy| policy["AwsManaged"] != true).count()
    });
    assert_eq!((accounts, policies), (4, [2, 1]), "{calls:?}");
    shell.run(&["plan", "-f", &files]).exits(0);
}

#[test]
fn a_suspended_account_is_left_where_it_is() {
    let shell = Shell::new();
    let files = shell.data_science();
    shell.run(&["apply", "-f", &files, "--yes"]).exits(0);
    let accounts = shell.aws("ListAccounts", &json!({}));
    let staging =
        accounts["Accounts"].as_array().unwrap().iter().find(|a| a["Name"] == "data-science-staging").unwrap();
    shell.aws("CloseAccount", &json!({"AccountId": staging["Id"]}));
    shell.calls();
    let ran = shell.run(&["plan", "-f", &files]);
    let all = format!("{}{}", ran.out, ran.err);
    assert!(all.contains("data-science-staging") && all.to_lowercase().contains("suspended"), "{ran}");
    shell.run(&["apply", "-f", &files, "--yes"]);
    assert_eq!(shell.calls().get("CreateAccount"), None);
}
