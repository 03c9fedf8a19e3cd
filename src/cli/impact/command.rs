//! The command: what is in force, what is declared, which events, and in which form.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, ProgressBar};
use k8s_openapi::jiff::Timestamp;

use super::{Form, Report, print};
use crate::cli::args::Manifests;
use crate::cli::ask::{Asked, ground};
use crate::cli::failure::Failure;
use crate::cli::load;
use crate::cli::show::progress::EVERY;
use crate::cli::terminal::Terminal;
use crate::desired::Desired;
use crate::judge::Forest;
use crate::judge::impact::{Impact as Both, Ways};
use crate::names::AccountId;
use crate::observed::Observed;
use crate::trail::fold::Time;
use crate::trail::lake::{self, Engine};
use crate::trail::run::Progress;
use crate::trail::{self, Class, Options};

/// `impact`.
#[derive(Debug, Clone, Args)]
#[command(
    mut_arg("events", |arg| arg.help("CloudTrail's records of the calls: files or directories. May be repeated")
        .long_help("CloudTrail's records of the calls: files or directories, also what the query of `--sql` exports (CSV). May be repeated")),
    mut_arg("at", |arg| arg.hide(true))
)]
pub struct Impact {
    /// Manifests to compare with, instead of AWS or a snapshot: those of the main branch, say. May be repeated.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "snapshot")]
    pub against: Vec<PathBuf>,
    /// Only events from then on (`2026-05-01`, or a time).
    #[arg(long, value_name = "DATE", value_parser = ground::date)]
    pub since: Option<Timestamp>,
    /// Only events before then.
    #[arg(long, value_name = "DATE", value_parser = ground::date)]
    pub until: Option<Timestamp>,
    /// Read nothing, and print the query that aggregates the events to distinct requests there; `--events` reads what it
    /// exports (CSV).
    #[arg(long, value_enum, value_name = "ENGINE")]
    pub sql: Option<Sql>,
    /// The table or event data store that the query reads.
    #[arg(long, value_name = "NAME", default_value = "cloudtrail_logs", requires = "sql")]
    pub table: String,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub asked: Asked,
}

/// Where a query runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sql {
    /// Amazon Athena.
    Athena,
    /// CloudTrail Lake.
    Lake,
}

/// Forms of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// For a pull request's comment.
    Markdown,
    /// For reviewers: one file that needs no other.
    Html,
}

impl From<Output> for Form {
    fn from(output: Output) -> Self {
        match output {
            Output::Text => Self::Text,
            Output::Json => Self::Json,
            Output::Markdown => Self::Markdown,
            Output::Html => Self::Html,
        }
    }
}

/// Reports. The exit code: 0 no recorded call changes, 2 some do or may, 1 something was not read.
///
/// # Errors
/// The manifests, the organization or all of the events cannot be read.
pub async fn run(asked: &Impact, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    if asked.asked.at.is_some() {
        let help = "name the organization of that time with `--snapshot`, or its manifests with `--against`; `--since` and \
                    `--until` say which calls are held against them";
        return Err(Failure::new("`--at` says nothing to `impact`, which compares with what is in force now", help));
    }
    let Some(desired) = asked.asked.desired(terminal)? else {
        return Err(Failure::new("there is nothing whose impact could be told", "name manifests with `-f`"));
    };
    if asked.asked.events.is_empty() && asked.sql.is_none() {
        let help = "name files or directories of CloudTrail's events with `--events`; `--sql` prints a query for trails that \
                    outgrow one machine";
        return Err(Failure::new("no events were named", help));
    }
    if let (Some(since), Some(until)) = (asked.since, asked.until)
        && since >= until
    {
        return Err(Failure::new("no time lies from `--since` to before `--until`", "give `--until` a later time"));
    }
    let Before { observed: declared, known } = before(asked, &desired, terminal).await?;
    crate::pass::check_organization(&desired, &declared)?;
    let mut old = Forest::of(&declared, Some(&desired));
    let observed = ground::after(&desired, declared, terminal);
    let mut new = Forest::of(&observed, Some(&desired));
    (old.declared_only, new.declared_only) = (known.is_some(), known.is_some());
    let ways = |forest: &Forest| match &known {
        Some(known) => Ways::of_declared(forest, known),
        None => Ways::of(forest),
    };
    let (old_ways, new_ways) = (ways(&old), ways(&new));
    let both = Both::new((&old, &old_ways), (&new, &new_ways));
    let second = |at: Timestamp| at.as_second();
    let time = Time { since: asked.since.map(second), until: asked.until.map(second) };
    if let Some(engine) = asked.sql {
        let (mut keys, resources) = both.keys();
        if resources {
            keys.insert("resource".to_owned());
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let engine = match engine {
            Sql::Athena => Engine::Athena,
            Sql::Lake => Engine::Lake,
        };
        writeln!(out, "{}", lake::sql(engine, &asked.table, &keys, time))?;
        return Ok(0);
    }
    let options = Options { paths: asked.asked.events.clone(), time, ..Options::default() };
    let progress = Progress::default();
    let findings = std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let shown = &progress;
        scope.spawn(move || {
            if io::stderr().is_terminal() {
                show(shown, &stopped);
            } else {
                tell(shown, &stopped, EVERY, &mut io::stderr());
            }
        });
        let findings = trail::run(&options, &both, &progress);
        drop(stop);
        findings
    });
    let out_of_time = findings.tally.skipped.get(Class::OutOfTime as usize).copied().unwrap_or_default();
    if findings.tally.events == out_of_time && findings.left_out == 0 {
        // "Nothing would be denied" is no answer where nothing was looked at.
        return Err(Failure::new(
            "what was named holds no recorded call",
            "name CloudTrail's files, or look whether `--since` and `--until` leave any",
        ));
    }
    let report = Report::of(&findings, known.is_some());
    print(&report, asked.output.into(), out)?;
    Ok(report.exit_code())
}

/// What is in force.
struct Before {
    observed: Observed,
    /// Where only manifests tell of it: the accounts that they name by id.
    known: Option<BTreeSet<AccountId>>,
}

/// What is in force: by manifests, by a snapshot, or by AWS.
async fn before(asked: &Impact, after: &Desired, terminal: &Terminal) -> Result<Before, Failure> {
    if asked.against.is_empty() {
        // Without manifests it is what AWS says, and not what they declare.
        return Ok(Before { observed: asked.asked.before(None, terminal).await?, known: None });
    }
    let manifests =
        Manifests { files: asked.against.clone(), organization: asked.asked.manifests.organization.clone() };
    let (desired, _) = load::manifests(&manifests, terminal.err_colour, &mut terminal.err())?;
    let ids = |desired: &Desired| -> Vec<AccountId> {
        let named = desired.accounts.values().filter_map(|account| account.spec.account_id.clone());
        named.chain([desired.organization.spec.management_account.clone()]).collect()
    };
    let known = ids(&desired).into_iter().chain(ids(after)).collect();
    Ok(Before { observed: ground::after(&desired, ground::bare(&desired), terminal), known: Some(known) })
}

/// Shows how much has been read, until the channel closes.
fn show(progress: &Progress, stopped: &Receiver<()>) {
    let bar = ProgressBar::new_spinner();
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(200)) {
        bar.set_message(read(progress));
        bar.tick();
    }
    bar.finish_and_clear();
}

/// The same without a terminal: a line each time that so much of it has passed.
fn tell(progress: &Progress, stopped: &Receiver<()>, every: Duration, out: &mut dyn Write) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(every) {
        // Progress that cannot be written is no reason to stop.
        drop(writeln!(out, "{}", read(progress)));
    }
}

fn read(progress: &Progress) -> String {
    let (bytes, files) = (progress.bytes.load(Ordering::Relaxed), progress.files.load(Ordering::Relaxed));
    format!("{} of events read, {files} files done", HumanBytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_there_are_lines_until_the_events_are_read() {
        let progress = Progress::default();
        progress.files.store(3, Ordering::Relaxed);
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let mut out = Lines(vec![], Some(stop));
        tell(&progress, &stopped, Duration::from_millis(1), &mut out);
        assert_eq!(String::from_utf8(out.0).unwrap(), "0 B of events read, 3 files done\n".repeat(2));
    }

    /// Keeps two lines, and closes the channel.
    struct Lines(Vec<u8>, Option<std::sync::mpsc::Sender<()>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            if self.0.iter().filter(|byte| **byte == b'\n').count() == 2 {
                self.1 = None;
            }
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
