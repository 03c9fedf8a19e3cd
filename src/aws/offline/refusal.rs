//! What AWS says no to, and the forms it asks of input (aws-facts section 2, "Patterns").

use crate::aws::AwsError;
use crate::names::Tags;

/// AWS's error code and message, before the operation is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    code: &'static str,
    message: String,
}

impl Refusal {
    pub(super) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
    /// A broken quota or rule; AWS's reason leads the message.
    pub(super) fn constraint(reason: &str, message: &str) -> Self {
        Self::new("ConstraintViolationException", format!("{reason}: {message}"))
    }
    /// Input that AWS does not take; AWS's reason leads the message.
    pub(super) fn input(reason: &str, message: &str) -> Self {
        Self::new("InvalidInputException", format!("{reason}: {message}"))
    }
    pub(super) fn denied() -> Self {
        Self::new("AccessDeniedException", "You don't have permissions to access this resource.")
    }
    pub(super) fn of(self, operation: &str) -> AwsError {
        AwsError::answered(operation, self.code, &self.message, None)
    }
}

/// A text of `min` to `max` characters, each of them allowed.
pub(super) fn text(
    what: &str,
    value: &str,
    min: usize,
    max: usize,
    allowed: impl Fn(char) -> bool,
) -> Result<(), Refusal> {
    let length = value.chars().count();
    if length > max {
        return Err(Refusal::input("MAX_LENGTH_EXCEEDED", &format!("{what} is longer than {max} characters.")));
    }
    if length < min {
        return Err(Refusal::input("MIN_LENGTH_EXCEEDED", &format!("{what} is shorter than {min} characters.")));
    }
    if !value.chars().all(allowed) {
        return Err(Refusal::input("INVALID_PATTERN", &format!("{what} has characters that are not allowed.")));
    }
    Ok(())
}

pub(super) fn any(_: char) -> bool {
    true
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
fn tag_character(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

/// `[\w+=,.@-]`
pub(super) fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// `[^\s@]+@[^\s@]+\.[^\s@]+`, 6 to 64 characters.
pub(super) fn email(value: &str) -> Result<(), Refusal> {
    text("Email", value, 6, 64, |c| !c.is_whitespace())?;
    let form = value.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.contains('@')
            && host.rsplit_once('.').is_some_and(|(name, last)| !name.is_empty() && !last.is_empty())
    });
    if form { Ok(()) } else { Err(Refusal::input("INVALID_PATTERN", "Email is not an e-mail address.")) }
}

fn tag_key(key: &str) -> Result<(), Refusal> {
    if key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:")) {
        return Err(Refusal::input("INVALID_SYSTEM_TAGS_PARAMETER", "Tag keys that begin with `aws:` are AWS's own."));
    }
    text("Tag key", key, 1, 128, tag_character)
}

pub(super) fn tag_keys(keys: &[String]) -> Result<(), Refusal> {
    keys.iter().try_for_each(|key| tag_key(key))
}

/// The form of every tag; that there are not too many is for the resource they land on.
pub(super) fn tags(tags: &Tags) -> Result<(), Refusal> {
    tags.iter().try_for_each(|(key, value)| {
        tag_key(key)?;
        text("Tag value", value, 0, 256, tag_character)
    })
}

/// 50 tags a resource.
pub(super) fn tag_count(count: usize) -> Result<(), Refusal> {
    if count > 50 {
        return Err(Refusal::constraint(
            "MAX_TAG_LIMIT_EXCEEDED",
            "You have exceeded the number of tags allowed on this resource.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for good in ["a@b.co", "a+b@sub.example.com", "é@ü.de1"] {
            assert!(email(good).is_ok(), "{good}");
        }
        for bad in ["", "a@b.c", "@example.com", "a b@example.com", "a@b@example.com", "a@example", "a@example."] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert!(email(&format!("{}@example.com", "a".repeat(60))).is_err());
        let tag = |key: &str, value: &str| tags(&Tags::from([(key.to_owned(), value.to_owned())]));
        assert!(tag("bylaw.dev/resource", "Account/ä b").is_ok());
        assert!(tag("k", "").is_ok());
        for (key, value) in [("", "v"), ("aws:x", "v"), ("AWS:x", "v"), ("k", "a\nb"), ("k", "a;b"), ("k*", "v")] {
            assert!(tag(key, value).is_err(), "{key}={value}");
        }
        assert!(tag(&"k".repeat(129), "v").is_err());
        assert!(tag("k", &"v".repeat(257)).is_err());
        // 128 characters, not bytes.
        assert!(tag(&"ä".repeat(128), &"ö".repeat(256)).is_ok());
    }
}
