//! Each rule with samples on which it must speak and samples on which it must not. Adding a rule: give it a row in [`RULES`].

use super::rules::*;

/// A rule with what it must complain of and what it must leave alone, each as `(path, text)`.
pub struct Samples {
    pub name: &'static str,
    pub rule: Rule,
    pub bad: &'static [(&'static str, &'static str)],
    pub good: &'static [(&'static str, &'static str)],
}

pub const RULES: &[Samples] = &[
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
