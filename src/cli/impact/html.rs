//! The report as one HTML file: charts as SVG within it, no script, nothing loaded from anywhere, all text escaped.

use std::fmt::Write;

use super::report::{Group, Line, Report, VIEWS, by, hangs_on, statement};
use crate::cli::show::safe::{clipped, plain};
use crate::names::words::{count, grouped};

/// Most bars of a chart and rows of a table.
const MOST_BARS: usize = 15;
const MOST_ROWS: usize = 1_000;
/// Most characters of a label.
const MOST_OF_A_LABEL: usize = 70;
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d2330;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}table{border-collapse:collapse;width:100%;font-size:.85rem}\
th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #dde1e8;vertical-align:top;overflow-wrap:anywhere}\
td.n,th.n{text-align:right;white-space:nowrap}pre{background:#f4f5f8;padding:.7rem;overflow:auto}\
.figure{display:inline-block;margin:0 2rem 1rem 0}.figure b{display:block;font-size:1.8rem}.warn{background:#fff3d6;padding:.6rem}\
svg text{font:12px system-ui,sans-serif;fill:currentColor}\
@media(prefers-color-scheme:dark){body{color:#e6e8ee;background:#14171f}pre{background:#20242f}th,td{border-color:#333948}.warn{background:#4a3a10}}";

/// Text for any place of the page, attributes included.
fn escaped(text: &str) -> String {
    let text = plain(text);
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The page.
#[must_use]
pub fn page(report: &Report) -> String {
    let mut out = String::new();
    let title = escaped(&report.sentence());
    out.push_str("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    // Even if something were to slip through, a browser loads and runs nothing.
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
    );
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    put(&mut out, format_args!("<title>bylaw impact</title><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n"));
    for (name, figures) in [("newly denied", report.denied), ("newly allowed", report.allowed)] {
        let number = match figures.exact {
            Some(exact) => grouped(exact),
            None => format!("{} – {}", grouped(figures.lower), grouped(figures.upper)),
        };
        put(&mut out, format_args!("<div class=\"figure\"><b>{number}</b>{name}</div>"));
    }
    for (name, number) in
        [("records", report.events), ("evaluated", report.evaluated), ("distinct requests", report.requests)]
    {
        put(&mut out, format_args!("<div class=\"figure\"><b>{}</b>{name}</div>", grouped(number)));
    }
    if let (Some(first), Some(last)) = (&report.first, &report.last) {
        put(&mut out, format_args!("<p>{} to {}</p>\n", escaped(first), escaped(last)));
    }
    if let Some(left_out) = report.unread_sentence() {
        put(&mut out, format_args!("<p class=\"warn\">{left_out}.</p>\n"));
    }
    for (title, lines, colour) in
        [("Newly denied", &report.newly_denied, "#c2413b"), ("Newly allowed", &report.newly_allowed, "#b7791f")]
    {
        for (view, name) in VIEWS {
            chart(&mut out, &format!("{title} by {view}"), &by(lines, name), colour);
        }
        table(&mut out, title, lines);
    }
    let hanging = by(&report.unknown, |line| format!("{}: {}", statement(line), hangs_on(line)));
    chart(&mut out, "Not told by the records, by statement and what it hangs on", &hanging, "#5b6b8c");
    table(&mut out, "Not told by the records", &report.unknown);
    if !report.exemptions.is_empty() {
        out.push_str("<h2>The narrowest exemptions</h2>\n");
    }
    for exemption in &report.exemptions {
        let of = escaped(&format!("{} {}", exemption.policy, exemption.statement));
        put(
            &mut out,
            format_args!("<p><b>{of}</b> ({}): {}</p>\n", count(exemption.count, "call"), escaped(&exemption.how)),
        );
        if let Some(condition) = &exemption.condition {
            put(&mut out, format_args!("<pre>{}</pre>\n", lines_escaped(&format!("{condition:#}"))));
        }
    }
    let skipped: Vec<Group> = report
        .skipped_in_words()
        .map(|(sentence, count)| Group { name: sentence.into(), count, first: String::new(), last: String::new() })
        .collect();
    if !skipped.is_empty() {
        out.push_str("<h2>Not evaluated</h2>\n<table>");
        for group in &skipped {
            put(
                &mut out,
                format_args!(
                    "<tr><td class=\"n\">{}</td><td>{}</td></tr>\n",
                    grouped(group.count),
                    escaped(&group.name)
                ),
            );
        }
        out.push_str("</table>\n");
    }
    for note in &report.notes {
        put(&mut out, format_args!("<p>{}</p>\n", escaped(note)));
    }
    if !report.unread.is_empty() {
        out.push_str("<h2>Not read</h2>\n<table><tr><th>file</th><th class=\"n\">byte</th><th>what</th><th>what to do</th></tr>\n");
    }
    for unread in report.unread.iter().take(MOST_ROWS) {
        let byte = unread.byte.map(grouped).unwrap_or_default();
        let (file, what, help) = (escaped(&unread.file), escaped(&unread.what), escaped(&unread.help));
        put(
            &mut out,
            format_args!("<tr><td>{file}</td><td class=\"n\">{byte}</td><td>{what}</td><td>{help}</td></tr>\n"),
        );
    }
    if !report.unread.is_empty() {
        out.push_str("</table>\n");
    }
    out.push_str("</body></html>\n");
    out
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
}

fn lines_escaped(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

/// Bars, the longest first, each with its number.
fn chart(out: &mut String, title: &str, groups: &[Group], colour: &str) {
    let Some(most) = groups.first().map(|group| group.count.max(1)) else { return };
    let shown = groups.len().min(MOST_BARS);
    let height = shown * 34 + 6;
    put(
        out,
        format_args!(
            "<h2>{}</h2>\n<svg viewBox=\"0 0 760 {height}\" width=\"100%\" role=\"img\" aria-label=\"{}\">\n",
            escaped(title),
            escaped(title)
        ),
    );
    for (at, group) in groups.iter().take(MOST_BARS).enumerate() {
        let y = at * 34;
        // Whole numbers, so that the page is the same on every machine.
        let width = (u128::from(group.count) * 640 / u128::from(most)).max(2);
        let label = escaped(&clipped(&group.name, MOST_OF_A_LABEL));
        put(
            out,
            format_args!(
                "<text x=\"0\" y=\"{}\">{label}</text><rect x=\"0\" y=\"{}\" width=\"{width}\" height=\"10\" rx=\"2\" \
                 fill=\"{colour}\"><title>{}</title></rect><text x=\"{}\" y=\"{}\">{}</text>\n",
                y + 13,
                y + 18,
                escaped(&group.name),
                width + 8,
                y + 27,
                grouped(group.count)
            ),
        );
    }
    out.push_str("</svg>\n");
    if groups.len() > shown {
        put(out, format_args!("<p>and {} more</p>\n", grouped(groups.len() - shown)));
    }
}

fn table(out: &mut String, title: &str, lines: &[Line]) {
    if lines.is_empty() {
        return;
    }
    put(
        out,
        format_args!(
            "<details><summary>{}: all {} lines</summary>\n<table><tr><th class=\"n\">calls</th><th>account</th><th>principal</th>\
             <th>action</th><th>resource</th><th>statement</th><th>depends on</th><th>first</th><th>last</th></tr>\n",
            escaped(title),
            grouped(lines.len())
        ),
    );
    for line in lines.iter().take(MOST_ROWS) {
        put(out, format_args!("<tr><td class=\"n\">{}</td>", grouped(line.count)));
        let depends = hangs_on(line);
        let statement = statement(line);
        for cell in [
            &line.account,
            &line.principal,
            &line.action,
            &line.resource,
            &statement,
            &depends,
            &line.first,
            &line.last,
        ] {
            put(out, format_args!("<td>{}</td>", escaped(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n");
    if lines.len() > MOST_ROWS {
        put(out, format_args!("<p>and {} more; <code>-o json</code> has all</p>\n", grouped(lines.len() - MOST_ROWS)));
    }
    out.push_str("</details>\n");
}
