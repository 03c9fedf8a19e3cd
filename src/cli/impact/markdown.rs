//! The report as a comment of a pull request: the figures first, since a comment is cut at its bound.

use super::report::{Line, Report, VIEWS, by, hangs_on, statement};
use crate::cli::show::safe::{clipped, fenced, markup};
use crate::names::words::{count, grouped};

/// Most characters; GitHub takes 65,536.
pub const MOST_CHARACTERS: usize = 65_000;
/// Kept for what says that something was left out.
const RESERVE: usize = 300;
/// Most rows of a table.
const MOST_ROWS: usize = 25;
/// Most characters of a cell.
const MOST_OF_A_CELL: usize = 300;

struct Comment {
    text: String,
    characters: usize,
    left_out: usize,
}

impl Comment {
    fn push(&mut self, block: &str) {
        let characters = block.chars().count();
        if self.characters + characters > MOST_CHARACTERS - RESERVE {
            self.left_out += 1;
            return;
        }
        self.characters += characters;
        self.text.push_str(block);
    }
}

fn cell(text: &str) -> String {
    markup(&clipped(text, MOST_OF_A_CELL))
}

/// The comment.
#[must_use]
pub fn comment(report: &Report) -> String {
    let mut out = Comment { text: String::new(), characters: 0, left_out: 0 };
    out.push(&format!("### bylaw impact: {}\n\n", cell(&report.sentence())));
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        out.push(&format!("{}, {} to {}.\n", count(report.events, "record"), cell(first), cell(last)));
    }
    if let Some(left_out) = report.unread_sentence() {
        out.push(&format!("\n> [!WARNING]\n> {left_out}.\n"));
    }
    let dependent = |line: &Line| format!("{}: {}", statement(line), hangs_on(line));
    // Statements and principals say the most.
    for view in ["statement", "principal", "account", "action"] {
        let Some((_, name)) = VIEWS.iter().find(|(known, _)| *known == view) else { continue };
        table(&mut out, &format!("Newly denied by {view}"), &report.newly_denied, name);
        if view == "statement" {
            exemptions(&mut out, report);
            table(&mut out, "Not told by the records", &report.unknown, dependent);
        }
    }
    for (view, name) in VIEWS {
        table(&mut out, &format!("Newly allowed by {view}"), &report.newly_allowed, name);
    }
    let rows: Vec<String> = report
        .skipped_in_words()
        .map(|(sentence, count)| format!("| {} | {} |\n", grouped(count), cell(sentence)))
        .collect();
    rows_below(&mut out, "Not evaluated", "| calls | |\n|--:|---|\n", &rows);
    for note in &report.notes {
        out.push(&format!("\n{}\n", cell(note)));
    }
    let rows: Vec<String> = report
        .unread
        .iter()
        .map(|it| {
            let byte = it.byte.map(|byte| byte.to_string()).unwrap_or_default();
            format!("| {} | {byte} | {} | {} |\n", cell(&it.file), cell(&it.what), cell(&it.help))
        })
        .collect();
    rows_below(&mut out, "Not read", "| file | byte | what | what to do |\n|---|--:|---|---|\n", &rows);
    if out.left_out > 0 {
        out.text.push_str(&format!(
            "\n> [!WARNING]\n> Not everything fits into a comment: {} parts are left out. `bylaw impact -o json` has all.\n",
            out.left_out
        ));
    }
    out.text
}

fn exemptions(out: &mut Comment, report: &Report) {
    for exemption in report.exemptions.iter().take(MOST_ROWS) {
        let of = cell(&format!("{} {}", exemption.policy, exemption.statement));
        let mut block = format!("\nThe narrowest exemption from {of}: {}.\n", cell(&exemption.how));
        if let Some(condition) = &exemption.condition {
            let lines: Vec<String> = format!("{condition:#}").lines().map(str::to_owned).collect();
            block.push_str(&format!("\n{}\n", fenced("json", &lines)));
        }
        out.push(&block);
    }
}

fn table(out: &mut Comment, title: &str, lines: &[Line], name: impl Fn(&Line) -> String) {
    let rows: Vec<String> = by(lines, name)
        .iter()
        .map(|it| {
            format!("| {} | {} | {} | {} |\n", grouped(it.count), cell(&it.name), cell(&it.first), cell(&it.last))
        })
        .collect();
    rows_below(out, title, "| calls | | first | last |\n|--:|---|---|---|\n", &rows);
}

fn rows_below(out: &mut Comment, title: &str, head: &str, rows: &[String]) {
    if rows.is_empty() {
        return;
    }
    let mut block = format!("\n#### {title} ({})\n\n{head}", grouped(rows.len()));
    block.extend(rows.iter().take(MOST_ROWS).map(String::as_str));
    if rows.len() > MOST_ROWS {
        block.push_str(&format!("\n… and {} more\n", grouped(rows.len() - MOST_ROWS)));
    }
    out.push(&block);
}
