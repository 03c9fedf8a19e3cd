//! The regions that patterns cut texts into: all patterns walked at once, letter by letter.
//!
//! A region is what one set of the patterns matches and the others do not. The walk goes over the product of the patterns'
//! automata, shortest texts first, with the letters that occur in them and one that does not; so every region that has a
//! text is found, with one of its shortest as example.

use std::collections::{HashSet, VecDeque};

use crate::policy::eval::pattern::{Pattern, Token};

/// Parts of an ARN, less one.
const COLONS: u8 = 5;

/// A set of small numbers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    /// None of so many.
    pub(super) fn none(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)].into())
    }

    pub(super) fn of(len: usize, members: impl Iterator<Item = usize>) -> Self {
        let mut out = Self::none(len);
        members.for_each(|at| out.put(at, true));
        out
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(super) fn put(&mut self, at: usize, to: bool) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word = (*word & !(1 << (at % 64))) | (u64::from(to) << (at % 64));
        }
    }
}

/// Which texts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// All.
    Text,
    /// `service:Name`, in lower case.
    Action,
    /// ARNs whose partition, service and resource are not empty.
    Arn,
}

/// A pattern as the walk goes over it. A variable is taken for `*`: who asks says what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Glob {
    tokens: Vec<Token>,
    any_case: bool,
    /// Only a text of six parts is matched.
    parts: bool,
}

impl Glob {
    pub(super) fn new(pattern: &Pattern, any_case: bool) -> Self {
        Self { tokens: pattern.tokens(), any_case, parts: pattern.wants_parts() }
    }

    /// The pattern of all texts of a shape.
    fn of(shape: Shape) -> Option<Self> {
        let part = [Token::OneWithin, Token::Within];
        let colon = [Token::Letter(':')];
        let tokens = match shape {
            Shape::Text => return None,
            Shape::Action => [&part[..], &colon, &part].concat(),
            Shape::Arn => {
                let arn: Vec<Token> = "arn:".chars().map(Token::Letter).collect();
                let rest =
                    [Token::Within, Token::Letter(':'), Token::Within, Token::Letter(':'), Token::One, Token::Any];
                [&arn[..], &part, &colon, &part, &colon, &rest].concat()
            }
        };
        Some(Self { tokens, any_case: false, parts: false })
    }

    fn takes(&self, own: char, letter: char) -> bool {
        own == letter || (self.any_case && own.to_lowercase().eq(letter.to_lowercase()))
    }

    fn letters(&self) -> impl Iterator<Item = char> {
        let cases = |letter: &char| -> Vec<char> {
            if self.any_case { letter.to_lowercase().chain(letter.to_uppercase()).collect() } else { vec![] }
        };
        let own = self.tokens.iter().filter_map(|token| match token {
            Token::Letter(letter) => Some(*letter),
            _ => None,
        });
        own.flat_map(move |letter| std::iter::once(letter).chain(cases(&letter)))
    }
}

/// Where each pattern can be after some letters: pairs of a pattern and how many of its tokens are behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    live: Box<[(u32, u32)]>,
    colons: u8,
}

/// One region.
#[derive(Debug, Clone)]
pub(super) struct Region {
    /// The patterns that match.
    pub(super) bits: Bits,
    /// A text of it.
    pub(super) example: String,
}

/// Patterns, and which texts there are.
#[derive(Debug)]
pub(super) struct Globs {
    /// The shape that all texts have is the last.
    all: Vec<Glob>,
    shaped: bool,
    counts_colons: bool,
    letters: Vec<char>,
}

/// Letters that stand for all that no pattern names: the first that is free.
const OTHERS: &str = "xyzqvwjkabcdefghilmnoprstu0123456789";

impl Globs {
    pub(super) fn new(globs: &[Glob], shape: Shape) -> Self {
        let mut all = globs.to_vec();
        let shaped = shape != Shape::Text;
        all.extend(Glob::of(shape));
        let counts_colons = all.iter().any(|glob| glob.parts);
        let mut letters: Vec<char> = all.iter().flat_map(Glob::letters).collect();
        let within = |glob: &Glob| glob.tokens.iter().any(|token| matches!(token, Token::Within | Token::OneWithin));
        if counts_colons || all.iter().any(within) {
            letters.push(':');
        }
        letters.sort_unstable();
        letters.dedup();
        let taken = |letter: &char| {
            letters.contains(letter) || all.iter().any(|glob| glob.letters().any(|own| glob.takes(own, *letter)))
        };
        // Actions have no other letters.
        let rest = ('A'..='Z').chain('\u{100}'..='\u{17f}').filter(|_| shape != Shape::Action);
        if let Some(other) = OTHERS.chars().chain(rest).find(|letter| !taken(letter)) {
            letters.insert(0, other);
        }
        Self { all, shaped, counts_colons, letters }
    }

    fn len(&self) -> usize {
        self.all.len() - usize::from(self.shaped)
    }

    fn token(&self, at: (u32, u32)) -> Option<Token> {
        self.all.get(at.0 as usize)?.tokens.get(at.1 as usize).copied()
    }

    fn state(&self, mut live: Vec<(u32, u32)>, colons: u8) -> State {
        let mut at = 0;
        while let Some(place) = live.get(at).copied() {
            if matches!(self.token(place), Some(Token::Any | Token::Within)) {
                live.push((place.0, place.1 + 1));
            }
            at += 1;
        }
        live.sort_unstable();
        live.dedup();
        // What stands before a star that runs over everything matches nothing that the star does not.
        let mut kept: Vec<(u32, u32)> = Vec::with_capacity(live.len());
        for place in live {
            if self.token(place) == Some(Token::Any) {
                while kept.last().is_some_and(|last| last.0 == place.0) {
                    kept.pop();
                }
            }
            kept.push(place);
        }
        State { live: kept.into(), colons }
    }

    fn start(&self) -> State {
        self.state((0..self.all.len()).filter_map(|at| Some((u32::try_from(at).ok()?, 0))).collect(), 0)
    }

    fn step(&self, state: &State, letter: char) -> State {
        let mut next = Vec::with_capacity(state.live.len());
        for place in &*state.live {
            let on = (place.0, place.1 + 1);
            match self.token(*place) {
                Some(Token::Any) => next.push(*place),
                Some(Token::Within) if letter != ':' => next.push(*place),
                Some(Token::One) => next.push(on),
                Some(Token::OneWithin) if letter != ':' => next.push(on),
                Some(Token::Letter(own)) if self.all.get(place.0 as usize).is_some_and(|it| it.takes(own, letter)) => {
                    next.push(on);
                }
                _ => {}
            }
        }
        let colons = if self.counts_colons { (state.colons + u8::from(letter == ':')).min(COLONS) } else { 0 };
        self.state(next, colons)
    }

    /// The patterns that match there, and whether the text has the shape.
    fn found(&self, state: &State) -> (Bits, bool) {
        let ends = |place: &&(u32, u32)| {
            self.all
                .get(place.0 as usize)
                .is_some_and(|glob| glob.tokens.len() == place.1 as usize && (!glob.parts || state.colons >= COLONS))
        };
        let (mut bits, mut shape) = (Bits::none(self.len()), !self.shaped);
        for (glob, _) in state.live.iter().filter(ends) {
            let glob = *glob as usize;
            if glob < self.len() { bits.put(glob, true) } else { shape = true }
        }
        (bits, shape)
    }

    /// The patterns that match a text, and whether it has the shape.
    pub(super) fn run(&self, text: &str) -> (Bits, bool) {
        let state = text.chars().fold(self.start(), |state, letter| self.step(&state, letter));
        self.found(&state)
    }

    /// Every region, those of `preferred` texts with them as examples and first; and whether all could be gone through in
    /// so many steps.
    pub(super) fn regions(&self, preferred: impl Iterator<Item = String>, most: usize) -> (Vec<Region>, bool) {
        let mut known: HashSet<Bits> = HashSet::new();
        let mut regions = vec![];
        // Sorted texts share their beginnings, and so what was found of these.
        let mut behind: Vec<(char, State)> = vec![];
        for example in preferred {
            let shared = behind.iter().zip(example.chars()).take_while(|((known, _), letter)| known == letter).count();
            behind.truncate(shared);
            for letter in example.chars().skip(shared) {
                let next = match behind.last() {
                    Some((_, state)) => self.step(state, letter),
                    None => self.step(&self.start(), letter),
                };
                behind.push((letter, next));
            }
            let (bits, shape) = behind.last().map_or_else(|| self.found(&self.start()), |(_, state)| self.found(state));
            if shape && known.insert(bits.clone()) {
                regions.push(Region { bits, example });
            }
        }
        let start = self.start();
        let mut ways: Vec<(usize, char)> = vec![(0, '\0')];
        let mut seen: HashSet<State> = HashSet::from([start.clone()]);
        let mut queue: VecDeque<(State, usize)> = VecDeque::from([(start, 0)]);
        let shape = u32::try_from(self.len()).unwrap_or(u32::MAX);
        let mut steps = 0_usize;
        while let Some((state, way)) = queue.pop_front() {
            let (bits, whole) = self.found(&state);
            if whole && known.insert(bits.clone()) {
                regions.push(Region { bits, example: spelled(&ways, way) });
            }
            for letter in &self.letters {
                steps += 1 + state.live.len();
                if steps > most {
                    return (regions, false);
                }
                let next = self.step(&state, *letter);
                if (self.shaped && !next.live.iter().any(|place| place.0 == shape)) || seen.contains(&next) {
                    continue;
                }
                seen.insert(next.clone());
                ways.push((way, *letter));
                queue.push_back((next, ways.len() - 1));
            }
        }
        (regions, true)
    }
}

fn spelled(ways: &[(usize, char)], mut at: usize) -> String {
    let mut letters = vec![];
    while let Some((before, letter)) = ways.get(at).filter(|_| at > 0) {
        letters.push(*letter);
        at = *before;
    }
    letters.iter().rev().collect()
}
