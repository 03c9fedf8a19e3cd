//! The name under which the command lines of one state directory take the lease, one process at a time.
//!
//! A process that is killed leaves its lease behind, and the next would have to wait until it runs out. So the name is
//! kept in a file that is locked as long as its process lives: whoever gets the lock knows that nobody of that name is at
//! work any more, and may go on under it. The lock is the operating system's and ends with the process, however that
//! comes about.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A name for the lease and the audit log; nobody else has it as long as this lives.
#[derive(Debug)]
pub struct Seat {
    name: String,
    /// Holds the lock.
    _file: Option<File>,
}

impl Seat {
    /// Takes the seat of this directory, or one without a place where another process sits there or files cannot be
    /// locked. `who` is user and host.
    #[must_use]
    pub fn take(directory: &Path, who: &str) -> Self {
        let fresh = format!("{who}:{}", nonce());
        match seated(directory, who, &fresh) {
            Ok((name, file)) => Self { name, _file: Some(file) },
            Err(_) => Self { name: fresh, _file: None },
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Process and time: no two are alike on one host.
fn nonce() -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:x}", std::process::id(), time.as_micros())
}

fn seated(directory: &Path, who: &str, fresh: &str) -> io::Result<(String, File)> {
    fs::create_dir_all(directory)?;
    let mut file =
        File::options().create(true).truncate(false).read(true).write(true).open(directory.join("writer"))?;
    file.try_lock()?;
    let mark = mark(&file)?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Some((name, of)) = text.trim_end().split_once('\n')
        && of == mark
        && name.strip_prefix(who).is_some_and(|rest| rest.starts_with(':'))
    {
        return Ok((name.to_owned(), file));
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{fresh}\n{mark}")?;
    file.sync_all()?;
    Ok((fresh.to_owned(), file))
}

/// Tells the file from copies of it in images, backups and caches of CI, whose locks are others.
#[cfg(unix)]
fn mark(file: &File) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let meta = file.metadata()?;
    Ok(format!("{}:{}", meta.dev(), meta.ino()))
}
#[cfg(not(unix))]
fn mark(_: &File) -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::scratch::Scratch;

    #[test]
    fn a_name_is_one_processs_at_a_time_and_the_next_ones_after_it() {
        let directory = Scratch::new("turns");
        let first = Seat::take(&directory, "cli:ann:laptop");
        let beside = Seat::take(&directory, "cli:ann:laptop");
        assert_ne!(first.name(), beside.name());
        let name = first.name().to_owned();
        drop(first);
        assert_eq!(Seat::take(&directory, "cli:ann:laptop").name(), name);
        assert_ne!(Seat::take(&directory, "cli:bob:laptop").name(), name);
    }

    #[test]
    fn a_copy_of_the_file_has_another_name() {
        let (directory, copy) = (Scratch::new("original"), Scratch::new("copy"));
        let name = Seat::take(&directory, "cli:ann:runner").name().to_owned();
        fs::copy(directory.join("writer"), copy.join("writer")).unwrap();
        assert_ne!(Seat::take(&copy, "cli:ann:runner").name(), name);
    }

    #[test]
    fn without_a_place_there_is_still_a_name() {
        assert!(Seat::take(Path::new("/dev/null/nowhere"), "cli:ann:laptop").name().starts_with("cli:ann:laptop:"));
    }
}
