use std::fs;

use super::*;
use crate::cli::schemas::form;
use crate::cli::scratch::Scratch;

const DEAD: &str = r#"{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Deny", "Action": "sagemaker:CreateTrainingJob", "Resource": "*",
     "Condition": {"Null": {"sagemaker:VolumeKmsKey": "true"}}}
  ]
}
"#;

fn asked(files: &[&Path], change: impl Fn(&mut Lint)) -> Lint {
    let files = files.iter().map(|path| path.to_path_buf()).collect();
    let mut asked =
        Lint { files, kind: None, fix: false, minify: false, strict: false, explain: None, output: Format::Text };
    change(&mut asked);
    asked
}

fn lint_of(asked: &Lint) -> (u8, String, String) {
    let (mut out, mut err) = (vec![], vec![]);
    let code = run(asked, false, &mut err, &mut out).unwrap();
    (code, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_document_is_printed_as_small_as_it_gets() {
    let folder = Scratch::new("minify");
    let file = folder.join("a.json");
    let one = r#"{"Effect": "Deny", "Action": ["s3:Get*", "s3:GetObject"], "Resource": "*"}"#;
    fs::write(&file, format!(r#"{{"Version": "2012-10-17", "Statement": [{one}, {}]}}"#, one.replace("s3:", "ec2:")))
        .unwrap();
    let (code, out, err) = lint_of(&asked(&[&file], |asked| asked.minify = true));
    let small =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":["s3:Get*","ec2:Get*"],"Resource":"*"}]}"#;
    assert_eq!((code, out.trim_end()), (0, small));
    assert!(err.contains("as small as it gets") && err.contains("10240"), "{err}");
    fs::write(&file, "{").unwrap();
    let failure = run(&asked(&[&file], |asked| asked.minify = true), false, &mut vec![], &mut vec![]).unwrap_err();
    assert!(failure.to_string().contains("bylaw lint"), "{failure}");
}

#[cfg(unix)]
#[test]
fn a_fix_changes_nobodys_rights_and_gets_around_none() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Scratch::new("rights");
    let file = folder.join("a.json");
    let mode = || fs::metadata(&file).unwrap().permissions().mode() & 0o777;
    for kept in [0o600, 0o755] {
        fs::write(&file, DEAD).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(kept)).unwrap();
        lint_of(&asked(&[&file], |asked| asked.fix = true));
        assert_eq!(mode(), kept);
        assert_ne!(fs::read_to_string(&file).unwrap(), DEAD);
    }
    fs::write(&file, DEAD).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let failure = run(&asked(&[&file], |asked| asked.fix = true), false, &mut vec![], &mut vec![]).unwrap_err();
    assert!(failure.to_string().contains("write-protected"), "{failure}");
    assert_eq!((fs::read_to_string(&file).unwrap().as_str(), mode()), (DEAD, 0o444));
    assert_eq!(fs::read_dir(&*folder).unwrap().count(), 1);
}

#[test]
fn a_document_is_looked_at_and_the_assumed_type_is_told() {
    let folder = Scratch::new("lint");
    let file = folder.join("a.json");
    fs::write(&file, DEAD).unwrap();
    let (code, out, err) = lint_of(&asked(&[&file], |_| {}));
    assert_eq!(code, 1);
    assert!(out.contains("error[deprecated-key]") && out.contains("a.json:5:29"), "{out}");
    assert!(out.ends_with("1 document: 1 error, no warnings; 1 can be fixed with `--fix`\n"), "{out}");
    assert!(err.contains("SERVICE_CONTROL_POLICY") && err.contains("--type"), "{err}");
    let (_, _, err) = lint_of(&asked(&[&file], |asked| asked.kind = Some("IDENTITY_POLICY".into())));
    assert_eq!(err, "");
}

#[test]
fn a_policy_that_names_our_tags_is_no_manifest() {
    let source = |file: &str, text: &str| Source { file: file.into(), bytes: text.as_bytes().to_vec() };
    assert!(!is_manifest(&source("a.json", r#"{"Statement": [{"aws:TagKeys": ["bylaw.dev/*"]}]}"#)));
    assert!(is_manifest(&source("a.json", r#"{"apiVersion": "bylaw.dev/v1alpha1", "kind": "OrganizationPolicy"}"#)));
    assert!(is_manifest(&source("<stdin>", "apiVersion: bylaw.dev/v1alpha1")) && is_manifest(&source("a.yml", "")));
}

#[test]
fn a_fix_is_written_back_and_nothing_else_is_touched() {
    let folder = Scratch::new("lint-fix");
    let file = folder.join("a.json");
    fs::write(&file, DEAD.replacen("\"Version\": \"2012-10-17\",\n  ", "", 1)).unwrap();
    let (code, out, err) = lint_of(&asked(&[&file], |asked| asked.fix = true));
    let expected = DEAD.replace("VolumeKmsKey", "VolumeKmsKeyArn").replacen(
        "{\n  \"Version\": \"2012-10-17\",\n",
        "{\"Version\": \"2012-10-17\",\n",
        1,
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    assert!(err.contains("`sagemaker:VolumeKmsKey` becomes `sagemaker:VolumeKmsKeyArn` [deprecated-key]"), "{err}");
    assert_eq!(code, 0, "{out}");
    assert!(out.ends_with("; 2 fixed\n"), "{out}");
}

#[test]
fn every_form_is_well_formed_and_json_fits_its_schema() {
    let folder = Scratch::new("lint-forms");
    let (dead, broken) = (folder.join("a.json"), folder.join("b.json"));
    fs::write(&dead, DEAD).unwrap();
    fs::write(&broken, "{“Version”: “2012-10-17”, 'Statement': []}").unwrap();
    fs::write(folder.join("package.json"), "{\"name\": \"x\"}").unwrap();
    for format in [Format::Json, Format::Sarif, Format::Junit, Format::Github] {
        let (code, out, _) = lint_of(&asked(&[&folder], |asked| asked.output = format));
        assert_eq!(code, 1);
        match format {
            Format::Json => {
                let value: Value = serde_json::from_str(&out).unwrap();
                form::fits("lint", &value);
                let findings = value["findings"].as_array().unwrap();
                let fixed = findings.iter().find(|finding| finding["rule"] == "deprecated-key").unwrap();
                assert_eq!(fixed["fix"]["edits"][0]["text"], "\"sagemaker:VolumeKmsKeyArn\"");
                assert!(findings.iter().any(|finding| finding["rule"] == "curly-or-single-quotes"));
                assert!(findings.iter().all(|finding| !finding["file"].as_str().unwrap().contains("package")));
            }
            Format::Sarif => {
                let value: Value = serde_json::from_str(&out).unwrap();
                let rule = &value["runs"][0]["tool"]["driver"]["rules"][0];
                assert!(rule["fullDescription"]["text"].as_str().unwrap().len() > 20, "{rule}");
            }
            Format::Junit => assert!(out.starts_with("<?xml") && out.trim_end().ends_with("</testsuites>")),
            _ => assert!(out.lines().all(|line| line.starts_with("::")), "{out}"),
        }
    }
}

#[test]
fn manifests_are_looked_at_with_their_lines_and_their_suppressions() {
    let folder = Scratch::new("lint-manifests");
    let file = folder.join("a.yaml");
    let text = "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {name: p}\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content:\n    Version: \"2012-10-17\"\n    Statement:\n      - Effect: Deny\n        Action: s3:GetObjekt\n        Resource: \"*\"\n";
    fs::write(&file, text).unwrap();
    let (code, out, _) = lint_of(&asked(&[&file], |_| {}));
    assert!(code == 0 && out.contains("warning[unknown-action]") && out.contains("a.yaml:10:17"), "{out}");
    assert_eq!(lint_of(&asked(&[&file], |asked| asked.strict = true)).0, 1);
    fs::write(&file, text.replace("Objekt\n", "Objekt # bylaw:ignore unknown-action it is to come\n")).unwrap();
    assert!(lint_of(&asked(&[&file], |_| {})).1.ends_with("1 document: no errors, no warnings\n"));
}

#[test]
fn every_rule_is_explained_and_others_are_not() {
    for rule in explained() {
        let (code, out, _) = lint_of(&asked(&[], |asked| asked.explain = Some(rule.id.into())));
        assert!(code == 0 && out.starts_with(rule.id) && out.contains(rule.explanation), "{out}");
    }
    let unknown = asked(&[], |asked| asked.explain = Some("unknown-actoin".into()));
    let failure = run(&unknown, false, &mut vec![], &mut vec![]).unwrap_err();
    assert_eq!(failure.help.as_deref(), Some("did you mean `unknown-action`?"));
    let kind = asked(&[Path::new("x")], |asked| asked.kind = Some("SERVICE_CONTROL".into()));
    assert!(run(&kind, false, &mut vec![], &mut vec![]).is_err());
}

#[test]
fn the_page_lists_every_rule() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lint.md");
    let text = fs::read_to_string(page).unwrap();
    let (before, rest) = text.split_once("<!-- rules -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of rules -->").unwrap();
    let wanted = format!("{before}<!-- rules -->\n{}<!-- end of rules -->{after}", table());
    if std::env::var_os("BYLAW_UPDATE").is_some() {
        fs::write(page, &wanted).unwrap();
    }
    assert!(fs::read_to_string(page).unwrap() == wanted, "`BYLAW_UPDATE=1 ./test lint` writes the list anew");
}

#[test]
fn the_examples_raise_no_false_alarm() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for folder in ["data-science", "platform", "approval"] {
        let (code, out, _) = lint_of(&asked(&[&examples.join(folder)], |_| {}));
        let grave: Vec<&str> =
            out.lines().filter(|line| line.starts_with("error[") || line.starts_with("warning[")).collect();
        let expected = if folder == "approval" { grave.len() } else { 0 };
        assert!(code == 0 && grave.len() == expected, "{folder}: {out}");
    }
}

const MANIFEST: &str = "apiVersion: bylaw.dev/v1alpha1\nkind: OrganizationPolicy\nmetadata: {name: p} # why\nspec:\n  type: SERVICE_CONTROL_POLICY\n  content: |\n    {\"Version\": \"2012-10-17\", \"Statement\": [\n      {\"Effect\": \"Deny\", \"Action\": \"sagemaker:CreateTrainingJob\", \"Resource\": \"*\",\n       \"Condition\": {\"Null\": {\"sagemaker:VolumeKmsKey\": \"true\"}}}]}\n";

#[test]
fn a_fix_in_a_manifest_is_told_made_and_written_back() {
    let folder = Scratch::new("lint-fix-manifest");
    let file = folder.join("a.yaml");
    fs::write(&file, MANIFEST).unwrap();
    let (_, out, _) = lint_of(&asked(&[&file], |asked| asked.output = Format::Json));
    let value: Value = serde_json::from_str(&out).unwrap();
    form::fits("lint", &value);
    let edit = &value["findings"][0]["fix"]["edits"][0];
    assert_eq!(
        (edit["line"].as_u64(), edit["column"].as_u64(), edit["endColumn"].as_u64()),
        (Some(9), Some(31), Some(55))
    );
    assert!(lint_of(&asked(&[&file], |_| {})).1.ends_with("; 1 can be fixed with `--fix`\n"));
    let (code, out, err) = lint_of(&asked(&[&file], |asked| asked.fix = true));
    assert_eq!(fs::read_to_string(&file).unwrap(), MANIFEST.replace("KmsKey", "KmsKeyArn"));
    assert!(code == 0 && out.ends_with("; 1 fixed\n"), "{out}");
    assert!(err.starts_with("fixed ") && err.contains("a.yaml:9:31: `sagemaker:VolumeKmsKey` becomes"), "{err}");
    let folded = MANIFEST.replace("content: |", "content: >");
    fs::write(&file, &folded).unwrap();
    let (_, _, err) = lint_of(&asked(&[&file], |asked| asked.fix = true));
    assert_eq!(fs::read_to_string(&file).unwrap(), folded);
    assert!(
        err.starts_with("not fixed ") && err.contains("folded over lines") && err.contains("[deprecated-key]"),
        "{err}"
    );
}

#[test]
fn what_the_reader_finds_in_a_manifest_is_told() {
    let folder = Scratch::new("lint-manifest-reader");
    let file = folder.join("a.yaml");
    fs::write(&file, MANIFEST.replace("\"Deny\"", "\"Deni\"")).unwrap();
    let (code, out, _) = lint_of(&asked(&[&file], |_| {}));
    assert!(code == 1 && out.contains("error[invalid-effect]") && out.contains("a.yaml:8:18"), "{out}");
}

#[test]
fn the_delegation_policy_is_looked_at() {
    let folder = Scratch::new("lint-delegation");
    let file = folder.join("a.yaml");
    let text = "apiVersion: bylaw.dev/v1alpha1\nkind: Organization\nmetadata: {name: o}\nspec:\n  managementAccountId: \"111122223333\"\n  delegationPolicy:\n    Version: \"2012-10-17\"\n    Statement:\n      - Effect: Allow\n        Principal: \"*\"\n        Action: organizations:DescribePolici\n        Resource: \"*\"\n";
    fs::write(&file, text).unwrap();
    let (_, out, _) = lint_of(&asked(&[&file], |_| {}));
    assert!(out.contains("warning[unknown-action]") && out.contains("a.yaml:11:17"), "{out}");
    assert!(out.contains("warning[public-principal]") && out.contains("a.yaml:10:20"), "{out}");
}
