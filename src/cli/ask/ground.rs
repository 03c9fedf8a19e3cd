//! The organization that is asked: as a snapshot has it, as the manifests declare it, or as AWS tells it now.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use k8s_openapi::jiff::Timestamp;

use super::events;
use crate::aws::offline::{Account, Offline, Options};
use crate::aws::port::AccountState;
use crate::cli::args::{Look, Manifests};
use crate::cli::door::{self, Way};
use crate::cli::failure::Failure;
use crate::cli::load;
use crate::cli::look::warn_of_missing;
use crate::cli::show::view::Names;
use crate::cli::terminal::Terminal;
use crate::desired::Desired;
use crate::judge::{Chronicle, Forest};
use crate::names::words::plain;
use crate::names::{NodeId, PolicyId, Tags};
use crate::observed::missing::{Missing, missing};
use crate::observed::{Observed, snapshot};
use crate::pass;
use crate::plan::{self, Memory};

/// Which organization is asked.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Organization")]
pub struct Asked {
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub manifests: Manifests,
    /// Ask this snapshot instead of AWS; with `-f`, the organization that applying the manifests to it would leave.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// CloudTrail's events of the organization: files or directories. They tell since when something is in force, and by
    /// whom. May be repeated.
    #[arg(long, value_name = "FILE|DIR")]
    pub events: Vec<PathBuf>,
    /// Ask the organization as it stood then (`2026-05-01`, or a time), by `--events`.
    #[arg(long, value_name = "DATE", value_parser = date, requires = "events")]
    pub at: Option<Timestamp>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "flattened")]
    pub aws: Look,
}

/// A day, which is its beginning in UTC, or a time.
///
/// # Errors
/// What was expected.
pub fn date(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    whole
        .parse()
        .map_err(|_| "expected a date such as `2026-05-01`, or a time such as `2026-05-01T12:00:00Z`".to_owned())
}

/// An organization, ready to be asked.
pub struct Ground {
    /// As it is, or as it would be.
    pub observed: Observed,
    /// The manifests, where there were any.
    pub desired: Option<Desired>,
    /// Its policies.
    pub forest: Forest,
    /// What happened to it, by the events that were given.
    pub chronicle: Chronicle,
}

impl Asked {
    /// The organization.
    ///
    /// # Errors
    /// The manifests have errors, the snapshot cannot be read, or AWS cannot.
    pub async fn ground(&self, terminal: &Terminal) -> Result<Ground, Failure> {
        let desired = self.desired(terminal)?;
        if self.at.is_some() && desired.is_some() && self.snapshot.is_none() {
            return Err(Failure::new(
                "manifests do not tell how the organization stood then",
                "name what there is now with `--snapshot`, or leave `-f` out to ask AWS",
            ));
        }
        let before = self.before(desired.as_ref(), terminal).await?;
        let chronicle = events::chronicle(&self.events, terminal)?;
        let (observed, chronicle) = match (&desired, self.at) {
            (_, Some(at)) => {
                self.warn_of_short_events(&chronicle, at, terminal);
                (chronicle.rewind(&before, at), chronicle.until(at))
            }
            (Some(desired), None) => (after(desired, before, terminal), chronicle),
            (None, None) => (before, chronicle),
        };
        let mut forest = Forest::of(&observed, desired.as_ref());
        forest.declared_only = desired.is_some() && self.snapshot.is_none();
        Ok(Ground { observed, desired, forest, chronicle })
    }

    fn warn_of_short_events(&self, chronicle: &Chronicle, at: Timestamp, terminal: &Terminal) {
        match chronicle.span() {
            None => terminal.warn("the events hold no change of the organization: it is taken to have stood then as it does now"),
            Some((first, last)) => terminal.warn(&format!(
                "the organization of {at} is rebuilt from events of {first} to {last}; what changed outside of these is not seen"
            )),
        }
    }

    /// The declared tree, where manifests were named.
    ///
    /// # Errors
    /// They have errors.
    pub fn desired(&self, terminal: &Terminal) -> Result<Option<Desired>, Failure> {
        if self.manifests.files.is_empty() {
            return Ok(None);
        }
        let (desired, _) = load::manifests(&self.manifests, terminal.err_colour, &mut terminal.err())?;
        Ok(Some(desired))
    }

    /// The organization before anything of the manifests is done: the snapshot's; without one, one with nothing in it but
    /// the declared accounts where there are manifests, and AWS where there are none.
    ///
    /// # Errors
    /// It cannot be read, or is another than the manifests are for.
    pub async fn before(&self, desired: Option<&Desired>, terminal: &Terminal) -> Result<Observed, Failure> {
        let observed = match (&self.snapshot, desired) {
            (Some(path), _) => door::snapshot_file(path)?,
            (None, Some(desired)) => return Ok(bare(desired)),
            (None, None) => {
                let door = door::aws(&Way::look(&self.aws)).await?;
                terminal.reading(&door).watch(crate::cli::snapshot::observe(&door, &Timestamp::now)).await?
            }
        };
        if let Some(desired) = desired {
            pass::check_organization(desired, &observed)?;
        }
        let parts: Vec<Missing> = missing(&observed).into_iter().filter(|part| part.binds).collect();
        warn_of_missing(&parts, terminal);
        Ok(observed)
    }
}

impl Ground {
    /// When a policy came to bind a node as it does, and by whom, as far as the events tell.
    #[must_use]
    pub fn since(&self, policy: &PolicyId, node: &NodeId) -> Option<String> {
        let event = self.chronicle.since(policy, node)?;
        Some(format!("{} by {}", event.at, plain(&event.by)))
    }
}

/// What applying the manifests would leave, refusals aside: the question is what they mean, not whether they may run.
pub fn after(desired: &Desired, before: Observed, terminal: &Terminal) -> Observed {
    let before = snapshot::with_types_off(before);
    let options = plan::Options { prune: false, ..plan::Options::default() };
    let now = Timestamp::now();
    let (proposed, _) = plan::propose(desired, &before, &Memory::default(), &options, now);
    let refused = proposed
        .refusals
        .iter()
        .map(|refusal| format!("not counted, because it would be refused: {}: {}", refusal.object, refusal.message));
    terminal.warn_of(refused, "refusals");
    let (observed, left) = crate::apply::rehearse(before, &proposed, now);
    let names = Names::new(desired, &observed);
    let left = left.iter().map(|(change, why)| format!("not counted: {}: {why}", names.told(change)));
    terminal.warn_of(left, "changes that are not counted");
    observed
}

/// The organization with nothing in it but the accounts that the manifests adopt.
#[must_use]
pub fn bare(desired: &Desired) -> Observed {
    let options = Options {
        management: Some(desired.organization.spec.management_account.clone()),
        creation_delay: Duration::ZERO,
        ..Options::default()
    };
    let world = Offline::new(options);
    world.with(|state| {
        for (name, account) in &desired.accounts {
            let Some(id) = &account.spec.account_id else { continue };
            if state.accounts().contains_key(id) {
                continue;
            }
            let account = Account {
                name: account.spec.name.clone().unwrap_or_else(|| name.to_string()),
                email: account.spec.email.clone().unwrap_or_default(),
                state: AccountState::Active,
                parent: state.root_node(),
                tags: Tags::new(),
                contacts: std::collections::BTreeMap::new(),
            };
            state.put_account(id.clone(), account);
        }
    });
    world.state().to_observed(Timestamp::now())
}
