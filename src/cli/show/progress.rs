//! Progress on stderr while a plan is applied: a bar on a terminal, lines elsewhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::Instant;

use super::result::tell;
use super::safe::clipped;
use super::view::Names;
use crate::apply::Progress;
use crate::desired::Desired;
use crate::pass::Planned;

/// Time between two lines where there is no terminal. What failed is told at once.
pub const EVERY: Duration = Duration::from_secs(10);
/// Time between two calls of [`Reporter::still`].
pub const TICK: Duration = Duration::from_secs(1);
/// Most characters of a change on the bar.
const MOST_ON_BAR: usize = 100;

/// Tells how far a run is.
pub struct Reporter {
    form: Form,
    /// What each change does, by its number.
    what: BTreeMap<u32, String>,
}

enum Form {
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

struct Lines {
    out: Box<dyn Write + Send>,
    /// When the last line was written; before the first, when the run began.
    last: Instant,
    /// What was told last, written or not.
    at: Option<String>,
}

impl Reporter {
    /// `terminal`: stderr is one, and a bar is drawn; otherwise a line is written at most every 10 s, and one for each
    /// change that is not in place.
    #[must_use]
    pub fn new(terminal: bool, planned: &Planned, desired: &Desired) -> Self {
        if !terminal {
            return Self::lines(Box::new(std::io::stderr()), planned, desired);
        }
        let total = planned.plan.changes.len();
        let bar = ProgressBar::with_draw_target(u64::try_from(total).ok(), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {elapsed} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { form: Form::Bar(bar), what: told(planned, desired) }
    }

    /// Lines to somewhere else.
    #[must_use]
    pub fn lines(out: Box<dyn Write + Send>, planned: &Planned, desired: &Desired) -> Self {
        let form = Form::Lines(Mutex::new(Lines { out, last: Instant::now(), at: None }));
        Self { form, what: told(planned, desired) }
    }

    /// One change more is over. For [`crate::apply::Control::progress`].
    pub fn told(&self, progress: &Progress<'_>) {
        let Progress { over, total, change, outcome } = *progress;
        let told = tell(outcome);
        let what = self.what.get(&change.id).map_or(change.action.name(), String::as_str);
        let what = if outcome.is_success() {
            what.to_owned()
        } else {
            let why = told.message.as_deref().map(|why| format!(": {}", super::safe::plain(why))).unwrap_or_default();
            format!("{what}: {}{why}", told.words)
        };
        match &self.form {
            Form::Bar(bar) => {
                bar.set_position(u64::try_from(over).unwrap_or(u64::MAX));
                if !outcome.is_success() && told.name != "notStarted" {
                    bar.println(clipped(&what, 500));
                }
                bar.set_message(clipped(&what, MOST_ON_BAR));
            }
            Form::Lines(lines) => {
                let urgent = (!outcome.is_success() && told.name != "notStarted") || over == total;
                lines.lock().unwrap_or_else(PoisonError::into_inner).say(format!("{over}/{total} {what}"), urgent);
            }
        }
    }

    /// Says where the run is, where no line was written for [`EVERY`]. Called each [`TICK`].
    pub fn still(&self) {
        if let Form::Lines(lines) = &self.form {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.last.elapsed() >= EVERY {
                let text = lines.at.as_ref().map(|at| format!("still at work after {at}"));
                lines.write(text.as_deref().unwrap_or("at work"));
            }
        }
    }

    /// Clears the bar.
    pub fn finish(&self) {
        if let Form::Bar(bar) = &self.form {
            bar.finish_and_clear();
        }
    }
}

fn told(planned: &Planned, desired: &Desired) -> BTreeMap<u32, String> {
    let names = Names::new(desired, &planned.observed);
    planned.plan.changes.iter().map(|change| (change.id, names.told(change))).collect()
}

impl Lines {
    /// The first, the urgent, and one each [`EVERY`] are written.
    fn say(&mut self, text: String, urgent: bool) {
        if urgent || self.at.is_none() || self.last.elapsed() >= EVERY {
            self.write(&text);
        }
        self.at = Some(text);
    }

    fn write(&mut self, text: &str) {
        self.last = Instant::now();
        // Progress that cannot be written is no reason to stop.
        drop(writeln!(self.out, "{text}"));
    }
}
