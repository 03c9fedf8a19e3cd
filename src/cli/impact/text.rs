//! The report for a terminal.

use std::io::{self, Write};

use super::report::{Line, Report, VIEWS, by, hangs_on, statement};
use crate::cli::show::safe::plain;
use crate::names::words::{count, grouped};

/// Most rows of a table.
const MOST: usize = 20;

/// Writes the report.
///
/// # Errors
/// The output cannot be written.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}.", report.sentence())?;
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        writeln!(out, "{} of {}, {first} to {last}.", count(report.events, "record"), count(report.files, "file"))?;
    }
    for (title, lines) in [("newly denied", &report.newly_denied), ("newly allowed", &report.newly_allowed)] {
        for (view, name) in VIEWS {
            table(out, &format!("{title} by {view}"), lines, name)?;
        }
    }
    table(out, "not told by the records, by statement and what it hangs on", &report.unknown, |line| {
        format!("{}: {}", statement(line), hangs_on(line))
    })?;
    if !report.exemptions.is_empty() {
        writeln!(out, "\nthe narrowest exemptions")?;
    }
    for exemption in &report.exemptions {
        let of = plain(&format!("{} {}", exemption.policy, exemption.statement));
        writeln!(out, "  {of} ({}): {}", count(exemption.count, "call"), plain(&exemption.how))?;
        if let Some(condition) = &exemption.condition {
            writeln!(out, "    \"Condition\": {}", plain(&condition.to_string()))?;
        }
    }
    let skipped: Vec<_> = report.skipped_in_words().collect();
    if !skipped.is_empty() {
        writeln!(out, "\nnot evaluated")?;
    }
    for (sentence, count) in skipped {
        writeln!(out, "  {:>12}  {sentence}", grouped(count))?;
    }
    for note in &report.notes {
        writeln!(out, "note: {}", plain(note))?;
    }
    for unread in &report.unread {
        let place = unread.byte.map_or(String::new(), |byte| format!(" at byte {byte}"));
        writeln!(out, "error: `{}`{place}: {}", plain(&unread.file), plain(&unread.what))?;
        writeln!(out, "  help: {}", plain(&unread.help))?;
    }
    if let Some(left_out) = report.unread_sentence() {
        writeln!(out, "{left_out}")?;
    }
    Ok(())
}

fn table(out: &mut dyn Write, title: &str, lines: &[Line], name: impl Fn(&Line) -> String) -> io::Result<()> {
    let groups = by(lines, name);
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for group in groups.iter().take(MOST) {
        let (first, last) = (&group.first, &group.last);
        writeln!(out, "  {:>12}  {}  (first {first}, last {last})", grouped(group.count), plain(&group.name))?;
    }
    if groups.len() > MOST {
        writeln!(out, "  {:>12}  and {} more; `-o json` has all", "…", groups.len() - MOST)?;
    }
    Ok(())
}
