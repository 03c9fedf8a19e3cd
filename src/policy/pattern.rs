//! Patterns with `*` (any characters, also none) and `?` (one character), and which of two surely matches more.

/// Product of lengths past which two patterns are not compared: no policy has such, and a hostile one must not cost.
const MOST_STEPS: usize = 4_000_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Literal(char),
    One,
    Any,
}

/// The pattern in a normal form: in each run of wildcards the `?` come first and at most one `*` follows.
fn tokens(pattern: &str) -> Vec<Token> {
    let mut out = Vec::with_capacity(pattern.len());
    let mut any = false;
    for letter in pattern.chars() {
        match letter {
            '*' => any = true,
            '?' => out.push(Token::One),
            literal => {
                if std::mem::take(&mut any) {
                    out.push(Token::Any);
                }
                out.push(Token::Literal(literal));
            }
        }
    }
    if any {
        out.push(Token::Any);
    }
    out
}

/// Whether `wide` surely matches every string that `narrow` matches. `false` says nothing.
///
/// Walks `narrow` as if it were text: a `*` of `wide` takes any piece of it, wildcards included, a `?` takes one letter
/// or one `?`, a letter takes itself.
#[must_use]
pub fn subsumes(wide: &str, narrow: &str) -> bool {
    subsumes_as(wide, narrow, false)
}

/// [`subsumes`] where ASCII letters' case does not count, as in the names of actions.
#[must_use]
pub fn subsumes_in_any_case(wide: &str, narrow: &str) -> bool {
    subsumes_as(wide, narrow, true)
}

/// Lists of a thousand patterns are compared each with each, so that what most pairs need is told without allocating.
fn subsumes_as(wide: &str, narrow: &str, ignore_case: bool) -> bool {
    let (all, own) = (wide.as_bytes(), narrow.as_bytes());
    let is_wild = |letter: &u8| matches!(letter, b'*' | b'?');
    let same = |a: &u8, b: Option<&u8>| b.is_some_and(|b| a == b || (ignore_case && a.eq_ignore_ascii_case(b)));
    // What stands before the first wildcard and behind the last is written so in whatever is held.
    let mut begin = own.iter();
    match all.iter().find(|a| is_wild(a) || !same(a, begin.next())) {
        None => return begin.next().is_none(),
        Some(first) if !is_wild(first) => return false,
        Some(_) => {}
    }
    let mut end = own.iter().rev();
    if !all.iter().rev().take_while(|a| !is_wild(a)).all(|a| same(a, end.next())) {
        return false;
    }
    if wide == narrow || is_everything(wide) {
        return true;
    }
    if !own.iter().any(is_wild) {
        return matches(wide, narrow, ignore_case);
    }
    let (wide, narrow) = if ignore_case {
        (tokens(&wide.to_ascii_lowercase()), tokens(&narrow.to_ascii_lowercase()))
    } else {
        (tokens(wide), tokens(narrow))
    };
    if wide.len().saturating_mul(narrow.len()) > MOST_STEPS {
        return false;
    }
    // reach[n]: the tokens of `wide` seen so far take the first n tokens of `narrow`.
    let mut reach = vec![false; narrow.len() + 1];
    if let Some(start) = reach.first_mut() {
        *start = true;
    }
    for token in wide {
        let mut next = Vec::with_capacity(reach.len());
        let mut before = false;
        let mut taken = None;
        for (now, step) in reach.iter().zip(narrow.iter().map(Some).chain([None])) {
            let here = match token {
                Token::Any => *now || before,
                Token::One => taken.is_some_and(|(from, token)| from && token != Token::Any),
                Token::Literal(_) => taken.is_some_and(|(from, taken)| from && taken == token),
            };
            next.push(here);
            before = here;
            taken = step.map(|step| (*now, *step));
        }
        reach = next;
    }
    reach.last().copied().unwrap_or(false)
}

/// Whether the pattern matches the text: `*` any characters, also none, `?` one. Allocates nothing, and takes no more steps
/// than the product of the lengths.
#[must_use]
pub fn matches(pattern: &str, text: &str, ignore_case: bool) -> bool {
    let same = |a: char, b: char| a == b || (ignore_case && a.eq_ignore_ascii_case(&b));
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // Behind the last `*`, and from where on the text it left is tried next.
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let rest = text.clone();
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = rest.clone();
                retry = Some((pattern.clone(), rest));
            }
            (Some('?'), Some(_)) => {}
            (Some(wanted), Some(found)) if same(wanted, found) => {}
            _ => {
                let Some((behind, from)) = &mut retry else { return false };
                if from.next().is_none() {
                    return false;
                }
                (pattern, text) = (behind.clone(), from.clone());
            }
        }
    }
}

/// Whether a text exists that both patterns match; ASCII letters' case does not count. `true` where they are too long to tell.
#[must_use]
pub fn intersect(a: &str, b: &str) -> bool {
    let (a, b) = (tokens(a), tokens(b));
    if a.len().saturating_mul(b.len()) > MOST_STEPS {
        return true;
    }
    let both = |a: Token, b: Token| match (a, b) {
        (Token::Literal(a), Token::Literal(b)) => a.eq_ignore_ascii_case(&b),
        _ => true,
    };
    // row[j]: the tokens of `a` before the present one, and the first j of `b`, have a text in common.
    let mut row: Vec<bool> = vec![true];
    row.extend(b.iter().scan(true, |on, token| {
        *on = *on && *token == Token::Any;
        Some(*on)
    }));
    for token in a {
        let mut next: Vec<bool> = Vec::with_capacity(row.len());
        let mut before: Option<(bool, bool, Token)> = None;
        for (above, below) in row.iter().zip(b.iter().map(Some).chain([None])) {
            let here = match before {
                None => token == Token::Any && *above,
                Some((left, _, other)) if token == Token::Any || other == Token::Any => *above || left,
                Some((_, corner, other)) => corner && both(token, other),
            };
            next.push(here);
            if let Some(below) = below {
                before = Some((here, *above, *below));
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

/// Whether the pattern is made of `*` alone.
#[must_use]
pub fn is_everything(pattern: &str) -> bool {
    !pattern.is_empty() && pattern.bytes().all(|b| b == b'*')
}

/// Whether `wide` surely matches every resource that `narrow` matches.
///
/// AWS lets a `*` at the end of a part between colons run over the colon and others not (IAM user guide, "Using wildcards
/// in resource ARNs"). Comparing part by part holds whichever way a `*` is read. A policy variable (`${…}`) can become
/// any text, so a pattern with one is covered by `*` and by itself only.
#[must_use]
pub fn subsumes_resource(wide: &str, narrow: &str) -> bool {
    if wide == narrow || is_everything(wide) {
        return true;
    }
    if wide.contains("${") || narrow.contains("${") {
        return false;
    }
    let (wide, narrow): (Vec<&str>, Vec<&str>) = (wide.splitn(6, ':').collect(), narrow.splitn(6, ':').collect());
    wide.len() == 6 && narrow.len() == 6 && wide.iter().zip(&narrow).all(|(wide, narrow)| subsumes(wide, narrow))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain meaning, written as differently as possible from what it checks.
    fn plainly(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| plainly(rest, &text[n..])),
            Some(('?', rest)) => !text.is_empty() && plainly(rest, &text[1..]),
            Some((letter, rest)) => text.first() == Some(letter) && plainly(rest, &text[1..]),
        }
    }

    fn all_texts(letters: &[char], most: usize) -> Vec<Vec<char>> {
        let mut all = vec![vec![]];
        let mut last = vec![vec![]];
        for _ in 0..most {
            last = last
                .iter()
                .flat_map(|text: &Vec<char>| letters.iter().map(|letter| [text.clone(), vec![*letter]].concat()))
                .collect();
            all.extend(last.clone());
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
        /// Sound always, over a small alphabet with a letter (`c`) that no pattern names; and where `wide` has no `?` it
        /// finds whatever there is to find.
        #[test]
        fn subsumes_is_sound(wide in "[ab*?]{0,5}", narrow in "[ab*?]{0,5}") {
            let (w, n): (Vec<char>, Vec<char>) = (wide.chars().collect(), narrow.chars().collect());
            let truth = all_texts(&['a', 'b', 'c'], 5).iter().all(|text| !plainly(&n, text) || plainly(&w, text));
            let found = subsumes(&wide, &narrow);
            prop_assert_eq!(subsumes_in_any_case(&wide.to_uppercase(), &narrow), found, "{} over {}", wide, narrow);
            prop_assert!(!found || truth, "{} over {}", wide, narrow);
            for text in all_texts(&['a', 'b'], 4) {
                let word: String = text.iter().collect();
                prop_assert_eq!(matches(&wide, &word, false), plainly(&w, &text), "{} {}", wide, word);
                prop_assert_eq!(matches(&wide.to_uppercase(), &word, true), plainly(&w, &text), "{} {}", wide, word);
            }
            let shared = all_texts(&['a', 'b'], 8).iter().any(|text| plainly(&n, text) && plainly(&w, text));
            prop_assert_eq!(intersect(&wide, &narrow), shared, "{} and {}", wide, narrow);
            prop_assert!(found || !truth || wide.contains('?'), "{} over {}", wide, narrow);
        }
    }

    #[test]
    fn resources_go_part_by_part() {
        let yes = [
            ("*", "arn:aws:s3:::b"),
            ("arn:aws:s3:::*", "arn:aws:s3:::b/*"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/x?z"),
            ("arn:*:iam::*:role/*", "arn:aws:iam::123456789012:role/x:y"),
            ("*", "arn:aws:s3:::${aws:username}"),
            ("arn:aws:s3:::${aws:username}", "arn:aws:s3:::${aws:username}"),
        ];
        let no = [
            ("arn:aws:s3:::b", "*"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b"),
            ("arn:aws:*", "arn:aws:s3:::b"),
            ("arn:aws:s3:*:b", "arn:aws:s3:::b"),
            ("arn:aws:s3:::????", "arn:aws:s3:::${x}"),
            ("arn:aws:s3::*:P*", "arn:aws:s3::${aws:PrincipalAccount}:x"),
            ("arn:aws:S3:::*", "arn:aws:s3:::b"),
            ("", "arn:aws:s3:::b"),
        ];
        for (wide, narrow) in yes {
            assert!(subsumes_resource(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in no {
            assert!(!subsumes_resource(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn hostile_patterns_cost_little() {
        let wide = "*a".repeat(3_000);
        assert!(!subsumes(&wide, &format!("{}b", "a".repeat(3_000))));
    }
}
