//! `bylaw impact`: what recorded calls would newly be denied or allowed.
//!
//! One value ([`Report`]) is made of what was found, and printed in four forms: text, JSON, Markdown for a pull request,
//! and one HTML file for reviewers.

mod html;
mod markdown;
mod report;
mod text;

use std::io::{self, Write};

pub use report::{ExemptionOutput, Figures, Group, Line, Report, UnreadOutput};

use crate::trail::run::Progress;
use crate::trail::{Judge, Options, run};

/// How the report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For a terminal.
    Text,
    /// For machines.
    Json,
    /// For a comment of a pull request.
    Markdown,
    /// For reviewers: one file that needs no other.
    Html,
}

/// Reads, judges, prints. The exit code: 0 nothing changes, 2 something does or may, 1 something was not read.
///
/// # Errors
/// The output cannot be written.
pub fn run_and_print(
    options: &Options,
    judge: &dyn Judge,
    progress: &Progress,
    form: Form,
    out: &mut dyn Write,
) -> io::Result<u8> {
    let report = Report::of(&run(options, judge, progress));
    print(&report, form, out)?;
    Ok(report.exit_code())
}

/// Prints a report.
///
/// # Errors
/// The output cannot be written.
pub fn print(report: &Report, form: Form, out: &mut dyn Write) -> io::Result<()> {
    match form {
        Form::Text => text::write(report, out),
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, report)?;
            writeln!(out)
        }
        Form::Markdown => out.write_all(markdown::comment(report).as_bytes()),
        Form::Html => out.write_all(html::page(report).as_bytes()),
    }
}

#[cfg(test)]
mod tests;
