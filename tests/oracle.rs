//! bylaw's evaluator against an independent one: iam-simulate (npm `@cloud-copilot/iam-simulate`, AGPL), which runs as a
//! process of its own and of which nothing is built in or copied.

#[path = "oracle/cases.rs"]
mod cases;
#[path = "oracle/known.rs"]
mod known;
#[path = "oracle/ours.rs"]
mod ours;
#[path = "oracle/requests.rs"]
mod requests;
#[path = "oracle/theirs.rs"]
mod theirs;

use std::collections::BTreeMap;

use known::KNOWN;
use serde_json::Value;

const CASES: usize = 20_000;

#[test]
fn another_evaluator_decides_alike() {
    // Another seed finds other disagreements: what a new one settles becomes a test or an entry.
    let seed = std::env::var("BYLAW_ORACLE_SEED").ok().map(|seed| seed.parse().unwrap());
    let mut random = cases::Random(seed.unwrap_or(20_261_128));
    let cases: Vec<_> = (0..CASES).map(|_| cases::case(&mut random)).collect();
    // Theirs takes a core, ours another.
    let (answers, own) = std::thread::scope(|scope| {
        let answers = scope.spawn(|| theirs::ask(&cases));
        let own: Vec<&str> = cases.iter().map(ours::decide).collect();
        (answers.join().unwrap(), own)
    });
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut settled: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut differed, mut open) = (0, vec![]);
    for ((case, answer), own) in cases.iter().zip(&answers).zip(own) {
        let theirs = answer["result"].as_str().unwrap_or_else(|| panic!("not decided: {answer}\n{case}"));
        assert_eq!(answer["ignored"], serde_json::json!([]), "a key that does not go with the action: {case}");
        *counts.entry(own).or_default() += 1;
        if own != theirs {
            differed += 1;
            match settle(case, theirs) {
                Some(names) => names.into_iter().for_each(|name| *settled.entry(name).or_default() += 1),
                None => open.push(format!("bylaw {own}, iam-simulate {theirs}: {case}")),
            }
        }
    }
    let agreed = CASES - differed;
    println!("{CASES} cases ({counts:?}), {agreed} agreed, {} not settled; known differences:", open.len());
    for known in KNOWN {
        println!("{:6}  {}: {} ({})", settled.get(known.name).unwrap_or(&0), known.name, known.fact, known.page);
    }
    assert!(open.is_empty(), "{}", open.iter().take(10).cloned().collect::<Vec<_>>().join("\n\n"));
    for known in KNOWN.iter().filter(|_| seed.is_none()) {
        assert!(settled.contains_key(known.name), "no case meets `{}` any more: take the entry out", known.name);
    }
}

/// The known differences that make one of the other: one alone, else several together.
fn settle(case: &Value, theirs: &str) -> Option<Vec<&'static str>> {
    for known in KNOWN {
        if known.read(case).is_some_and(|read| ours::decide(&read) == theirs) {
            return Some(vec![known.name]);
        }
    }
    let mut names = vec![];
    let mut all = case.clone();
    for known in KNOWN {
        if let Some(read) = known.read(&all) {
            all = read;
            names.push(known.name);
        }
    }
    (ours::decide(&all) == theirs).then_some(names)
}
