//! Patterns of policies, compiled: wildcards, ARNs part by part, and variables that the request fills in.
//!
//! Sources: IAM user guide, "IAM JSON policy elements: Resource" (a `*` that ends a part of an ARN runs over the colon,
//! others and `?` do not; an ARN of fewer than six parts is filled up with `*`), "Policy variables" (only of keys with one value,
//! in a resource only after the fifth colon; what a variable stands for is text, wildcards included), "ARN condition operators" (part by part).

use super::request::{Fact, Facts, Key};
use super::truth::Truth;
use crate::policy::statement::Version;

/// Parts of an ARN.
const PARTS: usize = 6;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum Piece {
    /// Letters that stand for themselves.
    Text(Box<str>),
    /// `?`.
    One,
    /// `?` that is no colon.
    OneWithin,
    /// `*`, over colons too.
    Any,
    /// `*` that ends at a colon.
    Within,
    /// `${key}` or `${key, 'default'}`.
    Variable { key: Key, default: Option<Box<str>> },
}

/// A letter or a wildcard of a pattern, for walks that hold two patterns against each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::policy) enum Token {
    /// A letter that stands for itself.
    Letter(char),
    /// `?`.
    One,
    /// `?` that is no colon.
    OneWithin,
    /// `*`, over colons too.
    Any,
    /// `*` that ends at a colon.
    Within,
}

/// How a text is read as a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::policy) enum Reading {
    /// `*` and `?` are letters.
    Plain,
    /// `*` and `?` are wildcards.
    Wild,
    /// An element `Resource`.
    Resource,
    /// A value of `ArnLike` and its kin.
    Arn,
}

/// One pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) struct Pattern {
    pieces: Box<[Piece]>,
    variables: bool,
    /// A value that is no ARN is matched by no ARN pattern.
    arn: bool,
}

impl Pattern {
    pub(in crate::policy) fn new(text: &str, reading: Reading, version: Version) -> Self {
        let everything = !text.is_empty() && text.bytes().all(|b| b == b'*');
        let mut pieces = Pieces { out: vec![], text: String::new(), colons: 0 };
        let wild = reading != Reading::Plain;
        // A pattern of `*` alone has no parts.
        let parts = !everything && matches!(reading, Reading::Resource | Reading::Arn);
        let mut rest = text;
        while let Some(letter) = rest.chars().next() {
            // Before the fifth colon of a resource a variable stands for nothing but its letters.
            if version == Version::V2012
                && (reading != Reading::Resource || pieces.colons >= PARTS - 1)
                && let Some((inside, after)) = rest.strip_prefix("${").and_then(|rest| rest.split_once('}'))
            {
                pieces.variable(inside);
                rest = after;
                continue;
            }
            rest = rest.get(letter.len_utf8()..).unwrap_or_default();
            match letter {
                '?' if wild => {
                    pieces.push(if parts && pieces.colons < PARTS - 1 { Piece::OneWithin } else { Piece::One });
                }
                '*' if wild => {
                    let limited = parts
                        && pieces.colons < PARTS - 1
                        && (reading == Reading::Arn || !(rest.is_empty() || rest.starts_with(':')));
                    pieces.push(if limited { Piece::Within } else { Piece::Any });
                }
                ':' => {
                    pieces.text.push(':');
                    pieces.colons += 1;
                }
                other => pieces.text.push(other),
            }
        }
        if parts && reading == Reading::Resource && text.starts_with("arn:") {
            for _ in pieces.colons + 1..PARTS {
                pieces.text.push(':');
                pieces.push(Piece::Any);
            }
        }
        pieces.flush();
        let variables = pieces.out.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        Self { pieces: pieces.out.into(), variables, arn: reading == Reading::Arn && !everything }
    }

    /// Whether it is `*`.
    pub(in crate::policy) fn is_everything(&self) -> bool {
        matches!(&*self.pieces, [Piece::Any])
    }

    /// A pattern of `*` and `?` alone that matches at least what this one may.
    pub(super) fn as_glob(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::One | Piece::OneWithin => "?".to_owned(),
            Piece::Any | Piece::Within | Piece::Variable { .. } => "*".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The one text that it matches, where that is so and it is no ARN.
    pub(super) fn as_plain(&self) -> Option<&str> {
        match &*self.pieces {
            [Piece::Text(own)] if !self.arn => Some(own),
            _ => None,
        }
    }

    /// Whether it matches the text, for patterns without variables.
    #[inline]
    pub(in crate::policy) fn is_match(&self, text: &str) -> bool {
        match &*self.pieces {
            // Most patterns are one of these.
            [Piece::Text(own)] => **own == *text,
            [Piece::Text(own), Piece::Any] => begins(text.as_bytes(), own),
            pieces => matches(pieces, text, &Variables::None),
        }
    }

    /// Whether it matches the text. A variable that the request does not carry makes it match nothing.
    #[inline]
    pub(in crate::policy) fn matches(&self, text: &str, facts: &Facts) -> Truth {
        let is_whole = || !self.arn || text.bytes().filter(|b| *b == b':').count() >= PARTS - 1;
        if !self.variables {
            return (self.is_match(text) && is_whole()).into();
        }
        if !is_whole() {
            return Truth::No;
        }
        let mut unknown = false;
        for piece in &self.pieces {
            if let Piece::Variable { key, default } = piece {
                match facts.get(key) {
                    Fact::Values([_]) => {}
                    Fact::Values(_) | Fact::Absent if default.is_some() => {}
                    Fact::Values(_) | Fact::Absent => return Truth::No,
                    Fact::Unknown => unknown = true,
                }
            }
        }
        match (matches(&self.pieces, text, &Variables::Of(facts)), unknown) {
            (false, _) => Truth::No,
            (true, false) => Truth::Yes,
            (true, true) => Truth::Depends,
        }
    }

    /// Whether it is the text, for patterns read as [`Reading::Plain`], where letters' case does not count.
    pub(super) fn equals_in_any_case(&self, text: &str, facts: &Facts) -> Truth {
        if let [Piece::Text(own)] = &*self.pieces
            && own.is_ascii()
            && text.is_ascii()
        {
            return own.eq_ignore_ascii_case(text).into();
        }
        let mut left = text.chars().flat_map(char::to_lowercase);
        for piece in &self.pieces {
            let part = match piece {
                Piece::Text(part) => part,
                Piece::Variable { key, default } => match (facts.get(key), default) {
                    (Fact::Values([value]), _) => value,
                    (Fact::Unknown, _) => return Truth::Depends,
                    (_, Some(default)) => default,
                    (_, None) => return Truth::No,
                },
                Piece::One | Piece::OneWithin | Piece::Any | Piece::Within => continue,
            };
            if !part.chars().flat_map(char::to_lowercase).all(|letter| left.next() == Some(letter)) {
                return Truth::No;
            }
        }
        left.next().is_none().into()
    }

    /// Whether one of its variables has no value, and no default.
    pub(super) fn lacks_variable(&self, facts: &Facts) -> bool {
        let lacks = |(key, default): (&Key, Option<&str>)| {
            default.is_none() && matches!(facts.get(key), Fact::Absent | Fact::Values([_, _, ..]))
        };
        self.variables && self.variables().any(lacks)
    }

    /// What it is made of.
    pub(in crate::policy) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Its letters and wildcards. A variable, which may stand for anything, is `*`.
    pub(in crate::policy) fn tokens(&self) -> Vec<Token> {
        let mut tokens = vec![];
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => tokens.extend(text.chars().map(Token::Letter)),
                Piece::One => tokens.push(Token::One),
                Piece::OneWithin => tokens.push(Token::OneWithin),
                Piece::Any | Piece::Variable { .. } => tokens.push(Token::Any),
                Piece::Within => tokens.push(Token::Within),
            }
        }
        tokens
    }

    /// Whether only a text of the parts of an ARN is matched.
    pub(in crate::policy) fn wants_parts(&self) -> bool {
        self.arn
    }

    /// Its variables: the key, and the default where there is one.
    pub(in crate::policy) fn variables(&self) -> impl Iterator<Item = (&Key, Option<&str>)> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, default } => Some((key, default.as_deref())),
            _ => None,
        })
    }

    /// The keys of its variables.
    pub(in crate::policy) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key),
            _ => None,
        })
    }
}

struct Pieces {
    out: Vec<Piece>,
    text: String,
    colons: usize,
}

impl Pieces {
    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.out.push(Piece::Text(std::mem::take(&mut self.text).into()));
        }
    }

    fn push(&mut self, piece: Piece) {
        self.flush();
        // Two stars in a row are one.
        if piece != Piece::Any || self.out.last() != Some(&Piece::Any) {
            self.out.push(piece);
        }
    }

    /// What stands between `${` and `}`: `*`, `?` and `$` are themselves, anything else is a key with or without default.
    fn variable(&mut self, inside: &str) {
        if matches!(inside, "*" | "?" | "$") {
            self.text.push_str(inside);
            return;
        }
        let (key, default) = match inside.split_once(',') {
            None => (inside, None),
            Some((key, default)) => {
                let default = default.trim();
                let bare = default.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap_or(default);
                (key, Some(bare.into()))
            }
        };
        self.push(Piece::Variable { key: Key::new(key.trim()), default });
    }
}

enum Variables<'a> {
    None,
    Of(&'a Facts),
}

/// Whether the text begins so. Most that do not differ in the first letter.
fn begins(text: &[u8], own: &str) -> bool {
    own.is_empty() || (text.first() == own.as_bytes().first() && text.starts_with(own.as_bytes()))
}

/// Bytes of the letter that begins with this one.
fn letter(first: u8) -> usize {
    match first {
        0..0xc0 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
    }
}

/// The next place after `from` where the piece can begin.
fn onward(text: &[u8], from: usize, piece: Option<&Piece>, within: bool) -> Option<usize> {
    let mut at = from;
    loop {
        let first = *text.get(at)?;
        if within && first == b':' {
            return None;
        }
        at += letter(first);
        match piece {
            Some(Piece::Text(own)) if text.get(at) != own.as_bytes().first() => {}
            _ => return Some(at),
        }
    }
}

/// Greedy, with the last star of each kind to come back to. That is enough: what a star was reached with earliest, it can
/// be reached with later by taking more, as long as no colon lies between; and only a star that runs over colons can get
/// past one.
fn matches(pieces: &[Piece], text: &str, variables: &Variables<'_>) -> bool {
    let text = text.as_bytes();
    let (mut at, mut from) = (0, 0);
    let mut any: Option<(usize, usize)> = None;
    let mut within: Option<(usize, usize)> = None;
    loop {
        let rest = text.get(from..).unwrap_or_default();
        let begins = |own: &str| begins(rest, own).then_some(own.len());
        let step = match pieces.get(at) {
            None => {
                if rest.is_empty() {
                    return true;
                }
                None
            }
            Some(Piece::Any) => {
                if at + 1 == pieces.len() {
                    return true;
                }
                any = Some((at + 1, from));
                within = None;
                Some(0)
            }
            Some(Piece::Within) => {
                within = Some((at + 1, from));
                Some(0)
            }
            Some(Piece::One) => rest.first().map(|first| letter(*first)),
            Some(Piece::OneWithin) => rest.first().filter(|first| **first != b':').map(|first| letter(*first)),
            Some(Piece::Text(own)) => begins(own),
            Some(Piece::Variable { key, default }) => {
                let known = match variables {
                    Variables::None => Fact::Absent,
                    Variables::Of(facts) => facts.get(key),
                };
                match (known, default) {
                    (Fact::Values([value]), _) => begins(value),
                    (Fact::Unknown, _) => {
                        // It may stand for anything.
                        any = Some((at + 1, from));
                        within = None;
                        Some(0)
                    }
                    (_, Some(default)) => begins(default),
                    (_, None) => return false,
                }
            }
        };
        if let Some(step) = step {
            at += 1;
            from += step;
            continue;
        }
        if let Some((piece, reached)) = within
            && let Some(next) = onward(text, reached, pieces.get(piece), true)
        {
            (at, from) = (piece, next);
            within = Some((at, from));
        } else if let Some((piece, reached)) = any
            && let Some(next) = onward(text, reached, pieces.get(piece), false)
        {
            (at, from) = (piece, next);
            any = Some((at, from));
            within = None;
        } else {
            return false;
        }
    }
}
