//! Where records are: files, directories as S3 exports them, standard input; and how their text is got at.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::cut::Flaw;
use super::fold::Time;
use super::record::days;

/// Bytes that a window on a file begins with; it grows for a record that is larger.
const WINDOW: usize = 1 << 20;
/// What is told of one file, at most; the rest is counted.
const MOST_TOLD: u64 = 3;
/// Bytes that are read from a file at once, and unpacked at once: of these those are lost that stand before damage.
const CHUNK: usize = 256 << 10;
/// Seconds by which a file may hold older records than the day in its path says, and newer ones.
const SLACK: i64 = 86_400;
/// Endings of files that a directory is searched for.
const ENDINGS: &[&str] = &[".json", ".json.gz", ".gz", ".ndjson", ".jsonl", ".csv"];
/// Directories of S3 exports that hold no calls, with what they hold.
const NO_CALLS: &[(&str, &str)] = &[
    ("CloudTrail-Digest", "digests"),
    ("CloudTrail-Insight", "insights"),
    ("CloudTrail-NetworkActivity", "network activity"),
];
/// First bytes of compressed forms that are not read.
const PACKED: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"PAR1", "Parquet"),
    (b"ORC", "ORC"),
];

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The file; `-` is standard input.
    pub file: String,
    /// Bytes of its text (after unpacking) before what is wrong, where there is a place.
    pub byte: Option<u64>,
    /// What is wrong; lower case.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// `None`: standard input.
    pub path: Option<PathBuf>,
    /// For messages.
    pub name: String,
    size: u64,
}

/// What there is to read, and what is passed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Files, the largest first, so that threads end at the same time.
    pub jobs: Vec<Job>,
    /// What cannot be read.
    pub unread: Vec<Unread>,
    /// Files that are passed over: why, how many.
    pub passed_over: Vec<(&'static str, u64)>,
}

impl Found {
    fn pass_over(&mut self, why: &'static str) {
        match self.passed_over.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => self.passed_over.push((why, 1)),
        }
    }

    fn cannot(&mut self, path: &Path, error: &io::Error) {
        self.unread.push(Unread {
            file: path.display().to_string(),
            byte: None,
            what: format!("it cannot be read: {error}"),
            help: "check the path and the rights on it".into(),
        });
    }
}

/// Looks for files in what was given; each is taken once.
#[must_use]
pub fn find(given: &[PathBuf], time: Time) -> Found {
    let mut found = Found::default();
    let mut waiting: Vec<(PathBuf, bool)> = given.iter().rev().map(|path| (path.clone(), true)).collect();
    while let Some((path, named)) = waiting.pop() {
        if named && path.as_os_str() == "-" {
            found.jobs.push(Job { path: None, name: "-".into(), size: u64::MAX });
            continue;
        }
        // Links to directories may lead back; they are followed where they were given by name.
        let metadata = match if named { fs::metadata(&path) } else { fs::symlink_metadata(&path) } {
            Ok(metadata) if metadata.is_symlink() => fs::metadata(&path),
            other => other,
        };
        let metadata = match metadata {
            Ok(metadata) => metadata,
            Err(error) => {
                found.cannot(&path, &error);
                continue;
            }
        };
        if metadata.is_dir() {
            let is_link = !named && fs::symlink_metadata(&path).is_ok_and(|it| it.is_symlink());
            if is_link {
                found.pass_over("links to directories");
                continue;
            }
            match fs::read_dir(&path) {
                Ok(entries) => {
                    let mut entries: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
                    entries.sort_by(|a, b| b.cmp(a));
                    waiting.extend(entries.into_iter().map(|path| (path, false)));
                }
                Err(error) => found.cannot(&path, &error),
            }
            continue;
        }
        // To read a pipe or a device that stands among files may take for ever.
        if !named && !metadata.is_file() {
            found.pass_over("pipes, sockets and devices");
            continue;
        }
        if !named && let Some(why) = no_use(&path, time) {
            found.pass_over(why);
            continue;
        }
        found.jobs.push(Job { name: path.display().to_string(), size: metadata.len(), path: Some(path) });
    }
    found.jobs.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
    let mut seen = std::collections::HashSet::new();
    let before = found.jobs.len();
    found.jobs.retain(|job| {
        let real = job.path.as_ref().map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.clone()));
        seen.insert(real)
    });
    (found.jobs.len()..before).for_each(|_| found.pass_over("files that were given twice"));
    found
}

/// Why a file of a directory is not read.
fn no_use(path: &Path, time: Time) -> Option<&'static str> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
    let of = |part: &str| path.components().any(|it| it.as_os_str() == part);
    if let Some((_, what)) = NO_CALLS.iter().find(|(part, _)| of(part)) {
        return Some(what);
    }
    if !ENDINGS.iter().any(|ending| name.ends_with(ending)) && !name.ends_with(".csv.gz") {
        return Some("files of other kinds");
    }
    let day = day(path)?;
    let early = time.until.is_some_and(|until| day - SLACK >= until);
    let late = time.since.is_some_and(|since| day + 2 * SLACK <= since);
    (early || late).then_some("files of days that were not asked for")
}

/// The day that a path of S3's layout (`…/CloudTrail/eu-central-1/2026/01/31/…`) is of.
fn day(path: &Path) -> Option<i64> {
    let parts: Vec<&str> = path.components().filter_map(|part| part.as_os_str().to_str()).collect();
    let at = parts.iter().position(|part| *part == "CloudTrail")?;
    let number = |at: usize, digits: usize| parts.get(at).filter(|part| part.len() == digits)?.parse::<i64>().ok();
    let (year, month, day) = (number(at + 2, 4)?, number(at + 3, 2)?, number(at + 4, 2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| days(year, month, day) * 86_400)
}

/// The text of a file, unpacked as it is read.
///
/// # Errors
/// It cannot be opened, or is packed in a form that is not read.
pub fn open(job: &Job) -> Result<Box<dyn Read>, Unread> {
    let told = |what: String, help: &str| Unread { file: job.name.clone(), byte: None, what, help: help.into() };
    let raw: Box<dyn Read> = match &job.path {
        Some(path) => Box::new(
            File::open(path)
                .map_err(|error| told(format!("it cannot be read: {error}"), "check the path and the rights on it"))?,
        ),
        None => Box::new(io::stdin()),
    };
    let mut text = BufReader::with_capacity(CHUNK, raw);
    let start =
        text.fill_buf().map_err(|error| told(format!("it cannot be read: {error}"), "check the rights on it"))?;
    if let Some((_, form)) = PACKED.iter().find(|(magic, _)| start.starts_with(magic)) {
        return Err(told(format!("it is {form}, which is not read"), "unpack it, or pack it with gzip"));
    }
    Ok(if start.starts_with(b"\x1f\x8b") { Box::new(MultiGzDecoder::new(text)) } else { Box::new(text) })
}

/// A window on the text of a file: filled at its end, taken away from at its front.
#[derive(Debug, Default)]
pub struct Window {
    /// The text stands in it from `from` to `to`.
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    /// Nothing comes after it.
    pub last: bool,
}

impl Window {
    /// What of the text is looked at.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.buffer.get(self.from..self.to).unwrap_or_default()
    }

    /// Before the next file; the memory is used again.
    pub fn begin(&mut self) {
        (self.from, self.to, self.last) = (0, 0, false);
    }

    /// Reads on. How many bytes, and what ended the text before its end.
    pub fn fill(&mut self, text: &mut impl Read) -> (usize, Option<io::Error>) {
        let left = self.to - self.from;
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, left);
        // A window that a record did not fit into grows.
        let most = if left >= WINDOW / 2 { 2 * left } else { WINDOW };
        if self.buffer.len() < most {
            self.buffer.resize(most, 0);
        }
        let mut ended = None;
        while self.to < most && !self.last {
            let chunk = self.buffer.get_mut(self.to..most.min(self.to + CHUNK)).unwrap_or_default();
            match text.read(chunk) {
                Ok(0) => self.last = true,
                Ok(read) => self.to += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.last = true;
                    ended = Some(error);
                }
            }
        }
        (self.to - left, ended)
    }

    /// Takes bytes away that are done with.
    pub fn done_with(&mut self, bytes: usize) {
        self.from += bytes;
    }
}

/// What was not read: of each file the first few, and how much in all.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// The first few.
    pub told: Vec<Unread>,
    /// All, records and files.
    pub count: u64,
}

impl LeftOut {
    /// Something of a file.
    pub fn add(&mut self, unread: Unread) {
        self.count += 1;
        self.told.push(unread);
    }

    /// A record of a file of which so many were `told` of.
    pub fn record(&mut self, job: &Job, told: &mut u64, flaw: Flaw) {
        *told += 1;
        if *told <= MOST_TOLD {
            let (file, byte) = (job.name.clone(), Some(flaw.byte));
            self.add(Unread { file, byte, what: flaw.what, help: flaw.help.into() });
        } else {
            self.count += 1;
        }
    }
}

/// What went wrong while a file was read.
#[must_use]
pub fn broken(job: &Job, byte: u64, error: &io::Error) -> Unread {
    let (what, help) = match error.kind() {
        io::ErrorKind::UnexpectedEof => ("its gzip data ends early", "get the file again; what stands before was read"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            ("its gzip data is damaged", "get the file again; what stands before was read")
        }
        _ => ("it cannot be read to its end", "check the disk and the rights on it; what stands before was read"),
    };
    Unread { file: job.name.clone(), byte: Some(byte), what: format!("{what}: {error}"), help: help.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_an_export_are_chosen_by_their_paths() {
        let path =
            |kind: &str, rest: &str| PathBuf::from(format!("x/AWSLogs/o-1/111122223333/{kind}/eu-central-1/{rest}"));
        let time = Time { since: Some(days(2026, 1, 10) * 86_400), until: Some(days(2026, 1, 12) * 86_400) };
        let cases = [
            ("CloudTrail", "2026/01/10/a.json.gz", None),
            ("CloudTrail", "2026/01/09/a.json.gz", None),
            ("CloudTrail", "2026/01/12/a.json.gz", None),
            ("CloudTrail", "2026/01/07/a.json.gz", Some("files of days that were not asked for")),
            ("CloudTrail", "2026/01/13/a.json.gz", Some("files of days that were not asked for")),
            ("CloudTrail", "2026/99/13/a.json.gz", None),
            ("CloudTrail-Digest", "2026/01/10/a.json.gz", Some("digests")),
            ("CloudTrail-Insight", "2026/01/10/a.json.gz", Some("insights")),
            ("CloudTrail", "2026/01/10/README.md", Some("files of other kinds")),
            ("CloudTrail", "2026/01/10/a.csv.gz", None),
        ];
        for (kind, rest, expected) in cases {
            assert_eq!(no_use(&path(kind, rest), time), expected, "{kind} {rest}");
        }
    }
}
