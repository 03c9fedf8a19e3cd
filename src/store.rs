//! What is kept between passes, whoever makes them: the last snapshot (a cache, safe to delete), what earlier passes
//! settled, and the audit log.

mod seat;

pub use seat::Seat;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::apply::{Entry, Ledger};
use crate::events::Trail;
use crate::names::AccountId;
use crate::observed::{Observed, snapshot};
use crate::plan::Memory;

/// Why files cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// None of the variables that say where is set.
    #[error("there is no place for the cache and the audit log")]
    Homeless,
    /// The audit log.
    #[error("the audit log `{path}` cannot be opened: {error}")]
    Journal {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Homeless => "set `HOME`, or `BYLAW_CACHE_DIR` and `BYLAW_STATE_DIR`",
            Self::Journal { .. } => {
                "nothing is written to AWS without it: make the directory writable, or set `BYLAW_STATE_DIR`"
            }
        }
    }
}

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
    pub fn of(management: &AccountId) -> Result<Self, StoreError> {
        let homeless = || StoreError::Homeless;
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

    /// The events of late, by which drift is explained. Losing them loses no more than who did it.
    #[must_use]
    pub fn trail(&self) -> Trail {
        let text = fs::read_to_string(self.state.join("events.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Keeps the events of late.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_trail(&self, trail: &Trail) -> io::Result<()> {
        replace(&self.state.join("events.json"), &serde_json::to_vec(trail).map_err(io::Error::other)?)
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
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let path = self.state.join("journal.jsonl");
        let open = || {
            fs::create_dir_all(&self.state)?;
            private(OpenOptions::new().create(true).append(true)).open(&path)
        };
        let file = open().map_err(|error| StoreError::Journal { path: path.display().to_string(), error })?;
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
