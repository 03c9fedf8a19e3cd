//! `bylaw plan`: what would change, why, in which order, and what is refused.

use std::io::Write;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::door::{self, Door, Way};
use super::failure::Failure;
use super::load;
use super::show::{self, Context};
use super::terminal::Terminal;
use super::{approvals, args};
use crate::desired::{Desired, Source};
use crate::observed::missing::missing;
use crate::observed::{Observed, snapshot};
use crate::pass::{self, Options, Planned};
use crate::plan::{Approvals, Guarded, Memory, Plan};
use crate::store::Store;

/// What `plan` and `apply` both need: the manifests, the way to AWS, and how to plan.
pub struct Setting<'a> {
    /// The declared tree.
    pub desired: Desired,
    /// What it was read from.
    pub sources: Vec<Source>,
    /// Plan on this file instead of AWS.
    pub snapshot: Option<&'a std::path::Path>,
    /// How AWS is reached.
    pub aws: &'a args::Aws,
    /// How to plan.
    pub options: Options,
    /// Show every change.
    pub full: bool,
}

/// A plan, and what it takes to go on with it.
pub struct Made {
    /// The plan.
    pub planned: Planned,
    /// The port that it was made through.
    pub door: Door,
    /// What earlier passes settled.
    pub memory: Memory,
    /// Files of the organization; `None` for a snapshot.
    pub store: Option<Store>,
    /// What a reader needs to know of how it was made.
    pub context: Context,
    /// All that is to be done, where a saved plan runs and does not hold all of it.
    pub whole: Option<Plan<Guarded>>,
}

impl Setting<'_> {
    /// Reads the organization and plans.
    ///
    /// # Errors
    /// There is no plan: wrong credentials or organization, or AWS cannot be read.
    pub async fn plan(&self, terminal: &Terminal) -> Result<Made, Failure> {
        match self.snapshot {
            Some(path) => self.plan_on_snapshot(door::snapshot_file(path)?, terminal),
            None => self.plan_in_aws(terminal).await,
        }
    }

    /// Plans on the snapshot itself, with all that it does not know: the organization in memory that it makes takes what is
    /// not known as not there, so it serves to rehearse the changes and not to find them.
    fn plan_on_snapshot(&self, observed: Observed, terminal: &Terminal) -> Result<Made, Failure> {
        pass::check_organization(&self.desired, &observed).map_err(|error| match error {
            pass::PassError::WrongOrganization { found, declared } => Failure::new(
                format!("the snapshot is of the organization of account `{found}`, and the manifests say `{declared}`"),
                "give a snapshot of that organization, or check `spec.managementAccountId` of the Organization",
            ),
            error => error.into(),
        })?;
        if super::look::warn_of_missing(&missing(&observed), terminal) {
            terminal.help("what rests on these is refused; once they can be read, take the snapshot again");
        }
        let door = door::memory(Box::new(door::rehearsal(&observed)));
        let memory = Memory::default();
        let planned = pass::plan_offline(
            &self.desired,
            snapshot::with_types_off(observed),
            &memory,
            &self.options,
            Timestamp::now(),
        );
        let context = self.context(&planned, Timestamp::now());
        Ok(Made { planned, door, memory, store: None, context, whole: None })
    }

    async fn plan_in_aws(&self, terminal: &Terminal) -> Result<Made, Failure> {
        let spec = &self.desired.organization.spec;
        let door = door::aws(&Way::of(&self.aws.reach, spec.partition, spec.access.as_ref())).await?;
        let store = Store::of(&spec.management_account)?;
        let previous = if self.aws.fresh { None } else { store.snapshot() };
        let memory = store.memory();
        let reading = terminal.reading(&door);
        let began = Timestamp::now();
        let planned = pass::plan(&door, &self.desired, previous.as_ref(), &memory, &self.options, &Timestamp::now);
        let planned = reading.watch(planned).await?;
        if let Err(error) = store.keep_snapshot(&planned.observed) {
            terminal
                .warn(&format!("the snapshot of this pass could not be kept, so the next reads everything: {error}"));
        }
        let context = Context { calls: door.tally().calls, ..self.context(&planned, began) };
        Ok(Made { planned, door, memory, store: Some(store), context, whole: None })
    }

    fn context(&self, planned: &Planned, since: Timestamp) -> Context {
        Context {
            since,
            oldest: planned.observed.oldest(),
            now: Timestamp::now(),
            observe: self.desired.organization.spec.mode == crate::api::Mode::Observe,
            full: self.full,
            ..Context::default()
        }
    }
}

/// How to plan, from the arguments that `plan` and `apply` share.
#[must_use]
pub fn options(prune: bool, approve: &[String], aws: &args::Aws) -> Options {
    let max_age = if aws.fresh { SignedDuration::ZERO } else { aws.max_age };
    let contents_max_age = if aws.cached { max_age } else { SignedDuration::ZERO };
    Options { prune, approvals: Approvals::of(approve), max_age, contents_max_age, ..Options::default() }
}

/// Nothing is to be done for what could be read; nobody knows about the rest.
#[must_use]
pub fn unread() -> Failure {
    Failure::new(
        "parts of the organization could not be read, so nobody knows whether it is as declared",
        "mend what is told above, and run again",
    )
}

/// Plans and prints. The exit code: 0 nothing to do, 2 changes or refusals.
///
/// # Errors
/// There is no plan.
pub async fn run(asked: &args::Plan, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    asked.out.as_deref().map_or(Ok(()), super::files::check_output)?;
    let (desired, sources) = load::manifests(&asked.manifests, terminal.err_colour, &mut terminal.err())?;
    let options = options(asked.prune, &asked.approve, &asked.aws);
    let setting =
        Setting { desired, sources, snapshot: asked.snapshot.as_deref(), aws: &asked.aws, options, full: asked.full };
    let made = setting.plan(terminal).await?;
    let (planned, desired, context) = (&made.planned, &setting.desired, &made.context);
    approvals::warn_of_idle(&asked.approve, planned, desired, context.now, terminal);
    let saved = || show::saved::SavedPlan::new(planned, desired, &setting.sources, &setting.options, context.now);
    match asked.output {
        args::Form::Text => show::plan::text(planned, desired, context, terminal.out_colour, out)?,
        args::Form::Json => writeln!(out, "{:#}", show::json::plan(planned, desired, context, None))?,
        args::Form::Markdown => write!(out, "{}", show::markdown::plan(planned, desired, context))?,
    }
    if let Some(path) = &asked.out {
        let text = format!("{:#}\n", saved().to_json(planned, desired, context));
        super::files::write_output(path, &text)?;
    }
    match planned.plan.is_empty() {
        false => Ok(2),
        true if planned.observed.gaps.is_empty() => Ok(0),
        true => Err(unread()),
    }
}
