//! What authors have said not to tell, with their reasons.

/// Something that was said not to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// The rule.
    pub rule: String,
    /// Why; empty where nothing was said.
    pub reason: String,
    /// The line it stands on; 0 where it is meant for the whole object.
    pub line: u32,
    /// Whether nothing but it stands on the line: then it is meant for the next line that holds more.
    pub alone: bool,
}

/// How a comment of a manifest begins.
pub const COMMENT: &str = "bylaw:ignore";

/// The comments `# bylaw:ignore RULE reason` of a YAML text. A `#` begins a comment at the beginning of a line or behind white
/// space; one within a quoted text is taken for one as well, and then matches nothing.
#[must_use]
pub fn comments(text: &str) -> Vec<Suppression> {
    if !text.contains(COMMENT) {
        return vec![];
    }
    let comment = |(at, line): (usize, &str)| {
        let (before, said) = line.split_once(COMMENT)?;
        let before = before.trim_end().strip_suffix('#')?;
        (before.is_empty() || before.ends_with([' ', '\t'])).then_some(())?;
        let (rule, reason) = split(said)?;
        let line = u32::try_from(at + 1).ok()?;
        Some(Suppression { rule, reason, line, alone: before.trim().is_empty() })
    };
    text.lines().enumerate().filter_map(comment).collect()
}

/// The parts of the annotation `bylaw.dev/lint-ignore: "RULE reason; RULE2 reason"`.
#[must_use]
pub fn annotation(text: &str) -> Vec<Suppression> {
    let part = |part| {
        let (rule, reason) = split(part)?;
        Some(Suppression { rule, reason, line: 0, alone: false })
    };
    text.split(';').filter_map(part).collect()
}

fn split(text: &str) -> Option<(String, String)> {
    let (rule, reason) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    (!rule.is_empty()).then(|| (rule.trim_end_matches(':').to_owned(), reason.trim().to_owned()))
}

impl Suppression {
    /// Whether it is meant for a finding of that rule on that line.
    #[must_use]
    pub fn covers(&self, rule: &str, line: u32, next: impl Fn(u32) -> u32) -> bool {
        self.rule == rule && (self.line == 0 || self.line == line || (self.alone && next(self.line) == line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_found_with_rule_and_reason() {
        let text = "a: 1 # bylaw:ignore unknown-key it is new\n  # bylaw:ignore over-size: later\nb: x#bylaw:ignore c d\n# bylaw:ignore\n#bylaw:ignore e";
        let found: Vec<_> = comments(text).into_iter().map(|s| (s.rule, s.reason, s.line, s.alone)).collect();
        let expected = [("unknown-key", "it is new", 1, false), ("over-size", "later", 2, true), ("e", "", 5, true)];
        assert_eq!(found, expected.map(|(a, b, c, d)| (a.to_owned(), b.to_owned(), c, d)));
        let parts = annotation("unknown-key it is new; over-size; ");
        assert_eq!(parts.len(), 2);
        assert!(parts[0].covers("unknown-key", 7, |n| n) && parts[1].reason.is_empty());
    }
}
