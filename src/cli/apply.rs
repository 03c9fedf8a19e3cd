//! `bylaw apply`: plan, ask, apply, verify.

use std::io::{BufRead, IsTerminal, Write};

use k8s_openapi::jiff::Timestamp;

use super::failure::Failure;
use super::files::plainly;
use super::load;
use super::plan::{Made, Setting, options};
use super::show::progress::{Reporter, TICK};
use super::show::{self, saved::SavedPlan};
use super::terminal::{Terminal, interrupted, meanwhile};
use super::{approvals, args};
use crate::apply::lease::Now;
use crate::apply::ledger::NoLedger;
use crate::apply::{Control, Ledger, always};
use crate::pass::{self, ApplyError};
use crate::plan::guard;
use crate::plan::kept::{Known, Made as MadeBefore};
use crate::store::Seat;

/// What to do where nobody can be asked.
const NOBODY: &str = "add `--yes`; `bylaw plan --out FILE` keeps a plan that can be looked at first";

/// Applies. The exit code: 0 AWS is as declared, 1 it is not.
///
/// # Errors
/// There is no plan, or nothing may be written.
pub async fn run(asked: &args::Apply, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let saved = asked.plan.as_deref().map(read_saved).transpose()?;
    let (desired, sources, options) = match &saved {
        Some(saved) => {
            let sources = saved.sources();
            let object = Some(saved.object.as_str());
            let desired = load::desired(&sources, vec![], object, terminal.err_colour, &mut terminal.err())
                .map_err(|_| manifests_changed())?;
            let hashes: Vec<String> = saved.approvals.iter().cloned().collect();
            (desired, sources, options(saved.prune, &hashes, &asked.aws))
        }
        None => {
            let (desired, sources) = load::manifests(&asked.manifests, terminal.err_colour, &mut terminal.err())?;
            (desired, sources, options(asked.prune, &asked.approve, &asked.aws))
        }
    };
    let setting =
        Setting { desired, sources, snapshot: asked.snapshot.as_deref(), aws: &asked.aws, options, full: asked.full };
    let mut made = setting.plan(terminal).await?;
    match &saved {
        Some(saved) => only_as_saved(saved, &setting, &mut made, terminal)?,
        None => approvals::warn_of_idle(&asked.approve, &made.planned, &setting.desired, made.context.now, terminal),
    }
    let text = asked.output == args::Machine::Text;
    if text {
        show::plan::text(&made.planned, &setting.desired, &made.context, terminal.out_colour, out)?;
        out.flush()?;
    }
    if made.context.observe && !made.planned.plan.changes.is_empty() {
        return Err(refused(ApplyError::Observes));
    }
    if text && !made.planned.plan.changes.is_empty() && !asked.yes && !confirmed(&made, out)? {
        writeln!(out, "Nothing was written.")?;
        return Ok(1);
    }
    if !text && !asked.yes && !made.planned.plan.changes.is_empty() {
        return Err(Failure::new("`-o json` cannot ask", NOBODY));
    }
    carry_out(&setting, made, text, terminal, out).await
}

async fn carry_out(
    setting: &Setting<'_>,
    made: Made,
    text: bool,
    terminal: &Terminal,
    out: &mut dyn Write,
) -> Result<u8, Failure> {
    let Made { planned, door, mut memory, store, context, whole } = made;
    if planned.plan.changes.is_empty() {
        let left = whole.unwrap_or_else(|| planned.plan.clone());
        let whole = planned.observed.gaps.is_empty();
        let clean = left.is_empty() && whole;
        if let Some(store) = &store {
            memory.learn(&planned.plan.facts);
            terminal.warn_if(store.keep_memory(&memory), "what this pass settled could not be kept");
        }
        if !text {
            let report = pass::Report {
                applied: crate::apply::Applied::nothing(planned.observed.clone()),
                left: left.clone(),
                unverified: None,
            };
            writeln!(out, "{:#}", show::json::report(&report, &planned, &setting.desired, &context))?;
        }
        return if whole || !left.is_empty() { Ok(u8::from(!clean)) } else { Err(super::plan::unread()) };
    }
    if let Some(store) = store.as_ref().filter(|_| !planned.plan.approved.is_empty()) {
        // Before anything is written: a process that dies in the middle leaves the rest approved.
        memory.grant(&planned.plan.approved, Now::of(&door, &Timestamp::now).earliest());
        terminal.warn_if(store.keep_memory(&memory), "what is approved could not be kept");
    }
    let journal = store.as_ref().map(crate::store::Store::journal).transpose()?;
    let ledger: &dyn Ledger = match &journal {
        Some(journal) => journal,
        None => &NoLedger,
    };
    let reporter = Reporter::new(std::io::stderr().is_terminal(), &planned, &setting.desired);
    let seat = store.as_ref().map(|store| store.seat(&terminal.who()));
    let who = seat.as_ref().map_or("rehearsal", Seat::name);
    let progress = |progress: &crate::apply::Progress<'_>| reporter.told(progress);
    let control =
        Control { stop: interrupted(), wanted: &always, progress: &progress, clock: &Timestamp::now, ledger, who };
    let shown = planned.clone();
    let work = pass::apply_plan(&door, &setting.desired, planned, &mut memory, &setting.options, control);
    let report = meanwhile(work, TICK, || reporter.still()).await;
    reporter.finish();
    let report = report.map_err(refused)?;
    if let Some(store) = &store {
        terminal.warn_if(store.keep_snapshot(&report.applied.observed), "the snapshot of this pass could not be kept");
        terminal.warn_if(store.keep_memory(&memory), "what this pass settled could not be kept");
    }
    if text {
        show::result::text(&report, &shown, &setting.desired, &context, terminal.out_colour, out)?;
        if store.is_none() {
            writeln!(out, "This was a rehearsal on a snapshot: nothing was written to AWS.")?;
        }
    } else {
        writeln!(out, "{:#}", show::json::report(&report, &shown, &setting.desired, &context))?;
    }
    Ok(u8::from(!show::result::converged(&report)))
}

fn refused(error: ApplyError) -> Failure {
    match error {
        ApplyError::Observes => {
            Failure::new(error.to_string(), "set `spec.mode: Enforce` in the Organization to let bylaw write")
        }
        ApplyError::Suspended => Failure::new(error.to_string(), "take `spec.suspend` out of the Organization"),
        ApplyError::Lease(error) => error.into(),
    }
}

fn read_saved(path: &std::path::Path) -> Result<SavedPlan, Failure> {
    let shown = path.display();
    let manifest = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    if path.is_dir() || manifest {
        let message = format!("`{shown}` is no plan that was kept");
        return Err(Failure::new(message, format!("name manifests with `-f`: `bylaw apply -f {shown}`")));
    }
    let help = "`bylaw plan -f … --out FILE` writes a plan that can be applied; manifests are named with `-f`";
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("`{shown}` cannot be read: {}", plainly(&error)), help))?;
    SavedPlan::from_json(&text).map_err(|why| Failure::new(format!("`{shown}`: {why}"), help))
}

fn manifests_changed() -> Failure {
    Failure::new(
        "the manifests that the plan holds have errors, which they had not when it was made",
        "the file was edited, or is of another version of bylaw: write it anew with `bylaw plan --out FILE`",
    )
}

/// Leaves of the plan of now exactly what the saved plan showed, judged again on what AWS is now.
fn only_as_saved(
    saved: &SavedPlan,
    setting: &Setting<'_>,
    made: &mut Made,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let found = &made.planned.observed.organization;
    if found.id != saved.organization {
        return Err(Failure::new(
            format!("the plan is for organization `{}`, and the credentials are of `{}`", saved.organization, found.id),
            "use the credentials that the plan was made with",
        ));
    }
    if made.planned.plan.is_empty() && !saved.fingerprints().is_empty() {
        terminal.warn("nothing of the plan is left to do: AWS is as it declares already");
        return Ok(());
    }
    let plan = &made.planned.plan;
    let made_before = MadeBefore::of(&setting.desired, &made.planned.observed);
    let known = Known::of(plan, &saved.fingerprints(), &made_before);
    let names = show::view::Names::new(&setting.desired, &made.planned.observed);
    let difference = show::saved::compare(saved, plan, &known, &names);
    // Of a plan that is gone on with there can be thousands.
    let gone = difference.gone.iter().map(|gone| format!("planned, and not left to do: {gone}"));
    terminal.warn_of(gone, "changes that were planned and are not left to do");
    let new = difference.new.iter();
    let new = new.map(|new| format!("needed by now, and not run because the plan did not show it: {new}"));
    terminal.warn_of(new, "changes that the plan did not show");
    approvals::warn_of_outdated(&known, plan, terminal);
    let standing = known.standing(plan);
    let held: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| known.holds(change) && !standing.contains(&change.id))
        .map(|change| {
            let what = names.told(change);
            format!("planned, and held back because what it needs is not as it was shown: {what}")
        })
        .collect();
    terminal.warn_of(held.into_iter(), "changes that are held back");
    let left_out = plan.changes.iter().filter(|change| !standing.contains(&change.id));
    made.context.left_out = left_out.map(|change| names.told(change)).collect();
    let kept = plan.clone().only(&standing);
    let (now, approvals) = (Now::of(&made.door, &Timestamp::now).earliest(), &setting.options.approvals);
    let kept = guard(kept, &setting.desired, &made.planned.observed, approvals, now);
    made.whole = Some(std::mem::replace(&mut made.planned.plan, kept));
    Ok(())
}

fn confirmed(made: &Made, out: &mut dyn Write) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new("there is nobody to ask: standard input is not a terminal", NOBODY));
    }
    let changes = made.planned.plan.changes.len();
    write!(
        out,
        "\nMake {} in AWS? Only `yes` does: ",
        if changes == 1 { "this change".into() } else { format!("these {changes} changes") }
    )?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
