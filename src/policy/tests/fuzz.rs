//! A bounded run of what `fuzz/` does without end: no input makes the reader panic, and what it accepts is stable.

use super::*;

/// SplitMix64: small, seeded, the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

const SEEDS: [(&str, &str); 6] = [
    (
        "SCP",
        r#"{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Deny","Action":["s3:Get*","ec2:*"],"Resource":["*","arn:aws:s3:::a/*"],"Condition":{"StringEquals":{"aws:A":["1",2,true]}}},{"Effect":"Allow","NotAction":"iam:*","NotResource":"arn:aws:s3:::b"}]}"#,
    ),
    ("RCP", r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}}"#),
    (
        "DELEGATION",
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["123456789012","*"],"Service":"x"},"Action":"organizations:*","Resource":"*"}]}"#,
    ),
    (
        "TAG",
        r#"{"tags":{"a":{"tag_key":{"@@assign":"A"},"tag_value":{"@@assign":["x","y"]},"@@operators_allowed_for_child_policies":["@@none"]}}}"#,
    ),
    (
        "BACKUP_POLICY",
        r#"{"plans":{"p":{"regions":{"@@append":["eu-west-1"]},"rules":{"r":{"lifecycle":{"x":{"@@assign":"1"}}}}}}}"#,
    ),
    ("SCP", "{“Version”: '2012-10-17', // c\n\"Statement\": [{\"Effect\": \"Deny,\n}]},,"),
];

const PIECES: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "'",
    "“",
    "”",
    "\\",
    "\\u",
    "\\ud800",
    "\\udc00",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{0}",
    "\u{feff}",
    "\u{a0}",
    "//",
    "/*",
    "*/",
    "#",
    "null",
    "true",
    "-",
    "0",
    "1e9",
    "é",
    "日",
    "😀",
    "\"Effect\"",
    "\"Deny\"",
    "\"Action\"",
    "\"s3:*\"",
    "\"@@assign\"",
    "\"Condition\"",
    "\"Bool\"",
    "\"Sid\":\"A\",",
    "${aws:x}",
    "*",
    "?",
];

fn check(kind: &PolicyType, text: &str) -> bool {
    match Document::parse(kind, text) {
        Err(flaws) => {
            assert!(flaws.iter().any(|flaw| flaw.error), "{text:?}");
            false
        }
        Ok((document, flaws)) => {
            assert!(flaws.iter().all(|flaw| !flaw.error), "{text:?}");
            let (again, _) = Document::parse(kind, document.minified()).expect("what is sent can be read");
            assert_eq!(again.minified(), document.minified(), "{text:?}");
            assert!(again.same_meaning(&document));
            assert_eq!(again.denies(), document.denies());
            assert!(diff::diff(Some(&again), Some(&document)).is_empty());
            assert!(serde_json::from_str::<serde_json::Value>(document.minified()).is_ok(), "{text:?}");
            true
        }
    }
}

#[test]
fn no_input_panics_and_what_is_accepted_is_stable() {
    let mut random = Random(20_251_124);
    let (mut inputs, mut accepted) = (0, 0);
    while inputs < 24_000 {
        let (name, seed) = SEEDS[random.below(SEEDS.len())];
        let mut text: Vec<char> = seed.chars().collect();
        match random.below(8) {
            // Random bytes, as far as they are text at all.
            0 => {
                let bytes: Vec<u8> = (0..random.below(60)).map(|_| random.next() as u8).collect();
                text = String::from_utf8_lossy(&bytes).chars().collect();
            }
            // A heap of what policies are made of.
            1 => text = (0..random.below(30)).flat_map(|_| PIECES[random.below(PIECES.len())].chars()).collect(),
            // A document with a few slips.
            _ => {
                for _ in 0..=random.below(2) {
                    let at = random.below(text.len());
                    let to = (at + random.below(8)).min(text.len());
                    match random.below(5) {
                        0 => drop(text.drain(at..to)),
                        1 => {
                            let piece: Vec<char> = PIECES[random.below(PIECES.len())].chars().collect();
                            text.splice(at..at, piece);
                        }
                        2 => {
                            let piece: Vec<char> = text.get(at..to).unwrap_or_default().to_vec();
                            let other = random.below(text.len());
                            text.splice(other..other, piece);
                        }
                        3 => text.truncate(at.max(1)),
                        _ => {
                            if let Some(letter) = text.get_mut(at) {
                                *letter = char::from(b' ' + (random.below(95) as u8));
                            }
                        }
                    }
                    if text.is_empty() {
                        text.push(' ');
                    }
                }
            }
        }
        let text: String = text.into_iter().collect();
        accepted += usize::from(check(&kind(name), &text));
        inputs += 1;
    }
    assert!(accepted > 900, "only {accepted} of {inputs} were documents: the run proves little");
}

/// What serde_json takes we take, and the same; what it refuses we refuse.
#[test]
fn agrees_with_another_reader_of_json() {
    let mut random = Random(7);
    let mut valid = 0;
    for _ in 0..6_000 {
        let text: String = if random.below(3) == 0 {
            (0..random.below(8)).map(|_| PIECES[random.below(PIECES.len())]).collect()
        } else {
            let mut text = String::new();
            grow(&mut random, &mut text, 4);
            text
        };
        let mut flaws = flaw::Flaws::default();
        let node = json::read(&text, &mut flaws);
        let theirs = serde_json::from_str::<serde_json::Value>(&text);
        let ours = (!flaws.has_errors()).then_some(node).flatten();
        match (theirs, ours) {
            (Ok(theirs), Some(ours)) => {
                let mut written = String::new();
                json::write(&mut written, &ours.value);
                assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), theirs, "{text:?}");
                valid += 1;
            }
            (Err(_), None) => {}
            // A byte order mark is told, not refused; keys twice are refused; numbers keep their text.
            (Err(_), Some(_)) if text.starts_with('\u{feff}') || text.contains("e9") => {}
            (Ok(_), None) if flaws.has("duplicate-key") => {}
            (theirs, ours) => panic!("{text:?}: {theirs:?} {ours:?} {:?}", flaws.into_vec()),
        }
    }
    assert!(valid > 2_000, "{valid}");
}

fn grow(random: &mut Random, out: &mut String, depth: usize) {
    let space = ["", " ", "\n", "\t\r\n"];
    out.push_str(space[random.below(4)]);
    match random.below(if depth == 0 { 4 } else { 6 }) {
        0 => out.push_str(["null", "true", "false"][random.below(3)]),
        1 => out.push_str(["0", "-1", "12.50", "1e3", "-0.1E-2", "123456789012"][random.below(6)]),
        2 | 3 => grow_string(random, out),
        4 => {
            out.push('[');
            for n in 0..random.below(4) {
                out.push_str(if n > 0 { "," } else { "" });
                grow(random, out, depth - 1);
            }
            out.push(']');
        }
        _ => {
            out.push('{');
            for n in 0..random.below(4) {
                out.push_str(if n > 0 { "," } else { "" });
                grow_string(random, out);
                out.push(':');
                grow(random, out, depth - 1);
            }
            out.push('}');
        }
    }
    out.push_str(space[random.below(4)]);
}

fn grow_string(random: &mut Random, out: &mut String) {
    out.push('"');
    for _ in 0..random.below(6) {
        out.push_str(
            [
                "a",
                "“",
                "’",
                "\\n",
                "\\\"",
                "\\\\",
                "\\/",
                "\\u00e9",
                "\\ud83d\\ude00",
                "日",
                "//",
                "}",
                ",",
                "\u{a0}",
                "\u{7f}",
            ][random.below(15)],
        );
    }
    out.push('"');
}
