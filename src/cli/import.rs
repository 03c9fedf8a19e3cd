//! `bylaw import`: manifests for an organization that nobody governs yet.
//!
//! The way of the data: [`Observed`] → [`draft`] (objects, what is left out and why) → files → [`check`], which reads the
//! files as `plan` would and plans them on the same reading. What does not validate, or would change anything, is left
//! out with its reason and the rest is drafted again: manifests that come out of here plan nothing.

mod check;
mod draft;
mod names;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::api::organization::Partition;
use crate::names::words::{count, grouped, plain};
use crate::observed::Observed;

/// How an organization is imported.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The partition, which a snapshot does not tell ([`super::snapshot::partition`] asks AWS).
    pub partition: Partition,
    /// Object name of the Organization; left out: the one that bylaw's tags name, else `main`.
    pub name: Option<String>,
    /// Import what could be read, with comments for the rest.
    pub partial: bool,
}

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Manifests made of a partial reading would look like intent.
    #[error("the organization was not read as a whole, and what is missing would look as if it were not wanted:{}", list(.0))]
    Partial(Vec<String>),
    /// The organization itself cannot be expressed.
    #[error("the organization cannot be expressed in manifests:{}", list(.0))]
    Inexpressible(Vec<String>),
    /// Files are there already.
    #[error("these files are there already, and nothing was written:{}", list(.0))]
    Exists(Vec<String>),
    /// A file cannot be written.
    #[error("`{path}` cannot be written: {error}", path = path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The output.
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl ImportError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Partial(_) => {
                Some("read again when AWS answers and the role may read these, or import the rest with `--partial`")
            }
            Self::Exists(_) => Some("give another directory, or overwrite them with `--force`"),
            Self::Write { .. } => Some("check the path, the room on its disk and the right to write there"),
            Self::Inexpressible(_) | Self::Output(_) => None,
        }
    }
}

/// Most lines of one list.
const MOST_LINES: usize = 20;

/// Lines of a message, the first of them.
fn list(items: &[String]) -> String {
    let mut out = String::new();
    for item in items.iter().take(MOST_LINES) {
        let _ = write!(out, "\n  {}", plain(item));
    }
    if let Some(more @ 1..) = items.len().checked_sub(MOST_LINES) {
        let _ = write!(out, "\n  and {} more", grouped(more));
    }
    out
}

/// Rounds of leaving out: each takes out everything that the one before complained of, and what depends on it.
const ROUNDS: usize = 16;

/// Files, by path within a directory, in the order of their paths. The same for the same reading. Planning them on this
/// reading changes nothing, refuses nothing, and reports no drift.
///
/// # Errors
/// The reading is partial and `partial` is not set, or the organization itself cannot be expressed.
pub fn manifests(observed: &Observed, options: &Options) -> Result<Vec<(PathBuf, String)>, ImportError> {
    let missing = draft::missing(observed);
    if !options.partial && !missing.is_empty() {
        return Err(ImportError::Partial(missing.iter().map(ToString::to_string).collect()));
    }
    let names = names::Names::of(observed);
    let mut verdicts = draft::Verdicts::default();
    let mut complaints = vec![];
    for _ in 0..ROUNDS {
        let draft = draft::draft(observed, options, &names, &verdicts, &missing);
        let files = files(&draft);
        let found = check::complaints(&files, observed);
        if found.is_empty() {
            return Ok(files.into_iter().collect());
        }
        complaints = found.iter().map(|(object, why)| format!("{object}: {why}")).collect();
        if !verdicts.take(&draft, found) {
            break;
        }
    }
    Err(ImportError::Inexpressible(complaints))
}

/// Objects of one file; a file of more is split, so that it can be reviewed, and shown by who hosts it.
const MOST_OBJECTS: usize = 200;
/// Bytes of one file after which the next object goes to another.
const MOST_BYTES: usize = 256 * 1024;

/// Which part of a file is being written.
struct Part {
    number: usize,
    objects: usize,
}

impl Part {
    /// `accounts.yaml`, `accounts-2.yaml`, …
    fn of(&self, file: &Path) -> PathBuf {
        if self.number == 1 {
            return file.to_owned();
        }
        let (stem, ending) = (file.file_stem().unwrap_or_default(), file.extension().unwrap_or_default());
        file.with_file_name(format!("{}-{}.{}", stem.to_string_lossy(), self.number, ending.to_string_lossy()))
    }
}

/// Documents by file, each with its comments.
fn files(draft: &draft::Draft) -> BTreeMap<PathBuf, String> {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (path, lines) in &draft.heads {
        let text = files.entry(path.clone()).or_default();
        for line in lines {
            yaml::comment(line, text);
        }
    }
    let mut parts: BTreeMap<&Path, Part> = BTreeMap::new();
    let mut begun: BTreeSet<PathBuf> = BTreeSet::new();
    for object in &draft.objects {
        let part = parts.entry(object.file.as_path()).or_insert(Part { number: 1, objects: 0 });
        let bytes = files.get(&part.of(&object.file)).map_or(0, String::len);
        if part.objects >= MOST_OBJECTS || bytes >= MOST_BYTES {
            *part = Part { number: part.number + 1, objects: 0 };
        }
        part.objects += 1;
        let file = part.of(&object.file);
        let text = files.entry(file.clone()).or_default();
        if !begun.insert(file) {
            text.push_str("---\n");
        } else if !text.is_empty() {
            text.push('\n');
        }
        for note in &object.notes {
            yaml::comment(note, text);
        }
        match yaml::document(&object.body) {
            Ok(document) => text.push_str(&document),
            Err(error) => yaml::comment(&format!("`{}` cannot be written: {error}", object.key), text),
        }
    }
    files
}

/// Writes the manifests into a directory, and says what was written. AWS is not called.
///
/// # Errors
/// As [`manifests`]; files that are there already, unless `force`; a file that cannot be written.
pub fn run(
    observed: &Observed,
    options: &Options,
    directory: &Path,
    force: bool,
    out: &mut dyn Write,
) -> Result<(), ImportError> {
    let files = manifests(observed, options)?;
    let there: Vec<String> = files
        .iter()
        .map(|(path, _)| directory.join(path))
        .filter(|path| path.symlink_metadata().is_ok())
        .map(|path| path.display().to_string())
        .collect();
    if !force && !there.is_empty() {
        return Err(ImportError::Exists(there));
    }
    let mut wrote = vec![];
    for (path, text) in &files {
        let path = directory.join(path);
        let documents = text.matches("apiVersion: ").count();
        write_file(&path, text).map_err(|error| ImportError::Write { path: path.clone(), error })?;
        wrote.push(format!("wrote {} ({})", path.display(), count(documents, "object")));
    }
    let strangers = strangers(directory, &files);
    let kept = strangers.iter().map(|path| format!("kept {}, which this import did not write", path.display()));
    for lines in [wrote, kept.collect()] {
        lines.iter().take(MOST_LINES).try_for_each(|line| writeln!(out, "{line}"))?;
        if let Some(more @ 1..) = lines.len().checked_sub(MOST_LINES) {
            writeln!(out, "… and {} more", count(more, "file"))?;
        }
    }
    writeln!(
        out,
        "{}; nothing was written to AWS. `bylaw plan -f {}` shows no change.",
        count(files.len(), "file"),
        directory.display()
    )?;
    Ok(())
}

/// A file is there as a whole or not at all.
fn write_file(path: &Path, text: &str) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no path of a file"));
    };
    std::fs::create_dir_all(parent)?;
    let temporary = parent.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Manifests of an earlier import that would be read together with these.
fn strangers(directory: &Path, files: &[(PathBuf, String)]) -> Vec<PathBuf> {
    let ours: BTreeSet<PathBuf> = files.iter().map(|(path, _)| directory.join(path)).collect();
    let mut folders: BTreeSet<&Path> = ours.iter().filter_map(|path| path.parent()).collect();
    folders.insert(directory);
    let mut found: Vec<PathBuf> = folders
        .into_iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json"))
        .filter(|path| !ours.contains(path))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests;
