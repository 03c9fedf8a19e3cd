//! Speed and memory of reading trails.
//!
//!     cargo bench --no-default-features --bench impact -- [events]
//!     cargo bench --no-default-features --bench impact -- make DIR EVENTS
//!
//! `README.md` beside this file says what is measured and what came of it.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark that goes wrong stops"
)]

mod generate;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bylaw::policy::eval::{Action, Fact};
use bylaw::trail::record::Record;
use bylaw::trail::request::Call;
use bylaw::trail::run::Progress;
use bylaw::trail::{Answer, Bound, By, Findings, Judge, Judgement, Looks, Options, run};
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use generate::Dice;

const SEED: u64 = 7;
/// Records of one file: some megabytes, as trails deliver them for busy accounts.
const OF_ONE_FILE: usize = 5_000;

/// Answers at once, and looks at what most service control policies look at.
struct AtOnce;

impl Judge for AtOnce {
    fn binds(&self, account: &str) -> Bound {
        if account.ends_with("00") { Bound::Management } else { Bound::Member }
    }
    fn looks(&self, action: &Action) -> Looks {
        let mut keys: Vec<Box<str>> = vec!["aws:PrincipalArn".into(), "aws:RequestedRegion".into()];
        if action.as_str() == "ec2:RunInstances" {
            keys.extend(["ec2:InstanceType".into(), "aws:RequestTag/Team".into()]);
        }
        Looks { keys, ..Looks::default() }
    }
    fn judge(&self, call: &Call) -> Judgement {
        let by = By { policy: "p-region".into(), statement: "Region".into(), node: "r-1".into() };
        let after = match call.facts.of("aws:RequestedRegion") {
            Fact::Values([region]) if &**region == "sa-east-1" => Answer::Denied(by),
            _ => Answer::Allowed,
        };
        Judgement { before: Answer::Allowed, after, same: false }
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["make", dir, events] => make(Path::new(dir), events.parse().unwrap()),
        ["read", dir] => read(Path::new(dir)),
        ["parse", dir] => println!("{} records", parse(Path::new(dir))),
        ["whole", path, threads] => {
            let found = whole(Path::new(path), threads.parse().unwrap());
            println!(
                "{} records, {} distinct requests, most memory {} MiB",
                found.tally.events,
                found.tally.distinct,
                peak()
            );
        }
        [] => measure(200_000),
        [events] => measure(events.parse().unwrap()),
        _ => {
            panic!("expected the number of events, `make DIR EVENTS`, `read DIR`, `parse DIR` or `whole PATH THREADS`")
        }
    }
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::new(6));
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// The same records as files of a trail, packed and not, and as one large file, packed and not.
fn make(dir: &Path, events: usize) {
    let mut dice = Dice::new(SEED);
    let mut large = fs::File::create({
        fs::create_dir_all(dir.join("plain")).unwrap();
        fs::create_dir_all(dir.join("gz")).unwrap();
        dir.join("large.json")
    })
    .unwrap();
    let mut large_gz = GzEncoder::new(fs::File::create(dir.join("large.json.gz")).unwrap(), Compression::new(6));
    let mut bytes = 0;
    for n in 0..events.div_ceil(OF_ONE_FILE) {
        let text = generate::file(&mut dice, OF_ONE_FILE.min(events - n * OF_ONE_FILE));
        bytes += text.len();
        fs::write(dir.join(format!("plain/{n:05}.json")), &text).unwrap();
        fs::write(dir.join(format!("gz/{n:05}.json.gz")), gz(&text)).unwrap();
        let inner = text.strip_prefix("{\"Records\":[").unwrap().strip_suffix("]}").unwrap();
        let piece = format!("{}{inner}", if n == 0 { "{\"Records\":[" } else { "," });
        large.write_all(piece.as_bytes()).unwrap();
        large_gz.write_all(piece.as_bytes()).unwrap();
    }
    large.write_all(b"]}").unwrap();
    large_gz.write_all(b"]}").unwrap();
    large_gz.finish().unwrap();
    println!("{events} events, {} bytes each", bytes / events);
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Nothing but the typed parse of every record of the files, on one thread, unpacked first where they are packed.
fn parse(dir: &Path) -> u64 {
    #[derive(serde::Deserialize)]
    struct File<'a> {
        #[serde(borrow, rename = "Records")]
        records: Vec<Record<'a>>,
    }
    let mut seen = 0;
    for path in files(dir) {
        let bytes = fs::read(&path).unwrap();
        let mut text = vec![];
        if bytes.starts_with(b"\x1f\x8b") {
            MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
        } else {
            text = bytes;
        }
        let file: File<'_> = serde_json::from_slice(&text).unwrap();
        seen += file.records.iter().filter(|record| record.is_one()).count() as u64;
    }
    seen
}

fn whole(path: &Path, threads: usize) -> Findings {
    let options = Options { paths: vec![path.to_owned()], threads: Some(threads), ..Options::default() };
    let found = run(&options, &AtOnce, &Progress::default());
    assert_eq!((found.left_out, found.unread.len()), (0, 0), "{:?}", found.unread);
    found
}

fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default() >> 10
}

/// Seconds of CPU of all threads so far; the clock of `/proc` ticks a hundred times a second.
fn cpu() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

/// What the best of three took, since others work on the machine.
#[derive(Clone, Copy)]
struct Cost {
    wall: f64,
    cpu: f64,
    events: u64,
}

fn best(mut work: impl FnMut() -> u64) -> Cost {
    let mut least = Cost { wall: f64::MAX, cpu: f64::MAX, events: 0 };
    for _ in 0..3 {
        let (began, before) = (Instant::now(), cpu());
        least.events = work();
        least.wall = least.wall.min(began.elapsed().as_secs_f64());
        least.cpu = least.cpu.min(cpu() - before);
    }
    least
}

fn told(what: &str, cost: Cost, than: Cost) {
    println!(
        "{what:<28} {:>7.2} s wall {:>7.2} s CPU {:>9.0} events/s {:>6.0} ns CPU each  {:>5.2} x pure parsing in CPU",
        cost.wall,
        cost.cpu,
        cost.events as f64 / cost.wall,
        cost.cpu * 1e9 / cost.events as f64,
        cost.cpu / than.cpu
    );
}

fn read(dir: &Path) {
    for (what, path) in [
        ("plain files", "plain"),
        ("packed files", "gz"),
        ("one plain file", "large.json"),
        ("one packed file", "large.json.gz"),
    ] {
        let path = dir.join(path);
        let of = |threads| best(|| whole(&path, threads).tally.events);
        println!("-- {what}");
        // Of one large file the pure parse is that of the files that it is made of.
        let parts = dir.join(if what.contains("packed") { "gz" } else { "plain" });
        let pure = best(|| parse(&parts));
        told("pure typed parse, 1 thread", pure, pure);
        let before = peak();
        told("whole, 1 thread", of(1), pure);
        told("whole, 2 threads", of(2), pure);
        println!("{:<34} {:>4} MiB (of the process before: {before} MiB)", "most memory", peak());
    }
    let found = whole(&dir.join("plain"), 2);
    println!(
        "distinct requests {}, lines {}, evaluated {}",
        found.tally.distinct,
        found.tally.rows.len(),
        found.tally.evaluated
    );
}

fn measure(events: usize) {
    let dir = std::env::temp_dir().join(format!("bylaw-impact-{}", std::process::id()));
    make(&dir, events);
    read(&dir);
    fs::remove_dir_all(&dir).unwrap();
}
