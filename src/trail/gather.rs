//! The records of one service, whole: for what needs to see everything that a call was asked and answered.

use std::io::Read;
use std::path::PathBuf;

use memchr::memmem;
use serde_json::Value;

use super::cut::{Cutter, Flaw, Taker, Took};
use super::files::{self, Job, Unread};
use super::fold::Time;
use super::record::Record;

/// Bytes that a window on a file begins with; it grows for a record that is larger.
const WINDOW: usize = 1 << 20;
/// What is told of one file, at most; the rest is counted.
const MOST_TOLD: u64 = 3;

/// What came of reading.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Files that were read, to their end or not.
    pub files: usize,
    /// What was not read; of each file the first few.
    pub unread: Vec<Unread>,
    /// How much was not read in all, records and files.
    pub left_out: u64,
}

/// Calls `look` with each record of the service (`organizations.amazonaws.com`), in the order of the files.
pub fn gather(paths: &[PathBuf], service: &str, look: &mut dyn FnMut(&Value)) -> Gathered {
    let found = files::find(paths, Time::default());
    let mut gathered = Gathered { files: found.jobs.len(), left_out: found.unread.len() as u64, unread: found.unread };
    let finder = memmem::Finder::new(service);
    for job in &found.jobs {
        read(job, &finder, look, &mut gathered);
    }
    gathered
}

fn read(job: &Job, finder: &memmem::Finder<'_>, look: &mut dyn FnMut(&Value), gathered: &mut Gathered) {
    let mut text = match files::open(job) {
        Ok(text) => text,
        Err(unread) => {
            gathered.left_out += 1;
            gathered.unread.push(unread);
            return;
        }
    };
    let (mut cutter, mut window, mut last, mut told) = (Cutter::default(), vec![], false, 0);
    while !last {
        let before = window.len();
        let most = if before >= WINDOW / 2 { 2 * before } else { WINDOW };
        let more = (most - before) as u64;
        match text.by_ref().take(more).read_to_end(&mut window) {
            Ok(read) => last = (read as u64) < more,
            Err(error) => {
                last = true;
                gathered.left_out += 1;
                gathered.unread.push(files::broken(job, cutter.offset() + window.len() as u64, &error));
                cutter.expect_an_early_end();
            }
        }
        let mut taker = Looking { job, finder, look: &mut *look, gathered: &mut *gathered, told: &mut told };
        let used = cutter.feed(&window, last, &mut taker);
        window.drain(..used);
    }
}

struct Looking<'w> {
    job: &'w Job,
    finder: &'w memmem::Finder<'w>,
    look: &'w mut dyn FnMut(&Value),
    gathered: &'w mut Gathered,
    told: &'w mut u64,
}

impl Taker for Looking<'_> {
    fn take(&mut self, text: &[u8], _: bool) -> Took {
        let mut records = serde_json::Deserializer::from_slice(text).into_iter::<Record<'_>>();
        match records.next() {
            Some(Ok(_)) => {
                let used = records.byte_offset();
                let record = text.get(..used).unwrap_or_default();
                if self.finder.find(record).is_some()
                    && let Ok(value) = serde_json::from_slice::<Value>(record)
                {
                    self.open(&value);
                }
                Took::Used(used)
            }
            Some(Err(error)) if !error.is_eof() => {
                let what = format!("a record cannot be read: {error}");
                let flaw = Flaw { byte: 0, what, help: "give CloudTrail's records as they are; the rest was read" };
                if error.is_data() { Took::Foreign(flaw) } else { Took::Broken(flaw) }
            }
            _ => Took::More,
        }
    }

    fn left_out(&mut self, flaw: Flaw) {
        self.gathered.left_out += 1;
        *self.told += 1;
        if *self.told <= MOST_TOLD {
            let (file, byte) = (self.job.name.clone(), Some(flaw.byte));
            self.gathered.unread.push(Unread { file, byte, what: flaw.what, help: flaw.help.into() });
        }
    }
}

impl Looking<'_> {
    /// A record may stand in an event of EventBridge, or as text in what `LookupEvents` answers.
    fn open(&mut self, value: &Value) {
        if let Some(detail) = value.get("detail").filter(|detail| detail.is_object()) {
            (self.look)(detail);
        } else if let Some(text) = value.get("CloudTrailEvent").and_then(Value::as_str) {
            if let Ok(record) = serde_json::from_str(text) {
                (self.look)(&record);
            }
        } else {
            (self.look)(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    #[test]
    fn records_of_the_service_are_found_in_every_form_and_the_rest_of_a_broken_file_is_read() {
        let folder = std::env::temp_dir().join(format!("bylaw-gather-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let one = |id: &str| json!({"eventSource": "organizations.amazonaws.com", "eventName": "AttachPolicy", "eventID": id, "eventTime": "2026-05-01T00:00:00Z"});
        let other =
            json!({"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "eventTime": "2026-05-01T00:00:00Z"});
        fs::write(folder.join("a.json"), json!({"Records": [one("a"), other, one("b")]}).to_string()).unwrap();
        fs::write(folder.join("b.json"), json!({"source": "aws.organizations", "detail": one("c")}).to_string())
            .unwrap();
        fs::write(folder.join("c.jsonl"), format!("{}\n{{\"eventSource\": \n{}\n", one("d"), one("e"))).unwrap();
        let mut ids = vec![];
        let gathered = gather(std::slice::from_ref(&folder), "organizations.amazonaws.com", &mut |record| {
            ids.push(record["eventID"].as_str().unwrap_or_default().to_owned());
        });
        ids.sort();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(ids, ["a", "b", "c", "d", "e"]);
        assert_eq!((gathered.files, gathered.left_out), (3, 1), "{:?}", gathered.unread);
    }
}
