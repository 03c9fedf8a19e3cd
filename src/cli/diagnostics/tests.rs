use super::*;

fn sample() -> (Vec<Issue>, Vec<Source>) {
    let text = "kind: Account\nspec:\n  email: \"a b\"\n  nmae: x\n  name: y\n";
    let sources = vec![
        Source { file: "dir/a b.yaml".into(), bytes: text.as_bytes().to_vec() },
        Source { file: "ok.yaml".into(), bytes: b"a: 1".to_vec() },
    ];
    let at = |line, column| Origin { file: "dir/a b.yaml".into(), line, column };
    let issues = vec![
        Issue::new(
            Severity::Error,
            "unknown-field",
            at(4, 3),
            Some("Account/x".into()),
            "spec.nmae",
            "`nmae` is not a field here",
        )
        .help("did you mean `name`?")
        .related(at(5, 3), "here first"),
        Issue::new(Severity::Warning, "w", at(3, 10), None, "", "100% <odd>, \"really\"\nyes"),
        Issue::new(
            Severity::Error,
            "no-such-file",
            Origin { file: "gone".into(), line: 0, column: 0 },
            None,
            "",
            "there is no `gone`",
        ),
    ];
    (issues, sources)
}

fn written(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn text_shows_the_lines_and_what_to_do() {
    let (issues, sources) = sample();
    let shown = written(|out| text(&issues[..1], &sources, false, out));
    assert_eq!(
        shown,
        "error[unknown-field]: `nmae` is not a field here
 --> dir/a b.yaml:4:3
  |
3 |   email: \"a b\"
4 |   nmae: x
  |   ^^^^ spec.nmae
5 |   name: y
  |
 ::: dir/a b.yaml:5:3
  |
4 |   nmae: x
5 |   name: y
  |   ---- here first
  |
  = note: in `Account/x`
  = help: did you mean `name`?

"
    );
    assert!(!shown.contains('\u{1b}'));
    assert!(written(|out| text(&issues, &sources, true, out)).contains('\u{1b}'));
    assert!(written(|out| text(&issues[2..], &sources, false, out)).contains("--> gone\n"));
}

#[test]
fn places_out_of_the_file_and_steering_characters_do_no_harm() {
    let sources = vec![Source { file: "f".into(), bytes: "é\u{1b}[31m: \u{202e}x\u{85}\r\n".as_bytes().to_vec() }];
    for (line, column) in [(1, 1), (1, 2), (1, 9), (1, 500), (2, 1), (99, 99), (u32::MAX, u32::MAX)] {
        let origin = Origin { file: "f".into(), line, column };
        let issue = Issue::new(Severity::Error, "r", origin.clone(), None, "a.b", "m").related(origin, "too");
        let shown = written(|out| text(std::slice::from_ref(&issue), &sources, false, out));
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{85}']), "{shown:?}");
    }
}

#[test]
fn machines_get_every_field() {
    let (issues, sources) = sample();
    let value = serde_json::json!(issues.iter().map(IssueOutput::of).collect::<Vec<_>>());
    assert_eq!(value[0]["severity"], "error");
    assert_eq!(
        value[0]["related"][0],
        serde_json::json!({"file": "dir/a b.yaml", "line": 5, "column": 3, "label": "here first"})
    );
    let value = sarif(&issues, &sources);
    let result = &value["runs"][0]["results"][0];
    assert_eq!(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "dir/a%20b.yaml");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startLine"], 4);
    assert!(value["runs"][0]["results"][2]["locations"][0]["physicalLocation"].get("region").is_none());
    assert_eq!(value["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap().len(), 3);
    let xml = written(|out| junit("validate", &issues, &sources, out));
    assert!(xml.contains("tests=\"4\" failures=\"2\""), "{xml}");
    assert!(xml.contains("100% &lt;odd&gt;, &quot;really&quot;&#10;yes"), "{xml}");
    let github = written(|out| github(&issues, out));
    assert!(
        github.starts_with("::error title=unknown-field,file=dir/a b.yaml,line=4,col=3::Account/x: `nmae`"),
        "{github}"
    );
    assert!(github.contains("::100%25 <odd>, \"really\"%0Ayes\n"), "{github}");
    assert_eq!(github.lines().count(), 3);
}

/// What the schema of SARIF 2.1.0 demands of the parts that are written here (OASIS, "sarif-schema-2.1.0.json"), and that
/// code scanning takes no result without a file.
#[test]
fn sarif_has_what_its_standard_demands() {
    let (mut issues, sources) = sample();
    let nowhere = Origin { file: "".into(), line: 0, column: 0 };
    issues.push(Issue::new(Severity::Error, "no-organization", nowhere, None, "", "no `Organization` is declared"));
    let standard_input = Origin { file: "<stdin>".into(), line: 1, column: 0 };
    issues.push(Issue::new(Severity::Error, "yaml", standard_input, None, "", "broken"));
    for sources in [&sources[..], &[]] {
        let value = sarif(&issues, sources);
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        assert!(run["tool"]["driver"]["name"].is_string());
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), rules.len(), "ids of rules are unique");
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), issues.len());
        for result in results {
            assert!(ids.contains(result["ruleId"].as_str().unwrap()));
            assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            let related = result["relatedLocations"].as_array().unwrap();
            assert!(related.iter().all(|place| place["message"]["text"].is_string()));
            for place in result["locations"].as_array().unwrap().iter().chain(related) {
                let place = &place["physicalLocation"];
                let uri = place["artifactLocation"]["uri"].as_str().unwrap();
                assert!(
                    !uri.is_empty() && uri.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b)),
                    "{uri}"
                );
                let region = &place["region"];
                assert!(
                    region.is_null()
                        || (region["startLine"].as_u64() > Some(0) && region["startColumn"].as_u64() > Some(0))
                );
            }
        }
    }
}

#[test]
fn of_a_line_of_megabytes_only_what_is_seen_is_worked_on() {
    let shown = |before: usize, behind: usize| {
        let text = format!("a: 1\n{}é: {}\nb: 2\n", "é".repeat(before), "é".repeat(behind));
        let column = u32::try_from(before + 1).unwrap();
        let origin = Origin { file: "a.yaml".into(), line: 2, column };
        let issue = Issue::new(Severity::Error, "r", origin, None, "f", "m");
        written(|out| {
            super::text(
                std::slice::from_ref(&issue),
                &[Source { file: "a.yaml".into(), bytes: text.clone().into() }],
                false,
                out,
            )
        })
    };
    let long = shown(5_000, 5_000_000);
    assert!(long.contains("a.yaml:2:5001") && long.contains("^ f") && long.len() < 2_000, "{long}");
    assert_eq!(long, shown(5_000, 5_000), "what is cut off would not have been seen");
    // So far to the right nobody looks for it on a screen.
    let far = shown(60_000, 3);
    assert!(far.contains("a.yaml:2:60001") && !far.contains('^'), "{far}");
}
