use serde_json::json;

use super::*;
use crate::policy::eval::Fact;
use crate::trail::tally::Effect;

/// Denies from now on what is called outside of one region, and looks at nothing else.
struct Regions {
    looks: Looks,
}

impl Judge for Regions {
    fn binds(&self, account: &str) -> Bound {
        match account {
            "111122223333" => Bound::Member,
            "999999999999" => Bound::Management,
            _ => Bound::Foreign,
        }
    }
    fn looks(&self, _action: &Action) -> Looks {
        self.looks.clone()
    }
    fn judge(&self, call: &Call) -> Judgement {
        let by = By { policy: "p-1".into(), statement: "Region".into(), node: "r-1".into() };
        let after = match call.facts.of("aws:requestedregion") {
            Fact::Values([region]) if &**region == "eu-central-1" => Answer::Allowed,
            Fact::Values(_) => Answer::Denied(by),
            _ => Answer::Depends { keys: vec!["aws:RequestedRegion".into()], by },
        };
        Judgement { before: Answer::Allowed, after, same: false }
    }
}

fn regions() -> Regions {
    Regions { looks: Looks { keys: vec!["aws:RequestedRegion".into()], ..Looks::default() } }
}

const MOST: usize = 1_000;

fn event(account: &str, region: &str, more: &str) -> String {
    format!(
        r#"{{"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"PutObject","awsRegion":"{region}","recipientAccountId":"{account}","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::{account}:user/u","accountId":"{account}"}},"requestParameters":{{"bucketName":"b","key":"k"}}{more}}}"#
    )
}

fn folded(judge: &Regions, most: usize, events: &[String]) -> Tally {
    let mut fold = Fold::new(judge, Time::default(), most);
    for text in events {
        fold.add(&Record::parse(text).unwrap(), 1, None);
    }
    fold.tally
}

#[test]
fn what_nobody_looks_at_makes_no_difference() {
    let judge = regions();
    let events: Vec<String> = (0..100)
        .map(|n| event("111122223333", "us-east-1", &format!(r#","sourceIPAddress":"8.8.8.{n}","userAgent":"{n}""#)))
        .collect();
    let tally = folded(&judge, MOST, &events);
    assert_eq!((tally.events, tally.evaluated, tally.distinct, tally.rows.len()), (100, 100, 1, 1));
    let row = &tally.rows[0];
    assert_eq!((row.count, &*row.resource, &*row.line.action), (100, "arn:aws:s3:::b/*", "s3:PutObject"));
    assert_eq!((row.line.change.effect, &*row.line.change.by.statement), (Effect::NewlyDenied, "Region"));
    let looks = Looks { keys: vec!["aws:RequestedRegion".into(), "aws:SourceIp".into()], ..Looks::default() };
    assert_eq!(folded(&Regions { looks }, MOST, &events).distinct, 100);
}

#[test]
fn a_full_table_is_emptied_and_nothing_is_lost() {
    let looks = Looks { keys: vec!["aws:RequestedRegion".into(), "aws:UserAgent".into()], ..Looks::default() };
    let judge = Regions { looks };
    let events: Vec<String> =
        (0..300).map(|n| event("111122223333", "us-east-1", &format!(r#","userAgent":"{}""#, n % 100))).collect();
    let tally = folded(&judge, 10, &events);
    assert!(tally.emptied > 10 && tally.distinct > 200);
    assert_eq!((tally.rows.len(), tally.figures(true)), (1, (300, 300)));
}

#[test]
fn everything_is_counted_once() {
    let member = "111122223333";
    let events = [
        event(member, "eu-central-1", ""),
        event(member, "us-east-1", ""),
        event(member, "", ""),
        event(member, "us-east-1", r#","errorCode":"AccessDenied""#),
        event(member, "us-east-1", r#","errorCode":"NoSuchBucket""#),
        event("999999999999", "us-east-1", ""),
        event("888888888888", "us-east-1", ""),
        event(member, "us-east-1", "").replace("PutObject", "No such thing"),
        event(member, "us-east-1", r#","eventType":"AwsServiceEvent""#),
    ];
    let tally = folded(&regions(), MOST, &events);
    let skipped: Vec<(Class, u64)> =
        classes::CLASSES.iter().zip(tally.skipped).filter(|(_, n)| *n > 0).map(|(row, n)| (row.0, n)).collect();
    let expected = [
        Class::ServiceEvent,
        Class::Management,
        Class::Foreign,
        Class::DeniedAlready,
        Class::FailedAlready,
        Class::UnknownAction,
    ];
    assert_eq!(skipped, expected.map(|class| (class, 1)));
    assert_eq!((tally.events, tally.evaluated), (9, 3));
    assert_eq!((tally.figures(true), tally.of(Effect::Unknown).len()), ((1, 2), 1));
    assert!(tally.planes[0]);
}

#[test]
fn time_and_counts_are_taken() {
    let judge = regions();
    let mut fold = Fold::new(&judge, Time { since: Some(1_767_323_045), until: Some(1_767_323_046) }, MOST);
    for time in ["03:04:04", "03:04:05", "03:04:06"] {
        let text = event("111122223333", "us-east-1", "").replace("03:04:05", time);
        fold.add(&Record::parse(&text).unwrap(), 7, Some(1_767_323_999));
    }
    assert_eq!((fold.tally.skipped[Class::OutOfTime as usize], fold.tally.rows[0].count), (14, 7));
    assert_eq!((fold.tally.rows[0].first, fold.tally.rows[0].last), (1_767_323_045, 1_767_323_999));
}

#[test]
fn a_record_without_a_time_is_not_of_1970() {
    let judge = regions();
    let mut fold = Fold::new(&judge, Time::default(), MOST);
    let text = event("111122223333", "us-east-1", "");
    let untold = text.replace("2026-01-02T03:04:05Z", "yesterday");
    fold.add(&Record::parse(&untold).unwrap(), 1, None);
    assert!(fold.tally.rows[0].first > fold.tally.rows[0].last);
    fold.add(&Record::parse(&text).unwrap(), 1, None);
    assert_eq!((fold.tally.rows[0].first, fold.tally.rows[0].last), (1_767_323_045, 1_767_323_045));
}

#[test]
fn envelopes_are_opened() {
    let inner = event("111122223333", "us-east-1", "");
    let text = json!({ "CloudTrailEvent": inner }).to_string();
    let twice = json!({ "message": text }).to_string();
    let file = json!({ "message": format!(r#"{{"Records":[{inner},{{"a":1}},{inner}]}}"#) }).to_string();
    let cases = [
        (inner.as_str(), 1),
        (&text, 1),
        (&twice, 1),
        (&file, 2),
        (r#"{"a":1}"#, 0),
        (r#"{"detail":{"a":1}}"#, 0),
        (r#"{"message":"{\"Records\":[]}"}"#, 0),
    ];
    for (text, expected) in cases {
        let mut found = 0;
        let is = opened(&Record::parse(text).unwrap(), &mut |_| found += 1).unwrap();
        assert_eq!((found, is), (expected, expected > 0), "{text}");
    }
    assert!(opened(&Record::parse(r#"{"message":"{x"}"#).unwrap(), &mut |_| {}).is_err());
}
