//! JSON read where it stands, without a tree: what nobody asks for is stepped over 32 bytes at a time.
//!
//! Whatever is out of the ordinary (an escape in a text that is needed, anything that is no JSON) gives `None`; within what
//! is stepped over only strings and brackets are looked at. Nothing is called again within itself, so that no depth of
//! nesting is too much.

use std::borrow::Cow;

use memchr::memchr;

use super::scan::{Scanned, Scanner, next_mark};

/// Fields of a table that the next key is compared with as it stands, before it is read: those that come next.
const AHEAD: usize = 4;

/// Reads on through one text.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    text: &'a str,
    /// Bytes that were read.
    pub at: usize,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text without escapes.
    Text(&'a str),
    /// `true`, `false`, `null` or a number.
    Word(&'a str),
    /// An object or a list, with its brackets.
    Nested(&'a str),
}

/// Whether the text begins so. Eight bytes at a time, where a call for each of many short keys would cost more.
fn begins(text: &[u8], with: &[u8]) -> bool {
    let Some(text) = text.get(..with.len()) else { return false };
    let number = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
    let (Some(found), Some(wanted)) = (text.last_chunk(), with.last_chunk()) else { return text == with };
    let pieces = text.chunks_exact(8).zip(with.chunks_exact(8));
    let mut pieces = pieces.filter_map(|(found, wanted)| Some((found.first_chunk()?, wanted.first_chunk()?)));
    pieces.all(|(found, wanted)| number(found) == number(wanted)) && number(found) == number(wanted)
}

impl<'a> Reader<'a> {
    /// At the start of the text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is no white space.
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Steps over the string whose first quote was eaten.
    fn step_string(&mut self) -> Option<()> {
        loop {
            let mark = next_mark(self.text.as_bytes(), self.at)?;
            match self.text.as_bytes().get(mark)? {
                b'"' => {
                    self.at = mark + 1;
                    return Some(());
                }
                b'\\' => self.at = mark + 2,
                _ => return None,
            }
        }
    }

    /// The string whose first quote was eaten, if it has no escape.
    fn string(&mut self) -> Option<&'a str> {
        let mark = next_mark(self.text.as_bytes(), self.at)?;
        let text = self.text.get(self.at..mark)?;
        (*self.text.as_bytes().get(mark)? == b'"').then(|| self.at = mark + 1)?;
        Some(text)
    }

    /// Steps over an object or a list, and gives it.
    pub fn nested(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let Scanned::End(length) = Scanner::default().scan(rest.as_bytes()) else { return None };
        self.at += length;
        rest.get(..length)
    }

    /// `true`, `false`, `null` or a number.
    pub fn word(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.at..)?;
        let other = |b: u8| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let end = rest.bytes().position(other).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).filter(|word| !word.is_empty())
    }

    /// Steps over a value, whatever it is.
    pub fn step(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.step_string()
            }
            b'{' | b'[' => self.nested().map(drop),
            _ => self.word().map(drop),
        }
    }

    /// A value, if it has no escape of its own.
    pub fn value(&mut self) -> Option<Value<'a>> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                self.string().map(Value::Text)
            }
            b'{' | b'[' => self.nested().map(Value::Nested),
            _ => self.word().map(Value::Word),
        }
    }

    /// Text, or a key, whatever escapes it has.
    pub fn spelled(&mut self) -> Option<Cow<'a, str>> {
        self.eat(b'"')?;
        let from = self.at;
        self.step_string()?;
        let text = self.text.get(from..self.at - 1)?;
        if memchr(b'\\', text.as_bytes()).is_none() {
            return Some(Cow::Borrowed(text));
        }
        serde_json::from_str(self.text.get(from - 1..self.at)?).ok().map(Cow::Owned)
    }

    /// Reads the fields of an object into `target` by a table of them, and steps over others. `null` has none; a key with an
    /// escape gives `None`.
    pub fn fields<T>(
        &mut self,
        table: &[(&str, impl Fn(&mut Self, &mut T) -> Option<()>)],
        target: &mut T,
    ) -> Option<()> {
        if !self.enter()? {
            return Some(());
        }
        let mut next = 0;
        loop {
            let rest = self.text.get(self.at..)?;
            let ahead = table.get(next..).unwrap_or_default().iter().take(AHEAD);
            let found = match ahead.clone().position(|(key, _)| begins(rest.as_bytes(), key.as_bytes())) {
                Some(skipped) => {
                    let found = next + skipped;
                    self.at += table.get(found)?.0.len();
                    Some(found)
                }
                None => {
                    self.eat(b'"')?;
                    let key = self.string()?;
                    self.eat(b':')?;
                    table.iter().position(|(quoted, _)| quoted.get(1..quoted.len() - 2) == Some(key))
                }
            };
            match found.and_then(|at| Some((at, table.get(at)?))) {
                Some((at, (_, field))) => {
                    next = at + 1;
                    field(self, target)?;
                }
                None => self.step()?,
            }
            if !self.another(b'}')? {
                return Some(());
            }
        }
    }

    /// Calls `field` with each key of an object, whatever escapes it has; `field` takes the value or steps over it.
    pub fn entries(&mut self, mut field: impl FnMut(&mut Self, Cow<'a, str>) -> Option<()>) -> Option<()> {
        if !self.enter()? {
            return Some(());
        }
        loop {
            let key = self.spelled()?;
            self.eat(b':')?;
            field(self, key)?;
            if !self.another(b'}')? {
                return Some(());
            }
        }
    }

    /// Calls `field` at the value of each key of an object that is this one, whatever its case, since services differ in it;
    /// in another value there are none.
    pub fn under(&mut self, name: &str, field: &mut dyn FnMut(&mut Self) -> Option<()>) -> Option<()> {
        if self.peek()? != b'{' {
            return self.step();
        }
        self.entries(|reader, key| if key.eq_ignore_ascii_case(name) { field(reader) } else { reader.step() })
    }

    /// Goes into an object; false where it has nothing in it, or is `null`.
    fn enter(&mut self) -> Option<bool> {
        if self.peek()? != b'{' {
            return (self.word()? == "null").then_some(false);
        }
        self.at += 1;
        let empty = self.peek()? == b'}';
        self.at += usize::from(empty);
        Some(!empty)
    }

    /// Whether something comes after a value, or the end.
    fn another(&mut self, end: u8) -> Option<bool> {
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => self.peek().map(|_| true),
            byte => (byte == end).then_some(false),
        }
    }

    /// Calls `item` before each value of a list, which it takes or steps over.
    pub fn list(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.peek()?;
            item(self)?;
            if !self.another(b']')? {
                return Some(());
            }
        }
    }
}
