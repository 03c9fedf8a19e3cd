//! Tests of `bylaw diff`.

use super::*;
use crate::cli::scratch::Scratch;

const FULL: &str = r#"{"Sid": "Full", "Effect": "Allow", "Action": "*", "Resource": "*"}"#;
const REGIONS: &str = r#"{"Sid": "Regions", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}"#;

fn document(statements: &[&str]) -> String {
    format!("{{\"Version\": \"2012-10-17\", \"Statement\": [{}]}}", statements.join(","))
}

fn with_principals(document: &str) -> String {
    document.replace("\"Resource\"", "\"Principal\": \"*\", \"Resource\"")
}

fn diff(old: &str, new: &str, output: Form) -> (u8, String) {
    diff_of("SERVICE_CONTROL_POLICY", old, new, output)
}

fn diff_of(kind: &str, old: &str, new: &str, output: Form) -> (u8, String) {
    static TURN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let turn = TURN.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let scratch = Scratch::new(&format!("diff-{turn}"));
    let (before, after) = (scratch.join("old.json"), scratch.join("new.json"));
    fs::write(&before, old).unwrap();
    fs::write(&after, new).unwrap();
    let kind = PolicyType::new(kind);
    let asked = Diff { old: Some(before), new: Some(after), old_files: vec![], new_files: vec![], kind, output };
    let mut out = vec![];
    let code = run(&asked, false, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_difference_is_told_as_a_request_with_what_decides_it() {
    let (code, out) = diff(&document(&[FULL]), &document(&[FULL, REGIONS]), Form::Text);
    assert_eq!(code, 2);
    assert_eq!(
        out,
        "newly denied   s3:GetObject on arn:aws:s3:::example/example\n    with aws:RequestedRegion = us-east-1\n    \
         by   Deny statement \"Regions\" (new)\n    was  Allow statement \"Full\" (old)\n\n\
         different: 1 newly denied, 0 newly allowed; one example for each pair of statements that decide \
         (2 action regions, 4 kinds of requests)\n"
    );
    let (code, out) = diff(&document(&[FULL]), &document(&[FULL, REGIONS]), Form::Markdown);
    assert!(code == 2 && out.lines().filter(|line| line.starts_with("| newly denied |")).count() == 1, "{out}");
}

#[test]
fn equal_sets_are_told_to_be_and_end_well() {
    let unnamed = REGIONS.replace("\"Sid\": \"Regions\", ", "");
    let (code, out) = diff(&document(&[FULL, REGIONS]), &document(&[&unnamed, FULL, REGIONS]), Form::Text);
    assert_eq!((code, &*out), (0, "equal: no request tells them apart (2 action regions, 4 kinds of requests)\n"));
    let (code, out) = diff(&document(&[REGIONS]), &document(&[REGIONS]), Form::Text);
    assert!(code == 0 && out.contains("FullAWSAccess"), "{out}");
}

#[test]
fn a_lost_deny_is_a_difference_though_alone_the_sets_decide_alike() {
    let old = document(&[FULL, r#"{"Sid": "S3", "Effect": "Deny", "Action": "s3:*", "Resource": "*"}"#]);
    let new = document(&[r#"{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}"#]);
    let (code, out) = diff(&old, &new, Form::Text);
    assert!(code == 2 && out.contains("newly allowed") && out.contains("they differ beside a policy"), "{out}");
    let (_, out) = diff(&old, &new, Form::Json);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&out["outcome"], &out["witnesses"][0]["besideAllow"]), (&"different".into(), &true.into()), "{out}");
    // Nothing stands beside the policy of an endpoint.
    let (code, out) = diff_of("VPC_ENDPOINT_POLICY", &with_principals(&old), &with_principals(&new), Form::Text);
    assert_eq!(code, 0, "{out}");
}

#[test]
fn programs_are_told_the_same() {
    let unnamed = FULL.replace("\"Sid\": \"Full\", ", "");
    let (code, out) = diff(&document(&[FULL]), &document(&[FULL, &unnamed, REGIONS]), Form::Json);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 2);
    assert_eq!(out["outcome"], "different");
    let witness = &out["witnesses"][0];
    assert_eq!(witness["change"], "newlyDenied");
    assert_eq!(witness["context"]["aws:RequestedRegion"][0], "us-east-1");
    assert_eq!(witness["after"]["by"][0]["number"], 3, "the number in the file, repetitions counted");
    assert_eq!(witness["before"]["by"][0]["sid"], "Full");
    let (_, out) = diff(&document(&[FULL]), &document(&[FULL]), Form::Json);
    let out: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(out["outcome"] == "equal" && out["witnesses"].as_array().unwrap().is_empty() && out.get("why").is_none());
}

#[test]
fn a_directory_is_one_set() {
    let scratch = Scratch::new("diff-directory");
    for (name, statements) in [("a.json", &[FULL][..]), ("b.json", &[REGIONS]), ("c.txt", &["no policy"])] {
        fs::create_dir_all(scratch.join("old")).unwrap();
        fs::write(scratch.join("old").join(name), document(statements)).unwrap();
    }
    fs::write(scratch.join("new.json"), document(&[FULL, REGIONS])).unwrap();
    let asked = Diff {
        old: Some(scratch.join("old")),
        new: Some(scratch.join("new.json")),
        old_files: vec![],
        new_files: vec![],
        kind: PolicyType::scp(),
        output: Form::Text,
    };
    let mut out = vec![];
    assert_eq!(run(&asked, false, &mut out).unwrap(), 0);
}

#[test]
fn what_cannot_be_read_names_file_and_place() {
    let kind = PolicyType::scp();
    let failure = parsed("a.json", "{\"Version\": \"2012-10-17\",\n \"Statement\": [{\"Effect\": \"Dney\"}]}", &kind);
    let failure = failure.unwrap_err().to_string();
    assert!(failure.contains("a.json:2:") && failure.contains("help: mend"), "{failure}");
    let failure = read(&["/nowhere.json".into()], &kind, &mut io::empty()).unwrap_err().to_string();
    assert!(failure.contains("`/nowhere.json` cannot be read"), "{failure}");
    assert!(super::kind("TAG_POLICY").is_err() && super::kind("rcp").unwrap().as_str() == "RESOURCE_CONTROL_POLICY");
}

#[test]
fn every_type_that_is_read_is_named_where_another_is_refused() {
    let refused = kind("TAG_POLICY").unwrap_err();
    for named in refused.split('`').filter(|word| word.ends_with("_POLICY") || word.ends_with("_BOUNDARY")) {
        assert!(kind(named).is_ok(), "{named}");
    }
    for read in ["IDENTITY_POLICY", "RESOURCE_POLICY", "VPC_ENDPOINT_POLICY", "SESSION_POLICY", "PERMISSIONS_BOUNDARY"]
    {
        assert!(kind(read).is_ok() && refused.contains(read), "{read}");
    }
}
