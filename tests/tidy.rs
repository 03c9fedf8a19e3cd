//! The house rules that no compiler checks, each with samples on which it must speak and samples on which it must not.
//!
//! Adding a room: give it a row in [`ROOMS`]. Adding a rule: give it a row in [`RULES`].

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A room, what it may import, and whether it is pure: no client of Kubernetes or AWS, no runtime, no clock, no
/// environment, no files, no network. A room may import only rooms above it; `*` is all of these.
struct Room {
    name: &'static str,
    imports: &'static [&'static str],
    pure: bool,
}

const fn room(name: &'static str, imports: &'static [&'static str], pure: bool) -> Room {
    Room { name, imports, pure }
}

/// The rooms of the library in the order in which data passes through them.
const ROOMS: &[Room] = &[
    room("names", &[], true),
    room("policy", &["names"], true),
    room("api", &["names"], true),
    room("events", &["names"], true),
    room("trail", &["names", "policy", "events"], false),
    room("aws", &["names", "policy", "api"], false),
    room("observed", &["names", "policy", "api", "events", "aws"], false),
    room("desired", &["names", "policy", "api", "aws"], true),
    room("guardrails", &["names", "policy", "api", "desired"], true),
    room("judge", &["names", "policy", "api", "events", "aws", "observed", "desired", "trail"], true),
    room("plan", &["names", "policy", "api", "events", "aws", "observed", "desired", "guardrails"], true),
    room("apply", &["names", "policy", "api", "aws", "observed", "desired", "plan"], false),
    room("inventory", &["names", "policy", "api", "aws", "observed", "guardrails"], false),
    room("quarantine", &["names", "policy", "api", "aws", "observed", "desired", "guardrails", "inventory"], false),
    room("gate", &["names", "policy", "api", "aws", "observed", "desired", "plan", "inventory", "quarantine"], true),
    room("process", &["names"], false),
    room("pass", &["names", "policy", "api", "aws", "observed", "desired", "plan", "apply"], false),
    room("status", &["names", "policy", "api", "aws", "observed", "desired", "plan", "apply", "pass"], true),
    room("store", &["names", "policy", "api", "events", "aws", "observed", "desired", "plan", "apply"], false),
    room("controller", &["*"], false),
    room("cli", &["*"], false),
];

/// Files of rooms that are not pure which are so all the same.
const PURE_FILES: &[&str] = &[
    "src/observed/model.rs",
    "src/aws/port.rs",
    "src/aws/error.rs",
    "src/trail/actions.rs",
    "src/trail/asked.rs",
    "src/trail/classes.rs",
    "src/trail/cut.rs",
    "src/trail/fast.rs",
    "src/trail/fold.rs",
    "src/trail/keys.rs",
    "src/trail/keys/fields.rs",
    "src/trail/keys/places.rs",
    "src/trail/keys/tags.rs",
    "src/trail/lake.rs",
    "src/trail/record.rs",
    "src/trail/request.rs",
    "src/trail/resources.rs",
    "src/trail/tally.rs",
    "src/trail/walk.rs",
];

/// What stands behind the port: only rooms that may import everything, and `aws` itself, choose between them.
const BEHIND_THE_PORT: &[&str] = &["crate::aws::sdk", "crate::aws::offline"];

/// Imports against the order of the rooms, by file: the organization in memory is made from the snapshot's model, which
/// is pure, and makes one.
const AGAINST_THE_ORDER: &[(&str, &str)] = &[("src/aws/offline/snapshot.rs", "crate::observed")];

/// What a pure file names all the same: to read on all cores and join within the call gives the same on one core as on ten.
const PURE_ALL_THE_SAME: &[(&str, &[&str])] =
    &[("src/desired/read.rs", &["std::thread::scope", "std::thread::available_parallelism"])];

/// What a pure room does not name: paths as they are written after `use` or in place.
const IMPURE: &[&str] = &[
    "kube::Client",
    "kube::client",
    "kube::Api",
    "kube::api::Api",
    "kube::runtime",
    "aws_sdk_",
    "aws_config",
    "aws_smithy_",
    "aws_types",
    "tokio",
    "futures::executor",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "Zoned::now",
    "Utc::now",
    "Local::now",
];

/// Crates whose presence in Cargo.lock means a second TLS or HTTP stack, or an abandoned YAML reader.
const BANNED_CRATES: &[&str] = &["openssl-sys", "native-tls", "reqwest", "serde_yaml"];
/// A second crypto library beside aws-lc. Cargo.lock names it, since rustls-webpki could use it: nothing must build it.
const NOT_BUILT: &str = "ring";

/// Most lines of code of one file; blank lines, comments and tests do not count.
const MOST_LINES: usize = 600;

/// One file, by its path from the top of the repository.
struct Source<'a> {
    path: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
    /// Part of the library or the binary, and not a sibling file that only holds tests.
    fn is_product(&self) -> bool {
        self.is_rust() && self.path.starts_with("src/") && !self.is_tests()
    }
    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
    /// The room: `plan` of `src/plan/order.rs`, `names` of `src/names.rs`; none of `src/lib.rs` and `src/main.rs`.
    fn room(&self) -> Option<&str> {
        let name = self.path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
        (name != "lib" && name != "main" && name != "bin").then_some(name)
    }
    /// The text without what `#[cfg(test)]` stands above, comments and the insides of strings blanked.
    fn code(&self) -> String {
        let code = blank(self.text);
        let mut lines = code.lines();
        let mut kept = vec![];
        while let Some(line) = lines.next() {
            if !line.starts_with("#[cfg(test)]") {
                kept.push(line);
                continue;
            }
            // The item ends with its own line, or with the bracket that stands, as rustfmt sets it, at the margin.
            let item =
                lines.by_ref().find(|line| !line.trim().is_empty() && !line.starts_with("#[")).unwrap_or_default();
            if !item.trim_end().ends_with([';', '}']) {
                lines.by_ref().find(|line| line.starts_with('}'));
            }
        }
        kept.join("\n")
    }
}

/// Blanks comments and the insides of strings and character literals; keeps the lines.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    // Copies up to `end`, blanked but for newlines.
    let skip = |out: &mut String, from: usize, end: usize| {
        out.extend(chars.iter().take(end).skip(from).map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while i < chars.len() {
        let start = i;
        let after_word = i > 0 && (at(i - 1).is_alphanumeric() || at(i - 1) == '_');
        if at(i) == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
            skip(&mut out, start, i);
        } else if at(i) == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                match (at(i), at(i + 1)) {
                    ('/', '*') => depth += 1,
                    ('*', '/') => depth -= 1,
                    _ => {
                        i += 1;
                        continue;
                    }
                }
                i += 2;
                if depth == 0 {
                    break;
                }
            }
            skip(&mut out, start, i);
        } else if at(i) == 'r' && !after_word && (at(i + 1) == '"' || (at(i + 1) == '#' && "#\"".contains(at(i + 2)))) {
            let hashes = chars.iter().skip(i + 1).take_while(|c| **c == '#').count();
            i += hashes + 2;
            while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                i += 1;
            }
            i += hashes + 1;
            skip(&mut out, start, i);
        } else if at(i) == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
            skip(&mut out, start, i);
        } else if at(i) == '\'' && (at(i + 2) == '\'' || at(i + 1) == '\\') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            skip(&mut out, start, i);
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// Every path that the code names, `use` trees spelled out: `use std::{fs, io::{self, Read}};` gives `std::fs`,
/// `std::io::self`, `std::io::Read`; in place, `std::env::var(…)` gives `std::env::var`.
fn paths(code: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for statement in code.split_inclusive(';') {
        let mut words = statement.match_indices("use ").filter(|(at, _)| {
            statement.get(..*at).and_then(|before| before.chars().last()).is_none_or(|c| !is_word(c) && c != '\'')
        });
        match words.next() {
            Some((at, _)) => {
                in_place(statement.get(..at).unwrap_or_default(), &mut out);
                let tree: String = statement
                    .get(at + 4..)
                    .unwrap_or_default()
                    .trim_end_matches(';')
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" ");
                spell_out("", &tree, &mut out);
            }
            None => in_place(statement, &mut out),
        }
    }
    out
}

fn in_place(code: &str, out: &mut BTreeSet<String>) {
    for word in code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        let word = word.trim_matches(':');
        if !word.is_empty() {
            out.insert(word.to_owned());
        }
    }
}

fn spell_out(prefix: &str, tree: &str, out: &mut BTreeSet<String>) {
    let tree = tree.trim().trim_start_matches("::");
    let Some((head, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            out.insert(format!("{prefix}{path}"));
        }
        return;
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, mut from) = (0_i32, 0);
    for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            spell_out(&format!("{prefix}{}", head.trim()), inside.get(from..at).unwrap_or_default(), out);
            from = at + 1;
        }
    }
}

/// Whether a path names the thing: `std::env` names itself and all below it, `aws_sdk_` every crate so called, and a
/// single type (`SystemTime`) wherever it stands in the path.
fn names(path: &str, thing: &str) -> bool {
    let from_start = format!("::{path}::");
    let sought = if thing.ends_with('_') { format!("::{thing}") } else { format!("::{thing}::") };
    let anywhere = thing.starts_with(char::is_uppercase);
    if anywhere { from_start.contains(&sought) } else { from_start.starts_with(&sought) }
}

type Rule = fn(&Source<'_>) -> Vec<String>;

fn pure_rooms_name_nothing_impure(source: &Source<'_>) -> Vec<String> {
    let pure = source.room().is_some_and(|name| ROOMS.iter().any(|room| room.name == name && room.pure));
    if !source.is_product() || !(pure || PURE_FILES.contains(&source.path)) {
        return vec![];
    }
    let named = paths(&source.code());
    let excepted = |path: &str| {
        PURE_ALL_THE_SAME.iter().any(|(file, things)| *file == source.path && things.iter().any(|it| names(path, it)))
    };
    let impure = |path: &&String| IMPURE.iter().any(|thing| names(path, thing)) && !excepted(path);
    named.iter().filter(impure).map(|path| format!("pure, and names `{path}`")).collect()
}

fn rooms_import_only_what_is_before_them(source: &Source<'_>) -> Vec<String> {
    let Some(name) = source.room().filter(|_| source.is_product()) else { return vec![] };
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return vec![format!("the room `{name}` has no row in ROOMS")];
    };
    let mut out = vec![];
    for path in paths(&source.code()) {
        let Some(other) = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next()) else { continue };
        let known = ROOMS.iter().any(|room| room.name == other);
        let everything = other == name || room.imports.contains(&"*");
        let behind = BEHIND_THE_PORT.iter().any(|door| names(&path, door));
        let excepted = AGAINST_THE_ORDER.iter().any(|(file, room)| *file == source.path && names(&path, room));
        if known && !everything && !excepted && (behind || !room.imports.contains(&other)) {
            out.push(format!("`{name}` imports `{path}`"));
        }
    }
    out
}

fn only_one_room_names_the_sdk(source: &Source<'_>) -> Vec<String> {
    if !source.is_product() || source.path == "src/aws/sdk.rs" || source.path.starts_with("src/aws/sdk/") {
        return vec![];
    }
    let sdk = |path: &&String| ["aws_sdk_", "aws_config", "aws_smithy_", "aws_types"].iter().any(|it| names(path, it));
    paths(&source.code()).iter().filter(sdk).map(|path| format!("names `{path}` outside src/aws/sdk")).collect()
}

fn modules_say_what_they_are(source: &Source<'_>) -> Vec<String> {
    let said = source.text.trim_start().starts_with("//!");
    if !source.is_rust() || source.is_tests() || said { vec![] } else { vec!["does not begin with `//!`".into()] }
}

fn files_are_short(source: &Source<'_>) -> Vec<String> {
    if !source.is_product() {
        return vec![];
    }
    let lines = source.code().lines().filter(|line| !line.trim().is_empty()).count();
    if lines > MOST_LINES { vec![format!("{lines} lines of code, {MOST_LINES} are the most")] } else { vec![] }
}

fn lints_are_allowed_for_a_reason(source: &Source<'_>) -> Vec<String> {
    if !source.is_rust() {
        return vec![];
    }
    // Reasons are strings, so they are blank in the code: the brackets are found there, the reason in the text.
    let (code, text): (Vec<char>, Vec<char>) = (blank(source.text).chars().collect(), source.text.chars().collect());
    let code_text: String = code.iter().collect();
    let mut out = vec![];
    for mark in ["#[allow(", "#![allow(", "#[expect(", "#![expect(", "allow(clippy::"] {
        for (at, _) in code_text.match_indices(mark) {
            let from =
                code_text.get(..at).map_or(0, |before| before.chars().count()) + mark.find('(').unwrap_or_default();
            let mut depth = 0;
            let end = code.iter().skip(from).position(|c| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                depth == 0
            });
            let inside: String = text.iter().skip(from).take(end.unwrap_or(usize::MAX)).collect();
            if !inside.contains("reason = \"") {
                out.push(format!("`{mark}…` without `reason = \"…\"`"));
            }
        }
    }
    out
}

fn nothing_is_left_to_do(source: &Source<'_>) -> Vec<String> {
    if !source.is_rust() {
        return vec![];
    }
    let code = blank(source.text);
    ["todo!", "unimplemented!", "dbg!"]
        .into_iter()
        .filter(|mark| code.contains(mark))
        .map(|mark| format!("`{mark}`"))
        .collect()
}

/// Where text that looks like Rust's own is meant: quoted keys of paths, and a set that nobody sees.
const DEBUG_TEXT: [&str; 2] = ["src/policy/flaw.rs", "src/observed/read.rs"];

fn no_debug_text_is_shown(source: &Source<'_>) -> Vec<String> {
    if !source.is_product() || DEBUG_TEXT.contains(&source.path) {
        return vec![];
    }
    // Strings are blank in the code, so formats are looked for in the text before its tests.
    let product = source.text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut out = vec![];
    for (at, line) in product.lines().enumerate() {
        let trimmed = line.trim_start();
        let shown = line.match_indices(":?}").chain(line.match_indices(":#?}")).next().is_some();
        if shown && !trimmed.starts_with("//") && !trimmed.starts_with("assert") {
            out.push(format!("line {}: Rust's debug text in a format", at + 1));
        }
    }
    for (at, line) in source.code().lines().enumerate() {
        let field =
            |at: usize| line.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
        let before =
            |at: usize| line.get(..at).is_some_and(|b| b.ends_with(['(', ' ']) && !b.trim_end().ends_with([')', '?']));
        if line.contains("tracing::") && line.match_indices('?').any(|(at, _)| field(at) && before(at)) {
            out.push(format!("line {} of the code: Rust's debug text in a field of the log", at + 1));
        }
    }
    out
}

fn reasons_are_documented(source: &Source<'_>) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let mut out = vec![];
    for (at, line) in lines.iter().enumerate() {
        let documented = at > 0 && lines.get(at - 1).is_some_and(|above| above.starts_with("///"));
        if source.is_rust() && line.starts_with("pub const REASON_") && !documented {
            out.push(format!("no documentation above `{line}`"));
        }
    }
    out
}

fn no_second_stack_is_locked(source: &Source<'_>) -> Vec<String> {
    if source.path != "Cargo.lock" {
        return vec![];
    }
    let locked = |name: &&&str| source.text.lines().any(|line| line == format!("name = \"{name}\""));
    BANNED_CRATES.iter().filter(locked).map(|name| format!("`{name}` is locked")).collect()
}

fn no_path_of_somebodys_machine(source: &Source<'_>) -> Vec<String> {
    // Written in two halves, so that this file keeps the rule.
    let homes = [
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/Us", "ers/"),
        concat!("C:\\Us", "ers\\"),
        concat!("/tmp/", "wt/"),
    ];
    let mut out = vec![];
    for (at, line) in source.text.lines().enumerate() {
        for home in homes {
            let begins = |(at, _): (usize, &str)| {
                line.get(..at).and_then(|before| before.chars().last()).is_none_or(|c| " \t\"'`=(:,<>[".contains(c))
            };
            if line.match_indices(home).any(begins) {
                out.push(format!("line {}: a path below `{home}`", at + 1));
            }
        }
    }
    out
}

/// A rule with what it must complain of and what it must leave alone, each as `(path, text)`.
struct Samples {
    name: &'static str,
    rule: Rule,
    bad: &'static [(&'static str, &'static str)],
    good: &'static [(&'static str, &'static str)],
}

const RULES: &[Samples] = &[
    Samples {
        name: "pure rooms name nothing impure",
        rule: pure_rooms_name_nothing_impure,
        bad: &[
            ("src/plan/order.rs", "use std::env;"),
            ("src/plan/order.rs", "use std::{collections::BTreeMap, fs};"),
            ("src/plan/order.rs", "use std::{io::{self, stdin}, str};\nfn f() { std::io::stdin(); }"),
            ("src/plan/order.rs", "fn f() { let _ = std::env::var(\"A\"); }"),
            ("src/plan/order.rs", "use std::time::SystemTime;"),
            ("src/plan/order.rs", "use std::time as clock; fn f() -> u64 { clock::SystemTime::now() }"),
            ("src/plan/order.rs", "fn f() { k8s_openapi::jiff::Timestamp::now(); }"),
            ("src/policy/mod.rs", "use kube::Client;"),
            ("src/policy/mod.rs", "use kube::{core::Object, Client as K};"),
            ("src/policy/mod.rs", "pub(crate) use tokio::sync::Mutex;"),
            ("src/names.rs", "use aws_sdk_sts::Client;"),
            ("src/names.rs", "fn f() { ::std::net::TcpStream::connect(\"\"); }"),
            ("src/desired/read.rs", "fn f() { std::fs::read(p) }\n#[cfg(test)]\nmod tests {}"),
            ("src/observed/model.rs", "use tokio::time::Instant;"),
            ("src/desired/read.rs", "fn f() { std::thread::sleep(d) }"),
            ("src/plan/order.rs", "fn f() { std::thread::scope(|s| {}) }"),
        ],
        good: &[
            (
                "src/plan/order.rs",
                "// use std::env;\n/* tokio */ fn f() { let a = \"std::fs::read\"; let b = r#\"tokio::x\"#; }",
            ),
            ("src/plan/order.rs", "use std::collections::BTreeMap;\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
            ("src/plan/order/tests.rs", "use std::fs;"),
            ("src/plan/order.rs", "use k8s_openapi::jiff::Timestamp; use crate::desired::environment; struct Tokio;"),
            ("src/plan/order.rs", "fn f(c: char) -> bool { c == '\"' || c == '\\'' } // \"tokio::\""),
            ("src/apply/run.rs", "use tokio::time::sleep;"),
            ("src/desired/read.rs", "fn f() { std::thread::scope(|s| {}) }"),
        ],
    },
    Samples {
        name: "rooms import only what is before them",
        rule: rooms_import_only_what_is_before_them,
        bad: &[
            ("src/plan/mod.rs", "use crate::apply::Outcome;"),
            ("src/plan/mod.rs", "use crate::{names::Kind, cli};"),
            ("src/names.rs", "fn f() { crate::policy::Document::parse() }"),
            ("src/observed/read.rs", "use crate::desired::Desired;"),
            ("src/desired/mod.rs", "use crate::observed::Observed;"),
            ("src/plan/mod.rs", "use crate::aws::{offline::Offline, port::Port};"),
            ("src/plan/mod.rs", "#[cfg(test)]\nmod support;\nuse crate::apply::Outcome;"),
            ("src/attic/mod.rs", "//! A room that nobody knows."),
        ],
        good: &[
            ("src/plan/mod.rs", "use crate::{names::Kind, plan::order, desired::{Desired, Issue}};"),
            ("src/cli/plan.rs", "use crate::{apply, plan, process, aws::sdk};"),
            ("src/observed/read.rs", "use crate::aws::{Port, port::Request};"),
            (
                "src/plan/mod.rs",
                "#[cfg(test)]\nfn helper() {\n    crate::cli::run()\n}\n#[cfg(test)]\nuse crate::cli;\nfn f() {}",
            ),
            ("src/lib.rs", "use crate::cli;"),
            ("src/plan/mod.rs", "//! See [`crate::apply`].\n/// [`crate::cli`]\nfn f() {}"),
            ("src/names.rs", "#[cfg(test)]\nmod tests { use crate::api::Mode; }"),
        ],
    },
    Samples {
        name: "only one room names the AWS SDK",
        rule: only_one_room_names_the_sdk,
        bad: &[
            ("src/cli/plan.rs", "use aws_config::SdkConfig;"),
            ("src/aws/port.rs", "use aws_sdk_organizations as o;"),
            ("src/main.rs", "fn main() { aws_smithy_types::x() }"),
        ],
        good: &[("src/aws/sdk.rs", "use aws_config;"), ("src/aws/sdk/retry.rs", "use aws_sdk_organizations::Client;")],
    },
    Samples {
        name: "modules say what they are",
        rule: modules_say_what_they_are,
        bad: &[("src/plan/mod.rs", "// A comment.\nmod order;"), ("tests/main.rs", "mod tidy;")],
        good: &[
            ("src/plan/mod.rs", "//! Plans."),
            ("src/plan/order/tests.rs", "use super::*;"),
            ("README.md", "# bylaw"),
        ],
    },
    Samples {
        name: "lints are allowed for a reason",
        rule: lints_are_allowed_for_a_reason,
        bad: &[
            ("src/a.rs", "#[allow(dead_code)]\nfn f() {}"),
            ("tests/a.rs", "#![allow(clippy::unwrap_used)]"),
            ("src/a.rs", "#[allow(missing_docs)] // reason = \"no\""),
            ("src/a.rs", "#[cfg_attr(test, allow(clippy::panic))]"),
            ("src/a.rs", "/* ü */ #[expect(dead_code)] const A: &str = \"reason = \\\"\";"),
        ],
        good: &[
            ("src/a.rs", "#[allow(\n    missing_docs,\n    reason = \"AWS's (own) words\"\n)]"),
            ("src/a.rs", "// #[allow(x)]"),
        ],
    },
    Samples {
        name: "nothing is left to do",
        rule: nothing_is_left_to_do,
        bad: &[
            ("src/a.rs", "fn f() { todo!() }"),
            ("tests/a.rs", "fn f() { dbg!(1); }"),
            ("src/a.rs", "fn f() { unimplemented!(\"x\") }"),
        ],
        good: &[("src/a.rs", "// todo!\nconst A: &str = \"dbg!\";"), ("docs/a.md", "todo!")],
    },
    Samples {
        name: "no debug text is shown",
        rule: no_debug_text_is_shown,
        bad: &[
            ("src/controller/a.rs", "fn f() { tracing::info!(object = %o, outcome = ?progress.outcome, \"over\"); }"),
            ("src/controller/a.rs", "fn f() { tracing::info!(?watched, \"again\"); }"),
            ("src/plan/a.rs", "fn f() -> String { format!(\"{outcome:?}\") }"),
        ],
        good: &[
            ("src/plan/a.rs", "fn f() -> Option<u8> { tracing::info!(a = %b()?, \"x\"); g()?.h }"),
            ("src/plan/a.rs", "// `{:?}`\nfn f() {}\n#[cfg(test)]\nmod tests {\n    fn f() { panic!(\"{x:?}\") }\n}\n"),
        ],
    },
    Samples {
        name: "reasons are documented",
        rule: reasons_are_documented,
        bad: &[(
            "src/api/conditions.rs",
            "/// Good.\npub const REASON_A: &str = \"A\";\npub const REASON_B: &str = \"B\";",
        )],
        good: &[("src/api/conditions.rs", "/// Good.\npub const REASON_A: &str = \"A\";")],
    },
    Samples {
        name: "no second TLS, HTTP or YAML stack is locked",
        rule: no_second_stack_is_locked,
        bad: &[("Cargo.lock", "[[package]]\nname = \"reqwest\"\n"), ("Cargo.lock", "name = \"serde_yaml\"")],
        good: &[("Cargo.lock", "name = \"reqwest-middleware\""), ("docs/a.md", "name = \"reqwest\"")],
    },
    Samples {
        name: "no path of somebody's machine",
        rule: no_path_of_somebodys_machine,
        bad: &[
            ("README.md", concat!("see /ho", "me/ada/bylaw")),
            ("Cargo.toml", concat!("path = \"/ro", "ot/x\"")),
            (".ci/run", concat!("A=/Us", "ers/ada/x")),
        ],
        good: &[("README.md", concat!("`$HO", "ME/.cache`, s3://bucket/ho", "me/ada, ~/x"))],
    },
];

#[test]
fn every_rule_speaks_on_bad_samples_and_only_on_them() {
    for Samples { name, rule, bad, good } in RULES {
        for (path, text) in *bad {
            assert!(!rule(&Source { path, text }).is_empty(), "`{name}` says nothing of {path}:\n{text}");
        }
        for (path, text) in *good {
            assert_eq!(rule(&Source { path, text }), Vec::<String>::new(), "`{name}` on {path}:\n{text}");
        }
    }
}

#[test]
fn a_long_file_is_told_and_its_tests_do_not_count() {
    let lines = |n: usize| "fn f() {}\n".repeat(n);
    let told = |text: &str| files_are_short(&Source { path: "src/plan/mod.rs", text });
    assert_eq!(told(&lines(MOST_LINES)), Vec::<String>::new());
    assert_eq!(
        told(&format!("{}#[cfg(test)]\nmod tests {{\n{}}}", lines(MOST_LINES), lines(900))),
        Vec::<String>::new()
    );
    assert_eq!(told(&format!("{}\n\n// more\n", lines(MOST_LINES))), Vec::<String>::new());
    assert_eq!(told(&lines(MOST_LINES + 1)), [format!("{} lines of code, {MOST_LINES} are the most", MOST_LINES + 1)]);
    let helper = format!("#[cfg(test)]\nfn helper() {{}}\n{}", lines(MOST_LINES + 1));
    assert_eq!(told(&helper).len(), 1, "a test helper at the top does not hide the rest");
}

#[test]
fn the_table_of_rooms_has_no_way_back() {
    for (at, room) in ROOMS.iter().enumerate() {
        for import in room.imports.iter().filter(|import| **import != "*") {
            let before = ROOMS.iter().take(at).any(|other| other.name == *import);
            assert!(before, "`{}` imports `{import}`, which does not stand above it", room.name);
        }
    }
}

/// Whether one of the lines that `cargo tree` prints is that crate.
fn builds(tree: &str, name: &str) -> bool {
    tree.lines().any(|line| line.split_whitespace().next() == Some(name))
}

#[test]
fn one_crypto_library_is_built() {
    assert!(builds("rustls v0.23.1\nring v0.17.14\n", NOT_BUILT));
    assert!(!builds("ring-buffer v1.0.0\nstring v1.0.0\n", NOT_BUILT));
    let tree = std::process::Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--prefix=none", "--edges=normal,build,dev"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.status.success() && builds(&text, "bylaw"), "{}", String::from_utf8_lossy(&tree.stderr));
    assert!(!builds(&text, NOT_BUILT), "`cargo tree -i {NOT_BUILT}` tells what brings it");
}

/// Every text file of the repository, by path from its top.
fn repository() -> Vec<(String, String)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut out = vec![];
    let mut waiting = vec![top.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let built =
                ["target", ".git", "node_modules", "__pycache__", "corpus", "artifacts"].contains(&name.as_str());
            if path.is_dir() && !built {
                waiting.push(path);
            } else if path.is_file()
                && let Ok(text) = fs::read_to_string(&path)
            {
                let relative = path.strip_prefix(top).unwrap().to_string_lossy().replace('\\', "/");
                // In a worktree `.git` is a file with the path of the repository.
                if relative != ".git" {
                    out.push((relative, text));
                }
            }
        }
    }
    out.sort();
    out
}

#[test]
fn the_repository_keeps_the_rules() {
    let files = repository();
    let mut told = vec![];
    for (path, text) in &files {
        let source = Source { path, text };
        for Samples { name, rule, .. } in RULES {
            told.extend(rule(&source).into_iter().map(|what| format!("{path}: {what} (rule: {name})")));
        }
        told.extend(files_are_short(&source).into_iter().map(|what| format!("{path}: {what}")));
    }
    for must in ["Cargo.lock", "src/lib.rs", "src/api/conditions.rs", "tests/tidy.rs"] {
        assert!(files.iter().any(|(path, _)| path == must), "{must} was not looked at");
    }
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}
