//! The records of one service, whole: for what needs to see everything that a call was asked and answered.

use std::path::PathBuf;

use memchr::memmem;
use serde_json::Value;

use super::cut::{Cutter, Flaw, Taker, Took};
use super::files::{self, Job, LeftOut, Window};
use super::fold::Time;
use super::record::Record;

/// The fields in which a record may stand as text.
const ENVELOPES: [&str; 3] = ["CloudTrailEvent", "message", "eventJson"];

/// What came of reading.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// Files that were read, to their end or not.
    pub files: usize,
    /// What was not read.
    pub left_out: LeftOut,
}

/// Calls `look` with each record of the service (`organizations.amazonaws.com`), in the order of the files.
pub fn gather(paths: &[PathBuf], service: &str, look: &mut dyn FnMut(&Value)) -> Gathered {
    let found = files::find(paths, Time::default());
    let mut left_out = LeftOut { count: found.unread.len() as u64, told: found.unread };
    let finder = memmem::Finder::new(service);
    let mut window = Window::default();
    for job in &found.jobs {
        read(job, &mut window, &finder, look, &mut left_out);
    }
    Gathered { files: found.jobs.len(), left_out }
}

fn read(
    job: &Job,
    window: &mut Window,
    finder: &memmem::Finder<'_>,
    look: &mut dyn FnMut(&Value),
    left_out: &mut LeftOut,
) {
    let mut text = match files::open(job) {
        Ok(text) => text,
        Err(unread) => return left_out.add(unread),
    };
    window.begin();
    let (mut cutter, mut told) = (Cutter::default(), 0);
    while !window.last {
        if let (_, Some(error)) = window.fill(&mut text) {
            left_out.add(files::broken(job, cutter.offset() + window.text().len() as u64, &error));
            cutter.expect_an_early_end();
        }
        let mut taker = Looking { job, finder, look: &mut *look, left_out: &mut *left_out, told: &mut told };
        let used = cutter.feed(window.text(), window.last, &mut taker);
        window.done_with(used);
    }
}

struct Looking<'w> {
    job: &'w Job,
    finder: &'w memmem::Finder<'w>,
    look: &'w mut dyn FnMut(&Value),
    left_out: &'w mut LeftOut,
    told: &'w mut u64,
}

impl Taker for Looking<'_> {
    fn take(&mut self, _: usize, text: &[u8]) -> Took {
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
            Some(Err(error)) if !error.is_eof() => Took::unread(text, &error),
            _ => Took::More,
        }
    }

    fn left_out(&mut self, flaw: Flaw) {
        self.left_out.record(self.job, self.told, flaw);
    }
}

impl Looking<'_> {
    /// A record may stand in an event of EventBridge, or as text in what `LookupEvents` answers or a log holds.
    fn open(&mut self, value: &Value) {
        if let Some(detail) = value.get("detail").filter(|detail| detail.is_object()) {
            self.open(detail);
        } else if let Some(text) = ENVELOPES.iter().find_map(|key| value.get(key)?.as_str()) {
            if let Ok(inner) = serde_json::from_str(text) {
                self.open(&inner);
            }
        } else if let Some(records) = value.get("Records").and_then(Value::as_array) {
            records.iter().for_each(|record| (self.look)(record));
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
        assert_eq!((gathered.files, gathered.left_out.count), (3, 1), "{:?}", gathered.left_out.told);
    }
}
