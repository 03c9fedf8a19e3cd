//! Short ways to make an [`Issue`], and "did you mean".

use super::model::{Issue, Origin, Severity};
pub(crate) use crate::names::words::{nearest, quoted};

impl Issue {
    pub(crate) fn new(
        severity: Severity,
        rule: &'static str,
        origin: Origin,
        object: Option<String>,
        field: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity,
            origin,
            object,
            field: field.into(),
            message: message.into(),
            help: None,
            related: vec![],
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }

    pub(crate) fn related(mut self, origin: Origin, label: impl Into<String>) -> Self {
        self.related.push((origin, label.into()));
        self
    }
}

/// `a`, `b` or `c`, in backticks; cut after twelve.
pub(crate) fn one_of<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    if words.len() > 12 {
        let more = words.len() - 12;
        words.truncate(12);
        return format!("{} and {more} more", words.join(", "));
    }
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} or {last}", words.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_meant() {
        let known = ["organizationalUnitRef", "parentRef", "name", "tags"];
        assert_eq!(nearest("organisationalUnitRef", known), Some("organizationalUnitRef"));
        assert_eq!(nearest("parentref", known), Some("parentRef"));
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("color", known), None);
    }
}
