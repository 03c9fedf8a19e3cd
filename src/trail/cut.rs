//! Records cut one by one out of text that arrives in pieces.
//!
//! A file is a row of JSON values: records, lists of them, and objects with such a list under `Records` (S3) or `Events`
//! (`LookupEvents`), one after another or a line each, so that files that were joined are read as well. What is wrong is
//! told with its byte, and reading goes on at the next record: after the value, after the line, or at the next record that
//! begins as CloudTrail's do.

use memchr::{memchr, memmem};

use super::scan::{Scanned, Scanner};

/// The largest record that is read; CloudTrail's own bound is 256 KB, 1 MB for large events.
pub const LARGEST: usize = 16 << 20;
/// How every record of CloudTrail begins.
const BEGINS: &[u8] = b"{\"eventVersion\"";
/// Keys by which an object is known as one that a list of records stands in, and whether that list is under the key.
const WRAPPERS: &[(&[u8], bool)] = &[
    (b"\"Records\"", true),
    (b"\"records\"", true),
    (b"\"Events\"", true),
    (b"\"events\"", true),
    (b"\"logEvents\"", true),
    (b"\"NextToken\"", false),
    (b"\"nextToken\"", false),
    (b"\"ResponseMetadata\"", false),
    (b"\"messageType\"", false),
];
/// The byte order mark, with which some editors begin a file.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
/// Bytes in which the first key of an object is looked for.
const FIRST_KEY: usize = 64;

/// What came of the text of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Took {
    /// It was taken, and is that long.
    Used(usize),
    /// It goes on after what there is.
    More,
    /// It is JSON and no record; the scanner finds its end.
    Foreign(Flaw),
    /// It is no JSON.
    Broken(Flaw),
}

/// What is wrong, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Bytes of text before it; within the record while it is with the taker, within the file afterwards.
    pub byte: u64,
    /// What is wrong; lower case.
    pub what: String,
    /// What to do.
    pub help: &'static str,
}

impl Flaw {
    /// Of a record, in a file that is read on.
    pub(super) fn of_record(byte: usize, what: String) -> Self {
        let help = "give CloudTrail's records as they are; the rest of the file was read";
        Self { byte: byte as u64, what, help }
    }
}

impl Took {
    /// What came of a record that could not be read.
    pub(super) fn unread(text: &[u8], error: &serde_json::Error) -> Self {
        let flaw = Flaw::of_record(place(text, error), format!("a record cannot be read: {}", without_place(error)));
        if error.is_data() { Self::Foreign(flaw) } else { Self::Broken(flaw) }
    }
}

/// The byte of an error within its text.
fn place(text: &[u8], error: &serde_json::Error) -> usize {
    let line = error.line().saturating_sub(1);
    let begins = if line == 0 { 0 } else { memchr::memchr_iter(b'\n', text).nth(line - 1).map_or(0, |at| at + 1) };
    (begins + error.column().saturating_sub(1)).min(text.len())
}

/// The message without its place, which is told by byte.
pub(super) fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

/// Takes records, and hears what was left out.
pub trait Taker {
    /// The text begins with `{`, and stands `at` that byte of the window that was fed.
    fn take(&mut self, at: usize, text: &[u8]) -> Took;
    /// Something that was not taken.
    fn left_out(&mut self, flaw: Flaw);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before a value of the file.
    Top,
    /// In an object with a list of records: before a key.
    Wrapper,
    /// After a key of it; whether that is the key of a list of records.
    Value(bool),
    /// In a list of records; in an object, or not.
    List { wrapped: bool },
    /// In something that is left out, until it ends.
    Skip { scanner: Scanner, back: Back, broken: bool },
    /// In a line that is left out.
    SkipLine,
}

/// Where to go on after something that was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Back {
    Top,
    Wrapper,
    List { wrapped: bool },
}

impl Back {
    fn place(self) -> Place {
        match self {
            Self::Top => Place::Top,
            Self::Wrapper => Place::Wrapper,
            Self::List { wrapped } => Place::List { wrapped },
        }
    }
}

/// Cuts records. It is given a window on the text, says how much of that it is done with, and is then given a window that
/// begins there.
#[derive(Debug, Clone)]
pub struct Cutter {
    place: Place,
    /// Bytes of text before the window.
    offset: u64,
    /// Whether the first record ended with its line.
    lines: Option<bool>,
    /// Records that were taken.
    pub taken: u64,
    flaws: u64,
    /// The text ends early, which is told already.
    cut_off: bool,
    /// Only whole records of a list, cut out of a file.
    block: bool,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { place: Place::Top, offset: 0, lines: None, taken: 0, flaws: 0, cut_off: false, block: false }
    }
}

impl Cutter {
    /// For a block of whole records that begins at that byte of the file.
    #[must_use]
    pub fn of_block(offset: u64, lines: bool) -> Self {
        let place = if lines { Place::Top } else { Place::List { wrapped: false } };
        Self { place, offset, lines: Some(lines), block: true, ..Self::default() }
    }

    /// Bytes of the file before the window.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether a line is a record here.
    #[must_use]
    pub fn by_lines(&self) -> bool {
        self.place == Place::Top && self.lines == Some(true)
    }

    /// Whether records are next, so that what is cut can be read by somebody else.
    #[must_use]
    pub fn among_records(&self) -> bool {
        matches!(self.place, Place::List { .. }) || self.by_lines()
    }

    /// Bytes that somebody else reads.
    pub fn passed(&mut self, bytes: usize) {
        self.taken += 1;
        self.offset += bytes as u64;
    }

    /// The text was cut off, which is told already.
    pub fn expect_an_early_end(&mut self) {
        self.cut_off = true;
    }

    /// Whether neither a record nor anything wrong was found.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.taken == 0 && self.flaws == 0
    }

    fn flaw(&mut self, taker: &mut impl Taker, at: usize, what: impl Into<String>, help: &'static str) {
        self.flaws += 1;
        taker.left_out(Flaw { byte: self.offset + at as u64, what: what.into(), help });
    }

    /// Gives the taker what records the window has, and says how many bytes are done with. Less than all of them is left
    /// only where more is needed to go on; after the `last` window nothing is.
    pub fn feed(&mut self, window: &[u8], last: bool, taker: &mut impl Taker) -> usize {
        let mut at = 0;
        while let Some(next) = self.step(window, at, last, taker) {
            at = next;
        }
        if last {
            self.end(window.len(), taker);
            at = window.len();
        }
        self.offset += at as u64;
        at
    }

    /// The file ends here.
    fn end(&mut self, at: usize, taker: &mut impl Taker) {
        const HELP: &str = "get the file again; what stands before that byte was read";
        if self.cut_off {
            return;
        }
        match self.place {
            // A block of a list ends with a record.
            Place::List { wrapped: false } if self.block => {}
            Place::Top | Place::SkipLine | Place::Skip { back: Back::Top | Back::Wrapper, broken: true, .. } => {}
            Place::List { .. } | Place::Wrapper | Place::Value(_) => {
                self.flaw(taker, at, "the text ends before its list of records does", HELP);
            }
            Place::Skip { .. } => self.flaw(taker, at, "the text ends within a value", HELP),
        }
    }

    /// One step from `at`; `None` where the window is used up or too short to go on.
    fn step(&mut self, window: &[u8], at: usize, last: bool, taker: &mut impl Taker) -> Option<usize> {
        let rest = window.get(at..)?;
        match self.place {
            Place::Skip { scanner, back, broken } => return Some(at + self.skip(rest, scanner, back, broken)?),
            Place::SkipLine => {
                let end = memchr(b'\n', rest);
                if end.is_some() {
                    self.place = Place::Top;
                }
                return end.map(|end| at + end + 1).or((!rest.is_empty()).then_some(window.len()));
            }
            _ => {}
        }
        let in_value = matches!(self.place, Place::Value(_));
        let between = |b: &&u8| matches!(**b, b' ' | b'\n' | b'\r' | b'\t' | 0x1e) || (**b == b',' && !in_value);
        let blank = rest.iter().take_while(between).count();
        if blank > 0 {
            return Some(at + blank);
        }
        let first = *rest.first()?;
        if first == 0xef && MARK.starts_with(rest.get(..rest.len().min(3))?) && (rest.len() >= 3 || !last) {
            return (rest.len() >= 3).then_some(at + 3);
        }
        match (self.place, first) {
            (Place::Top, b'{') => match is_wrapper(rest, last)? {
                true => {
                    self.place = Place::Wrapper;
                    Some(at + 1)
                }
                false => self.take(window, at, last, Back::Top, taker),
            },
            (Place::Top, b'[') => {
                self.place = Place::List { wrapped: false };
                Some(at + 1)
            }
            (Place::List { wrapped }, b']') => {
                self.place = if wrapped { Place::Wrapper } else { Place::Top };
                Some(at + 1)
            }
            (Place::List { wrapped }, b'{') => self.take(window, at, last, Back::List { wrapped }, taker),
            (Place::Wrapper, b'}') => {
                self.place = Place::Top;
                Some(at + 1)
            }
            (Place::Wrapper, b'"') => {
                let mut scanner = Scanner::default();
                match scanner.scan(rest) {
                    Scanned::End(end) => {
                        let key = rest.get(..end).unwrap_or_default();
                        self.place = Place::Value(WRAPPERS.iter().any(|(name, list)| *name == key && *list));
                        Some(at + end)
                    }
                    Scanned::More if rest.len() <= LARGEST => None,
                    _ => self.pass(at, Back::Wrapper, true),
                }
            }
            (Place::Value(_), b':') => Some(at + 1),
            (Place::Value(_), b',') => {
                self.place = Place::Wrapper;
                Some(at + 1)
            }
            (Place::Value(true), b'[') => {
                self.place = Place::List { wrapped: true };
                Some(at + 1)
            }
            (Place::Value(_), b'{' | b'[' | b'"') => self.pass(at, Back::Wrapper, false),
            (Place::Value(_), b'}') => {
                self.place = Place::Wrapper;
                Some(at)
            }
            (Place::Value(_), _) => {
                let end = rest.iter().position(|b| matches!(b, b',' | b'}' | b'\n'));
                if end.is_some() {
                    self.place = Place::Wrapper;
                }
                end.map(|end| at + end).or((!rest.is_empty()).then_some(window.len()))
            }
            (Place::Top | Place::Wrapper, _) => {
                let what = if self.taken + self.flaws == 0 { "this is no JSON" } else { "this is no record" };
                self.flaw(taker, at, what, "give files of CloudTrail records: JSON, one record a line, or CSV");
                self.place = Place::SkipLine;
                Some(at)
            }
            (Place::List { wrapped }, other) => {
                self.flaw(taker, at, "this is no record", "a list of records holds JSON objects");
                match other {
                    b'[' | b'"' => self.pass(at, Back::List { wrapped }, false),
                    b'}' | b':' => Some(at + 1),
                    _ => {
                        let ends = |b: &u8| matches!(b, b',' | b']' | b'}' | b'{' | b'\n');
                        // What there is of it is passed over; the rest of it is told as another.
                        Some(at + rest.iter().position(ends).unwrap_or(rest.len()).max(1))
                    }
                }
            }
            (Place::Skip { .. } | Place::SkipLine, _) => None,
        }
    }

    /// From here on a value is passed over.
    fn pass(&mut self, at: usize, back: Back, broken: bool) -> Option<usize> {
        self.place = Place::Skip { scanner: Scanner::default(), back, broken };
        Some(at)
    }

    fn skip(&mut self, rest: &[u8], mut scanner: Scanner, back: Back, broken: bool) -> Option<usize> {
        if rest.is_empty() {
            return None;
        }
        let own = usize::from(scanner == Scanner::default());
        let scanned = scanner.scan(rest);
        // In a value that is broken the quotes cannot be trusted: the next record is where one begins.
        let mark =
            if broken { memmem::find(rest.get(own..).unwrap_or_default(), BEGINS).map(|at| at + own) } else { None };
        let end = match scanned {
            Scanned::End(end) | Scanned::Broken(end) => Some(end),
            Scanned::More => None,
        };
        match (end, mark) {
            (Some(end), mark) if mark.is_none_or(|mark| end <= mark) && scanned == Scanned::End(end) => {
                self.place = back.place();
                Some(end)
            }
            (_, Some(mark)) => {
                self.place = back.place();
                Some(mark)
            }
            (Some(end), None) => {
                // Broken, and no record begins in what there is: the scanner goes on as if the string ended here.
                self.place = Place::Skip { scanner: scanner.out_of_string(), back, broken: true };
                Some(end.max(1))
            }
            (None, None) => {
                self.place = Place::Skip { scanner, back, broken };
                // A mark may stand across the end of the window.
                Some(rest.len())
            }
        }
    }

    fn take(&mut self, window: &[u8], at: usize, last: bool, back: Back, taker: &mut impl Taker) -> Option<usize> {
        let rest = window.get(at..)?;
        if back == Back::Top && self.lines == Some(true) {
            return self.take_line(rest, at, last, taker);
        }
        match taker.take(at, rest) {
            Took::Used(length) => {
                self.taken += 1;
                if back == Back::Top && self.lines.is_none() {
                    let record = rest.get(..length).unwrap_or_default();
                    self.lines = Some(memchr(b'\n', record).is_none());
                }
                Some(at + length.max(1))
            }
            Took::More if last => {
                if !self.cut_off {
                    const HELP: &str = "get the file again; what stands before was read";
                    self.flaw(taker, at, "the text ends within a record", HELP);
                }
                self.place = Place::Top;
                Some(window.len())
            }
            Took::More if rest.len() > LARGEST => {
                self.too_large(at, taker);
                self.pass(at, back, false)
            }
            Took::More => None,
            Took::Foreign(flaw) => {
                self.told(taker, at, flaw);
                self.pass(at, back, false)
            }
            Took::Broken(flaw) => {
                let broken_at = usize::try_from(flaw.byte).unwrap_or_default();
                self.told(taker, at, flaw);
                let line = memchr(b'\n', rest);
                if back == Back::Top && line.is_none_or(|line| broken_at <= line + 1) {
                    self.place = Place::SkipLine;
                    return Some(at);
                }
                self.pass(at, back, true)
            }
        }
    }

    /// Where a record is a line, what is wrong with it ends with it.
    fn take_line(&mut self, rest: &[u8], at: usize, last: bool, taker: &mut impl Taker) -> Option<usize> {
        let end = memchr(b'\n', rest);
        if end.is_none() && !last {
            if rest.len() <= LARGEST {
                return None;
            }
            self.too_large(at, taker);
            self.place = Place::SkipLine;
            return Some(at);
        }
        match taker.take(at, rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()) {
            Took::Used(length) => {
                self.taken += 1;
                return Some(at + length.max(1));
            }
            Took::More if self.cut_off && end.is_none() => {}
            Took::More => {
                self.flaw(taker, at, "the line ends within a record", "get the file again; the rest was read")
            }
            Took::Foreign(flaw) | Took::Broken(flaw) => self.told(taker, at, flaw),
        }
        self.place = Place::SkipLine;
        Some(at)
    }

    fn too_large(&mut self, at: usize, taker: &mut impl Taker) {
        let what = format!("a record is larger than {} MiB", LARGEST >> 20);
        self.flaw(taker, at, what, "leave it out of the file: CloudTrail's own records are smaller than that");
    }

    fn told(&mut self, taker: &mut impl Taker, at: usize, flaw: Flaw) {
        self.flaws += 1;
        taker.left_out(Flaw { byte: self.offset + at as u64 + flaw.byte, ..flaw });
    }
}

/// Whether the object at the start of the text holds a list of records and is none itself; `None` where there is too little
/// of it to say.
fn is_wrapper(text: &[u8], last: bool) -> Option<bool> {
    let key = text.get(1..).unwrap_or_default();
    let blank = key.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let key = key.get(blank..).unwrap_or_default();
    if key.len() < FIRST_KEY && !last && memchr(b':', key).is_none() {
        return None;
    }
    Some(WRAPPERS.iter().any(|(name, _)| key.starts_with(name)))
}

#[cfg(test)]
mod tests;
