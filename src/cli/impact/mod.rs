//! `bylaw impact`: what recorded calls would newly be denied or allowed.
//!
//! One value ([`Report`]) is made of what was found, and printed in four forms: text, JSON, Markdown for a pull request,
//! and one HTML file for reviewers.

pub mod command;
mod html;
pub mod keys;
mod markdown;
mod report;
mod text;

use std::io::{self, Write};

pub use report::{ExemptionOutput, Figures, Group, Line, Report, UnreadOutput};

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
