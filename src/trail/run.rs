//! Reads all files on all cores, and says what was found.
//!
//! Every thread takes a file, unpacks it, and folds its records where they stand. When a thread finds no file any more,
//! those that still read cut their text into blocks of whole records and hand these over, so that one large file keeps all
//! cores busy as well. Blocks wait in a queue of a few: who finds it full folds its own.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use super::cut::{Cutter, Flaw, Taker, Took, without_place};
use super::fast;
use super::files::{self, Job, LeftOut, Unread, Window};
use super::fold::{Fold, Judge, Time, opened};
use super::lake;
use super::record::Record;
use super::tally::Tally;

/// Bytes of a block that is handed over.
const BLOCK: usize = 512 << 10;
/// Blocks that wait.
const WAITING: usize = 4;
/// Requests that the tables of all threads may hold.
const MOST_REQUESTS: usize = 1_000_000;

/// What to read, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Files, directories, `-`.
    pub paths: Vec<PathBuf>,
    /// Only records of that time.
    pub time: Time,
    /// Threads; `None`: as many as there are cores.
    pub threads: Option<usize>,
    /// Requests that the tables of all threads may hold; `None`: a million.
    pub most_requests: Option<usize>,
}

/// What was found in the files.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Files that were read, to their end or not.
    pub files: u64,
    /// Bytes of text, after unpacking.
    pub bytes: u64,
    /// Files that were passed over: why, how many.
    pub passed_over: Vec<(&'static str, u64)>,
    /// What was not read; of each file the first few.
    pub unread: Vec<Unread>,
    /// How much was not read in all, records and files.
    pub left_out: u64,
    /// The changes.
    pub tally: Tally,
}

/// How far it is, for a display.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of text.
    pub bytes: AtomicU64,
    /// Files that are done with.
    pub files: AtomicU64,
    /// Stop early.
    pub stop: AtomicBool,
}

/// Reads, folds, judges.
#[must_use]
pub fn run(options: &Options, judge: &dyn Judge, progress: &Progress) -> Findings {
    let found = files::find(&options.paths, options.time);
    let threads = options.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let threads = threads.clamp(1, 64);
    let most = (options.most_requests.unwrap_or(MOST_REQUESTS) / threads).max(1);
    let pool = Pool {
        jobs: &found.jobs,
        next: AtomicUsize::new(0),
        idle: AtomicUsize::new(0),
        queue: Mutex::new(Queue { blocks: VecDeque::new(), spare: vec![], readers: threads }),
        wake: Condvar::new(),
        progress,
    };
    let mut findings = Findings {
        files: found.jobs.len() as u64,
        passed_over: found.passed_over,
        left_out: found.unread.len() as u64,
        unread: found.unread,
        ..Findings::default()
    };
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let work = || Worker::new(&pool, judge, options.time, most).work();
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        for other in others {
            match other.join() {
                Ok(part) => parts.push(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        parts
    });
    for part in parts {
        findings.tally.merge(part.tally);
        findings.unread.extend(part.left_out.told);
        findings.left_out += part.left_out.count;
    }
    findings.unread.sort_by(|a, b| (&a.file, a.byte).cmp(&(&b.file, b.byte)));
    findings.bytes = progress.bytes.load(Ordering::Relaxed);
    findings
}

/// Whole records of a file.
struct Block {
    job: usize,
    offset: u64,
    lines: bool,
    text: Vec<u8>,
}

struct Queue {
    blocks: VecDeque<Block>,
    /// Buffers of blocks that were read, to be used again: what is given back to the system is dear to get anew.
    spare: Vec<Vec<u8>>,
    /// Threads that may still hand blocks over.
    readers: usize,
}

struct Pool<'p> {
    jobs: &'p [Job],
    next: AtomicUsize,
    /// Threads that wait for blocks.
    idle: AtomicUsize,
    queue: Mutex<Queue>,
    wake: Condvar,
    progress: &'p Progress,
}

impl Pool<'_> {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a block over, or gives it back where enough of them wait.
    fn offer(&self, block: Block) -> Option<Block> {
        let mut queue = self.queue();
        if queue.blocks.len() >= WAITING {
            return Some(block);
        }
        queue.blocks.push_back(block);
        drop(queue);
        self.wake.notify_one();
        None
    }

    fn buffer(&self) -> Vec<u8> {
        self.queue().spare.pop().unwrap_or_default()
    }

    fn give_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        let mut queue = self.queue();
        if queue.spare.len() <= WAITING && buffer.capacity() <= 2 * BLOCK {
            queue.spare.push(buffer);
        }
    }

    /// The next block; `None` when nobody will hand one over any more.
    fn wait(&self) -> Option<Block> {
        let mut queue = self.queue();
        loop {
            if let Some(block) = queue.blocks.pop_front() {
                return Some(block);
            }
            if queue.readers == 0 {
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Says that a thread reads no more, even where it panics, since the others would wait for it.
struct Reading<'p>(&'p Pool<'p>);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.queue().readers -= 1;
        self.0.wake.notify_all();
    }
}

/// What one thread found.
struct Part {
    tally: Tally,
    left_out: LeftOut,
}

struct Worker<'p, 'j> {
    pool: &'p Pool<'p>,
    fold: Fold<'j>,
    left_out: LeftOut,
    window: Window,
}

impl<'p, 'j> Worker<'p, 'j> {
    fn new(pool: &'p Pool<'p>, judge: &'j dyn Judge, time: Time, most: usize) -> Self {
        Self { pool, fold: Fold::new(judge, time, most), left_out: LeftOut::default(), window: Window::default() }
    }

    fn work(mut self) -> Part {
        let reading = Reading(self.pool);
        while !self.pool.progress.stop.load(Ordering::Relaxed) {
            let at = self.pool.next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.pool.jobs.get(at) else { break };
            self.read(at, job);
            self.pool.progress.files.fetch_add(1, Ordering::Relaxed);
        }
        drop(reading);
        self.window = Window::default();
        self.pool.idle.fetch_add(1, Ordering::Relaxed);
        while let Some(block) = self.pool.wait() {
            self.block(block);
        }
        Part { tally: self.fold.tally, left_out: self.left_out }
    }

    fn block(&mut self, block: Block) {
        let Some(job) = self.pool.jobs.get(block.job) else { return };
        let mut told = 0;
        let valid = valid(&block.text);
        let mut taker = Folding { job, valid, fold: &mut self.fold, left_out: &mut self.left_out, told: &mut told };
        Cutter::of_block(block.offset, block.lines).feed_block(&block.text, &mut taker);
        self.pool.give_back(block.text);
    }

    fn read(&mut self, at: usize, job: &Job) {
        let mut text = match files::open(job) {
            Ok(text) => text,
            Err(unread) => return self.left_out.add(unread),
        };
        let mut window = std::mem::take(&mut self.window);
        window.begin();
        let (mut cutter, mut told) = (Cutter::default(), 0);
        let mut csv: Option<lake::Csv> = None;
        let mut begun = false;
        while !window.last && !self.pool.progress.stop.load(Ordering::Relaxed) {
            let (read, ended) = window.fill(&mut text);
            if let Some(error) = ended {
                let byte = cutter.offset() + window.text().len() as u64;
                self.left_out.add(files::broken(job, byte, &error));
                // What was cut off with the file is told already.
                cutter.expect_an_early_end();
            }
            self.pool.progress.bytes.fetch_add(read as u64, Ordering::Relaxed);
            if !begun {
                begun = true;
                csv = lake::Csv::begins(window.text(), &job.name);
            }
            if let Some(csv) = &mut csv {
                let fold = &mut self.fold;
                let used =
                    csv.feed(window.text(), window.last, &mut |record, count, until| fold.add(record, count, until));
                csv.flaws().into_iter().for_each(|flaw| self.left_out.record(job, &mut told, flaw));
                window.done_with(used);
                continue;
            }
            let mut valid = valid(window.text());
            let mut from = 0;
            if self.pool.idle.load(Ordering::Relaxed) > 0 && cutter.among_records() {
                // The end of the file is left to who reads it.
                let most = if window.last { valid.len().saturating_sub(1) } else { valid.len() };
                from = self.share(at, &mut cutter, valid, most);
                valid = valid.get(from..).unwrap_or_default();
            }
            let (fold, left_out) = (&mut self.fold, &mut self.left_out);
            let mut taker = Folding { job, valid, fold, left_out, told: &mut told };
            let used = from + cutter.feed(window.text().get(from..).unwrap_or_default(), window.last, &mut taker);
            window.done_with(used);
        }
        if csv.is_none() && cutter.is_untouched() && !self.pool.progress.stop.load(Ordering::Relaxed) && begun {
            // An export writes files without records, too; an empty file is none of CloudTrail's.
            if cutter.offset() == 0 {
                self.left_out.add(Unread {
                    file: job.name.clone(),
                    byte: Some(0),
                    what: "it is empty".into(),
                    help: "get the file again, or leave it out".into(),
                });
            }
        }
        self.window = window;
    }

    /// Hands whole records over in blocks, as far as the window has them in its first bytes; says how many bytes.
    fn share(&mut self, job: usize, cutter: &mut Cutter, window: &str, most: usize) -> usize {
        let mut from = 0;
        loop {
            let rest = window.get(from..).unwrap_or_default();
            let whole = cutter.whole(rest, BLOCK);
            if whole == 0 || from + whole > most {
                return from;
            }
            let mut text = self.pool.buffer();
            text.extend_from_slice(rest.get(..whole).unwrap_or_default().as_bytes());
            let block = Block { job, offset: cutter.offset(), lines: cutter.by_lines(), text };
            cutter.passed(whole);
            from += whole;
            if let Some(block) = self.pool.offer(block) {
                self.block(block);
            }
        }
    }
}

/// What of the bytes is text, from their start.
fn valid(bytes: &[u8]) -> &str {
    let valid = |error: std::str::Utf8Error| bytes.get(..error.valid_up_to()).unwrap_or_default();
    std::str::from_utf8(bytes).or_else(|error| std::str::from_utf8(valid(error))).unwrap_or_default()
}

/// Folds what is cut.
struct Folding<'w, 'j> {
    job: &'w Job,
    /// What of the window is text: it is looked at once for all of its records.
    valid: &'w str,
    fold: &'w mut Fold<'j>,
    left_out: &'w mut LeftOut,
    told: &'w mut u64,
}

impl Taker for Folding<'_, '_> {
    fn take(&mut self, at: usize, text: &[u8]) -> Took {
        let mut record = Record::default();
        if let Some(length) = self.valid.get(at..).and_then(|text| fast::read(text, &mut record))
            && record.is_one()
        {
            self.fold.add(&record, 1, None);
            return Took::Used(length);
        }
        let mut records = serde_json::Deserializer::from_slice(text).into_iter::<Record<'_>>();
        match records.next() {
            Some(Ok(record)) => {
                let fold = &mut *self.fold;
                match opened(&record, &mut |record| fold.add(record, 1, None)) {
                    Ok(true) => Took::Used(records.byte_offset()),
                    Ok(false) => Took::Foreign(Flaw::of_record(0, "this is JSON, and no record of CloudTrail".into())),
                    Err(error) => {
                        let what = format!("the record in this event cannot be read: {}", without_place(&error));
                        Took::Foreign(Flaw::of_record(0, what))
                    }
                }
            }
            Some(Err(error)) if error.is_eof() => Took::More,
            Some(Err(error)) => Took::unread(text, &error),
            None => Took::More,
        }
    }

    fn left_out(&mut self, flaw: Flaw) {
        self.left_out.record(self.job, self.told, flaw);
    }
}

impl Cutter {
    /// Reads a block of whole records.
    fn feed_block(mut self, text: &[u8], taker: &mut impl Taker) {
        self.feed(text, true, taker);
    }

    /// Bytes of whole records at the start of the window, up to about `most`.
    fn whole(&self, window: &str, most: usize) -> usize {
        if self.by_lines() {
            let part = window.as_bytes().get(..window.len().min(most)).unwrap_or_default();
            return memchr::memrchr(b'\n', part).map_or(0, |at| at + 1);
        }
        let mut at = 0;
        while at < most {
            let rest = window.get(at..).unwrap_or_default();
            let blank = rest.bytes().take_while(|b| b.is_ascii_whitespace() || *b == b',').count();
            let rest = rest.get(blank..).unwrap_or_default();
            match fast::extent(rest) {
                Some(length) => at += blank + length,
                None => return at,
            }
        }
        at
    }
}

#[cfg(test)]
mod tests;
