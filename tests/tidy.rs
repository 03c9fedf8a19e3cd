//! The house rules that no compiler checks, each with samples on which it must speak and samples on which it must not.

mod rules;
mod samples;
mod source;

use std::fs;
use std::path::Path;

use rules::{MOST_LINES, NOT_BUILT, ROOMS, files_are_short};
use samples::{RULES, Samples};
use source::Source;

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
