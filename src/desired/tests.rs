//! Manifests in, issues out. The cases are data: `cases/*.txt` (`=== title`, manifests, `>>> severity rule place field |
//! part of the help`, in any order).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::names::Kind;

const ORGANIZATION: &str = "apiVersion: bylaw.dev/v1alpha1
kind: Organization
metadata: {name: main}
spec:
  managementAccountId: \"111122223333\"
  policyTypes: [SERVICE_CONTROL_POLICY, RESOURCE_CONTROL_POLICY, TAG_POLICY]
";

fn source(file: &str, text: &str) -> Source {
    Source { file: file.into(), bytes: text.as_bytes().to_vec() }
}

fn run(text: &str, organization: Option<&str>) -> (Option<Desired>, Vec<Issue>) {
    let mut sources = vec![source("a.yaml", text)];
    if !text.contains("kind: Organization\n") {
        sources.push(source("organization.yaml", ORGANIZATION));
    }
    let (manifests, mut issues) = read(&sources);
    let (desired, more) = build(manifests, organization);
    issues.extend(more);
    (desired, issues)
}

fn good(text: &str) -> Desired {
    let (desired, issues) = run(text, None);
    assert!(issues.iter().all(|i| i.severity == Severity::Warning), "{issues:#?}");
    desired.unwrap()
}

fn check(cases: &str, whole: bool) {
    let mut failures = String::new();
    for case in cases.split("=== ").skip(1) {
        let (title, body) = case.split_once('\n').unwrap();
        let text: String = body.lines().filter(|l| !l.starts_with(">>> ")).map(|l| format!("{l}\n")).collect();
        let mut wanted: Vec<(String, &str)> = body
            .lines()
            .filter_map(|l| l.strip_prefix(">>> "))
            .map(|l| l.split_once(" |").unwrap())
            .map(|(head, help)| (head.to_owned(), help.trim()))
            .collect();
        let issues = if whole { run(&text, None).1 } else { read(&[source("a.yaml", &text)]).1 };
        for issue in issues {
            let severity = if issue.severity == Severity::Error { "error" } else { "warning" };
            let head =
                format!("{severity} {} {}:{} {}", issue.rule, issue.origin.line, issue.origin.column, issue.field);
            let help = issue.help.clone().unwrap_or_default();
            match wanted.iter().position(|(h, part)| *h == head && help.contains(part)) {
                Some(at) => {
                    wanted.remove(at);
                }
                None => failures.push_str(&format!("{title}: unexpected >>> {head} | {help}\n    {}\n", issue.message)),
            }
        }
        for (head, help) in wanted {
            failures.push_str(&format!("{title}: missing >>> {head} | {help}\n"));
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn one_object_alone() {
    check(include_str!("cases/one_object.txt"), false);
}

#[test]
fn objects_together() {
    check(include_str!("cases/many_objects.txt"), true);
}

fn unit(name: &str, parent: Option<&str>, labels: &str) -> String {
    let parent = parent.map(|p| format!(", parentRef: {{name: {p}}}")).unwrap_or_default();
    format!(
        "---\napiVersion: bylaw.dev/v1alpha1\nkind: OrganizationalUnit\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nspec: {{name: {name}{parent}}}\n"
    )
}

fn account(name: &str, number: usize, parent: Option<&str>) -> String {
    let parent = parent.map(|p| format!("\n  organizationalUnitRef: {{name: {p}}}")).unwrap_or_default();
    format!(
        "---\napiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata:\n  name: {name}\n  labels: {{stage: prod}}\nspec:\n  accountId: \"{number:012}\"\n  name: Account {name}\n  email: {name}@example.com{parent}\n  tags: {{owner: team, cost: \"12\"}}\n"
    )
}

fn policy(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: {name}}}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content: {{Version: \"2012-10-17\", Statement: [{{Effect: Deny, Action: \"s3:*\", Resource: \"*\"}}]}}\n{more}"
    )
}

#[test]
fn a_tree_is_what_its_manifests_say() {
    let text = unit("prod", None, "stage: prod")
        + &unit("web", Some("prod"), "")
        + &account("a", 1, Some("web"))
        + &account("b", 2, None)
        + &policy(
            "p",
            "  targets: [{selector: {matchLabels: {stage: prod}}}]\n  excluding: [{accountRef: {name: a}}, {accountRef: {name: b}}]\n",
        )
        + &policy("q", "  enforcement: Audit\n  targets: [{root: true}]\n");
    let desired = good(&text);
    assert_eq!(desired.units["web"].spec.parent, NodeKey::Unit("prod".into()));
    assert_eq!(desired.accounts["a"].spec.parent, NodeKey::Unit("web".into()));
    assert_eq!(desired.accounts["a"].labels.get("stage"), Some("prod"));
    let p = &desired.policies["p"].spec;
    assert_eq!(p.targets, [NodeKey::Unit("prod".into())].into());
    assert_eq!(p.excluding, [NodeKey::Account("a".into())].into(), "b was a target itself; a lies below one");
    assert!(desired.policies["q"].spec.targets.is_empty());
    assert!(desired.broken.is_empty());
    assert_eq!(desired.objects().count(), 7);
}

#[test]
fn what_is_broken_takes_only_its_own_part() {
    let text = unit("prod", None, "")
        + "---\napiVersion: bylaw.dev/v1alpha1\nkind: OrganizationalUnit\nmetadata: {name: bad, annotations: {bylaw.dev/id: ou-abcd-12345678}}\nspec: {name: Bad, nmae: x}\n"
        + &unit("child", Some("bad"), "")
        + &account("a", 1, Some("child"))
        + &account("b", 2, Some("prod"))
        + &policy("p", "  targets: [{organizationalUnitRef: {name: child}}]\n")
        + &policy("q", "  targets: [{organizationalUnitRef: {name: prod}}]\n")
        + "---\nkind: Account\napiVersion: bylaw.dev/v1alpha1\nmetadata: {name: cut}\nspec: {name: [\n";
    let (desired, issues) = run(&text, None);
    let desired = desired.unwrap();
    assert_eq!(desired.units.keys().map(|k| &**k).collect::<Vec<_>>(), ["prod"]);
    assert_eq!(desired.accounts.keys().map(|k| &**k).collect::<Vec<_>>(), ["b"]);
    assert_eq!(desired.policies.keys().map(|k| &**k).collect::<Vec<_>>(), ["q"]);
    let broken: Vec<String> =
        desired.broken.iter().map(|b| b.key.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
    assert_eq!(
        broken,
        ["OrganizationalUnit/bad", "OrganizationalUnit/child", "Account/a", "OrganizationPolicy/p", "Account/cut"]
    );
    assert_eq!(desired.broken[0].id.as_deref(), Some("ou-abcd-12345678"));
    assert_eq!(desired.broken[0].name.as_deref(), Some("Bad"));
    assert_eq!(issues.iter().filter(|i| i.rule == "depends-on-broken").count(), 3);
    assert!(issues.iter().filter(|i| i.rule == "depends-on-broken").all(|i| i.related.len() == 1));
    assert!(desired.may_be_broken(Kind::OrganizationalUnit, "ou-abcd-12345678", "Other", None));
}

#[test]
fn what_lies_behind_an_error_is_known_to_be_unknown() {
    let item =
        "{apiVersion: bylaw.dev/v1alpha1, kind: Account, metadata: {name: a}, spec: {accountId: \"000000000001\"}}";
    for text in [
        format!("apiVersion: v1\nkind: List\nitems:\n  - {item}\n  - {item} x\n"),
        format!("{item} {item}\n"),
        format!("{item}\n... \n{{[\n"),
    ] {
        let (desired, _) = run(&text, None);
        let broken = desired.unwrap().broken;
        assert!(broken.iter().any(|b| b.key.is_none()), "{text}: {broken:?}");
    }
    let (desired, _) = run(&account("Bad_Name", 1, None), None);
    assert_eq!(desired.unwrap().broken[0].key.as_ref().unwrap().to_string(), "Account/Bad_Name");
}

#[test]
fn many_documents_are_told_of_in_the_order_in_which_they_stand() {
    let text = |number: usize| match number % 5 {
        0 => format!("a: [{number}\n---\n{}", unit(&format!("u{number}"), None, "")),
        1 => unit(&format!("u{number}"), None, "").replace("spec:", "spec: {name: 7}\nodd:"),
        2 => "\0".to_owned(),
        _ => format!("{}---\nkind: ConfigMap\napiVersion: v1\n", unit(&format!("u{number}"), Some("u3"), "")),
    };
    let sources: Vec<Source> = (0..300).map(|number| source(&format!("{number}.yaml"), &text(number))).collect();
    let together = read_all(&sources);
    let mut alone = Found::default();
    for source in &sources {
        let found = read_all(std::slice::from_ref(source));
        alone.manifests.extend(found.manifests);
        alone.issues.extend(found.issues);
        alone.skipped += found.skipped;
    }
    assert!(together.manifests.len() > 300 && together.issues.len() > 100 && together.skipped > 100);
    assert_eq!(format!("{:?}", together.manifests), format!("{:?}", alone.manifests));
    assert_eq!(format!("{:?}", together.issues), format!("{:?}", alone.issues));
    assert_eq!(together.skipped, alone.skipped);
}

#[test]
fn one_organization_of_several_is_chosen_by_name() {
    let text = format!("{ORGANIZATION}---\n{}", ORGANIZATION.replace("main", "lab").replace("3333", "4444"))
        + "---\napiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata: {name: a}\nspec: {accountId: \"000000000001\", organizationRef: {name: lab}}\n"
        + "---\napiVersion: bylaw.dev/v1alpha1\nkind: Account\nmetadata: {name: b}\nspec: {accountId: \"000000000002\", organizationRef: {name: main}}\n";
    let (desired, issues) = run(&text, Some("lab"));
    assert!(issues.is_empty(), "{issues:#?}");
    let desired = desired.unwrap();
    assert_eq!(desired.organization_key().to_string(), "Organization/lab");
    assert_eq!(desired.accounts.keys().map(|k| &**k).collect::<Vec<_>>(), ["a"]);
    let (desired, issues) = run(&text, Some("labs"));
    assert!(desired.is_none());
    assert_eq!(issues[0].help.as_deref(), Some("did you mean `lab`?"));
    assert!(run(&text, None).0.is_none());
}

#[test]
fn of_two_organizations_an_object_that_does_not_say_which_is_neithers() {
    let text = format!("{ORGANIZATION}---\n{}", ORGANIZATION.replace("main", "lab").replace("3333", "4444"))
        + &account("c", 3, None)
        + &policy("p", "  targets: [{root: true}]\n");
    for organization in ["lab", "main"] {
        let (desired, issues) = run(&text, Some(organization));
        let rules: Vec<&str> = issues.iter().map(|issue| issue.rule).collect();
        assert_eq!(rules, ["ambiguous-organization"; 2], "{issues:#?}");
        assert!(issues[0].help.as_ref().unwrap().contains("`lab`, `main`"), "{issues:#?}");
        let desired = desired.unwrap();
        assert!(desired.accounts.is_empty() && desired.policies.is_empty());
        // Nor is it absent: what it is in AWS is left as it is.
        let broken: Vec<String> = desired.broken.iter().map(|b| b.key.as_ref().unwrap().to_string()).collect();
        assert_eq!(broken, ["Account/c", "OrganizationPolicy/p"]);
    }
}

#[test]
fn what_was_kept_in_another_organization_does_not_fall_to_the_only_one_that_is_left() {
    let kept = |accounts: &str| {
        let text = policy("p", "  targets: [{root: true}]\n") + "status: {id: p-11111111, managementAccounts: ";
        run(&(ORGANIZATION.to_owned() + "---\n" + &text + accounts + "}\n"), None)
    };
    for accounts in ["[]", "[\"111122223333\"]"] {
        let (desired, issues) = kept(accounts);
        assert!(issues.is_empty(), "{issues:#?}");
        assert_eq!(desired.unwrap().policies["p"].id.as_deref(), Some("p-11111111"));
    }
    for accounts in ["[\"999999999999\"]", "[\"111122223333\", \"999999999999\"]"] {
        let (desired, issues) = kept(accounts);
        assert_eq!(issues.iter().map(|issue| issue.rule).collect::<Vec<_>>(), ["other-organization"], "{issues:#?}");
        assert!(
            issues[0].message.contains("`999999999999`") && issues[0].help.as_ref().unwrap().contains("name: main")
        );
        let desired = desired.unwrap();
        assert!(desired.policies.is_empty() && desired.broken.len() == 1);
        // Somebody says so: then what the status says of the other organization counts for nothing.
        let text = policy("p", "  targets: [{root: true}]\n  organizationRef: {name: main}\n");
        let text = format!("{ORGANIZATION}---\n{text}status: {{id: p-11111111, managementAccounts: {accounts}}}\n");
        let (desired, issues) = run(&text, None);
        assert!(issues.is_empty(), "{issues:#?}");
        assert_eq!(desired.unwrap().policies["p"].id, None);
    }
}

#[test]
fn no_organization_says_what_to_add() {
    let (manifests, _) = read(&[source("a.yaml", &unit("a", None, ""))]);
    let (desired, issues) = build(manifests, None);
    assert!(desired.is_none());
    assert_eq!(issues.len(), 1);
    assert!(issues[0].help.as_ref().unwrap().contains("kind: Organization"));
}

#[test]
fn attachment_slots_are_counted_with_aws_s_own_policy() {
    let policies =
        |n: usize| (0..n).map(|i| policy(&format!("p{i:02}"), "  targets: [{root: true}]\n")).collect::<String>();
    good(&policies(9));
    let (desired, issues) = run(&policies(11), None);
    assert_eq!(issues.iter().map(|i| i.rule).collect::<Vec<_>>(), ["too-many-attachments"; 2]);
    assert_eq!(desired.unwrap().policies.len(), 9);
    let listed = format!("{ORGANIZATION}  baseAccess: AllowList\n{}", policies(10));
    good(&listed);
    let audit: String =
        (0..20).map(|i| policy(&format!("p{i:02}"), "  enforcement: Audit\n  targets: [{root: true}]\n")).collect();
    good(&audit);
}

#[test]
fn a_document_over_its_quota_is_told_in_characters() {
    let sid = "x".repeat(10_240);
    let text = format!(
        "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: p}}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content: {{Version: \"2012-10-17\", Statement: [{{Sid: {sid}, Effect: Deny, Action: \"s3:*\", Resource: \"*\"}}]}}\n"
    );
    let (_, issues) = run(&text, None);
    let large = issues.iter().find(|i| i.rule == "too-large").unwrap();
    assert!(large.message.contains("AWS allows 10,240"), "{}", large.message);
}

#[test]
fn what_can_be_used_nowhere_is_refused_by_its_size_alone() {
    let content = |text: &str| {
        format!(
            "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {{name: p}}\nspec:\n  type: SCP\n  content: {text}\n"
        )
    };
    let one = r#"{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}"#;
    let object = format!(r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#, vec![one; 50_000].join(", "));
    let padded = format!(r#"{{"Version": "2012-10-17", "Id": "{}"}}"#, "x".repeat(10 << 20));
    for text in [object.clone(), format!("'{object}'"), format!("'{padded}'")] {
        let (desired, issues) = run(&content(&text), None);
        let [issue] = &*issues else { panic!("{} issues", issues.len()) };
        assert_eq!((issue.rule, &*issue.field, issue.origin.line), ("too-large", "spec.content", 6));
        assert!(issue.message.contains("at most 1,048,576"), "{}", issue.message);
        let broken = desired.unwrap().broken;
        assert_eq!(broken[0].key.as_ref().unwrap().to_string(), "OrganizationPolicy/p");
    }
    let labels: String = (0..40_000).map(|i| format!("\n    key-of-the-object-{i}: value")).collect();
    let (_, issues) = run(&content("{}").replace("{name: p}", &format!("\n  name: p\n  labels:{labels}")), None);
    assert_eq!(issues.iter().map(|i| (i.rule, &*i.field)).collect::<Vec<_>>(), [("too-large", "metadata.labels")]);
}

#[test]
fn what_bylaw_wrote_itself_is_told_and_the_manifests_beside_it_are_read() {
    let plan = r#"{"formatVersion": 1, "hash": "x", "changes": [], "refusals": [], "saved": {"formatVersion": 1}}"#;
    let snapshot = r#"{"formatVersion": 1, "kind": "Snapshot", "organization": {}, "accounts": {}}"#;
    for (text, help) in [(plan, "`bylaw apply out.json`, without `-f`"), (snapshot, "`--snapshot out.json`")] {
        let (manifests, issues) = read(&[source("out.json", text), source("o.yaml", ORGANIZATION)]);
        let [issue] = &*issues else { panic!("{issues:#?}") };
        assert_eq!((issue.severity, issue.rule), (Severity::Warning, "not-a-manifest"));
        assert!(issue.help.as_ref().unwrap().contains(help), "{issue:#?}");
        assert!(build(manifests, None).0.is_some(), "the manifest beside it is read");
    }
    let other = r#"{"formatVersion": 1, "changes": "of another program"}"#;
    assert!(read(&[source("out.json", other)]).1.is_empty());
}

#[test]
fn files_that_are_no_text_name_the_byte() {
    for (bytes, offset, line, column) in [
        (b"a: 1\nb\x00c".to_vec(), "byte 6 is NUL", 2, 2),
        (b"a: \xff\xfe".to_vec(), "byte 3 is not UTF-8", 1, 4),
        (b"\xff\xfea\x00".to_vec(), "UTF-16", 1, 1),
    ] {
        let (manifests, issues) = read(&[Source { file: "x".into(), bytes }, source("o.yaml", ORGANIZATION)]);
        assert!(issues[0].message.contains(offset), "{}", issues[0].message);
        assert_eq!((issues[0].origin.line, issues[0].origin.column), (line, column));
        assert_eq!(manifests.len(), 2, "the other file is read");
        assert!(build(manifests, None).0.unwrap().broken[0].key.is_none());
    }
}

#[test]
fn objects_of_the_cluster_are_read_by_the_same_rules() {
    let value = serde_json::json!({"apiVersion": "bylaw.dev/v1alpha1", "kind": "Account", "metadata": {"name": "a"},
        "spec": {"accountId": "012345678901"}, "status": {"id": "012345678901"}});
    let (manifest, issues) = Manifest::of_value(&value);
    assert!(issues.is_empty(), "{issues:?}");
    let manifest = manifest.unwrap();
    assert!(manifest.is_sound());
    assert_eq!(manifest.id.as_deref(), Some("012345678901"));
    assert_eq!(manifest.origin.to_string(), "<cluster>");
}

/// Random changes to good manifests, and random bytes. Seeded: a failing input replays.
#[test]
fn no_bytes_make_it_panic() {
    let good = unit("prod", None, "stage: prod")
        + &account("a", 1, Some("prod"))
        + &policy(
            "p",
            "  targets: [{selector: {matchExpressions: [{key: a, operator: In, values: [b]}]}}]\n  excluding: [{root: true}]\n",
        )
        + ORGANIZATION
        + "---\nx: &a [1, *a, {<<: *a}]\n--- |\n  text\n...\n%YAML 1.2\n---\n? a\n: b\n";
    let pieces: Vec<&[u8]> = vec![
        b"---\n",
        b": ",
        b"\t",
        b"- ",
        b"[",
        b"]",
        b"{",
        b"}",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"|\n",
        b">-\n",
        b"\"",
        b"'",
        b"#",
        b"!!str ",
        b"!x ",
        b"\r\n",
        b"\x00",
        b"\xff",
        "\u{feff}".as_bytes(),
        "é".as_bytes(),
        b"null",
        b"NO",
        b"0x1",
        b"-1",
        b"? ",
        b"...\n",
        b"%TAG ! x\n",
        b"\\u",
        b"999999999999999999999999",
        b"metadata",
        b"spec",
        b"content: '",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(n.max(1)).unwrap()).unwrap()
    };
    let started = Instant::now();
    let mut inputs = 0;
    // At least 5,000; more while there is time, so that a fast machine looks further.
    while inputs < 5_000 || (inputs < 20_000 && started.elapsed() < Duration::from_secs(4)) {
        let mut bytes: Vec<u8> = if next(8) == 0 {
            (0..next(64)).map(|_| u8::try_from(next(256)).unwrap()).collect()
        } else {
            let documents: Vec<&str> = good.split("---\n").collect();
            (0..=next(3)).flat_map(|_| [b"---\n", documents[next(documents.len())].as_bytes()].concat()).collect()
        };
        for _ in 0..next(6) {
            let at = next(bytes.len() + 1);
            let piece = pieces[next(pieces.len())];
            match next(3) {
                0 => drop(bytes.splice(at..at, piece.iter().copied())),
                1 => drop(bytes.drain(at..(at + next(20)).min(bytes.len()))),
                _ => {
                    let end = (at + piece.len()).min(bytes.len());
                    drop(bytes.splice(at..end, piece.iter().copied()));
                }
            }
        }
        let (manifests, _) = read(&[Source { file: Arc::from("fuzz"), bytes }]);
        let _ = build(manifests, None);
        inputs += 1;
    }
}

#[test]
fn fifty_thousand_would_be_read_in_seconds() {
    let count = 5_000;
    let mut text = ORGANIZATION.to_owned();
    for i in 0..count {
        text.push_str(&account(&format!("a{i}"), i + 1, None));
    }
    let started = Instant::now();
    let (manifests, issues) = read(&[source("a.yaml", &text)]);
    let read_in = started.elapsed();
    assert!(issues.is_empty(), "{:?}", issues.first());
    let (desired, issues) = build(manifests, None);
    assert!(issues.is_empty());
    assert_eq!(desired.unwrap().accounts.len(), count);
    eprintln!("{count} accounts: read {read_in:?}, all {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
