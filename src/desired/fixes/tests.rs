use super::*;
use crate::desired::lint_with_fixes;

const HEAD: &str = "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata:\n  name: p\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content:";
/// Without the version, and with a key that has a successor.
const DEAD: &str = r#"{"Statement": [{"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*", "Condition": {"Null": {"sagemaker:VolumeKmsKey": "true"}}}]}"#;
const YAML: &str = "
    # who asked for it
    Version: \"2012-10-17\"   # of the language
    Statement:
      - Effect: Deny
        Action: [\"sagemaker:CreateTrainingJob\"]
        Resource:   '*'
        Condition:
          'Null': # ünïcode 😀
            KEY: true # stays
";

fn mended(text: &str) -> (String, Vec<&'static str>, Vec<&'static str>) {
    let source = Source { file: "a.yaml".into(), bytes: text.as_bytes().to_vec() };
    let mended = mend(&source).unwrap();
    let made = mended.made.iter().map(|(issue, _)| issue.rule).collect();
    (mended.text, made, mended.refused.iter().map(|(_, unplaced)| unplaced.why).collect())
}

/// The text with what it is to become: only `old` is replaced by `new`.
fn becomes(text: &str, pairs: &[(&str, &str)]) {
    let wanted = pairs.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "{old}\n{text}");
        text.replace(old, new)
    });
    let (found, made, refused) = mended(text);
    assert!(!made.is_empty() && refused.is_empty(), "{made:?} {refused:?}\n{found}");
    assert_eq!(found, wanted);
    assert_eq!(mended(&found), (wanted, vec![], vec![]), "a second time");
}

/// Nothing is changed, for that reason.
fn refused(text: &str, why: &str) {
    let (found, made, refused) = mended(text);
    assert_eq!((found.as_str(), made.len()), (text, 0));
    assert!(refused.contains(&why), "{refused:?}\n{text}");
}

fn yaml(key: &str) -> String {
    format!("{HEAD}{}", YAML.replace("KEY", key))
}

#[test]
fn scalars_of_yaml_keep_their_style_and_comments() {
    for (old, new) in [
        ("sagemaker:VolumeKmsKey", "sagemaker:VolumeKmsKeyArn"),
        ("'sagemaker:VolumeKmsKey'", "'sagemaker:VolumeKmsKeyArn'"),
        ("\"sagemaker:VolumeKmsKey\"", "\"sagemaker:VolumeKmsKeyArn\""),
        ("\"\\x73agemaker:Volume\\u004bmsKey\"", "\"\\x73agemaker:Volume\\u004bmsKey\""),
    ] {
        let text = yaml(old);
        if old == new {
            refused(&text, FORM);
        } else {
            becomes(&text, &[(old, new)]);
            becomes(&text.replace('\n', "\r\n"), &[(old, new)]);
            becomes(&format!("\u{feff}{text}"), &[(old, new)]);
            becomes(&format!("# ä\n---\na: 1\n---\n{text}---\n{}", text.replace("name: p", "name: q")), &[(old, new)]);
        }
    }
}

#[test]
fn a_member_is_added_with_the_indentation_and_the_line_ends_of_the_others() {
    let text = yaml("sagemaker:VolumeKmsKeyArn").replace("    Version: \"2012-10-17\"   # of the language\n", "");
    becomes(&text, &[("    Statement:", "    Version: \"2012-10-17\"\n    Statement:")]);
    let crlf = text.replace('\n', "\r\n");
    becomes(&crlf, &[("    Statement:", "    Version: \"2012-10-17\"\r\n    Statement:")]);
    let flow = format!("{HEAD} {DEAD}\n");
    becomes(&flow, &[("{\"Statement", "{\"Version\": \"2012-10-17\",\"Statement"), ("KmsKey\"", "KmsKeyArn\"")]);
}

#[test]
fn json_in_blocks_and_in_quotes_is_edited_in_place() {
    let pairs = [("{\"Statement", "{\"Version\": \"2012-10-17\",\"Statement"), ("KmsKey\"", "KmsKeyArn\"")];
    let lines = DEAD.replace(", ", ",\n\t ");
    for header in ["|", "|-", "|+  # why", "|2"] {
        let block = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
        for content in [block(DEAD), block(&lines), format!("\n\n{}\n", block(&lines))] {
            let text = format!("{HEAD} {header}\n{content}  description: d\n");
            becomes(&text, &pairs);
            becomes(&text.replace('\n', "\r\n"), &pairs);
        }
    }
    becomes(&format!("{HEAD} '{DEAD}' # c\n"), &pairs);
    let json = |content: &str| {
        format!(
            "{{\n\t\"apiVersion\": \"bylaw.dev/v1alpha1\", \"kind\": \"OrganizationPolicy\", \"metadata\": {{\"name\": \"p\"}},\n\t\"spec\": {{\"type\": \"SERVICE_CONTROL_POLICY\", \"content\": {content}}}\n}}\n"
        )
    };
    becomes(&json(DEAD), &pairs);
    refused(&json(&serde_json::to_string(DEAD).unwrap()), FOLDED);
}

#[test]
fn what_cannot_be_placed_is_left_and_told() {
    let folded = DEAD.replace(", ", ",\n    ");
    refused(&format!("{HEAD} >\n    {folded}\n"), FOLDED);
    refused(&format!("{HEAD} '{folded}'\n"), FOLDED);
    refused(
        &format!("{HEAD} '{}'\n", DEAD.replace("sagemaker:CreateTrainingJob", "sagemaker:Create''TrainingJob")),
        FOLDED,
    );
    // The anchor of a key goes with it; of a value that is used again, the other use would change.
    becomes(&yaml("&k sagemaker:VolumeKmsKey"), &[("VolumeKmsKey", "VolumeKmsKeyArn")]);
    let head = HEAD.replace("SERVICE_CONTROL_POLICY", "AISERVICES_OPT_OUT_POLICY");
    let value =
        format!("{head}\n    services:\n      default:\n        opt_out_policy:\n          '@@assign': &v optout\n");
    becomes(&value, &[("&v optout", "&v optOut")]);
    let used = format!("{value}  description: *v\n");
    refused(&used, SHARED);
}

const ITEM: &str = "
- apiVersion: bylaw.dev/v1alpha1
  kind: OrganizationPolicy
  metadata: {name: NAME}
  spec:
    type: TYPE
    content: CONTENT";

fn item(name: &str, kind: &str, content: &str) -> String {
    ITEM.replace("NAME", name).replace("TYPE", kind).replace("CONTENT", content)
}

#[test]
fn lists_are_mended_and_what_an_anchor_shares_only_as_a_whole() {
    let (scp, identity) = ("SERVICE_CONTROL_POLICY", "TAG_POLICY");
    let list = |items: &[String]| format!("apiVersion: v1\nkind: List\nitems:{}\n", items.concat());
    let pairs = [("{\"Statement", "{\"Version\": \"2012-10-17\",\"Statement"), ("KmsKey\"", "KmsKeyArn\"")];
    becomes(&list(&[item("a", scp, DEAD), item("b", scp, DEAD)]), &pairs);
    // Both policies are to be mended alike, and one edit does it.
    becomes(&list(&[item("a", scp, &format!("&c {DEAD}")), item("b", scp, "*c")]), &pairs);
    // The other one would be changed without need.
    refused(&list(&[item("a", scp, &format!("&c {DEAD}")), item("b", identity, "*c")]), SHARED);
    // What cannot be mended stops nothing else.
    let folded = item("c", scp, &format!(">\n      {DEAD}"));
    let shared = [item("d", scp, &format!("&c {DEAD}")), item("e", identity, "*c")].concat();
    let text = list(&[folded.clone(), item("a", scp, DEAD), shared.clone(), item("b", scp, DEAD)]);
    let good = pairs.iter().fold(DEAD.to_owned(), |text, (old, new)| text.replace(old, new));
    let (found, made, refused_for) = mended(&text);
    assert_eq!(found, list(&[folded, item("a", scp, &good), shared, item("b", scp, &good)]));
    assert_eq!((made.len(), refused_for.len()), (4, 4), "{refused_for:?}");
    let foreign = "\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: m}\n  data: *c";
    refused(&list(&[item("a", scp, &format!("&c {DEAD}")), foreign.to_owned()]), SHARED);
}

#[test]
fn an_anchor_within_a_document_is_mended_where_every_use_is_to_be() {
    let shared = |first: &str, second: &str| {
        format!(
            "{HEAD}\n    Version: \"2012-10-17\"\n    Statement:\n      - Effect: Deny\n        Action: {first}\n        Resource: \"*\"\n        Condition: &c\n          \"Null\": {{\"sagemaker:VolumeKmsKey\": \"true\"}}\n      - Effect: Deny\n        Action: {second}\n        Resource: \"*\"\n        Condition: *c\n"
        )
    };
    becomes(
        &shared("sagemaker:CreateTrainingJob", "sagemaker:CreateEndpointConfig"),
        &[("VolumeKmsKey\"", "VolumeKmsKeyArn\"")],
    );
}

#[test]
fn a_suppressed_finding_is_not_mended() {
    let text = yaml("sagemaker:VolumeKmsKey").replace("# stays", "# bylaw:ignore deprecated-key to be seen");
    assert_eq!(mended(&text), (text.clone(), vec![], vec![]));
}

#[test]
fn the_edit_is_known_before_it_is_made() {
    let text = format!("a: 1\n---\n{}", yaml("'sagemaker:VolumeKmsKey'"));
    let source = Source { file: "a.yaml".into(), bytes: text.clone().into_bytes() };
    let said = lint_with_fixes(&read_all(std::slice::from_ref(&source)).manifests, &[source]);
    let placed = said.iter().find_map(|told| told.fix.clone()).unwrap().unwrap();
    let spans = fix::spans(&text, &placed.replacements);
    assert_eq!((spans[0].line, spans[0].column, spans[0].end_line, spans[0].end_column), (18, 13, 18, 37));
    assert_eq!(text.lines().nth(17).unwrap().get(12..36), Some("'sagemaker:VolumeKmsKey'"));
    assert_eq!(spans[0].text, "'sagemaker:VolumeKmsKeyArn'");
}

#[test]
fn the_delegation_policy_of_an_organization_is_mended_too() {
    let text = "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {name: o}\nspec:\n  managementAccountId: \"111122223333\"\n  delegationPolicy:\n    Version: \"2012-10-17\"\n    Statement:\n      - Effect: Allow\n        Principal: {AWS: \"222233334444\"}\n        Action: organizations:DescribePolicy\n        Resource: \"*\"\n        Condition:\n          StringEquals: {aws:PrincipalArn: \"arn:aws:iam::222233334444:role/a-*\"}\n";
    let (found, made, _) = mended(text);
    assert_eq!(made, ["wildcard-in-equals"], "{found}");
    assert_eq!(found, text.replace("StringEquals", "StringLike"));
}

/// A value as YAML in blocks, texts plain where kubectl reads them so.
fn block(out: &mut String, value: &Value, indent: usize) {
    let pad = " ".repeat(indent);
    let word = |text: &str| {
        let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_./-".contains(c) || (c == ':' && !text.ends_with(':')))
            && Scalar { text: text.into(), style: Style::Plain }.trap().is_none()
            && !matches!(text.to_lowercase().as_str(), "true" | "false" | "null");
        if plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, value) in members {
                out.push_str(&format!("\n{pad}{}:", word(key)));
                block(out, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}-"));
                block(out, item, indent + 2);
            }
        }
        Value::String(text) => out.push_str(&format!(" {}", word(text))),
        other => out.push_str(&format!(" {other}")),
    }
}

/// A manifest in each form that a document can have in it.
fn forms(kind: &str, text: &str) -> Vec<String> {
    let head = HEAD.replace("SERVICE_CONTROL_POLICY", kind);
    let value: Value = serde_json::from_str(text).unwrap();
    let mut yaml = String::new();
    block(&mut yaml, &value, 4);
    let lines = |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    vec![
        format!("{head} |\n{}", lines(text)),
        format!("{head} |-\n{}", lines(&format!("{value:#}"))),
        format!("{head} {value}\n"),
        format!("{head} {}\n", format!("{value:#}").replace('\n', "\n    ")),
        format!("{head} '{}'\n", value.to_string().replace('\'', "''")),
        format!("{head}{yaml}\n"),
    ]
}

fn samples() -> Vec<(String, String)> {
    let rules = crate::policy::lint::rules::RULES.iter().flat_map(|rule| rule.bad.iter().chain(rule.good));
    let of = |sample: &crate::policy::lint::Sample| {
        let (kind, text) = sample.document();
        (kind.as_str().to_owned(), text)
    };
    // What is no type of Organizations stands in no manifest.
    rules.map(of).filter(|(kind, _)| crate::names::PolicyType::new(kind).is_known()).collect()
}

#[test]
fn a_manifest_is_mended_as_its_document_is_in_every_form() {
    let mut compared = 0;
    for (kind, text) in samples() {
        let kind_of = crate::names::PolicyType::new(&kind);
        let (wanted, made) = crate::policy::lint::mend(&kind_of, &text);
        if made.is_empty() {
            continue;
        }
        let wanted: Value = serde_json::from_str(&wanted).unwrap();
        // An object of YAML with such a number is refused where it is read.
        let number = made.iter().any(|finding| finding.rule == "number-as-id");
        for (at, manifest) in forms(&kind, &text).into_iter().enumerate() {
            if number && matches!(at, 2 | 3 | 5) {
                let source = Source { file: "a.yaml".into(), bytes: manifest.into_bytes() };
                assert!(read_all(&[source]).issues.iter().any(|issue| issue.rule == "unquoted-text"));
                continue;
            }
            for manifest in [manifest.clone(), manifest.replace('\n', "\r\n"), format!("\u{feff}{manifest}")] {
                let (found, rules, refused) = mended(&manifest);
                assert!(refused.is_empty() && rules.len() == made.len(), "{refused:?} {rules:?}\n{manifest}");
                let source = Source { file: "a.yaml".into(), bytes: found.clone().into_bytes() };
                let content = read_all(&[source]).manifests[0].tree().find("spec.content").to_json();
                let content = match &content {
                    Value::String(text) => serde_json::from_str(text).unwrap(),
                    other => other.clone(),
                };
                assert_eq!(content, wanted, "{found}");
                compared += 1;
            }
        }
    }
    assert!(compared > 60, "{compared}");
}

/// Manifests with pieces cut out, doubled and put in: nothing panics, mending ends, and what it leaves can still be read.
#[test]
fn no_manifest_panics() {
    let pieces = [
        "&a ",
        "*a",
        "<<: *a",
        "|",
        ">",
        "'",
        "\"",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "    ",
        "- ",
        ": ",
        "{",
        "}",
        "# ",
        "---\n",
        "...\n",
        "!!str ",
        "sagemaker:VolumeKmsKey",
        "StringEquals",
        "😀",
        "\u{feff}",
        "? ",
        "\\",
        "\u{2028}",
        "%YAML 1.2\n",
    ];
    let manifests: Vec<String> = samples().iter().flat_map(|(kind, text)| forms(kind, text)).collect();
    let mendable: Vec<&String> = manifests.iter().filter(|text| !mended(text).1.is_empty()).collect();
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let mut count = 0;
    let rounds = 500;
    for _ in 0..rounds {
        let any = [manifests[random(manifests.len())].as_str(), mendable[random(mendable.len())]];
        let mut text: Vec<char> = any[random(2)].chars().collect();
        if random(3) == 0 {
            text.extend(
                "---\n".chars().chain(manifests[random(manifests.len())].replace("name: p", "name: q").chars()),
            );
        }
        for _ in 0..random(4) {
            let at = HEAD.len() + random(text.len() - HEAD.len());
            let until = (at + random(3)).min(text.len());
            text.splice(at..until, pieces[random(pieces.len())].chars());
        }
        let text: String = text.into_iter().collect();
        let source = |text: &str| Source { file: "a.yaml".into(), bytes: text.as_bytes().to_vec() };
        let (found, made, _) = mended(&text);
        assert_eq!(made.is_empty(), found == text, "{text}");
        if !made.is_empty() {
            count += 1;
            let (before, after) = (read_all(&[source(&text)]), read_all(&[source(&found)]));
            assert!(after.issues.len() <= before.issues.len(), "{text}\n{found}");
            assert_eq!(before.manifests.len(), after.manifests.len(), "{text}\n{found}");
            assert!(mended(&found).1.is_empty(), "no end: {text}\n{found}");
        }
    }
    assert!(count > rounds / 10, "{count}");
}
