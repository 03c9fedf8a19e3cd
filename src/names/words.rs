//! Words in messages: what was probably meant, and text of others made harmless.

/// The one of `known` that was probably meant: the nearest by edit distance, within a third of the word's length.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&lower, &candidate.to_lowercase(), limit), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edit distance with neighbours swapped as one step, or `limit + 1` where it is surely more.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit || a.len().max(b.len()) > 300 {
        return limit + 1;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], k: usize| row.get(k).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, j) + usize::from(x != y)).min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

/// Whether a character steers, turns or hides instead of being seen.
#[must_use]
pub fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// One line in which every character is seen: what steers a terminal or hides is written as its escape (`\u{1b}`).
/// Running it twice is the same as once.
#[must_use]
pub fn plain(text: &str) -> String {
    if !text.contains(unseen) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unseen(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// A name in backticks, which it cannot leave.
#[must_use]
pub fn ticked(name: &str) -> String {
    format!("`{}`", plain(name).replace('`', "\\u{60}"))
}

/// The user's words, cut where they are long, every character of them seen.
pub fn quoted(text: &str) -> String {
    let mut cut: String = text.chars().take(80).map(|c| if unseen(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(80).is_some() {
        cut.push('…');
    }
    cut.replace('`', "'")
}

/// A number as people write it: `12,345`.
#[must_use]
pub fn grouped(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 account`, `2 accounts`, `2,000 policies`.
#[must_use]
pub fn count<N: std::fmt::Display + PartialEq + From<u8>>(number: N, word: &str) -> String {
    match word.strip_suffix('y') {
        _ if number == N::from(1) => format!("1 {word}"),
        Some(stem) if !word.ends_with("ey") => format!("{} {stem}ies", grouped(number)),
        _ => format!("{} {word}s", grouped(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1_usize, "policy"), "1 policy");
        assert_eq!(count(2_000_usize, "policy"), "2,000 policies");
        assert_eq!(count(0_usize, "account"), "0 accounts");
        assert_eq!([count(3_u64, "key"), count(1_u64, "key")], ["3 keys", "1 key"]);
        assert_eq!([grouped(999_u64), grouped(1_234_567)], ["999", "1,234,567"]);
    }

    #[test]
    fn near_words() {
        assert_eq!(nearest("Efect", ["Effect", "Action"]), Some("Effect"));
        assert_eq!(nearest("Actions", ["Effect", "Action"]), Some("Action"));
        assert_eq!(nearest("StringEqual", ["StringLike", "StringEquals"]), Some("StringEquals"));
        assert_eq!(nearest("Comment", ["Effect", "Action"]), None);
    }
}
