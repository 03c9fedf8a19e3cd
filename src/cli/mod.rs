//! The command line: one file a subcommand, which parses, calls one function of a room, and prints.
//!
//! Architecture invariant: nothing is decided here; whatever a command finds out is a value of another room.

pub mod apply;
pub mod approvals;
#[cfg(feature = "controller")]
pub mod approve;
pub mod args;
pub mod ask;
#[cfg(feature = "controller")]
pub mod cluster;
#[cfg(feature = "controller")]
pub mod controller;
pub mod crds;
pub mod demo;
pub mod diagnostics;
pub mod diff;
pub mod docs;
pub mod door;
pub mod failure;
pub mod files;
pub mod iam_policy;
pub mod impact;
pub mod import;
pub mod lint;
pub mod load;
pub mod log;
pub mod look;
pub mod plan;
pub mod schemas;
#[cfg(test)]
pub(crate) mod scratch;
pub mod show;
pub mod snapshot;
pub mod sources;
pub mod terminal;
pub mod tree;
pub mod validate;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::FromArgMatches;

use self::args::{Arguments, Command};
use self::failure::Failure;
use self::terminal::Terminal;

/// Runs one command. Exit codes are those of design section 7.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // kubectl finds its plugins by their names.
    let plugin =
        arguments.first().is_some_and(|own| Path::new(own).file_stem().is_some_and(|it| it == "kubectl-bylaw"));
    let usage = args::usage().bin_name(if plugin { "kubectl bylaw" } else { "bylaw" });
    let matches = usage.try_get_matches_from(arguments);
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed pipe is no reason to complain about a usage text.
            drop(error.print());
            return ExitCode::from(u8::from(error.use_stderr()));
        }
    };
    // The controller has a log of its own, which can be set while it runs.
    #[cfg(feature = "controller")]
    let own_log = matches!(arguments.command, Command::Controller(_));
    #[cfg(not(feature = "controller"))]
    let own_log = false;
    if !own_log {
        log::of_a_command();
    }
    let terminal = Terminal::new(arguments.color);
    let mut out = BufWriter::new(Patient(io::stdout().lock()));
    let result = run(&arguments.command, &terminal, &mut out);
    let flushed = out.flush();
    match (result, flushed) {
        (Ok(code), Ok(())) => ExitCode::from(code),
        (Ok(_), Err(error)) => fail(&Failure::from(error)),
        (Err(failure), _) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    drop(writeln!(io::stderr(), "{failure}"));
    ExitCode::FAILURE
}

/// A standard output whose reader may have read enough (`bylaw plan | head`): the command goes on to its end, and its
/// exit code is what it would have been.
struct Patient<W>(W);

impl<W: Write> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            other => other,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }
}

fn run(command: &Command, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    match command {
        Command::Validate(asked) => {
            let (sources, unread) = load::opened(&asked.manifests)?;
            let options = validate::Options {
                organization: asked.manifests.organization.as_deref(),
                format: asked.output,
                colour: terminal.out_colour,
            };
            Ok(validate::run(&sources, unread, &options, out)?)
        }
        Command::Lint(asked) => lint::run(asked, terminal.out_colour, &mut terminal.err(), out),
        Command::Crds { out: directory } => directory
            .as_deref()
            .map_or(Ok(()), files::check_directory)
            .and_then(|()| crds::run(out, directory.as_deref()).map(|()| 0).map_err(Failure::from)),
        Command::IamPolicy(asked) => iam_policy::run(out, asked).map(|()| 0).map_err(Failure::from),
        Command::Completions { shell } => {
            // It panics where it cannot write, and memory always takes it.
            let mut text = vec![];
            clap_complete::generate(*shell, &mut args::usage(), "bylaw", &mut text);
            out.write_all(&text)?;
            Ok(0)
        }
        Command::Plan(asked) => waiting(plan::run(asked, terminal, out)),
        Command::Apply(asked) => waiting(apply::run(asked, terminal, out)),
        Command::Snapshot(asked) => waiting(look::snapshot(asked, terminal, out)),
        Command::Import(asked) => waiting(look::import(asked, terminal, out)),
        Command::Tree(asked) => waiting(look::tree(asked, terminal, out)),
        Command::Can(asked) => waiting(ask::can::run(asked, terminal, out)),
        Command::WhoCan(asked) => waiting(ask::who_can::run(asked, terminal, out)),
        Command::WhatBinds(asked) => waiting(ask::what_binds::run(asked, terminal, out)),
        Command::Why(asked) => waiting(ask::why::run(asked, terminal, out)),
        Command::History(asked) => waiting(ask::history::run(asked, terminal, out)),
        Command::Diff(asked) => diff::run(asked, terminal.out_colour, out),
        Command::Impact(asked) => waiting(impact::command::run(asked, terminal, out)),
        Command::Demo => waiting(demo::run(terminal.out_colour, out)),
        #[cfg(feature = "controller")]
        Command::Approve(asked) => waiting(approve::run(asked, out)),
        #[cfg(feature = "controller")]
        Command::Controller(asked) => run_on(controller::threads(), controller::run(asked)),
    }
}

/// Runs a command that waits for answers. One thread is enough: AWS's rates are the bound, not the processor.
fn waiting(command: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    run_on(tokio::runtime::Builder::new_current_thread(), command)
}

/// Runs a command on threads of that kind.
fn run_on(
    mut threads: tokio::runtime::Builder,
    command: impl Future<Output = Result<u8, Failure>>,
) -> Result<u8, Failure> {
    #[cfg(feature = "aws")]
    crate::aws::sdk::install_crypto();
    threads
        .enable_all()
        .build()
        .map_err(|error| Failure { message: format!("the runtime cannot start: {error}"), help: None })?
        .block_on(command)
}
