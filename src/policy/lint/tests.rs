use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::policy::management::TOP;

fn told(sample: Sample) -> Vec<Finding> {
    let (kind, text) = sample.document();
    let linted = super::text(&kind, &text);
    assert!(linted.document.is_some(), "{text}\n{:?}", linted.flaws);
    linted.findings
}

#[test]
fn every_rule_speaks_on_its_bad_samples_and_none_on_good_ones() {
    for rule in rules::RULES {
        for sample in rule.bad {
            let found = told(*sample);
            assert!(
                found.iter().any(|f| f.rule == rule.id),
                "{} says nothing of {}\n{found:#?}",
                rule.id,
                sample.shown()
            );
        }
        for sample in rule.good {
            let speaks = |f: &Finding| f.severity > Severity::Info || f.rule == rule.id;
            let found: Vec<_> = told(*sample).into_iter().filter(speaks).collect();
            assert!(found.is_empty(), "good for {}, and told all the same:\n{}\n{found:#?}", rule.id, sample.shown());
        }
        assert!(!rule.good.is_empty() && (!rule.bad.is_empty() || rule.id == "over-size"), "{}", rule.id);
    }
}

#[test]
fn findings_name_the_exact_value() {
    for rule in rules::RULES {
        for sample in rule.bad {
            let (kind, text) = sample.document();
            for finding in super::text(&kind, &text).findings {
                let line = text.lines().nth(finding.place.line as usize - 1).unwrap();
                let rest: String = line.chars().skip(finding.place.column as usize - 1).collect();
                let begins = |c: char| matches!(c, '"' | '{' | '[') || c.is_ascii_digit();
                assert!(rest.starts_with(begins) || rest.starts_with("true"), "{finding:?}");
                let begins = |top: &str| finding.path.starts_with(top);
                let top = TOP.iter().any(|(_, top)| begins(top));
                assert!(top || begins("Statement"), "{finding:?}");
                let first = finding.message.chars().next().unwrap();
                assert!(!first.is_uppercase() && !finding.message.ends_with('.'), "{}", finding.message);
            }
        }
    }
}

#[test]
fn a_fix_takes_its_finding_away_and_brings_no_other() {
    let mut fixed = 0;
    for sample in rules::RULES.iter().flat_map(|rule| rule.bad) {
        let (kind, text) = sample.document();
        let before = super::text(&kind, &text).findings;
        for finding in before.iter().filter(|finding| finding.fix.is_some()) {
            let (mended, made) = fix::apply(&text, finding.fix.as_ref());
            assert_eq!(made.len(), 1, "{finding:?}");
            let after = super::text(&kind, &mended);
            assert!(after.document.is_some(), "{mended}");
            let gone = !after.findings.iter().any(|f| f.rule == finding.rule && f.path == finding.path);
            let grave = |all: &[Finding]| all.iter().filter(|f| f.severity > Severity::Info).count();
            assert!(gone && grave(&after.findings) < grave(&before), "{mended}\n{:#?}", after.findings);
            fixed += 1;
        }
    }
    assert!(fixed >= 6, "{fixed}");
}

#[test]
fn every_id_can_be_explained_once() {
    let all = explained();
    let ids: BTreeSet<&str> = all.iter().map(|rule| rule.id).collect();
    assert_eq!(ids.len(), all.len());
    for rule in &all {
        assert!(rule.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", rule.id);
        assert!(rule.explanation.ends_with('.') && rule.explanation.len() > 15, "{}", rule.id);
        assert!(!rule.summary.ends_with('.') && rule.summary.len() < 110, "{}", rule.id);
    }
    // What the reader's files name as an id, by its form and its place as an argument.
    let files = [
        include_str!("../read.rs"),
        include_str!("../principal.rs"),
        include_str!("../management.rs"),
        include_str!("../document.rs"),
        include_str!("../json.rs"),
        include_str!("../json/reader.rs"),
    ];
    let call = regex::Regex::new(r#"(?:error|warning|error_at)\(\s*(?:[a-z.()]+, )?"([a-z0-9-]+)""#).unwrap();
    let pair = regex::Regex::new(r#"\("([a-z]+(?:-[a-z]+)+)", ""#).unwrap();
    for text in files {
        for found in call.captures_iter(text).chain(pair.captures_iter(text)) {
            assert!(ids.contains(&found[1]), "`{}` has no row in FLAWS", &found[1]);
        }
    }
}

/// What AWS and others publish, in our words: policies that are right. Name, type, text.
fn corpus() -> Vec<(String, PolicyType, String)> {
    documents_in("corpus")
}

fn documents_in(folder: &str) -> Vec<(String, PolicyType, String)> {
    let folder = format!("{}/src/policy/lint/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let kind = match name.split('-').next() {
            Some("scp") => "SERVICE_CONTROL_POLICY",
            Some("rcp") => "RESOURCE_CONTROL_POLICY",
            Some("identity") => "IDENTITY_POLICY",
            Some("resource") => "RESOURCE_POLICY",
            Some("tag") => "TAG_POLICY",
            Some("backup") => "BACKUP_POLICY",
            Some("ai") => "AISERVICES_OPT_OUT_POLICY",
            other => panic!("{other:?}"),
        };
        (name, PolicyType::new(kind), std::fs::read_to_string(&path).unwrap())
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn right_policies_raise_nothing() {
    let mut wrong: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let corpus = corpus();
    assert!(corpus.len() >= 15, "{}", corpus.len());
    for (name, kind, text) in corpus {
        let linted = super::text(&kind, &text);
        // The one on SageMaker means training and notebooks only, and is a true finding.
        let coverage = |f: &Finding| f.rule == "partial-action-coverage" && name != "scp-sagemaker.json";
        let speaks = |f: &&Finding| f.severity > Severity::Info || coverage(f);
        let found = linted.findings.iter().filter(speaks);
        let all: Vec<String> = linted.flaws.iter().chain(found).map(|f| format!("{f:?}")).collect();
        if !all.is_empty() {
            wrong.insert(name, all);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_aws_publishes_gives_no_error() {
    let published = documents_in("published");
    assert!(published.len() >= 25, "{}", published.len());
    for (name, kind, text) in published {
        let linted = super::text(&kind, &text);
        assert!(linted.document.is_some(), "{name}: {:?}", linted.flaws);
        let errors: Vec<_> = linted.all().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

const KINDS: [&str; 10] = [
    "SERVICE_CONTROL_POLICY",
    "RESOURCE_CONTROL_POLICY",
    "IDENTITY_POLICY",
    "RESOURCE_POLICY",
    "SESSION_POLICY",
    "PERMISSIONS_BOUNDARY",
    "DELEGATION_POLICY",
    "VPC_ENDPOINT_POLICY",
    "TAG_POLICY",
    "BACKUP_POLICY",
];

/// The type and the text of every sample, and of every right policy.
fn documents() -> Vec<(PolicyType, String)> {
    let samples = rules::RULES.iter().flat_map(|rule| rule.bad.iter().chain(rule.good));
    samples.map(|sample| sample.document()).chain(corpus().into_iter().map(|(_, kind, text)| (kind, text))).collect()
}

/// Documents with pieces cut out, doubled and put in: nothing panics, places are in the text, and fixes end, leave nothing to fix,
/// break nothing and bring no flaw that was not there.
#[test]
fn no_document_panics_and_fixes_only_help() {
    let pieces = [
        "*",
        "?",
        "${",
        "}",
        "{",
        ":",
        ",",
        "",
        "\"",
        "\\u00e9",
        "aws:",
        "true",
        "é",
        "/",
        "[\"a\"]",
        "s3:*",
        "-1",
        " ",
        "\r\n",
        "\t",
        "StringEquals",
        "StringLike",
        "sagemaker:VolumeKmsKey",
        "a-*",
        "${aws:username}",
        "2008-10-17",
        "Null",
        "optout",
        "Bool",
        "aws:MultiFactorAuthPresent",
        "\u{feff}",
    ];
    let documents = documents();
    let mut state = 20_261_128_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let rounds = 1_500;
    let (mut read, mut mended) = (0, 0);
    for round in 0..rounds {
        let (kind, text) = &documents[round % documents.len()];
        let mut text: Vec<char> = text.chars().collect();
        for _ in 0..random(4) {
            let at = random(text.len());
            let until = (at + random(3)).min(text.len());
            match random(4) {
                // A piece of the document once more, or a word instead of another.
                0 => {
                    let copy: Vec<char> = text.iter().skip(random(text.len())).take(random(60)).copied().collect();
                    text.splice(at..until, copy);
                }
                1 => {
                    let quote = |from: usize| text.iter().skip(from).position(|c| *c == '"').map(|found| from + found);
                    if let Some((open, close)) = quote(at).and_then(|open| Some((open, quote(open + 1)?))) {
                        text.splice(open + 1..close, pieces[random(pieces.len())].chars());
                    }
                }
                _ => {
                    text.splice(at..until, pieces[random(pieces.len())].chars());
                }
            }
        }
        let text: String = text.into_iter().collect();
        let kind = if random(3) > 0 { kind.clone() } else { PolicyType::new(KINDS[random(KINDS.len())]) };
        let linted = super::text(&kind, &text);
        read += usize::from(linted.document.is_some());
        let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
        for finding in &linted.findings {
            let (line, column) = (finding.place.line as usize, finding.place.column as usize);
            let inside = lines.get(line.wrapping_sub(1)).is_some_and(|length| (1..=*length).contains(&column));
            assert!(inside, "{finding:?}\n{text}");
        }
        let (fixed, made) = mend(&kind, &text);
        assert_eq!(made.is_empty(), fixed == text, "{text}");
        if made.is_empty() {
            continue;
        }
        mended += 1;
        let after = super::text(&kind, &fixed);
        assert!(made.len() < MOST_FIXES && mend(&kind, &fixed).1.is_empty(), "no end: {text}\n{fixed}");
        assert!(after.document.is_some() || linted.document.is_none(), "broken: {text}\n{fixed}");
        let grave = |linted: &Linted, rule: &str| {
            linted.all().filter(|found| found.rule == rule && found.severity > Severity::Info).count()
        };
        for found in after.all() {
            assert!(
                grave(&after, found.rule)
                    <= grave(&linted, found.rule).max(usize::from(found.severity == Severity::Info)),
                "worse: {found:?}\n{text}\n{fixed}"
            );
        }
    }
    assert!(read > rounds / 6 && mended > rounds / 100, "{read} {mended}");
}

#[test]
fn a_fix_that_meets_what_is_there_is_not_offered() {
    let text = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"Null": {"sagemaker:VolumeKmsKey": "true", "sagemaker:VolumeKmsKeyArn": "true"}}}]}"#;
    let linted = super::text(&PolicyType::scp(), text);
    let finding = linted.findings.iter().find(|finding| finding.rule == "deprecated-key").unwrap();
    assert_eq!(finding.fix, None, "the key would stand twice");
    assert_eq!(mend(&PolicyType::scp(), text), (text.to_owned(), vec![]));
    let apart = text.replace(", \"sagemaker:VolumeKmsKeyArn\": \"true\"", "");
    assert_eq!(mend(&PolicyType::scp(), &apart).0, apart.replace("KmsKey", "KmsKeyArn"));
}

#[test]
fn findings_that_are_left_out_are_counted() {
    let text = |actions: usize| {
        let actions: Vec<String> = (0..actions).map(|n| format!("\"ec2:NoSuch{n}\"")).collect();
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Action": [{}], "Resource": "*"}}]}}"#,
            actions.join(", ")
        )
    };
    let told = |actions: usize| -> Vec<String> {
        super::text(&PolicyType::scp(), &text(actions))
            .all()
            .filter(|finding| finding.rule == "unknown-action")
            .map(|finding| finding.message.clone())
            .collect()
    };
    assert!(told(20).iter().all(|message| !message.contains("more")), "{:?}", told(20));
    let many = told(60);
    assert_eq!((many.len(), many.iter().filter(|it| it.ends_with("(and 40 more are not told)")).count()), (20, 1));
}

fn told_of(kind: &str, text: &str) -> Vec<Finding> {
    super::text(&PolicyType::new(kind), text).all().cloned().collect()
}

const SCP: &str = "SERVICE_CONTROL_POLICY";

#[test]
fn placeholders_that_the_reader_refuses_are_named_as_such() {
    for (text, placeholder) in [
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": {{ bucket_arn }}}]}"#,
            "{{ bucket_arn }}",
        ),
        (
            "{\"Version\": \"2012-10-17\", \"Statement\": [\n{% if strict %}\n{\"Effect\": \"Deny\", \"Action\": \"s3:*\", \"Resource\": \"*\"}\n{% endif %}\n]}",
            "{% if strict %}",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": <ARN>}]}"#,
            "<ARN>",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "${BucketArn}/*"}]}"#,
            "${BucketArn}",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "${Service}:*", "Resource": "*"}]}"#,
            "${Service}",
        ),
        (
            r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Condition": {"StringEquals": {"${Key}": "a"}}}]}"#,
            "${Key}",
        ),
    ] {
        let found = told_of(SCP, text);
        let named = |f: &Finding| {
            f.severity == Severity::Error && f.message.contains(&format!("`{placeholder}` is a placeholder"))
        };
        assert!(found.iter().any(named), "{placeholder}: {found:#?}");
    }
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "<ACCOUNT_ID>"}, "Action": "s3:GetObject", "Resource": "*"}]}"#;
    assert!(
        told_of("RESOURCE_POLICY", trust)
            .iter()
            .any(|f| f.rule == "invalid-principal" && f.message.contains("a placeholder"))
    );
}

#[test]
fn size_is_told_beside_what_the_reader_refuses() {
    let actions: Vec<String> = (0..700).map(|n| format!("\"s3:GetObject{n:08}\"")).collect();
    let text = |effect: &str| {
        format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "{effect}", "Action": [{}], "Resource": "*"}}]}}"#,
            actions.join(", ")
        )
    };
    for text in [text("deny"), format!("{},", text("Deny")), format!("x{}", text("Deny"))] {
        let found = told_of(SCP, &text);
        assert!(found.iter().any(|f| f.rule == "over-size" && f.severity == Severity::Error), "{found:#?}");
        assert!(found.iter().any(|f| f.rule != "over-size" && f.severity == Severity::Error));
    }
    assert!(!told_of(SCP, &text("deny").replace("s3:GetObject0", "")).iter().any(|f| f.rule == "over-size"));
}

#[test]
fn what_stands_twice_is_told_with_both_places() {
    let text = "{\n\"Version\": \"2012-10-17\",\n\"Statement\": [\n{\"Sid\": \"A\", \"Effect\": \"Deny\", \"Action\": \"s3:*\", \"Resource\": \"*\"},\n{\"Sid\": \"A\", \"Effect\": \"Deny\", \"Action\": \"ec2:*\", \"Resource\": \"*\", \"Condition\": {\"StringEquals\": {\n\"aws:PrincipalArn\": \"a\",\n\"aws:principalarn\": \"b\"}}}\n],\n\"Version\": \"2012-10-17\"\n}";
    let found = told_of(SCP, text);
    let lines: Vec<(&str, u32, u32)> = found
        .iter()
        .filter(|f| f.rule.starts_with("duplicate"))
        .map(|f| (f.rule, f.place.line, f.related.as_ref().map_or(0, |other| other.line)))
        .collect();
    assert_eq!(lines, [("duplicate-sid", 5, 4), ("duplicate-key", 7, 6), ("duplicate-key", 9, 2)]);
}

/// The advice is the resource that every such call has and that carries the key: on another the guard would never deny.
#[test]
fn advice_takes_no_guard_off() {
    let help = |statement: &str| {
        let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#);
        let found = told_of(SCP, &text).into_iter().find(|f| f.rule == "key-not-on-resource");
        found.and_then(|f| f.help).unwrap_or_default()
    };
    let negated = r#""Resource": "*", "Condition": {"StringNotEquals": {"ec2:InstanceType": "t3.micro"}}"#;
    let tagged = r#""Resource": "*", "Condition": {"Null": {"aws:RequestTag/a": "true"}}"#;
    assert!(
        help(&format!(r#"{{"Effect": "Deny", "Action": "ec2:RunInstances", {negated}}}"#))
            .contains(r#""arn:aws:ec2:*:*:instance/*""#)
    );
    assert!(
        help(&format!(r#"{{"Effect": "Deny", "Action": "ec2:CreateSubnet", {tagged}}}"#))
            .contains(r#""arn:aws:ec2:*:*:subnet/*""#)
    );
    let both = help(&format!(r#"{{"Effect": "Deny", "Action": ["ec2:RunInstances", "ec2:CreateFleet"], {tagged}}}"#));
    assert!(both.contains("instance/*") && both.contains("fleet/*"), "{both}");
    let mixed = help(&format!(r#"{{"Effect": "Deny", "Action": ["ec2:RunInstances", "s3:CreateBucket"], {negated}}}"#));
    assert!(mixed.contains("a statement of its own"), "{mixed}");
}

#[test]
fn names_of_operations_are_told_as_the_actions_that_they_mean() {
    for (text, action) in [
        ("s3:ListBuckets", "s3:ListAllMyBuckets"),
        ("s3:ListObjects", "s3:ListBucket"),
        ("s3:ListObjects*", "s3:ListBucket"),
        ("lambda:Invoke", "lambda:InvokeFunction"),
        ("bedrock-runtime:InvokeModel", "bedrock:InvokeModel"),
        ("elbv2:CreateLoadBalancer", "elasticloadbalancing:CreateLoadBalancer"),
    ] {
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Action": "{text}", "Resource": "*"}}]}}"#
        );
        let found = told_of(SCP, &policy);
        let told = |f: &Finding| f.help.as_ref().is_some_and(|help| help.contains(&format!("write `{action}`")));
        assert!(found.iter().any(told), "{text}: {found:#?}");
    }
}
