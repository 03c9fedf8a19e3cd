use super::*;
use crate::trail::Findings;
use crate::trail::classes::Class;
use crate::trail::files::Unread;
use crate::trail::fold::By;
use crate::trail::tally::{Change, Effect, Line as TallyLine};

const HOSTILE: &str = "arn:aws:iam::1:role/<script>alert(1)</script>|`@team`\u{202e}\"'&\n";

fn findings(principals: usize) -> Findings {
    let mut findings = Findings { files: 2, left_out: 1, ..Findings::default() };
    let tally = &mut findings.tally;
    (tally.events, tally.evaluated, tally.distinct) = (1_234_567, 1_000_000, 42);
    tally.seen((1_767_323_045, 1_767_323_999));
    tally.skip(Class::ServiceLinkedRole, 7);
    tally.limits.insert("`CopyObject` is judged as half of what it is");
    let by = By { policy: "p-1".into(), statement: "Region".into(), node: "r-1".into() };
    for n in 0..principals {
        for (effect, keys) in [(Effect::NewlyDenied, vec![]), (Effect::Unknown, vec!["aws:PrincipalTag/team".into()])] {
            let change = Change { effect, may_deny: true, may_allow: false, by: by.clone(), keys };
            let principal = if n == 0 { HOSTILE.into() } else { format!("arn:aws:iam::1:role/r{n}").into() };
            let line = TallyLine { change, account: "111122223333".into(), principal, action: "s3:PutObject".into() };
            let row = tally.row(&line, "arn:aws:s3:::b/*");
            tally.count(row, 1_000 - n as u64 % 10, (1_767_323_045, 1_767_323_999));
        }
    }
    findings.unread.push(Unread {
        file: "a<b.json".into(),
        byte: Some(17),
        what: "a record cannot be read".into(),
        help: "mend it".into(),
    });
    findings
}

fn printed(report: &Report, form: Form) -> String {
    let mut out = vec![];
    print(report, form, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_has_the_form_that_is_promised() {
    let report = Report::of(&findings(2), false);
    let json: serde_json::Value = serde_json::from_str(&printed(&report, Form::Json)).unwrap();
    assert_eq!(
        (&json["formatVersion"], &json["events"], &json["skipped"]["serviceLinkedRole"]),
        (&1.into(), &1_234_567.into(), &7.into())
    );
    assert_eq!(json["denied"], serde_json::json!({"lower": 1999, "upper": 3998}));
    assert_eq!(json["allowed"], serde_json::json!({"exact": 0, "lower": 0, "upper": 0}));
    let line = &json["newlyDenied"][0];
    assert_eq!((&line["policy"], &line["statement"], &line["count"]), (&"p-1".into(), &"Region".into(), &1000.into()));
    assert_eq!((&line["first"], &line["last"]), (&"2026-01-02T03:04:05Z".into(), &"2026-01-02T03:19:59Z".into()));
    assert_eq!(json["unknown"][0]["dependsOn"][0], "aws:PrincipalTag/team");
    assert_eq!(json["exemptions"][0]["condition"]["ArnNotLike"]["aws:PrincipalArn"].as_array().unwrap().len(), 2);
    assert_eq!((&json["unread"][0]["byte"], &json["leftOut"]), (&17.into(), &1.into()));
    assert!(json["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("objects of S3")));
}

#[test]
fn records_that_came_twice_are_told_and_no_figure_is_exact() {
    let mut found = findings(2);
    found.tally.repeats.add("id-1");
    found.tally.repeats.add("id-1");
    let report = Report::of(&found, false);
    assert_eq!((report.repeated, report.denied.exact, report.denied.lower), (1, None, 1_998));
    assert_eq!(report.allowed, Figures { exact: Some(0), lower: 0, upper: 0 });
    for form in [Form::Text, Form::Markdown, Form::Html] {
        let text = printed(&report, form);
        assert!(text.contains("more than once"), "{form:?}:\n{text}");
    }
}

#[test]
fn exit_codes_are_those_of_the_design() {
    let nothing = Findings::default();
    let unread = Findings { left_out: 1, ..Findings::default() };
    let changed = Findings { left_out: 0, unread: vec![], ..findings(1) };
    for (findings, code) in [(nothing, 0), (unread, 1), (changed, 2), (findings(1), 1)] {
        assert_eq!(Report::of(&findings, false).exit_code(), code);
    }
}

/// Without the blocks in which GitHub shows text as it is.
fn outside_of_code(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

#[test]
fn every_form_tells_the_same_and_text_of_others_does_nothing() {
    let report = Report::of(&findings(3), false);
    for form in [Form::Text, Form::Markdown, Form::Html] {
        let text = printed(&report, form);
        for word in ["2,997", "2026-01-02T03:19:59Z", "service-linked roles", "Region", "cannot be read"] {
            assert!(text.contains(word), "{form:?} lacks {word}:\n{text}");
        }
        assert!(!text.contains('\u{202e}'), "{form:?}");
        if form != Form::Text {
            assert!(!outside_of_code(&text).contains("<script"), "{form:?}:\n{text}");
        }
    }
    let html = printed(&report, Form::Html);
    assert!(html.contains("&lt;script&gt;") && html.contains("<svg") && html.contains("default-src 'none'"));
    for outside in ["src=", "href=", "http://", "https://", "url("] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(!outside_of_code(&printed(&report, Form::Markdown)).contains("@team"));
}

#[test]
fn a_comment_keeps_its_bound() {
    let report = Report::of(&findings(30_000), false);
    let text = printed(&report, Form::Markdown);
    assert!(text.chars().count() <= 65_536, "{}", text.chars().count());
    assert!(report.exemptions.len() == 1 && report.exemptions[0].how.contains("s3:PutObject"));
}

#[test]
fn calls_whose_action_is_not_known_are_named() {
    let mut found = findings(0);
    found.left_out = 0;
    for n in 0..30 {
        found.tally.open("budgets.amazonaws.com", &format!("Name{n}"), n + 1);
    }
    let change = Change {
        effect: Effect::Unknown,
        may_deny: true,
        may_allow: false,
        by: By::default(),
        keys: vec!["action".into()],
    };
    let (account, principal) = ("111122223333".into(), "arn:aws:iam::1:role/r".into());
    let line = TallyLine { change, account, principal, action: "budgets.amazonaws.com:Name29".into() };
    let row = found.tally.row(&line, "a resource that is not told");
    found.tally.count(row, 30, (1_767_323_045, 1_767_323_999));
    let report = Report::of(&found, false);
    assert_eq!((report.denied.exact, report.denied.upper, report.exit_code()), (None, 30, 2));
    for form in [Form::Text, Form::Markdown, Form::Html] {
        let text = printed(&report, form);
        for word in ["budgets.amazonaws.com:Name29 (30)", "(30 names)", "action (budgets.amazonaws.com:Name29)"] {
            assert!(text.replace('\\', "").contains(word), "{form:?} lacks {word}:\n{text}");
        }
    }
}

#[test]
fn a_call_that_two_records_tell_is_off_the_lower_bound() {
    let mut found = findings(2);
    found.tally.twice.add("shared");
    found.tally.twice.add("shared");
    let report = Report::of(&found, false);
    assert_eq!((report.denied.exact, report.denied.lower), (None, 1_998));
    assert!(report.notes.iter().any(|note| note.contains("told by two records")), "{:?}", report.notes);
}
