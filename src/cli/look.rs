//! The commands that only look: `snapshot`, `import`, `tree`. They need no manifests.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use k8s_openapi::jiff::Timestamp;

use super::args;
use super::door::{self, Door, Way};
use super::failure::Failure;
use super::terminal::Terminal;
use super::{import, snapshot, tree};
use crate::api::organization::Partition;
use crate::observed::missing::{Missing, missing};
use crate::observed::{Observed, snapshot as file};

/// Reads the whole organization from AWS, with progress, and warns of what could not be read.
async fn observe(door: &Door, terminal: &Terminal) -> Result<Observed, Failure> {
    let observed = terminal.reading(door).watch(snapshot::observe(door, &Timestamp::now)).await?;
    warn_of_missing(&missing(&observed), terminal);
    Ok(observed)
}

/// Warns of what is not known, and says once what to do about each cause. Whether there is any.
pub(super) fn warn_of_missing(parts: &[Missing], terminal: &Terminal) -> bool {
    terminal.warn_of(parts.iter().map(Missing::to_string), "parts that are not known");
    let remedies: BTreeSet<&str> = parts.iter().filter_map(|part| part.remedy.as_deref()).collect();
    for remedy in remedies {
        terminal.help(remedy);
    }
    !parts.is_empty()
}

/// The organization of a snapshot file, or of AWS.
async fn organization(path: Option<&Path>, aws: &args::Look, terminal: &Terminal) -> Result<Observed, Failure> {
    match path {
        Some(path) => door::snapshot_file(path),
        None => observe(&door::aws(&Way::look(aws)).await?, terminal).await,
    }
}

/// `bylaw snapshot`. The exit code: 0 whole, 1 parts could not be read.
///
/// # Errors
/// AWS cannot be read at all, or the file cannot be written.
pub async fn snapshot(asked: &args::Snapshot, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    asked.output.as_deref().map_or(Ok(()), super::files::check_output)?;
    let observed = observe(&door::aws(&Way::look(&asked.aws)).await?, terminal).await?;
    let text = file::to_json(&observed);
    match &asked.output {
        None => writeln!(out, "{text}")?,
        Some(path) => {
            super::files::write_output(path, &(text + "\n"))?;
            writeln!(out, "{}: {}", path.display(), super::show::plan::inventory(&observed))?;
        }
    }
    Ok(u8::from(!missing(&observed).is_empty()))
}

/// `bylaw import`.
///
/// # Errors
/// The organization cannot be read or expressed as a whole, or files are in the way.
pub async fn import(asked: &args::Import, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    super::files::check_directory(&asked.output)?;
    let (observed, partition): (Observed, Partition) = match &asked.snapshot {
        Some(path) => (door::snapshot_file(path)?, asked.aws.partition),
        None => {
            let door = door::aws(&Way::look(&asked.aws)).await?;
            let partition = snapshot::partition(&door).await?;
            let observed = observe(&door, terminal).await?;
            // The plan that comes next need not read all of it again.
            match crate::store::Store::of(&observed.organization.management_account) {
                Ok(store) => terminal.warn_if(store.keep_snapshot(&observed), "what was read could not be kept"),
                Err(error) => terminal.warn(&format!("what was read could not be kept: {error}")),
            }
            (observed, partition)
        }
    };
    let options = import::Options { partition, name: asked.name.clone(), partial: asked.partial };
    import::run(&observed, &options, &asked.output, asked.force, out)
        .map_err(|error| Failure { message: error.to_string(), help: error.remedy().map(str::to_owned) })?;
    Ok(0)
}

/// `bylaw tree`.
///
/// # Errors
/// The organization cannot be read.
pub async fn tree(asked: &args::Tree, terminal: &Terminal, out: &mut dyn Write) -> Result<u8, Failure> {
    let observed = organization(asked.snapshot.as_deref(), &asked.aws, terminal).await?;
    let json = asked.output == args::Machine::Json;
    let options = tree::Options { all: asked.all, colour: terminal.out_colour, json };
    tree::run(&observed, &options, out)?;
    Ok(0)
}
