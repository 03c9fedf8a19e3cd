//! The rules, and the tables that they read. Adding a room: give it a row in [`ROOMS`].

use super::source::{Source, blank, names, paths};

/// A room, what it may import, and whether it is pure: no client of Kubernetes or AWS, no runtime, no clock, no
/// environment, no files, no network. A room may import only rooms above it; `*` is all of these.
pub struct Room {
    pub name: &'static str,
    pub imports: &'static [&'static str],
    pure: bool,
}

const fn room(name: &'static str, imports: &'static [&'static str], pure: bool) -> Room {
    Room { name, imports, pure }
}

/// The rooms of the library in the order in which data passes through them.
pub const ROOMS: &[Room] = &[
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
pub const NOT_BUILT: &str = "ring";

/// Most lines of code of one file; blank lines, comments and tests do not count.
pub const MOST_LINES: usize = 600;

/// What a rule complains of in a file.
pub type Rule = fn(&Source<'_>) -> Vec<String>;

pub fn pure_rooms_name_nothing_impure(source: &Source<'_>) -> Vec<String> {
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

pub fn rooms_import_only_what_is_before_them(source: &Source<'_>) -> Vec<String> {
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

pub fn only_one_room_names_the_sdk(source: &Source<'_>) -> Vec<String> {
    if !source.is_product() || source.path == "src/aws/sdk.rs" || source.path.starts_with("src/aws/sdk/") {
        return vec![];
    }
    let sdk = |path: &&String| ["aws_sdk_", "aws_config", "aws_smithy_", "aws_types"].iter().any(|it| names(path, it));
    paths(&source.code()).iter().filter(sdk).map(|path| format!("names `{path}` outside src/aws/sdk")).collect()
}

pub fn modules_say_what_they_are(source: &Source<'_>) -> Vec<String> {
    let said = source.text.trim_start().starts_with("//!");
    if !source.is_rust() || source.is_tests() || said { vec![] } else { vec!["does not begin with `//!`".into()] }
}

pub fn files_are_short(source: &Source<'_>) -> Vec<String> {
    if !source.is_product() {
        return vec![];
    }
    let lines = source.code().lines().filter(|line| !line.trim().is_empty()).count();
    if lines > MOST_LINES { vec![format!("{lines} lines of code, {MOST_LINES} are the most")] } else { vec![] }
}

pub fn lints_are_allowed_for_a_reason(source: &Source<'_>) -> Vec<String> {
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

pub fn nothing_is_left_to_do(source: &Source<'_>) -> Vec<String> {
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

pub fn no_debug_text_is_shown(source: &Source<'_>) -> Vec<String> {
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

pub fn reasons_are_documented(source: &Source<'_>) -> Vec<String> {
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

pub fn no_second_stack_is_locked(source: &Source<'_>) -> Vec<String> {
    if source.path != "Cargo.lock" {
        return vec![];
    }
    let locked = |name: &&&str| source.text.lines().any(|line| line == format!("name = \"{name}\""));
    BANNED_CRATES.iter().filter(locked).map(|name| format!("`{name}` is locked")).collect()
}

pub fn no_path_of_somebodys_machine(source: &Source<'_>) -> Vec<String> {
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
