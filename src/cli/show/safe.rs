//! Text of others made harmless for where it is shown.
//!
//! Names of OUs, accounts and policies, tags and AWS's messages are written by people with other rights than the reviewer's.
//! None of it may steer a terminal, turn the reading direction, hide characters, break a table, or call somebody.

use unicode_width::UnicodeWidthStr;

pub use crate::names::words::{plain, ticked as quoted};

/// The text in at most `most` characters, with what is left out counted.
#[must_use]
pub fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((at, _)) => {
            let (kept, rest) = text.split_at(at);
            format!("{kept}… ({} characters more)", rest.chars().count())
        }
    }
}

/// Columns that the text takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Text for any place of a GitHub comment, tables and HTML included: what stands in pairs of backticks becomes code, and
/// nothing in it acts as Markdown, HTML, mention, reference or link.
#[must_use]
pub fn markup(text: &str) -> String {
    let text = plain(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd backtick opens nothing.
    let paired = parts.len() % 2 == 1;
    let mut out = String::with_capacity(text.len() * 2);
    for (at, part) in parts.iter().enumerate() {
        if at % 2 == 1 && paired {
            out.push_str("<code>");
            entities(part, &mut out);
            out.push_str("</code>");
        } else {
            if at > 0 && !paired {
                out.push_str("&#96;");
            }
            entities(part, &mut out);
        }
    }
    out
}

/// Writes characters that could act, where they stand in a line, as numeric entities. Mentions and references are looked
/// for after entities are resolved, so there a character of no width comes between.
fn entities(text: &str, out: &mut String) {
    let mut before = [' '; 3];
    for c in text.chars() {
        match (before, c) {
            (_, '@') => out.push_str("&#64;&#8203;"),
            (_, '#') => out.push_str("&#35;&#8203;"),
            // `GH-1` is a reference as well, and `www.` and `//` begin links.
            ([_, 'G' | 'g', 'H' | 'h'], '-') => out.push_str("-&#8203;"),
            ([_, _, '/'], '/') => out.push_str("&#8203;/"),
            (['W' | 'w', 'W' | 'w', 'W' | 'w'], '.') => out.push_str("&#46;"),
            (_, '&' | '<' | '>' | '"' | '\'' | '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '`' | '$') => {
                out.push_str("&#");
                out.push_str(&u32::from(c).to_string());
                out.push(';');
            }
            (_, c) => out.push(c),
        }
        let [_, second, third] = before;
        before = [second, third, c];
    }
}

/// A fenced block whose fence none of its lines can close.
#[must_use]
pub fn fenced(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let mut out = format!("{fence}{language}\n");
    for line in lines {
        out.push_str(&plain(line));
        out.push('\n');
    }
    out.push_str(&fence);
    out.push('\n');
    out
}

fn longest_run(line: &str) -> usize {
    line.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_seen() {
        assert_eq!(plain("a\u{1b}[2Kb\r\n\u{202e}c"), "a\\u{1b}[2Kb\\r\\n\\u{202e}c");
        assert_eq!(plain("Zürich 東京 🚀"), "Zürich 東京 🚀");
        assert_eq!(quoted("a` (ou-1) and `b"), "`a\\u{60} (ou-1) and \\u{60}b`");
        assert_eq!(clipped("abcdef", 3), "abc… (3 characters more)");
        assert_eq!(width("東京"), 4);
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(
            markup("`a|b` <img> @team #1"),
            "<code>a&#124;b</code> &#60;img&#62; &#64;&#8203;team &#35;&#8203;1"
        );
        assert_eq!(markup("one ` only"), "one &#96; only");
        assert!(fenced("diff", &["```".into(), "`````x".into()]).starts_with("``````diff\n"));
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left(text in any::<String>()) {
            let once = plain(&text);
            prop_assert!(!once.contains(crate::names::words::unseen));
            prop_assert_eq!(plain(&once), once);
        }

        /// Between tags of ours and entities there is nothing that Markdown or HTML acts on.
        #[test]
        fn markup_has_no_structure(text in "[-a-z`|<>@#*_\\[\\]()!&\\\\~$:/. \n\u{1b}]{0,60}") {
            let bare = markup(&text).replace("<code>", "").replace("</code>", "");
            let bare = regex::Regex::new("&#[0-9]+;").unwrap().replace_all(&bare, "");
            prop_assert!(!bare.contains(['<', '>', '|', '`', '*', '_', '[', ']', '@', '#', '&', '\\', '$', '\n']), "{}", bare);
        }
    }
}
