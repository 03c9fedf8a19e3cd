//! A plan as a comment of a pull request.
//!
//! What matters most comes first, since a comment is cut at [`MAX_CHARACTERS`]: counts, what cannot be undone, refusals,
//! drift, then the changes by step with their details folded in. Everything that somebody else supplied goes through [`markup`] or [`fenced`].

use std::collections::BTreeMap;

use super::plan::{FIRST_SHOWN, effort, inventory, reach, reading, rests, scope, standing_still, summary};
use super::refusals::{self, Refused};
use super::safe::{clipped, fenced, markup};
use super::view::{Item, Names, View, drift_of_text};
use super::{Context, undeclared, words};
use crate::desired::Desired;
use crate::pass::Planned;

/// Most characters of a comment; GitHub takes 65,536.
pub const MAX_CHARACTERS: usize = 65_000;
/// Kept free for what says that something was left out.
const RESERVE: usize = 600;
/// Most characters of one cell, before escaping.
const MOST_OF_A_CELL: usize = 400;
/// Blocks that are tried after the first that did not fit, since a shorter one may.
const MOST_MISSES: usize = 20;
/// Most lines of one change's details.
const MOST_LINES: usize = 200;

/// The plan as GitHub-flavoured Markdown of at most [`MAX_CHARACTERS`] characters.
#[must_use]
pub fn plan(planned: &Planned, desired: &Desired, context: &Context) -> String {
    let names = Names::new(desired, &planned.observed);
    let view = View::of(&planned.plan, &names);
    let write = |whole: bool| {
        let mut comment = Comment::default();
        header(&mut comment, planned, desired, context);
        if !whole {
            lost(&mut comment, &view);
        }
        refusals(&mut comment, &view, context.full);
        bundles(&mut comment, planned, &names);
        drift(&mut comment, planned, &names);
        steps(&mut comment, &view, whole);
        notes(&mut comment, planned, &names);
        not_declared(&mut comment, planned, &names);
        if !whole {
            view.items.iter().for_each(|item| folded(&mut comment, item, &names));
        }
        comment
    };
    let comment = write(true);
    // Where not all fits, what cannot be undone comes first, and no change's details take the place of another change.
    let comment = if comment.omitted.is_empty() { comment } else { write(false) };
    comment.finish(&planned.plan.hash())
}

/// A text that stays below its bound.
#[derive(Debug, Default)]
struct Comment {
    text: String,
    characters: usize,
    /// Blocks that did not fit.
    misses: usize,
    /// What was left out, by what it is.
    omitted: BTreeMap<&'static str, usize>,
}

impl Comment {
    /// Adds the block if it fits, and says whether it did.
    fn push(&mut self, block: &str) -> bool {
        let characters = block.chars().count();
        if self.characters + characters > MAX_CHARACTERS - RESERVE {
            self.misses += 1;
            return false;
        }
        self.text.push_str(block);
        self.characters += characters;
        true
    }

    /// Hardly a block would fit: what follows need only be counted.
    fn is_full(&self) -> bool {
        self.misses > MOST_MISSES
    }

    /// Adds rows below a head, as many as fit; the rest is counted as `what`.
    fn table(&mut self, head: &str, rows: impl ExactSizeIterator<Item = String>, what: &'static str) {
        let all = rows.len();
        let mut written = 0;
        for row in rows {
            let block = if written == 0 { format!("{head}{row}") } else { row };
            if !self.push(&block) {
                break;
            }
            written += 1;
        }
        if written > 0 {
            self.push("\n");
        }
        self.omit(what, all - written);
    }

    fn omit(&mut self, what: &'static str, number: usize) {
        if number > 0 {
            *self.omitted.entry(what).or_default() += number;
        }
    }

    fn finish(mut self, hash: &str) -> String {
        let omitted: Vec<String> =
            self.omitted.iter().map(|(what, number)| format!("{} {what}", words::grouped(*number))).collect();
        if !omitted.is_empty() {
            self.text.push_str(&format!(
                "\n> [!WARNING]\n> Not everything fits into a comment. Left out: {}. The output of `bylaw plan --full` has all.\n",
                omitted.join(", ")
            ));
        }
        self.text.push_str(&format!("\n<sub>bylaw plan {hash}</sub>\n"));
        self.text
    }
}

fn cell(text: &str) -> String {
    markup(&clipped(text, MOST_OF_A_CELL))
}

fn header(comment: &mut Comment, planned: &Planned, desired: &Desired, context: &Context) {
    let organization = &planned.observed.organization;
    comment.push(&format!("### bylaw: {}\n\n", cell(&summary(&planned.plan))));
    comment.push(&format!(
        "Organization <code>{}</code> ({}, management account {}): {}. Read: {}.\n",
        cell(&desired.organization.key.name),
        organization.id,
        organization.management_account,
        inventory(&planned.observed),
        cell(&reading(context)),
    ));
    if planned.plan.is_empty()
        && let Some(rests) = rests(&planned.observed, context)
    {
        comment.push(&format!("{}\n", cell(&rests)));
    }
    if !planned.plan.changes.is_empty() {
        comment.push(&format!("Applying takes {}.\n", cell(&effort(&planned.plan))));
    }
    for why in standing_still(desired, context) {
        comment.push(&format!("\n**{}**\n", cell(&why)));
    }
    let gaps = &planned.observed.gaps;
    if !gaps.is_empty() {
        let rows = gaps.iter().map(|gap| {
            let remedy = gap.remedy.as_deref().unwrap_or_default();
            format!("| {} | {} | {} |\n", cell(&scope(&gap.scope, &planned.observed)), cell(&gap.error), cell(remedy))
        });
        comment.table(
            "\n| not read to the end | why | what to do |\n|---|---|---|\n",
            rows,
            "parts that were not read to the end",
        );
    }
}

fn refusals(comment: &mut Comment, view: &View<'_>, full: bool) {
    if view.refusals.is_empty() {
        return;
    }
    comment.push(&format!("\n#### Refused ({}): none of this runs\n", words::grouped(view.refusals.len())));
    for alike in refusals::alike(view) {
        match alike {
            [one] => refusal(comment, one, view.names),
            many => refusals_alike(comment, many, view.names, full),
        }
    }
}

/// Text of others never begins a line: there it could begin a list or a heading.
fn refusal(comment: &mut Comment, (refusal, items): &Refused<'_>, names: &Names<'_>) {
    let hash = refusal.hash.as_deref().map(|hash| format!("  - hash: <code>{}</code>\n", cell(hash)));
    let block = format!(
        "\n- **{}**: {}\n  - why: {}\n  - to do: {}\n{}",
        cell(refusal.rule),
        cell(&names.object(&refusal.object)),
        cell(&refusal.message),
        cell(&refusal.remedy),
        hash.unwrap_or_default(),
    );
    if comment.is_full() || !comment.push(&block) {
        return comment.omit("refusals", 1);
    }
    held_back(comment, refusal.rule, items.iter(), names);
}

/// Refusals of one rule as one block: how many, what is said of all of them once, then the objects.
fn refusals_alike(comment: &mut Comment, many: &[Refused<'_>], names: &Names<'_>, full: bool) {
    let block = refusals::Block::of(many);
    let mut head = format!("\n- **{}**: {}\n", cell(block.rule), words::count(many.len(), "refusal"));
    if let Some(message) = block.message {
        head.push_str(&format!("  - why: {}\n", cell(message)));
    }
    for remedy in &block.remedies {
        head.push_str(&format!("  - to do: {}\n", cell(remedy)));
    }
    if block.more_remedies > 0 {
        head.push_str(&format!("  - to do: {} more\n", words::count(block.more_remedies, "thing")));
    }
    if comment.is_full() || !comment.push(&head) {
        return comment.omit("refusals", many.len());
    }
    let shown = if full { many.len() } else { many.len().min(FIRST_SHOWN) };
    for (at, (refusal, _)) in many.iter().take(shown).enumerate() {
        let why = block.message.map_or_else(|| format!(": {}", cell(&refusal.message)), |_| String::new());
        let hash = refusal.hash.as_deref().map(|hash| format!("; hash: <code>{}</code>", cell(hash)));
        let line = format!("  - {}{why}{}\n", cell(&names.object(&refusal.object)), hash.unwrap_or_default());
        if !comment.push(&line) {
            return comment.omit("refusals", many.len() - at);
        }
    }
    if let Some(more @ 1..) = many.len().checked_sub(shown) {
        comment.push(&format!("  - … and {} more; `bylaw plan --full` shows all\n", words::grouped(more)));
    }
    held_back(comment, block.rule, many.iter().flat_map(|(_, items)| items), names);
}

/// What a rule holds back, folded in.
fn held_back<'i, 'a: 'i>(
    comment: &mut Comment,
    rule: &str,
    items: impl Iterator<Item = &'i Item<'a>> + Clone,
    names: &Names<'_>,
) {
    let number = items.clone().count();
    if number == 0 {
        return;
    }
    let title = format!("{} held back by {rule}", words::count(number, "change"));
    let lines: Vec<String> = items.flat_map(|item| lines(item, names)).collect();
    if comment.is_full() || !comment.push(&details(&title, &lines)) {
        comment.omit("lists of what is held back", 1);
    }
}

fn bundles(comment: &mut Comment, planned: &Planned, names: &Names<'_>) {
    let rows = planned.plan.bundles.iter().map(|bundle| {
        let rules: Vec<&str> = bundle.rules().into_iter().collect();
        let (object, hash) = (cell(&names.object(&bundle.subject)), cell(&bundle.hash));
        format!("| {object} | {} | {} | <code>{hash}</code> |\n", bundle.changes().len(), cell(&rules.join(", ")))
    });
    if !planned.plan.bundles.is_empty() {
        comment.table("\n| one approval for all of | changes | past | hash |\n|---|---|---|---|\n", rows, "approvals");
    }
}

fn drift(comment: &mut Comment, planned: &Planned, names: &Names<'_>) {
    let drift = &planned.plan.drift;
    if drift.is_empty() {
        return;
    }
    comment.push(&format!("\n#### Drift ({}): changed outside bylaw since the last pass\n", drift.len()));
    let rows = drift.iter().map(|drift| {
        let text = matches!(drift.path.as_str(), "content" | "delegationPolicy");
        let value = |value: &str| if text { "its text".to_owned() } else { cell(value) };
        format!(
            "| {} | {} | {} | {} | {} |\n",
            cell(&names.object(&drift.object)),
            cell(&drift.path),
            value(&drift.wanted),
            if text { "another text".to_owned() } else { cell(&drift.found) },
            drift.by.as_deref().map(cell).unwrap_or_default(),
        )
    });
    comment.table("\n| object | what | declared | found | by |\n|---|---|---|---|---|\n", rows, "differences");
    for drift in drift {
        let statements = drift_of_text(names.desired, &drift.object, &drift.wanted, &drift.found);
        if statements.is_empty() {
            continue;
        }
        let lines: Vec<String> = statements
            .iter()
            .flat_map(|change| change.lines())
            .map(|(marker, line)| format!("{} {line}", marker_of_diff(marker)))
            .collect();
        if !comment.push(&details(&format!("what was done to {}", drift.object), &lines)) {
            comment.omit("details", 1);
        }
    }
}

/// What cannot be undone, before all else.
fn lost(comment: &mut Comment, view: &View<'_>) {
    let items: Vec<&Item<'_>> = view.items.iter().filter(|item| item.change.action.is_destructive()).collect();
    if items.is_empty() {
        return;
    }
    comment.push(&format!("\n#### Cannot be undone ({})\n", items.len()));
    let rows = items.iter().map(|item| row(item, view.names));
    comment.table(HEAD_OF_CHANGES, rows, "changes that cannot be undone");
}

const HEAD_OF_CHANGES: &str = "\n| | | change | object | why | reach |\n|--:|---|---|---|---|---|\n";

fn row(item: &Item<'_>, names: &Names<'_>) -> String {
    let lost = if item.change.action.is_destructive() { " **(cannot be undone)**" } else { "" };
    let between = item.between.as_deref().map(|text| format!("<br><sub>in between: {}</sub>", cell(text)));
    format!(
        "| {} | {} | {}{lost}{} | {} | {} | {} |\n",
        item.change.id,
        markup(&words::symbol(item.change.action.verb()).to_string()),
        cell(&item.what),
        between.unwrap_or_default(),
        cell(&names.object(&item.change.object)),
        cell(item.because),
        cell(reach(item).as_deref().unwrap_or_default()),
    )
}

/// The details of one change, folded in, where it has any.
fn folded(comment: &mut Comment, item: &Item<'_>, names: &Names<'_>) {
    if item.fields.is_empty() && item.statements.is_empty() {
        return;
    }
    if comment.is_full() {
        return comment.omit("details", 1);
    }
    let lines = lines(item, names);
    // The first lines are those of the table.
    let lines = lines.get(HEAD..).unwrap_or_default();
    if !lines.is_empty() && !comment.push(&details(&format!("{} {}", item.change.id, item.what), lines)) {
        comment.omit("details", 1);
    }
}

fn steps(comment: &mut Comment, view: &View<'_>, with_details: bool) {
    let (mut at, mut step) = (0, 1);
    while let Some(first) = view.items.get(at) {
        let stage = first.change.stage;
        let items: Vec<&Item<'_>> = view.items.iter().skip(at).take_while(|item| item.change.stage == stage).collect();
        at += items.len();
        if !comment.push(&format!("\n#### {step}. {}\n", words::stage(stage))) {
            comment.omit("changes", items.len());
            continue;
        }
        step += 1;
        comment.table(HEAD_OF_CHANGES, items.iter().map(|item| row(item, view.names)), "changes");
        if with_details {
            items.iter().for_each(|item| folded(comment, item, view.names));
        }
    }
}

fn notes(comment: &mut Comment, planned: &Planned, names: &Names<'_>) {
    let notes = &planned.plan.notes;
    if notes.is_empty() {
        return;
    }
    comment.push("\n#### Worth knowing\n");
    let rows =
        notes.iter().map(|note| format!("| {} | {} |\n", cell(&names.object(&note.object)), cell(&note.message)));
    comment.table("\n| object | |\n|---|---|\n", rows, "notes");
}

fn not_declared(comment: &mut Comment, planned: &Planned, names: &Names<'_>) {
    let found = &planned.plan.undeclared;
    let mut rows: Vec<String> = undeclared::lines(found, names, undeclared::MOST_NAMED)
        .into_iter()
        .map(|line| {
            let mut told = line.names;
            if line.more > 0 {
                told.push(format!("and {} more", words::grouped(line.more)));
            }
            let why = line.unknown.join("; ");
            format!("| {} | {} | {} |\n", cell(&line.what), markup(&told.join(", ")), cell(&why))
        })
        .collect();
    rows.extend(undeclared::unread_types(found).map(|why| format!("| | | {} |\n", cell(&why))));
    if rows.is_empty() {
        return;
    }
    comment.push("\n#### Not declared: left alone\n");
    comment.table("\n| | | |\n|---|---|---|\n", rows.into_iter(), "lines of what is not declared");
}

/// Lines of [`lines`] that say what the change is.
const HEAD: usize = 2;

/// A change as lines of a diff.
fn lines(item: &Item<'_>, names: &Names<'_>) -> Vec<String> {
    let reach = reach(item).map(|reach| format!("; {reach}")).unwrap_or_default();
    let mut lines = vec![
        format!("  {} {} {}", item.change.id, words::symbol(item.change.action.verb()), item.what),
        format!("    {}: {}{reach}", names.object(&item.change.object), item.because),
    ];
    for field in item.fields.iter().filter(|field| field.field != "parent") {
        if let Some(from) = &field.from {
            lines.push(format!("- {}: {from}", field.field));
        }
        lines.push(format!("+ {}: {}", field.field, field.to));
    }
    if item.unreadable {
        lines.push("! the text in AWS cannot be read as a policy of its type; it is replaced by:".into());
    }
    for (marker, line) in item.statements.iter().flat_map(|change| change.lines()) {
        lines.push(format!("{} {line}", marker_of_diff(marker)));
    }
    lines
}

/// GitHub colours `+`, `-` and `!`.
fn marker_of_diff(marker: char) -> char {
    if marker == '~' { '!' } else { marker }
}

fn details(title: &str, lines: &[String]) -> String {
    let mut shown: Vec<String> = lines.iter().take(MOST_LINES).map(|line| clipped(line, MOST_OF_A_CELL)).collect();
    if let Some(more) = lines.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        shown.push(format!("  … and {} more lines", words::grouped(more)));
    }
    format!("\n<details><summary>{}</summary>\n\n{}\n</details>\n", cell(title), fenced("diff", &shown))
}
