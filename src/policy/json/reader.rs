//! The reader itself: one pass over the characters, never back by more than one string, never deeper than [`DEPTH`].

use crate::policy::flaw::{Flaws, Place, join_index, join_key};

use super::{DEPTH, Member, Node, Value, too_deep, unique};
use crate::policy::template;

const DOUBLE: &[char] = &['“', '”', '„', '‟', '″', '«', '»'];
const SINGLE: &[char] = &['\'', '‘', '’', '‚', '‛', '′', '`'];

/// Whether strings that people meant to write begin with it.
fn is_quote(letter: char) -> bool {
    letter == '"' || DOUBLE.contains(&letter) || SINGLE.contains(&letter)
}

/// Blank on the screen and no white space in JSON: what copying from a web page leaves behind.
fn is_foreign_blank(letter: char) -> bool {
    (letter.is_whitespace() && !matches!(letter, ' ' | '\t' | '\n' | '\r'))
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

#[derive(Clone, Copy)]
struct Cursor {
    at: usize,
    place: Place,
}

pub(super) struct Reader<'a> {
    text: &'a str,
    cursor: Cursor,
    flaws: &'a mut Flaws,
    /// The closers that are due, outermost first.
    open: Vec<char>,
    /// A string ran into the end of its line: the comma that followed it is inside, so none is missed.
    cut_short: bool,
    halted: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, flaws: &'a mut Flaws) -> Self {
        let cursor = Cursor { at: 0, place: Place { line: 1, column: 1 } };
        Self { text, cursor, flaws, open: vec![], cut_short: false, halted: false }
    }

    pub(super) fn document(mut self) -> Option<Node> {
        if self.peek() == Some('\u{feff}') {
            let place = self.cursor.place;
            self.flaws.warning("byte-order-mark", place, "", "the text begins with a byte order mark", "");
            self.cursor.at += '\u{feff}'.len_utf8();
        }
        self.blank("");
        if self.peek().is_none() && !self.flaws.has_errors() {
            self.error("json-invalid", "", "the document is empty", "write one JSON object");
            return None;
        }
        let node = self.value("");
        if node.is_none() {
            let found = self.found();
            self.error("json-invalid", "", format!("expected `{{`, found {found}"), "a policy is one JSON object");
        }
        self.rest();
        node
    }

    /// What follows the document: nothing, where all is well.
    fn rest(&mut self) {
        for _ in 0..4 {
            self.blank("");
            let Some(letter) = self.peek() else { return };
            if letter == '{' || letter == '[' {
                self.error(
                    "duplicate-top-level",
                    "",
                    "a second document begins here; a policy is exactly one JSON object",
                    "move its statements into the first document's `Statement` list, or make a policy of its own",
                );
                self.value("");
                continue;
            }
            let found = self.found();
            self.error(
                "json-invalid",
                "",
                format!("the document has ended, and then comes {found}"),
                "remove what follows, or look for a bracket that closes too early",
            );
            return;
        }
    }

    fn peek(&self) -> Option<char> {
        if self.halted {
            return None;
        }
        self.text.get(self.cursor.at..)?.chars().next()
    }

    fn ahead(&self, word: &str) -> bool {
        !self.halted && self.text.get(self.cursor.at..).is_some_and(|rest| rest.starts_with(word))
    }

    fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.cursor.at += letter.len_utf8();
        if letter == '\n' {
            self.cursor.place.line = self.cursor.place.line.saturating_add(1);
            self.cursor.place.column = 1;
        } else {
            self.cursor.place.column = self.cursor.place.column.saturating_add(1);
        }
        Some(letter)
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "the end of the text".to_owned(),
            Some(letter) if letter.is_control() || is_foreign_blank(letter) => {
                format!("the character U+{:04X}", u32::from(letter))
            }
            Some(letter) => format!("`{letter}`"),
        }
    }

    fn error(&mut self, rule: &'static str, path: &str, message: impl Into<String>, help: &str) {
        self.error_at(self.cursor.place, rule, path, message, help);
    }

    fn error_at(&mut self, place: Place, rule: &'static str, path: &str, message: impl Into<String>, help: &str) {
        if !self.halted {
            self.flaws.error(rule, place, path, message, help);
            self.halted = self.flaws.is_full();
        }
    }

    /// Skips white space, and tells what stands there though it must not.
    fn blank(&mut self, path: &str) {
        while let Some(letter) = self.peek() {
            if matches!(letter, ' ' | '\t' | '\n' | '\r') {
                self.bump();
            } else if self.ahead("//") || letter == '#' {
                self.comment(path);
                while self.peek().is_some_and(|letter| letter != '\n') {
                    self.bump();
                }
            } else if self.ahead("/*") {
                self.comment(path);
                self.bump();
                self.bump();
                while self.peek().is_some() && !self.ahead("*/") {
                    self.bump();
                }
                self.bump();
                self.bump();
            } else if is_foreign_blank(letter) || (letter.is_control() && letter != '\u{7f}') {
                self.error(
                    "invalid-character",
                    path,
                    format!("the invisible character U+{:04X} stands between the values", u32::from(letter)),
                    "type the white space anew: JSON knows only space, tab and line end",
                );
                while self.peek() == Some(letter) {
                    self.bump();
                }
            } else {
                return;
            }
        }
    }

    fn comment(&mut self, path: &str) {
        let help = "remove it; say it in the statement's `Sid` or in the policy's description";
        self.error("comment", path, "a comment; JSON has none, and AWS refuses it", help);
    }

    /// A value, or `None` where none begins here; then nothing was consumed.
    fn value(&mut self, path: &str) -> Option<Node> {
        let place = self.cursor.place;
        let letter = self.peek()?;
        if self.placeholder(path) {
            return Some(Node { place, value: Value::Null });
        }
        let value = match letter {
            '{' | '[' if self.open.len() >= DEPTH => {
                too_deep(place, path, self.flaws);
                self.halted = true;
                Value::Null
            }
            '{' => self.object(path),
            '[' => self.array(path),
            '+' | '-' | '.' | '0'..='9' => self.number(path),
            _ if is_quote(letter) => Value::String(self.string(path)),
            _ if letter.is_alphabetic() || matches!(letter, '_' | '$' | '*') => self.word(path),
            _ => return None,
        };
        Some(Node { place, value })
    }

    /// Tells and skips what a template left here without quotes: `{{ account }}`, `{% if x %}`, `<ACCOUNT>`.
    fn placeholder(&mut self, path: &str) -> bool {
        if !template::MARKS.iter().any(|mark| self.ahead(mark)) {
            return false;
        }
        let rest = self.text.get(self.cursor.at..).unwrap_or_default();
        let end = rest.char_indices().take(template::LONGEST).take_while(|(_, letter)| *letter != '\n').last();
        let line = end.and_then(|(at, letter)| rest.get(..at + letter.len_utf8())).unwrap_or_default();
        let Some(found) = template::find(line, false).filter(|found| found.sure && line.starts_with(found.text)) else {
            return false;
        };
        let message = format!("`{}` is {} that was not filled", found.text, found.noun());
        let end = self.cursor.at + found.text.len();
        self.error("json-invalid", path, message, &found.help());
        while self.cursor.at < end && self.bump().is_some() {}
        // No comma follows a line such as `{% if x %}`.
        self.cut_short = true;
        true
    }

    fn array(&mut self, path: &str) -> Value {
        let begin = self.cursor.place;
        self.bump();
        self.open.push(']');
        let mut items: Vec<Node> = vec![];
        while self.goes_on(']', begin, path) {
            let own = join_index(path, items.len());
            match self.value(&own) {
                Some(node) => items.push(node),
                None => self.unexpected(&own, "a value"),
            }
            self.separator(']', &own);
        }
        self.open.pop();
        Value::Array(items)
    }

    fn object(&mut self, path: &str) -> Value {
        let begin = self.cursor.place;
        self.bump();
        self.open.push('}');
        let mut members: Vec<Member> = vec![];
        while self.goes_on('}', begin, path) {
            let place = self.cursor.place;
            let Some(key) = self.key(path) else {
                self.unexpected(path, "a key in double quotes");
                continue;
            };
            let own = join_key(path, &key);
            let node = self.member_value(&own);
            members.push(Member { key, place, node });
            self.separator('}', &own);
        }
        self.open.pop();
        Value::Object(unique(members, path, self.flaws))
    }

    fn key(&mut self, path: &str) -> Option<String> {
        let letter = self.peek()?;
        if is_quote(letter) {
            return Some(self.string(path));
        }
        if !letter.is_alphanumeric() && !matches!(letter, '_' | '$' | '@') {
            return None;
        }
        let place = self.cursor.place;
        let key = self.bare();
        self.error_at(place, "json-invalid", path, format!("the key `{key}` has no quotes"), "put it in double quotes");
        Some(key)
    }

    fn member_value(&mut self, path: &str) -> Node {
        self.blank(path);
        if self.peek() == Some(':') {
            self.bump();
        } else {
            let found = self.found();
            self.error("json-invalid", path, format!("expected `:` after the key, found {found}"), "");
            if self.peek() == Some('=') {
                self.bump();
            }
        }
        self.blank(path);
        let place = self.cursor.place;
        self.value(path).unwrap_or_else(|| {
            let found = self.found();
            self.error("json-invalid", path, format!("expected a value, found {found}"), "");
            Node { place, value: Value::Null }
        })
    }

    /// Whether another item begins here. Otherwise the closer, if it is there, is behind us.
    fn goes_on(&mut self, closer: char, begin: Place, path: &str) -> bool {
        loop {
            self.blank(path);
            match self.peek() {
                None => {
                    let opener = if closer == '}' { '{' } else { '[' };
                    self.error_at(
                        begin,
                        "json-invalid",
                        path,
                        format!("`{opener}` is never closed"),
                        &format!("add `{closer}` where it ends"),
                    );
                    // One bracket that is missing must not be told once for each level around it.
                    self.halted = true;
                    return false;
                }
                Some(letter) if letter == closer => {
                    self.bump();
                    return false;
                }
                Some(letter @ ('}' | ']')) => {
                    let message = format!("expected `{closer}`, found `{letter}`");
                    let related = begin.related(path, false, "this is still open");
                    if !self.halted {
                        let place = self.cursor.place;
                        self.flaws.error_beside("json-invalid", place, path, message, "", related);
                        self.halted = self.flaws.is_full();
                    }
                    // Ours was forgotten if an outer one waits for this; else it is a slip of the finger.
                    let outer = self.open.iter().rev().skip(1).any(|due| *due == letter);
                    if !outer {
                        self.bump();
                    }
                    return false;
                }
                Some(',') => {
                    self.error("json-invalid", path, "a comma with nothing before it", "remove it");
                    self.bump();
                }
                Some(_) => return true,
            }
        }
    }

    /// The comma between items.
    fn separator(&mut self, closer: char, path: &str) {
        let forgiven = std::mem::take(&mut self.cut_short);
        let end = self.cursor.place;
        self.blank(path);
        match self.peek() {
            Some(',') => {
                let place = self.cursor.place;
                self.bump();
                self.blank(path);
                if self.peek() == Some(closer) {
                    let help = format!("remove the comma before `{closer}`");
                    self.error_at(place, "trailing-comma", path, format!("a comma before `{closer}`"), &help);
                }
            }
            None | Some('}' | ']') => {}
            Some(_) if forgiven => {}
            Some(';') => {
                self.error("json-invalid", path, "expected `,`, found `;`", "");
                self.bump();
            }
            Some(letter) if is_quote(letter) || letter == '{' || letter == '[' || letter.is_alphanumeric() => {
                self.error_at(end, "json-invalid", path, "a comma is missing here", "add `,` after this value");
            }
            Some(_) => self.unexpected(path, &format!("`,` or `{closer}`")),
        }
    }

    /// Tells a character that fits nowhere and skips to where something can begin. Always consumes.
    fn unexpected(&mut self, path: &str, expected: &str) {
        if self.placeholder(path) {
            return;
        }
        let found = self.found();
        self.error("json-invalid", path, format!("expected {expected}, found {found}"), "");
        self.bump();
        while self
            .peek()
            .is_some_and(|letter| !matches!(letter, ',' | '}' | ']' | '{' | '[' | '\n') && !is_quote(letter))
        {
            self.bump();
        }
    }

    /// Text without quotes, up to what ends a value.
    fn bare(&mut self) -> String {
        let begin = self.cursor.at;
        while self.peek().is_some_and(|letter| {
            letter.is_alphanumeric() || matches!(letter, '_' | '-' | '+' | '.' | '@' | '$' | '*' | '/')
        }) {
            self.bump();
        }
        self.text.get(begin..self.cursor.at).unwrap_or_default().to_owned()
    }

    fn word(&mut self, path: &str) -> Value {
        let place = self.cursor.place;
        let word = self.bare();
        match word.as_str() {
            "null" => return Value::Null,
            "true" => return Value::Bool(true),
            "false" => return Value::Bool(false),
            _ => {}
        }
        let (value, meant) = match word.to_ascii_lowercase().as_str() {
            "true" => (Value::Bool(true), "write `true`"),
            "false" => (Value::Bool(false), "write `false`"),
            "null" | "none" | "undefined" => (Value::Null, "write `null`"),
            _ => (Value::String(word.clone()), "put it in double quotes"),
        };
        self.error_at(place, "json-invalid", path, format!("`{word}` is not a JSON value"), meant);
        value
    }

    fn number(&mut self, path: &str) -> Value {
        let place = self.cursor.place;
        let text = self.bare();
        if is_number(&text) {
            return Value::Number(text);
        }
        let help = if text.bytes().all(|b| b.is_ascii_digit()) {
            "JSON numbers have no leading zeros; an account id is a string, put it in double quotes"
        } else {
            "put it in double quotes if it is not a number"
        };
        self.error_at(place, "json-invalid", path, format!("`{text}` is not a JSON number"), help);
        Value::String(text)
    }

    /// A string, whatever quotes it has. At least the opening quote is consumed.
    fn string(&mut self, path: &str) -> String {
        let begin = self.cursor.place;
        let opener = self.bump().unwrap_or('"');
        let straight = opener == '"';
        let single = SINGLE.contains(&opener);
        if !straight {
            self.foreign_quotes(begin, opener, path);
        }
        let mut out = String::new();
        // Where a curly quote stands in a string that has no other end, or no plausible one: the end that was meant.
        let mut curly: Option<(Cursor, usize)> = None;
        let mut likely: Option<(Cursor, usize)> = None;
        loop {
            match self.peek() {
                Some('"') if !single => {
                    let plausible = self.ends_value(1);
                    if let (Some(end), false) = (likely, plausible) {
                        return self.end_at(end, out, path);
                    }
                    self.bump();
                    return out;
                }
                Some(letter)
                    if (single && SINGLE.contains(&letter)) || (!straight && !single && DOUBLE.contains(&letter)) =>
                {
                    self.bump();
                    return out;
                }
                None | Some('\n') => {
                    if let Some(end) = likely.or(curly) {
                        return self.end_at(end, out, path);
                    }
                    self.error_at(
                        begin,
                        "unterminated-string",
                        path,
                        "the string has no closing quote on its line",
                        "add `\"` where it ends; write `\\n` for a line end inside",
                    );
                    self.cut_short = true;
                    let kept = out.trim_end().trim_end_matches(',').len();
                    out.truncate(kept);
                    return out;
                }
                Some('\\') => self.escape(&mut out, path),
                Some(letter) => {
                    if letter < ' ' && letter != '\r' || letter == '\r' && !self.ahead("\r\n") {
                        self.error(
                            "control-character",
                            path,
                            format!("the string holds the control character U+{:04X}", u32::from(letter)),
                            "write it as an escape (`\\t` for a tab), or remove it",
                        );
                    }
                    if straight && DOUBLE.contains(&letter) {
                        curly = Some((self.cursor, out.len()));
                        if likely.is_none() && self.ends_value(letter.len_utf8()) {
                            likely = curly;
                        }
                    }
                    out.push(letter);
                    self.bump();
                }
            }
        }
    }

    /// Whether what follows the quote here, `width` bytes long, can follow a string.
    fn ends_value(&self, width: usize) -> bool {
        let rest = self.text.get(self.cursor.at + width..).unwrap_or_default();
        rest.chars()
            .take(200)
            .find(|letter| !letter.is_whitespace())
            .is_none_or(|letter| matches!(letter, ',' | ':' | '}' | ']'))
    }

    /// Goes back to the curly quote that was meant to end the string.
    fn end_at(&mut self, (cursor, length): (Cursor, usize), mut out: String, path: &str) -> String {
        self.cursor = cursor;
        out.truncate(length);
        let closer = self.bump().unwrap_or('”');
        self.foreign_quotes(cursor.place, closer, path);
        out
    }

    fn foreign_quotes(&mut self, place: Place, quote: char, path: &str) {
        self.error_at(
            place,
            "curly-or-single-quotes",
            path,
            format!("`{quote}` (U+{:04X}) is not a quote of JSON", u32::from(quote)),
            "type straight double quotes: `\"`",
        );
    }

    fn escape(&mut self, out: &mut String, path: &str) {
        let place = self.cursor.place;
        self.bump();
        let plain = match self.peek() {
            Some('"') => '"',
            Some('\\') => '\\',
            Some('/') => '/',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                self.bump();
                out.push(self.unicode(place, path));
                return;
            }
            other => {
                let told = other.map_or_else(|| "\\".to_owned(), |letter| format!("\\{letter}"));
                self.error_at(
                    place,
                    "invalid-escape",
                    path,
                    format!("`{}` is not an escape of JSON", told.escape_debug().to_string().replace("\\\\", "\\")),
                    "write `\\\\` for a backslash",
                );
                out.push('\\');
                return;
            }
        };
        self.bump();
        out.push(plain);
    }

    /// The four digits after `\u`, and the other half where they are half of a pair.
    fn unicode(&mut self, place: Place, path: &str) -> char {
        let first = self.four_digits();
        let code = match first {
            Some(high @ 0xd800..=0xdbff) if self.ahead("\\u") => {
                self.bump();
                self.bump();
                self.four_digits()
                    .filter(|low| (0xdc00..=0xdfff).contains(low))
                    .map(|low| 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
            }
            other => other,
        };
        code.and_then(char::from_u32).unwrap_or_else(|| {
            self.error_at(
                place,
                "invalid-escape",
                path,
                "`\\u` is not followed by four hexadecimal digits that stand for a character",
                "write the character itself",
            );
            char::REPLACEMENT_CHARACTER
        })
    }

    fn four_digits(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|letter| letter.to_digit(16))?;
            self.bump();
            code = code * 16 + digit;
        }
        Some(code)
    }
}

/// RFC 8259 section 6.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
