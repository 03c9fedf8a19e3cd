use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Takes JSON objects, as the reader of records does.
#[derive(Default)]
struct Values {
    taken: Vec<Value>,
    flaws: Vec<Flaw>,
}

impl Taker for Values {
    fn take(&mut self, _: usize, text: &[u8]) -> Took {
        let mut values = serde_json::Deserializer::from_slice(text).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                self.taken.push(value);
                Took::Used(values.byte_offset())
            }
            Some(Err(error)) if error.is_eof() => Took::More,
            Some(Err(error)) => {
                Took::Broken(Flaw { byte: error.column() as u64, what: "broken".into(), help: "mend it" })
            }
            None => Took::More,
        }
    }
    fn left_out(&mut self, flaw: Flaw) {
        self.flaws.push(flaw);
    }
}

/// Fed in windows that grow by `step` bytes.
fn cut(text: &[u8], step: usize) -> Values {
    let (mut values, mut cutter) = (Values::default(), Cutter::default());
    let (mut from, mut to) = (0, 0);
    loop {
        to = (to + step).min(text.len());
        from += cutter.feed(&text[from..to], to == text.len(), &mut values);
        if to == text.len() {
            assert_eq!(from, to);
            assert_eq!(cutter.offset(), to as u64);
            return values;
        }
    }
}

fn record(n: usize, text: &str) -> Value {
    json!({"eventVersion": "1.11", "n": n, "x": {"y": [text, {"eventVersion": "}]{["}]}})
}

#[test]
fn every_form_of_a_file_gives_its_records() {
    let (a, b, c) = (record(1, "a\"\\}{"), record(2, "],[\u{e9}"), record(3, ""));
    let all = [a.clone(), b.clone(), c.clone()];
    let forms = [
        json!({"Records": all}).to_string(),
        format!("{:#}", json!({"Records": all})),
        json!(all).to_string(),
        format!("\u{feff}{:#}", json!(all)),
        format!("{a}\n{b}\r\n{c}\n"),
        format!("{a}{b} {c}"),
        format!("{a:#}\n{b:#}\n{c:#}"),
        format!("\u{1e}{a}\n\u{1e}{b}\n\u{1e}{c}\n"),
        format!("{{\"Records\":[{a}]}}{{\"Records\":[{b},{c}]}}"),
        format!("{{\"Records\":[{a}]}}\n{{\"Records\":[]}}\n{b}\n[{c}]"),
        format!(
            "{{\"NextToken\":\"a]}}\\\"\",\"x\":{{\"y\":[1]}},\"n\":5,\"z\":null,\"Events\":[{a},{b},{c}],\"w\":1}}"
        ),
        format!("{{ \"ResponseMetadata\" : {{ }} , \"Events\" : [ {a} , {b} , {c} ] }}"),
    ];
    for form in forms {
        for step in [1, 7, 64, 1 << 20] {
            let values = cut(form.as_bytes(), step);
            assert_eq!(values.flaws, [], "{step} {form}");
            assert_eq!(values.taken, all, "{step} {form}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_its_byte_and_the_rest_read() {
    let (a, b) = (record(1, "a"), record(2, "b"));
    let long = a.to_string().len();
    let cases: &[(String, u64, usize, &str)] = &[
        (format!("{a}\n{{\"eventVersion\":\n{b}"), long as u64 + 1, 2, "a line that is cut off"),
        (format!("{a}\n{{\"eventVersion\":tru}}\n{b}"), long as u64 + 1 + 20, 2, "a line with a wrong word"),
        (format!("[{a},{{\"eventVersion\":\"x,{b}]"), 0, 2, "a quote that is missing"),
        (format!("[{a},nonsense,{b}]"), long as u64 + 2, 2, "a word in the list"),
        (format!("[{a},[1,[2]],{b}]"), long as u64 + 2, 2, "a list in the list"),
        (format!("[{a},\"a]\",{b}]"), long as u64 + 2, 2, "a text in the list"),
        (format!("[{a},{b}"), 2 * long as u64 + 2, 2, "a list that is cut off"),
        (format!("{{\"Records\":[{a},{b}]"), 2 * long as u64 + 14, 2, "an object that is cut off"),
        (format!("[{a},{b},{{\"eventVersion\":\"1"), 2 * long as u64 + 3, 2, "a record that is cut off"),
        ("<html>\n<body>".to_owned(), 0, 0, "no JSON"),
        ("\u{0}\u{1}\u{2}".to_owned(), 0, 0, "no text"),
    ];
    for (text, byte, taken, what) in cases {
        let values = cut(text.as_bytes(), 1 << 20);
        assert_eq!(values.taken.len(), *taken, "{what}: {:?}", values.flaws);
        assert!(!values.flaws.is_empty(), "{what}");
        assert!(*byte == 0 || values.flaws[0].byte.abs_diff(*byte) <= 1, "{what}: {:?} {byte}", values.flaws);
    }
}

#[test]
fn a_record_without_an_end_needs_no_memory_and_what_follows_is_read() {
    struct Only(Values);
    impl Taker for Only {
        fn take(&mut self, at: usize, text: &[u8]) -> Took {
            if text.len() <= LARGEST { self.0.take(at, text) } else { Took::More }
        }
        fn left_out(&mut self, flaw: Flaw) {
            self.0.left_out(flaw);
        }
    }
    let (mut only, mut cutter) = (Only(Values::default()), Cutter::default());
    let start = b"{\"eventVersion\":\"1\",\"x\":\"";
    let piece = vec![b'x'; 1 << 20];
    let end = b"\"}\n{\"n\":2}\n";
    let mut window: Vec<u8> = vec![];
    let mut most = 0;
    for n in 0..202 {
        window.extend_from_slice(match n {
            0 => start,
            201 => end,
            _ => &piece,
        });
        let used = cutter.feed(&window, n == 201, &mut only);
        window.drain(..used);
        most = most.max(window.len());
    }
    assert!(most <= LARGEST + (2 << 20), "{most}");
    assert_eq!(only.0.taken, [json!({"n": 2})]);
    assert_eq!(only.0.flaws.len(), 1);
    assert_eq!((only.0.flaws[0].byte, &*only.0.flaws[0].what), (0, "a record is larger than 16 MiB"));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z\\\\\"{}\\[\\]\n\u{e9} ,:]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zR\"\\\\]{0,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

proptest! {
    /// Whatever the windows, and whatever the records hold, the cutter finds the records that serde_json finds.
    #[test]
    fn records_cut_equal_those_of_serde_json(
        bodies in prop::collection::vec(values(), 0..6), step in 1usize..300, form in 0usize..4,
    ) {
        let records: Vec<Value> = bodies.into_iter().map(|body| json!({"eventVersion": "1", "body": body})).collect();
        let text = match form {
            0 => json!({"Records": records}).to_string(),
            1 => format!("{:#}", json!(records)),
            2 => records.iter().map(|record| format!("{record}\n")).collect(),
            _ => records.iter().map(|record| format!("{record:#}")).collect(),
        };
        let values = cut(text.as_bytes(), step);
        prop_assert_eq!(values.flaws, vec![]);
        prop_assert_eq!(values.taken, records);
    }

    /// The scanner ends where serde_json ends.
    #[test]
    fn the_scanner_ends_where_the_value_does(body in values(), pieces in 1usize..9) {
        let text = format!("{}, [", json!({"a": body}));
        let mut scanner = Scanner::default();
        let mut end = None;
        let mut before = 0;
        for piece in text.as_bytes().chunks(pieces) {
            if let Scanned::End(at) = scanner.scan(piece) {
                end = Some(before + at);
                break;
            }
            before += piece.len();
        }
        prop_assert_eq!(end, Some(text.len() - 3));
    }

    /// No bytes make it stop, loop for ever, or lose count.
    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), step in 1usize..100) {
        cut(&bytes, step);
    }

    /// Nor do bytes that look like JSON.
    #[test]
    fn any_tokens_are_survived(
        tokens in prop::collection::vec(
            prop::sample::select(vec!["{", "}", "[", "]", "\"", ",", ":", "\\", "\n", "1", "null", "\"Records\"", "{\"eventVersion\":", "\u{e9}"]), 0..60),
        step in 1usize..40,
    ) {
        cut(tokens.concat().as_bytes(), step);
    }
}
