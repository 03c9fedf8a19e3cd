//! What the command line keeps between runs: the last snapshot (a cache, safe to delete), what earlier passes settled,
//! and the audit log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::apply::{Entry, Ledger};
use crate::names::AccountId;
use crate::observed::{Observed, snapshot};
use crate::plan::Memory;

use super::failure::Failure;
use super::seat::Seat;

/// The files of one organization.
#[derive(Debug, Clone)]
pub struct Store {
    cache: PathBuf,
    state: PathBuf,
}

/// `$NAME/bylaw`, or `$HOME/<fallback>/bylaw`.
fn base(own: &str, xdg: &str, fallback: &str) -> Option<PathBuf> {
    let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    var(own)
        .or_else(|| var(xdg).map(|path| path.join("bylaw")))
        .or_else(|| var("HOME").map(|home| home.join(fallback).join("bylaw")))
}

impl Store {
    /// The files of the organization that this account manages: `$BYLAW_CACHE_DIR` or `$XDG_CACHE_HOME/bylaw`, and
    /// `$BYLAW_STATE_DIR` or `$XDG_STATE_HOME/bylaw`.
    ///
    /// # Errors
    /// None of the variables is set, `HOME` neither.
    pub fn of(management: &AccountId) -> Result<Self, Failure> {
        let homeless = || {
            Failure::new(
                "there is no place for the cache and the audit log",
                "set `HOME`, or `BYLAW_CACHE_DIR` and `BYLAW_STATE_DIR`",
            )
        };
        let organization = Path::new("organizations").join(management.as_str());
        Ok(Self {
            cache: base("BYLAW_CACHE_DIR", "XDG_CACHE_HOME", ".cache").ok_or_else(homeless)?.join(&organization),
            state: base("BYLAW_STATE_DIR", "XDG_STATE_HOME", ".local/state").ok_or_else(homeless)?.join(&organization),
        })
    }

    /// The snapshot of the last pass. A file that cannot be read is as good as none: it is only a cache.
    #[must_use]
    pub fn snapshot(&self) -> Option<Observed> {
        let text = fs::read_to_string(self.cache.join("snapshot.json")).ok()?;
        match snapshot::from_json(&text) {
            Ok(observed) => Some(observed),
            Err(error) => {
                tracing::warn!("the cached snapshot is not used, everything is read: {error}");
                None
            }
        }
    }

    /// Keeps a snapshot for the next pass.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_snapshot(&self, observed: &Observed) -> io::Result<()> {
        replace(&self.cache.join("snapshot.json"), snapshot::to_json(observed).as_bytes())
    }

    /// What earlier passes settled. Losing it loses no more than the word "drift" for a difference.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let text = fs::read_to_string(self.state.join("memory.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps what was settled.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_memory(&self, memory: &Memory) -> io::Result<()> {
        replace(&self.state.join("memory.json"), &serde_json::to_vec(memory).map_err(io::Error::other)?)
    }

    /// The name under which this process may write.
    #[must_use]
    pub fn seat(&self, who: &str) -> Seat {
        Seat::take(&self.state, who)
    }

    /// Opens the audit log, to which every write is added.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn journal(&self) -> Result<Journal, Failure> {
        let path = self.state.join("journal.jsonl");
        let open = || {
            fs::create_dir_all(&self.state)?;
            private(OpenOptions::new().create(true).append(true)).open(&path)
        };
        let file = open().map_err(|error| {
            Failure::new(
                format!("the audit log `{}` cannot be opened: {error}", path.display()),
                "nothing is written to AWS without it: make the directory writable, or set `BYLAW_STATE_DIR`",
            )
        })?;
        Ok(Journal { file: Mutex::new(file), path })
    }
}

/// What an organization looks like and who changed it is nobody else's business.
#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}
#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Writes a file so that it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = private(OpenOptions::new().create(true).truncate(true).write(true))
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Whether a file can be written there, as far as that is seen without writing: asked before the organization is read, which
/// may take an hour.
///
/// # Errors
/// For people: there is no such directory, or it is one itself.
pub fn check_output(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let (why, help) = match folder {
        Some(folder) if !folder.is_dir() => (
            format!("there is no directory `{}`", folder.display()),
            "make the directory first, or give another path".to_owned(),
        ),
        _ if path.is_dir() => ("it is a directory".to_owned(), "give the path of a file".to_owned()),
        _ => return Ok(()),
    };
    Err(Failure::new(format!("`{}` cannot be written: {why}", path.display()), help))
}

/// Whether files can be written into that directory, as far as that is seen without writing; it is made where it is missing.
///
/// # Errors
/// For people: it, or what is to hold it, is a file.
pub fn check_directory(path: &Path) -> Result<(), Failure> {
    match path.ancestors().find(|above| above.exists()) {
        Some(file) if !file.is_dir() => Err(Failure::new(
            format!("`{}` cannot hold files: `{}` is a file", path.display(), file.display()),
            "give the path of a directory",
        )),
        _ => Ok(()),
    }
}

/// Writes what the user asked to have in a file: there as a whole, or not at all. Something that is no regular file (a pipe,
/// `/dev/stdout`) is written to as it is.
///
/// # Errors
/// For people: the file cannot be written.
pub fn write_output(path: &Path, text: &str) -> Result<(), Failure> {
    check_output(path)?;
    let plain = !path.starts_with("/dev") && fs::metadata(path).map_or(true, |there| there.is_file());
    let written = if plain { write_beside(path, text) } else { fs::write(path, text) };
    written.map_err(|error| {
        let help = "check the path, the room on its disk and the right to write there";
        Failure::new(format!("`{}` cannot be written: {}", path.display(), plainly(&error)), help)
    })
}

fn write_beside(path: &Path, text: &str) -> io::Result<()> {
    // A link is followed, so that what it names gets the text.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Some(name) = path.file_name() else { return fs::write(path, text) };
    let temporary = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    match fs::write(&temporary, text) {
        // A file may be writable in a directory that is not.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => fs::write(path, text),
        written => {
            written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| drop(fs::remove_file(&temporary)))
        }
    }
}

/// The error without the operating system's number.
#[must_use]
pub fn plainly(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole(path, bytes).map_err(|error| io::Error::new(error.kind(), format!("`{}`: {error}", path.display())))
}

/// The audit log: one JSON object a line, before each write and after it.
#[derive(Debug)]
pub struct Journal {
    file: Mutex<File>,
    path: PathBuf,
}

impl Ledger for Journal {
    fn record(&self, entry: &Entry<'_>) -> Result<(), String> {
        let mut line = serde_json::to_vec(entry).map_err(|error| error.to_string())?;
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
            .and_then(|()| file.sync_data())
            .map_err(|error| format!("`{}`: {error}", self.path.display()))
    }
}
