//! Finds where JSON values end, 32 bytes at a time, without looking at what they hold.

use wide::u8x32;

/// Bytes that are looked at in one step.
const STEP: usize = 32;

/// The bytes that a step has, each of these a bit in a mask.
fn is(bytes: u8x32, byte: u8) -> u32 {
    bytes.simd_eq(u8x32::splat(byte)).to_bitmask()
}

/// Where the next byte is that ends a string or has a meaning in it: a quote, a backslash, or a control character.
#[must_use]
pub fn next_mark(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(step) = text.get(at..).and_then(<[u8]>::first_chunk::<STEP>) {
        let bytes = u8x32::new(*step);
        let control = bytes.min(u8x32::splat(0x1f)).simd_eq(bytes).to_bitmask();
        let marks = is(bytes, b'"') | is(bytes, b'\\') | control;
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize);
        }
        at += STEP;
    }
    let rest = text.get(at..)?;
    rest.iter().position(|b| matches!(b, b'"' | b'\\') || *b < 0x20).map(|found| at + found)
}

/// Finds where a value ends, over any number of pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

/// What a scanner found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// The value ends before this byte.
    End(usize),
    /// It goes on after what there is.
    More,
    /// A line ends within a string, which JSON does not allow: the value is broken there.
    Broken(usize),
}

impl Scanner {
    /// Goes on over the next bytes of a value that began with `{`, `[` or `"`.
    pub fn scan(&mut self, bytes: &[u8]) -> Scanned {
        let mut at = 0;
        let mut rest = bytes;
        while !rest.is_empty() {
            let step = rest.first_chunk::<STEP>();
            let (scanned, length) = match step.and_then(|step| self.step(step)) {
                Some(scanned) => (scanned, STEP),
                None => {
                    let few = rest.get(..STEP).unwrap_or(rest);
                    (self.each(few), few.len())
                }
            };
            match scanned {
                Scanned::More => at += length,
                Scanned::End(end) => return Scanned::End(at + end),
                Scanned::Broken(end) => return Scanned::Broken(at + end),
            }
            rest = bytes.get(at..).unwrap_or_default();
        }
        Scanned::More
    }

    /// As if the string ended here that it is in.
    #[must_use]
    pub fn out_of_string(self) -> Self {
        Self { in_string: false, ..self }
    }

    /// All bytes of a step at once; `None` where each of them counts, and nothing has changed.
    fn step(&mut self, step: &[u8; STEP]) -> Option<Scanned> {
        let bytes = u8x32::new(*step);
        let begins = !self.in_string && (step.starts_with(b"{") || step.starts_with(b"["));
        let nested = self.depth > 0 || begins;
        if self.escaped || !nested || is(bytes, b'\\') != 0 {
            return None;
        }
        // Within a string is what has an odd number of quotes before it or at it.
        let mut within = is(bytes, b'"');
        for shift in [1, 2, 4, 8, 16] {
            within ^= within << shift;
        }
        if self.in_string {
            within = !within;
        }
        if is(bytes, b'\n') & within != 0 {
            return None;
        }
        // Brackets and braces differ in one bit, without which they are the same.
        let folded = bytes | u8x32::splat(0x20);
        let (opens, closes) = (is(folded, b'{') & !within, is(folded, b'}') & !within);
        let count = |mask: u32| mask.count_ones() as usize;
        if count(closes) >= self.depth {
            let mut left = closes;
            let mut closed = 0;
            while left != 0 {
                let end = left.trailing_zeros();
                left &= left - 1;
                closed += 1;
                if self.depth + count(opens & ((1 << end) - 1)) == closed {
                    *self = Self::default();
                    return Some(Scanned::End(end as usize + 1));
                }
            }
        }
        self.depth = self.depth + count(opens) - count(closes);
        self.in_string = within >> (STEP - 1) != 0;
        Some(Scanned::More)
    }

    /// One byte after the other.
    fn each(&mut self, bytes: &[u8]) -> Scanned {
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'\n' if self.in_string => return Scanned::Broken(at),
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => continue,
            }
            if self.depth == 0 && !self.in_string {
                return Scanned::End(at + 1);
            }
        }
        Scanned::More
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// All bytes of a step at once say what they say one by one, in whatever pieces they come.
        #[test]
        fn steps_are_bytes(
            first in prop::sample::select(b"{[\"".to_vec()),
            rest in prop::collection::vec(prop::sample::select(b"{}[]\"\"\\\n:,aa \xff{[".to_vec()), 0..200),
            cut in 0..200_usize,
        ) {
            let bytes = [&[first][..], &rest].concat();
            let (mut one, mut other) = (Scanner::default(), Scanner::default());
            let expected = one.each(&bytes);
            let found = match other.scan(&bytes[..cut.min(bytes.len())]) {
                Scanned::More => match other.scan(&bytes[cut.min(bytes.len())..]) {
                    Scanned::End(end) => Scanned::End(cut + end),
                    Scanned::Broken(end) => Scanned::Broken(cut + end),
                    Scanned::More => Scanned::More,
                },
                found => found,
            };
            prop_assert_eq!(found, expected, "{}", String::from_utf8_lossy(&bytes));
            if expected == Scanned::More {
                prop_assert_eq!(one, other);
            }
        }

        /// A mark is the first byte that is one.
        #[test]
        fn marks_are_found(text in "[a-z\\\\\"\n\u{1f}\u{20}\u{e9}]{0,80}", from in 0..80_usize) {
            let is = |b: &u8| matches!(b, b'"' | b'\\') || *b < 0x20;
            let expected = text.as_bytes().get(from..).and_then(|rest| rest.iter().position(is)).map(|at| at + from);
            prop_assert_eq!(next_mark(text.as_bytes(), from), expected);
        }
    }
}
