use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::policy::eval::Action;
use crate::trail::fold::{Answer, Bound, By, Judgement, Looks};
use crate::trail::request::Call;

/// Denies everything from now on.
struct Everything;

impl Judge for Everything {
    fn binds(&self, _account: &str) -> Bound {
        Bound::Member
    }
    fn looks(&self, _action: &Action) -> Looks {
        Looks::default()
    }
    fn judge(&self, _call: &Call) -> Judgement {
        Judgement { before: Answer::Allowed, after: Answer::Denied(By::default()), same: false }
    }
}

/// A directory of its own that is removed.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("bylaw-trail-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

fn record(n: usize) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/u{}","accountId":"111122223333"}},"eventTime":"2026-01-02T03:04:05Z","eventSource":"sts.amazonaws.com","eventName":"GetCallerIdentity","awsRegion":"eu-central-1","responseElements":{{"n":{n},"text":"}}]\"{{["}}}}"#,
        n % 10
    )
}

fn records(many: usize) -> String {
    let list: Vec<String> = (0..many).map(record).collect();
    format!("{{\"Records\":[{}]}}", list.join(","))
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn found(paths: &[&Path], threads: usize) -> Findings {
    let options = Options {
        paths: paths.iter().map(|path| path.to_path_buf()).collect(),
        threads: Some(threads),
        ..Options::default()
    };
    run(&options, &Everything, &Progress::default())
}

#[test]
fn every_source_gives_its_records_on_any_number_of_threads() {
    let scratch = Scratch::new("sources");
    let day = "AWSLogs/o-1/111122223333/CloudTrail/eu-central-1/2026/01/02";
    scratch.write(&format!("{day}/a.json.gz"), &gz(&records(3)));
    scratch.write(&format!("{day}/b.json"), records(4).as_bytes());
    scratch.write("AWSLogs/o-1/111122223333/CloudTrail-Digest/eu-central-1/2026/01/02/d.json.gz", &gz("{}"));
    scratch.write("events.ndjson", format!("{}\n{}\n", record(0), record(1)).as_bytes());
    scratch.write("README.md", b"no");
    let two = [gz(&records(1)), gz(&records(2))].concat();
    scratch.write("joined.gz", &two);
    let rows = "eventSource,eventName,userIdentity.type,userIdentity.arn,eventTime,calls\nsts.amazonaws.com,GetCallerIdentity,IAMUser,arn:aws:iam::111122223333:user/u,2026-01-02T03:04:05Z,5\n";
    scratch.write("lake.csv", rows.as_bytes());
    for threads in [1, 2, 5] {
        let found = found(&[&scratch.0, &scratch.0.join("lake.csv")], threads);
        assert_eq!((found.unread, found.left_out), (vec![], 0));
        assert_eq!((found.tally.events, found.tally.evaluated), (3 + 4 + 2 + 3 + 5, 17), "{threads}");
        assert_eq!(found.files, 5);
        let mut passed = found.passed_over;
        passed.sort();
        assert_eq!(passed, [("digests", 1), ("files of other kinds", 1), ("files that were given twice", 1)]);
    }
}

#[test]
fn one_large_file_is_shared_between_threads_and_read_once() {
    let scratch = Scratch::new("large");
    let many = 20_000;
    let lines: String = (0..many).map(|n| record(n) + "\n").collect();
    let pretty = format!("{:#}", serde_json::from_str::<serde_json::Value>(&records(many / 10)).unwrap());
    let files = [
        (scratch.write("a.json", records(many).as_bytes()), many),
        (scratch.write("b.json.gz", &gz(&records(many))), many),
        (scratch.write("c.ndjson", lines.as_bytes()), many),
        (scratch.write("d.json", pretty.as_bytes()), many / 10),
    ];
    for (file, many) in &files {
        for threads in [1, 2, 4] {
            let found = found(&[file], threads);
            assert_eq!(found.unread, [], "{}", file.display());
            assert_eq!(
                (found.tally.events, found.tally.rows.len()),
                (*many as u64, 10),
                "{} {threads}",
                file.display()
            );
        }
    }
}

#[test]
fn bad_files_are_told_and_the_others_are_read() {
    let scratch = Scratch::new("bad");
    let packed = gz(&records(5_000));
    let mut wrong = packed.clone();
    let middle = wrong.len() / 2;
    wrong[middle..middle + 64].fill(0);
    let bad_utf8 = [
        b"{\"Records\":[",
        record(0).as_bytes(),
        b",{\"eventVersion\":\"1\",\"eventSource\":\"\xff\"},",
        record(1).as_bytes(),
        b"]}",
    ]
    .concat();
    let deep = format!("[{},{{\"eventVersion\":{}}},{}]", record(0), "[".repeat(10_000), record(1));
    let nested = format!(
        "[{},{{\"eventVersion\":\"1\",\"x\":{}{}}},{}]",
        record(0),
        "[".repeat(10_000),
        "]".repeat(10_000),
        record(1)
    );
    let cases: Vec<(&str, Vec<u8>, Option<u64>, &str)> = vec![
        ("cut.json.gz", packed[..packed.len() / 2].to_vec(), None, "its gzip data ends early"),
        ("wrong.json.gz", wrong, None, "its gzip data is damaged"),
        ("other.json", b"{\"hello\":[1,2]}".to_vec(), Some(0), "this is JSON, and no record of CloudTrail"),
        ("text.json", b"hello\nworld".to_vec(), Some(0), "this is no JSON"),
        ("utf8.json", bad_utf8, Some(2), "a record cannot be read"),
        ("deep.json", deep.into_bytes(), Some(2), "a record cannot be read"),
        ("nested.json", nested.into_bytes(), Some(2), "this is JSON, and no record of CloudTrail"),
        ("half.json", records(3).as_bytes()[..800].to_vec(), Some(2), "the text ends within a record"),
        ("empty.json", vec![], Some(0), "it is empty"),
        ("packed.json", b"PK\x03\x04xxxx".to_vec(), Some(0), "it is zip"),
    ];
    let good = scratch.write("good/good.json", records(7).as_bytes());
    for (name, bytes, events, what) in cases {
        let file = scratch.write(name, &bytes);
        for threads in [1, 2] {
            let found = found(&[&file, &good], threads);
            assert!(found.left_out >= 1, "{name}");
            let told = &found.unread[0];
            assert!(
                told.what.starts_with(what) && told.file.ends_with(name) && !told.help.is_empty(),
                "{name} {told:?}"
            );
            let read = found.tally.events - 7;
            assert!(events.is_none_or(|events| events == read), "{name}: {read} {:?}", found.unread);
            assert!(events.is_some() || read > 1_000, "{name}: {read}");
        }
    }
    let missing = found(&[Path::new("no/such/file.json"), &good], 2);
    assert!(missing.unread[0].what.starts_with("it cannot be read") && missing.tally.events == 7);
}

#[test]
fn a_line_of_200_mb_is_told_and_takes_no_memory() {
    let scratch = Scratch::new("line");
    let path = scratch.0.join("a.ndjson");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    writeln!(file, "{}", record(0)).unwrap();
    file.write_all(b"{\"eventVersion\":\"1\",\"x\":\"").unwrap();
    for _ in 0..200 {
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
    }
    writeln!(file, "\"}}\n{}", record(1)).unwrap();
    drop(file);
    let found = found(&[&path], 2);
    assert_eq!((found.tally.events, found.left_out), (2, 1));
    assert_eq!(
        (found.unread[0].byte, &*found.unread[0].what),
        (Some(record(0).len() as u64 + 1), "a record is larger than 16 MiB")
    );
}

#[test]
fn of_many_wrong_records_a_few_are_told_and_all_are_counted() {
    let scratch = Scratch::new("many");
    let file = scratch.write("a.ndjson", "{\"a\":1}\n".repeat(1_000).as_bytes());
    let found = found(&[&file], 1);
    assert_eq!((found.left_out, found.unread.len()), (1_000, 3));
}

#[cfg(unix)]
#[test]
fn what_is_no_file_stops_no_directory() {
    let folder = Scratch::new("pipes");
    let path = folder.0.join("a.json");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let found = files::find(std::slice::from_ref(&folder.0), Time::default());
    assert_eq!((found.jobs, found.passed_over), (vec![], vec![("pipes, sockets and devices", 1)]));
    // What was named is read whatever it is, as `<(zcat …)` has to be.
    assert_eq!(files::find(&[path], Time::default()).jobs.len(), 1);
}
