//! `bylaw diff`: whether two sets of policies decide every request alike, and if not, requests that tell them apart.

mod json;
mod show;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

pub use self::json::DiffOutput;
use super::args::Form;
use super::failure::Failure;
use super::files::plainly;
use crate::names::PolicyType;
use crate::policy::Document;
use crate::policy::compare::{self, Budget, Comparison, Ground};
use crate::policy::document::Content;
use crate::policy::eval::Place;
use crate::policy::statement::{Effect, Language, Policy, Statement, VPC_ENDPOINT_POLICY};

/// Largest document that is read; AWS takes none of 1 MiB.
const MAX_BYTES: u64 = 16 << 20;

/// Tells whether two sets of policies decide every request alike.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// The policy before: a JSON file, `-` for standard input, or a directory of JSON files that are attached beside each other.
    #[arg(value_name = "OLD", required_unless_present = "old_files", conflicts_with = "old_files", requires = "new")]
    pub old: Option<PathBuf>,
    /// The policy after.
    #[arg(value_name = "NEW", conflicts_with = "new_files")]
    pub new: Option<PathBuf>,
    /// A policy before; may be repeated: all are attached beside each other.
    #[arg(long = "old", value_name = "FILE", requires = "new_files")]
    pub old_files: Vec<PathBuf>,
    /// A policy after; may be repeated.
    #[arg(long = "new", value_name = "FILE", requires = "old_files")]
    pub new_files: Vec<PathBuf>,
    /// Type of the policies: as `bylaw lint --type` takes it, where it is made of statements.
    #[arg(long = "type", value_name = "TYPE", default_value = "SERVICE_CONTROL_POLICY", value_parser = kind)]
    pub kind: PolicyType,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Form,
}

fn kind(text: &str) -> Result<PolicyType, String> {
    let name = match text.to_ascii_lowercase().as_str() {
        "scp" => "SERVICE_CONTROL_POLICY".to_owned(),
        "rcp" => "RESOURCE_CONTROL_POLICY".to_owned(),
        _ => text.to_ascii_uppercase(),
    };
    let kind = PolicyType::new(&name);
    if Language::of(&kind) == Language::Management {
        return Err("expected a type whose policies are made of statements: `SERVICE_CONTROL_POLICY`, \
                    `RESOURCE_CONTROL_POLICY`, `IDENTITY_POLICY`, `RESOURCE_POLICY`, `VPC_ENDPOINT_POLICY`, `SESSION_POLICY`, \
                    `PERMISSIONS_BOUNDARY` or `DELEGATION_POLICY`"
            .to_owned());
    }
    Ok(kind)
}

/// A policy and where it was read.
#[derive(Debug, Clone)]
struct Source {
    file: String,
    policy: Policy,
    /// Of each statement its number in the file, from 1; repetitions are left out of a policy.
    numbers: Vec<usize>,
}

/// One side: policies attached beside each other.
#[derive(Debug, Clone)]
struct Side {
    policies: Vec<Source>,
}

/// A statement as it is told of.
#[derive(Debug, Clone, Copy)]
struct Named<'a> {
    file: &'a str,
    number: usize,
    statement: &'a Statement,
}

impl Side {
    fn nodes(&self) -> Vec<Vec<Policy>> {
        vec![self.policies.iter().map(|read| read.policy.clone()).collect()]
    }

    fn named(&self, place: Place) -> Option<Named<'_>> {
        let read = self.policies.get(place.policy)?;
        let statement = read.policy.statements.get(place.statement)?;
        let number = read.numbers.get(place.statement).copied().unwrap_or(place.statement + 1);
        Some(Named { file: &read.file, number, statement })
    }
}

/// What is told.
#[derive(Debug)]
struct Told {
    old: Side,
    new: Side,
    /// Neither side allows anything by itself.
    stands_beside: bool,
    comparison: Comparison,
}

/// Compares and prints. The exit code: 0 equal, 2 different, 1 undecided.
///
/// # Errors
/// For people: a document cannot be read.
pub fn run(asked: &Diff, colour: bool, out: &mut dyn Write) -> Result<u8, Failure> {
    let mut stdin = io::stdin().lock();
    let old = read(&paths(asked.old.as_ref(), &asked.old_files), &asked.kind, &mut stdin)?;
    let new = read(&paths(asked.new.as_ref(), &asked.new_files), &asked.kind, &mut stdin)?;
    let (before, after) = (old.nodes(), new.nodes());
    // An endpoint has one policy, and nothing stands beside it.
    let ground = match Ground::of(&before, &after) {
        Ground::Any if asked.kind.as_str() == VPC_ENDPOINT_POLICY => Ground::AsGiven,
        other => other,
    };
    let comparison = compare::compare(&before, &after, ground, &Budget::default());
    let told = Told { old, new, stands_beside: ground == Ground::Allowed, comparison };
    match asked.output {
        Form::Text => out.write_all(show::text(&told, colour).as_bytes())?,
        Form::Markdown => out.write_all(show::markdown(&told).as_bytes())?,
        Form::Json => json::write(&told, out)?,
    }
    Ok(match told.comparison {
        Comparison::Equal(_) => 0,
        Comparison::Differs { .. } => 2,
        Comparison::Undecided { .. } => 1,
    })
}

fn paths(one: Option<&PathBuf>, many: &[PathBuf]) -> Vec<PathBuf> {
    one.into_iter().chain(many).cloned().collect()
}

fn read(paths: &[PathBuf], kind: &PolicyType, stdin: &mut dyn Read) -> Result<Side, Failure> {
    let mut policies = vec![];
    for path in paths {
        if path.as_os_str() == "-" {
            policies.push(parsed("<stdin>", &text_of("standard input", stdin)?, kind)?);
            continue;
        }
        for file in files(path)? {
            let shown = file.display().to_string();
            let mut open = fs::File::open(&file).map_err(|error| failed(&shown, &error))?;
            policies.push(parsed(&shown, &text_of(&shown, &mut open)?, kind)?);
        }
    }
    Ok(Side { policies })
}

fn failed(shown: &str, error: &io::Error) -> Failure {
    Failure::new(format!("`{shown}` cannot be read: {}", plainly(error)), "check the path and the right to read it")
}

/// The file, or those of a directory in the order of their names.
fn files(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let shown = path.display().to_string();
    if !fs::metadata(path).map_err(|error| failed(&shown, &error))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(|error| failed(&shown, &error))?;
    let json = |file: &PathBuf| file.is_file() && file.extension().is_some_and(|it| it.eq_ignore_ascii_case("json"));
    let mut found: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).filter(json).collect();
    found.sort();
    if found.is_empty() {
        let help = "name a directory of policy documents, or the documents themselves";
        return Err(Failure::new(format!("the directory `{shown}` holds no `.json` files"), help));
    }
    Ok(found)
}

/// The text of a policy document, as long as one can be.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn text_of(shown: &str, from: &mut dyn Read) -> Result<String, Failure> {
    let mut bytes = vec![];
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed(shown, &error))?;
    if bytes.len() as u64 > MAX_BYTES {
        let help = "name policy documents; AWS takes none that is nearly so large";
        return Err(Failure::new(format!("`{shown}` is larger than {} MiB", MAX_BYTES >> 20), help));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format!("`{shown}` is not UTF-8: the byte at {at} begins no character"), "save it as UTF-8")
    })
}

fn parsed(file: &str, text: &str, kind: &PolicyType) -> Result<Source, Failure> {
    let (document, flaws) = Document::parse(kind, text).map_err(|flaws| {
        let lines: Vec<String> =
            flaws.iter().filter(|flaw| flaw.error).map(|flaw| format!("  {file}:{flaw}")).collect();
        let other = flaws.iter().any(|flaw| flaw.rule == "principal-in-scp");
        let help = if other {
            "mend the document; `--type RESOURCE_CONTROL_POLICY`, `RESOURCE_POLICY` or `DELEGATION_POLICY` reads one with principals"
        } else {
            "mend the document; `--type` says what it is read as"
        };
        Failure::new(format!("`{file}` is not {}\n{}", Language::of(kind).noun(), lines.join("\n")), help)
    })?;
    let Content::Statements(policy) = document.content() else {
        return Err(Failure::new(format!("`{file}` is not made of statements"), "check `--type`"));
    };
    let left_out: Vec<&str> =
        flaws.iter().filter(|flaw| flaw.rule == "duplicate-statement").map(|flaw| flaw.path.as_str()).collect();
    let numbers = (0..policy.statements.len() + left_out.len())
        .filter(|at| !left_out.contains(&format!("Statement[{at}]").as_str()))
        .map(|at| at + 1)
        .collect();
    Ok(Source { file: file.to_owned(), policy: policy.clone(), numbers })
}

impl Named<'_> {
    /// `Deny statement "Regions"`, or by number where it has no name.
    fn told(&self) -> String {
        let effect: Effect = self.statement.effect;
        match &self.statement.sid {
            Some(sid) => format!("{} statement \"{sid}\"", effect.as_str()),
            None => format!("{} statement {}", effect.as_str(), self.number),
        }
    }
}
