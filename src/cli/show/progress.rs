//! Progress on stderr while a plan is applied: a bar on a terminal, lines elsewhere.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::result::tell;
use super::safe::clipped;
use super::view::brief;
use crate::apply::Progress;

/// Time between two lines where there is no terminal. What failed is told at once.
pub const EVERY: Duration = Duration::from_secs(10);
/// Most characters of a change on the bar.
const MOST_ON_BAR: usize = 100;

/// Tells how far a run is.
pub struct Reporter(Form);

enum Form {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

struct Lines {
    out: Box<dyn Write + Send>,
    last: Option<Instant>,
    /// The line before.
    at: String,
}

impl Reporter {
    /// `terminal`: stderr is one, and a bar is drawn; otherwise a line is written at most every 10 s, and one for each
    /// change that is not in place.
    #[must_use]
    pub fn new(terminal: bool, total: usize) -> Self {
        if !terminal {
            return Self::lines(Box::new(std::io::stderr()));
        }
        let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(Form::Bar(bar))
    }

    /// Lines to somewhere else.
    #[must_use]
    pub fn lines(out: Box<dyn Write + Send>) -> Self {
        Self(Form::Lines(Mutex::new(Lines { out, last: None, at: String::new() })))
    }

    /// One change more is over. For [`crate::apply::Control::progress`].
    pub fn told(&self, progress: &Progress<'_>) {
        let Progress { over, total, change, outcome } = *progress;
        let told = tell(outcome);
        let what = brief(change);
        let what = if outcome.is_success() {
            what
        } else {
            let why = told.message.as_deref().map(|why| format!(": {}", super::safe::plain(why))).unwrap_or_default();
            format!("{what}: {}{why}", told.words)
        };
        match &self.0 {
            Form::Bar(bar) => {
                bar.set_position(u64::try_from(over).unwrap_or(u64::MAX));
                if !outcome.is_success() && told.name != "notStarted" {
                    bar.println(clipped(&what, 500));
                }
                bar.set_message(clipped(&what, MOST_ON_BAR));
            }
            Form::Lines(lines) => {
                let urgent = (!outcome.is_success() && told.name != "notStarted") || over == total;
                lines.lock().unwrap_or_else(PoisonError::into_inner).say(&format!("{over}/{total} {what}"), urgent);
            }
        }
    }

    /// Nothing new was told of late: where there is no terminal, a line says so every 10 s.
    pub fn still(&self) {
        if let Form::Lines(lines) = &self.0 {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let text =
                if lines.at.is_empty() { "at work".to_owned() } else { format!("still at work after {}", lines.at) };
            let at = std::mem::take(&mut lines.at);
            lines.say(&text, false);
            lines.at = at;
        }
    }

    /// A call of that operation waits for AWS's rate.
    pub fn waiting(&self, operation: &str) {
        match &self.0 {
            Form::Bar(bar) => bar.set_message(format!("waiting for AWS's rate of {operation}")),
            Form::Lines(lines) => {
                let text = format!("waiting for AWS's rate of {operation}");
                lines.lock().unwrap_or_else(PoisonError::into_inner).say(&text, false);
            }
        }
    }

    /// The first Ctrl-C was heard.
    pub fn stopping(&self) {
        let text = "stopping after the calls in flight; a second Ctrl-C does not wait for them";
        match &self.0 {
            Form::Bar(bar) => bar.println(text),
            Form::Lines(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).say(text, true),
        }
    }

    /// Clears the bar.
    pub fn finish(&self) {
        if let Form::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn say(&mut self, text: &str, urgent: bool) {
        text.clone_into(&mut self.at);
        let now = Instant::now();
        if !urgent && self.last.is_some_and(|last| now.duration_since(last) < EVERY) {
            return;
        }
        self.last = Some(now);
        // Progress that cannot be written is no reason to stop.
        drop(writeln!(self.out, "{text}"));
    }
}
