//! A plan for people, on a terminal.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::refusals::{self, Refused};
use super::safe::{clipped, plain, quoted};
use super::view::{Field, Item, Names, Reference, View, drift_of_text, short};
use super::{Context, undeclared, words};
use crate::aws::buckets;
use crate::desired::Desired;
use crate::observed::{Observed, Scope};
use crate::pass::Planned;
use crate::plan::{Action, Drift, Guarded, Plan, Undeclared, Verb, estimate};

/// Changes of one kind in one stage that are all shown.
const ALL_SHOWN: usize = 20;
/// Changes of one kind in one stage that are shown where there are more.
pub(super) const FIRST_SHOWN: usize = 10;
/// Moves from one place to another that are shown one by one.
const MOST_MOVES: usize = 5;
/// Lines of one new policy that are shown.
const MOST_STATEMENTS: usize = 16;
/// Most characters of one value.
pub(super) const MOST_OF_A_VALUE: usize = 400;

/// Writes a plan as text. `colour` is for terminals only.
///
/// # Errors
/// Those of `out`.
pub fn text(
    planned: &Planned,
    desired: &Desired,
    context: &Context,
    colour: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::new(desired, &planned.observed);
    let view = View::of(&planned.plan, &names);
    let mut page = Page { out, paint: Paint(colour), full: context.full };
    page.header(planned, desired, context)?;
    page.drift(&planned.plan.drift, &names)?;
    page.changes(&view)?;
    page.refusals(&view)?;
    page.bundles(&planned.plan, &names)?;
    page.notes(planned, &names)?;
    page.undeclared(&planned.plan.undeclared, &names)?;
    page.closing(planned, context)
}

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }
    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }
    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }
    fn of_verb(self, verb: Verb, text: &str) -> String {
        match verb {
            Verb::Create | Verb::Enable => self.green(text),
            Verb::Delete | Verb::Detach => self.red(text),
            Verb::Update | Verb::Tag => self.yellow(text),
            Verb::Attach | Verb::Move => self.with("36", text),
        }
    }
    fn of_marker(self, marker: char, text: &str) -> String {
        match marker {
            '+' => self.green(text),
            '-' => self.red(text),
            _ => self.yellow(text),
        }
    }
}

/// A page being written.
pub(super) struct Page<'o> {
    pub(super) out: &'o mut dyn Write,
    pub(super) paint: Paint,
    pub(super) full: bool,
}

impl Page<'_> {
    fn header(&mut self, planned: &Planned, desired: &Desired, context: &Context) -> io::Result<()> {
        let observed = &planned.observed;
        let organization = &observed.organization;
        let title = format!("Organization {}", quoted(&desired.organization.key.name));
        writeln!(
            self.out,
            "{} ({}, management account {})",
            self.paint.bold(&title),
            organization.id,
            organization.management_account
        )?;
        writeln!(self.out, "  in AWS: {}", inventory(observed))?;
        writeln!(self.out, "  read:   {}", reading(context))?;
        for why in standing_still(desired, context) {
            writeln!(self.out, "  {}", self.paint.yellow(&why))?;
        }
        let shown = if self.full { usize::MAX } else { 5 };
        for gap in observed.gaps.iter().take(shown) {
            let text = format!("not read to the end: {}: {}", scope(&gap.scope, observed), plain(&gap.error));
            writeln!(self.out, "  {}", self.paint.yellow(&clipped(&text, MOST_OF_A_VALUE)))?;
            if let Some(remedy) = &gap.remedy {
                writeln!(self.out, "    to do: {}", clipped(&plain(remedy), MOST_OF_A_VALUE))?;
            }
        }
        if let Some(more) = observed.gaps.len().checked_sub(shown).filter(|more| *more > 0) {
            writeln!(self.out, "  … and {more} more parts that were not read to the end")?;
        }
        if !observed.gaps.is_empty() {
            writeln!(self.out, "  nothing is deleted or detached for what may only be unread")?;
        }
        Ok(())
    }

    fn drift(&mut self, drift: &[Drift], names: &Names<'_>) -> io::Result<()> {
        if drift.is_empty() {
            return Ok(());
        }
        self.heading(&format!("Drift ({}): changed outside bylaw since the last pass", drift.len()))?;
        let shown = if self.full || drift.len() <= ALL_SHOWN { drift.len() } else { FIRST_SHOWN };
        for drift in drift.iter().take(shown) {
            let object = names.object(&drift.object);
            writeln!(self.out, "  {} {}: {object}", self.paint.yellow("!"), plain(&drift.path))?;
            let statements = drift_of_text(names.desired, &drift.object, &drift.wanted, &drift.found);
            if statements.is_empty() {
                writeln!(self.out, "        declared: {}", clipped(&plain(&drift.wanted), MOST_OF_A_VALUE))?;
                writeln!(self.out, "        found:    {}", clipped(&plain(&drift.found), MOST_OF_A_VALUE))?;
            } else {
                writeln!(self.out, "        done to the declared text:")?;
                for (marker, line) in statements.iter().flat_map(|change| change.lines()) {
                    self.line(marker, &line, 10)?;
                }
            }
            if let Some(by) = &drift.by {
                writeln!(self.out, "        by:       {}", plain(by))?;
            }
        }
        self.more(drift.len() - shown, "differences")
    }

    fn changes(&mut self, view: &View<'_>) -> io::Result<()> {
        let (mut at, mut step) = (0, 1);
        while let Some(first) = view.items.get(at) {
            let stage = first.change.stage;
            let items: Vec<&Item<'_>> =
                view.items.iter().skip(at).take_while(|item| item.change.stage == stage).collect();
            at += items.len();
            self.heading(&format!("Step {step}: {}", words::stage(stage)))?;
            step += 1;
            self.items(&items, view.names)?;
        }
        Ok(())
    }

    /// Items of one stage or refusal, the many alike folded.
    fn items(&mut self, items: &[&Item<'_>], names: &Names<'_>) -> io::Result<()> {
        let mut all: BTreeMap<&str, usize> = BTreeMap::new();
        for item in items {
            *all.entry(item.action).or_default() += 1;
        }
        let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
        let folded = if self.full { BTreeMap::new() } else { moves(items) };
        for item in items {
            if let Some(moves) = folded.get(&way(item)) {
                if moves.first().is_some_and(|first| first.change.id == item.change.id) {
                    self.moves(moves, names)?;
                }
                *shown.entry(item.action).or_default() += 1;
                continue;
            }
            let of_kind = all.get(item.action).copied().unwrap_or_default();
            let so_far = shown.entry(item.action).or_default();
            // What cannot be undone is never folded away.
            if self.full || of_kind <= ALL_SHOWN || *so_far < FIRST_SHOWN || item.change.action.is_destructive() {
                *so_far += 1;
                self.item(item, names)?;
            }
        }
        for (action, of_kind) in all {
            let more = of_kind.saturating_sub(shown.get(action).copied().unwrap_or_default());
            self.more(more, &format!("of the same kind ({action})"))?;
        }
        Ok(())
    }

    /// Accounts that go the same way, as one change.
    fn moves(&mut self, moves: &[&Item<'_>], names: &Names<'_>) -> io::Result<()> {
        let Some(first) = moves.first() else { return Ok(()) };
        let Some((from, to)) = way(first) else { return Ok(()) };
        let verb = first.change.action.verb();
        let what = format!(
            "{} move {} from {} to {}",
            words::symbol(verb),
            words::count(moves.len(), "account"),
            quoted(from),
            quoted(to)
        );
        writeln!(self.out, "{:>5} {}", first.change.id, self.paint.of_verb(verb, &what))?;
        let why = format!("{} and others: {}", names.object(&first.change.object), first.because);
        writeln!(self.out, "        {}", self.paint.dim(&why))?;
        if let Some(between) = &first.between {
            writeln!(self.out, "        in between: {between}")?;
        }
        let named: Vec<String> =
            moves.iter().take(FIRST_SHOWN).filter_map(|item| item.target.as_ref()).map(Reference::short).collect();
        writeln!(self.out, "        {}", named.join(", "))?;
        self.more(moves.len().saturating_sub(FIRST_SHOWN), "accounts")
    }

    fn item(&mut self, item: &Item<'_>, names: &Names<'_>) -> io::Result<()> {
        let change = item.change;
        let verb = change.action.verb();
        let what = format!("{} {}", words::symbol(verb), item.what);
        let lost = if change.action.is_destructive() { self.paint.red("  [cannot be undone]") } else { String::new() };
        writeln!(self.out, "{:>5} {}{lost}", change.id, self.paint.of_verb(verb, &what))?;
        let reach = reach(item).map(|reach| format!("; {reach}")).unwrap_or_default();
        let why = format!("{}: {}{reach}", names.object(&change.object), item.because);
        writeln!(self.out, "        {}", self.paint.dim(&why))?;
        if let Some(between) = &item.between {
            writeln!(self.out, "        in between: {between}")?;
        }
        self.fields(&item.fields)?;
        if item.unreadable {
            writeln!(self.out, "        the text in AWS cannot be read as a policy of its type; it is replaced by:")?;
        }
        let new = matches!(change.action.verb(), Verb::Create);
        if new && !self.full {
            let lines = short(&item.statements);
            for (marker, line) in lines.iter().take(MOST_STATEMENTS) {
                self.line(*marker, line, 8)?;
            }
            return self.more(lines.len().saturating_sub(MOST_STATEMENTS), "lines of its text");
        }
        for (marker, line) in item.statements.iter().flat_map(|change| change.lines()) {
            self.line(marker, &line, 8)?;
        }
        Ok(())
    }

    fn fields(&mut self, fields: &[Field]) -> io::Result<()> {
        for field in fields.iter().filter(|field| field.field != "parent") {
            let value = |text: &str| clipped(&plain(text), MOST_OF_A_VALUE);
            let name = plain(&field.field);
            match &field.from {
                Some(from) => self.line('~', &format!("{name}: {} -> {}", value(from), value(&field.to)), 8)?,
                None => self.line('+', &format!("{name}: {}", value(&field.to)), 8)?,
            }
        }
        Ok(())
    }

    fn refusals(&mut self, view: &View<'_>) -> io::Result<()> {
        if view.refusals.is_empty() {
            return Ok(());
        }
        self.heading(&format!("Refused ({}): none of this runs", view.refusals.len()))?;
        self.refused(view, true)
    }

    /// Refusals by rule. `held`: what one holds back is shown change by change.
    pub(super) fn refused(&mut self, view: &View<'_>, held: bool) -> io::Result<()> {
        for alike in refusals::alike(view) {
            match alike {
                [one] => self.refusal(one, view.names, held)?,
                many if self.full => many.iter().try_for_each(|one| self.refusal(one, view.names, held))?,
                many => self.refusals_alike(many, view.names)?,
            }
        }
        Ok(())
    }

    /// What one approval lets pass though several refusals hold it back.
    pub(super) fn bundles(&mut self, plan: &Plan<Guarded>, names: &Names<'_>) -> io::Result<()> {
        let shown = if self.full { plan.bundles.len() } else { FIRST_SHOWN };
        for bundle in plan.bundles.iter().take(shown) {
            let rules: Vec<&str> = bundle.rules().into_iter().collect();
            let changes = words::count(bundle.changes().len(), "change");
            let (object, hash) = (names.object(&bundle.subject), self.paint.bold(&bundle.hash));
            writeln!(self.out, "  one approval for all of {object}: {hash}")?;
            writeln!(self.out, "        {changes} past {}", rules.join(", "))?;
        }
        self.more(plan.bundles.len().saturating_sub(shown), "approvals of that sort")
    }

    fn refusal(&mut self, (refusal, items): &Refused<'_>, names: &Names<'_>, held: bool) -> io::Result<()> {
        let object = names.object(&refusal.object);
        writeln!(self.out, "  {} {object}", self.paint.red(&format!("✗ {}", refusal.rule)))?;
        writeln!(self.out, "        {}", plain(&refusal.message))?;
        writeln!(self.out, "        to do: {}", plain(&refusal.remedy))?;
        if let Some(hash) = &refusal.hash {
            writeln!(self.out, "        hash:  {}", self.paint.bold(hash))?;
        }
        if held && !items.is_empty() {
            writeln!(self.out, "        held back:")?;
            self.items(&items.iter().collect::<Vec<_>>(), names)?;
        }
        Ok(())
    }

    /// Refusals of one rule as one block: how many, what is said of all of them once, then the objects.
    fn refusals_alike(&mut self, many: &[Refused<'_>], names: &Names<'_>) -> io::Result<()> {
        let block = refusals::Block::of(many);
        writeln!(
            self.out,
            "  {} {}",
            self.paint.red(&format!("✗ {}", block.rule)),
            words::count(many.len(), "refusal")
        )?;
        if let Some(message) = block.message {
            writeln!(self.out, "        {}", plain(message))?;
        }
        for remedy in &block.remedies {
            writeln!(self.out, "        to do: {}", plain(remedy))?;
        }
        if block.more_remedies > 0 {
            self.more(block.more_remedies, "things to do")?;
        }
        for (refusal, _) in many.iter().take(FIRST_SHOWN) {
            let why = match block.message {
                Some(_) => String::new(),
                None => format!(": {}", clipped(&plain(&refusal.message), MOST_OF_A_VALUE)),
            };
            let hash =
                refusal.hash.as_ref().map(|hash| format!("  hash: {}", self.paint.bold(hash))).unwrap_or_default();
            writeln!(self.out, "    · {}{why}{hash}", names.object(&refusal.object))?;
        }
        self.more(many.len().saturating_sub(FIRST_SHOWN), "objects")?;
        if let Some(held) = block.held {
            writeln!(self.out, "        held back: {held}")?;
        }
        Ok(())
    }

    fn notes(&mut self, planned: &Planned, names: &Names<'_>) -> io::Result<()> {
        let notes = &planned.plan.notes;
        if notes.is_empty() {
            return Ok(());
        }
        self.heading("Worth knowing")?;
        let shown = if self.full || notes.len() <= ALL_SHOWN { notes.len() } else { FIRST_SHOWN };
        for note in notes.iter().take(shown) {
            let message = clipped(&plain(&note.message), MOST_OF_A_VALUE);
            writeln!(self.out, "  · {}: {message}", names.object(&note.object))?;
        }
        self.more(notes.len() - shown, "notes")
    }

    fn undeclared(&mut self, found: &Undeclared, names: &Names<'_>) -> io::Result<()> {
        let lines = undeclared::lines(found, names, if self.full { usize::MAX } else { undeclared::MOST_NAMED });
        let unread = undeclared::unread_types(found);
        if lines.is_empty() && unread.is_none() {
            return Ok(());
        }
        self.heading("Not declared: left alone")?;
        for line in lines {
            let names = if line.names.is_empty() { String::new() } else { format!(": {}", line.names.join(", ")) };
            writeln!(self.out, "  · {}{names}", line.what)?;
            self.more(line.more, "")?;
            for why in line.unknown {
                writeln!(self.out, "        {}", self.paint.yellow(&why))?;
            }
        }
        if let Some(why) = unread {
            writeln!(self.out, "  · {why}")?;
        }
        Ok(())
    }

    fn closing(&mut self, planned: &Planned, context: &Context) -> io::Result<()> {
        let plan = &planned.plan;
        if plan.changes.is_empty() && !context.left_out.is_empty() {
            return self.void(context);
        }
        let line = match planned.observed.gaps.is_empty() {
            false if plan.is_empty() => format!("No changes for what could be read{}.", beside(plan)),
            _ => summary(plan),
        };
        writeln!(self.out, "\n{}", self.paint.bold(&line))?;
        if plan.is_empty()
            && let Some(rests) = rests(&planned.observed, context)
        {
            writeln!(self.out, "{rests}")?;
        }
        if !plan.changes.is_empty() {
            let verb = if context.observe { "It would take" } else { "It takes" };
            writeln!(self.out, "{verb} {}. Hash of the plan: {}", effort(plan), plan.hash())?;
        }
        Ok(())
    }

    /// Nothing of a saved plan is left to run, and something is to be done that it does not hold.
    fn void(&mut self, context: &Context) -> io::Result<()> {
        let number = context.left_out.len();
        let line = format!(
            "Nothing of the saved plan runs. The organization is not as declared: {} needed that the plan does not hold.",
            if number == 1 { "1 change is".into() } else { format!("{} changes are", words::grouped(number)) }
        );
        writeln!(self.out, "\n{}", self.paint.bold(&line))?;
        let shown = if self.full { usize::MAX } else { FIRST_SHOWN };
        for what in context.left_out.iter().take(shown) {
            writeln!(self.out, "  needed, and not run: {}", clipped(&plain(what), MOST_OF_A_VALUE))?;
        }
        self.more(number.saturating_sub(shown), "changes")?;
        writeln!(self.out, "Plan again with `bylaw plan --out FILE`, and look at what it shows now.")
    }

    pub(super) fn heading(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "\n{}", self.paint.bold(text))
    }

    fn line(&mut self, marker: char, text: &str, indent: usize) -> io::Result<()> {
        let line = format!("{marker} {}", plain(text));
        writeln!(self.out, "{:indent$}{}", "", self.paint.of_marker(marker, &line))
    }

    fn more(&mut self, more: usize, what: &str) -> io::Result<()> {
        if more == 0 {
            return Ok(());
        }
        let what = if what.is_empty() { String::new() } else { format!(" {what}") };
        writeln!(self.out, "        … and {} more{what}; `--full` shows all", words::grouped(more))
    }
}

/// Where an account goes from and to; `None` for other changes.
fn way<'i>(item: &'i Item<'_>) -> Option<(&'i str, &'i str)> {
    let field = item.fields.first().filter(|field| item.action == "moveAccount" && field.field == "parent")?;
    Some((field.from.as_deref()?, &field.to))
}

/// Moves that go the same way, where they are more than [`MOST_MOVES`].
fn moves<'i, 'a>(items: &[&'i Item<'a>]) -> BTreeMap<Option<(&'i str, &'i str)>, Vec<&'i Item<'a>>> {
    let mut moves: BTreeMap<Option<(&str, &str)>, Vec<&Item<'_>>> = BTreeMap::new();
    for item in items.iter().filter(|item| way(item).is_some()) {
        moves.entry(way(item)).or_default().push(item);
    }
    moves.retain(|_, moves| moves.len() > MOST_MOVES);
    moves
}

/// `reaches 3 accounts`; `None` for what binds nobody by its kind.
pub(super) fn reach(item: &Item<'_>) -> Option<String> {
    match (item.change.reach, &item.change.action) {
        (0, Action::Attach { .. } | Action::Detach { .. } | Action::UpdatePolicy { content: Some(_), .. }) => {
            Some("reaches no account yet".into())
        }
        (0, _) => None,
        (reach, _) => Some(format!("reaches {}", words::count(reach as usize, "account"))),
    }
}

/// `3 OUs, 12 accounts, 8 policies`.
pub(in crate::cli) fn inventory(observed: &Observed) -> String {
    let size = observed.size();
    [(size.units, "OU"), (size.accounts, "account"), (size.policies, "policy")]
        .map(|(number, word)| words::count(number, word))
        .join(", ")
}

/// Calls spent, and how old what was read is.
pub(super) fn reading(context: &Context) -> String {
    let calls = usize::try_from(context.calls.values().sum::<u64>()).unwrap_or(usize::MAX);
    let age = words::age(context.oldest, context.now);
    if calls == 0 {
        return format!("from a snapshot, no AWS call; its oldest part was read {age}");
    }
    let age =
        if age == "just now" && context.oldest < context.since { "less than a minute ago".to_owned() } else { age };
    let fresh = if age == "just now" { "" } else { " (`--fresh` reads all anew)" };
    format!("{}; the oldest part was read {age}{fresh}", words::count(calls, "AWS call"))
}

/// What "as declared" rests on where an earlier pass read it: `This rests on tags of 4 OUs …`.
pub(super) fn rests(observed: &Observed, context: &Context) -> Option<String> {
    let older = observed.older(context.since);
    let oldest = words::age(older.iter().map(|older| older.oldest).min()?, context.now);
    if context.calls.is_empty() {
        return Some(format!("This rests on the snapshot, whose oldest part was read {oldest}."));
    }
    let parts: Vec<String> =
        older.iter().map(|older| format!("{} of {}", older.part, words::count(older.number, older.of))).collect();
    let oldest = if oldest == "just now" { "less than a minute ago".to_owned() } else { oldest };
    Some(format!(
        "This rests on {} as an earlier pass read them, the oldest {oldest}; `--fresh` reads all anew.",
        parts.join(", ")
    ))
}

/// Why nothing would be written.
pub(super) fn standing_still(desired: &Desired, context: &Context) -> Vec<String> {
    let mut why = vec![];
    if context.observe {
        why.push("`spec.mode` is `Observe`: this is what would be done, and nothing is written".to_owned());
    }
    if desired.organization.suspend {
        why.push("the Organization is suspended (`spec.suspend`): nothing is written".to_owned());
    }
    why
}

/// What a gap leaves open, in words.
pub(super) fn scope(scope: &Scope, observed: &Observed) -> String {
    match scope {
        Scope::Accounts => "the accounts".into(),
        Scope::UnitsBelow(node) => format!("what is below {} ({node})", quoted(observed.name(node))),
        Scope::Policies(kind) => format!("the policies of type {}", quoted(kind.as_str())),
    }
}

/// Changes of each kind.
pub(super) fn counts<State>(plan: &Plan<State>) -> BTreeMap<Verb, usize> {
    let mut counts = BTreeMap::new();
    for change in &plan.changes {
        *counts.entry(change.action.verb()).or_default() += 1;
    }
    counts
}

/// `Plan: 6 to create, 0 to update, 3 to attach, 0 to delete; 2 refused.`
pub(super) fn summary<State>(plan: &Plan<State>) -> String {
    let refused = plan.refusals.len();
    if plan.changes.is_empty() {
        return match refused {
            0 if !plan.notes.is_empty() => {
                format!("No changes. The organization is as declared, but for the notes{}.", beside(plan))
            }
            0 => format!("No changes. The organization is as declared{}.", beside(plan)),
            _ => format!("No changes can be made: {refused} refused. The organization is not as declared."),
        };
    }
    let counts = counts(plan);
    let parts: Vec<String> = words::VERBS
        .iter()
        .map(|words| (words, counts.get(&words.verb).copied().unwrap_or_default()))
        .filter(|(words, number)| words.always || *number > 0)
        .map(|(words, number)| format!("{} {}", words::grouped(number), words.counted))
        .collect();
    let refused = if refused == 0 { String::new() } else { format!("; {refused} refused") };
    format!("Plan: {}{refused}.", parts.join(", "))
}

/// What is said beside "as declared" of what is not declared at all.
pub(super) fn beside<State>(plan: &Plan<State>) -> String {
    plan.undeclared.told().map(|told| format!("; {told}")).unwrap_or_default()
}

/// Calls that applying takes, and how long at AWS's rates.
pub(super) fn effort<State>(plan: &Plan<State>) -> String {
    let (reads, writes) = estimate::calls(plan);
    let sum = |calls: &estimate::Calls| usize::try_from(calls.values().sum::<u64>()).unwrap_or(usize::MAX);
    let (reads, writes) = (sum(&reads), sum(&writes));
    let accounts = plan.changes.iter().filter(|change| matches!(change.action, Action::CreateAccount { .. }));
    let births = match accounts.count() {
        0 => "",
        _ => ", and the minutes in which AWS sets up new accounts",
    };
    format!(
        "{} ({}, {} before them), {} at AWS's rates{births}",
        words::count(reads + writes, "AWS call"),
        words::count(writes, "write"),
        words::count(reads, "read"),
        words::about(seconds(plan)),
    )
}

/// The least time that AWS's rates allow, in whole seconds.
pub(super) fn seconds<State>(plan: &Plan<State>) -> u64 {
    let (mut calls, writes) = estimate::calls(plan);
    for (operation, number) in writes {
        *calls.entry(operation).or_default() += number;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative, and far from 2^53")]
    let seconds = buckets::least_seconds(&calls).ceil() as u64;
    seconds
}
