//! An error that ends a command: what went wrong, and what to do.

use std::fmt;

use crate::aws::AwsError;
use crate::names::words::plain;
use crate::pass::PassError;

/// Printed as `error: …` and `help: …`; the command exits with 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong; lower case. A list in it has a line for each item, whose words are on one line.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// A failure with help.
    #[must_use]
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.message.lines().map(plain).collect();
        write!(f, "error: {}", lines.join("\n"))?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "\n  help: {}", plain(help)))
    }
}

impl From<PassError> for Failure {
    fn from(error: PassError) -> Self {
        Self { message: error.to_string(), help: error.remedy() }
    }
}
impl From<AwsError> for Failure {
    fn from(error: AwsError) -> Self {
        Self { message: error.to_string(), help: error.remedy() }
    }
}
impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        Self::new(error.to_string(), error.remedy())
    }
}
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self { message: format!("the output could not be written: {error}"), help: None }
    }
}
