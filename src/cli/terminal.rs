//! The person at the other end: colours, warnings, progress while reading, Ctrl-C.

use std::future::Future;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use tokio::sync::watch;

use super::args::Colour;
use super::door::Door;
use crate::names::words::{grouped, plain};

/// Warnings of one kind that are written one by one.
const MOST_WARNINGS: usize = 10;

/// How the streams are to be written.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Standard output takes colours.
    pub out_colour: bool,
    /// Standard error takes colours.
    pub err_colour: bool,
}

impl Terminal {
    /// From `--color`, `NO_COLOR` and what the streams are.
    #[must_use]
    pub fn new(colour: Colour) -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let on = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && !no_colour && !dumb,
        };
        Self { out_colour: on(io::stdout().is_terminal()), err_colour: on(io::stderr().is_terminal()) }
    }

    /// Standard error.
    #[must_use]
    pub fn err(&self) -> impl Write + use<> {
        io::stderr()
    }

    /// Says something that does not stop the command. Names in it may be those of strangers.
    pub fn warn(&self, message: &str) {
        // A closed standard error is no reason to stop.
        drop(writeln!(self.err(), "{}", self.warning(message)));
    }

    fn warning(&self, message: &str) -> String {
        let word = if self.err_colour { "\x1b[33mwarning\x1b[0m" } else { "warning" };
        format!("{word}: {}", plain(message))
    }

    /// Warns of several things of one kind, and counts those past the first [`MOST_WARNINGS`].
    pub fn warn_of(&self, messages: impl ExactSizeIterator<Item = String>, what: &str) {
        let more = messages.len().saturating_sub(MOST_WARNINGS);
        messages.take(MOST_WARNINGS).for_each(|message| self.warn(&message));
        if more > 0 {
            self.warn(&format!("and {} more {what}", grouped(more)));
        }
    }

    /// Says what to do about what was warned of.
    pub fn help(&self, message: &str) {
        drop(writeln!(self.err(), "  help: {}", plain(message)));
    }

    /// Warns of an error that costs no more than a convenience.
    pub fn warn_if(&self, result: io::Result<()>, what: &str) {
        if let Err(error) = result {
            self.warn(&format!("{what}: {error}"));
        }
    }

    /// Who runs this, user and host, for the lease and the audit log.
    #[must_use]
    pub fn who(&self) -> String {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let user = var("USER").or_else(|| var("USERNAME")).unwrap_or_else(|| "unknown".into());
        let host = var("HOSTNAME")
            .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
            .map_or_else(|| "unknown".into(), |host| host.trim().to_owned());
        format!("cli:{user}:{host}")
    }

    /// Shows how many calls a read has taken while it lasts: on a terminal as it goes, elsewhere a line every 10 s.
    #[must_use]
    pub fn reading<'a>(&self, door: &'a Door) -> Reading<'a> {
        Reading { door, shown: io::stderr().is_terminal() }
    }
}

/// Progress of a read.
pub struct Reading<'a> {
    door: &'a Door,
    shown: bool,
}

impl Reading<'_> {
    /// Waits for the read and shows its progress.
    pub async fn watch<T>(self, read: impl Future<Output = T>) -> T {
        if !self.shown {
            let tell = || {
                let calls = self.door.tally().total();
                drop(writeln!(io::stderr(), "reading the organization: {calls} calls"));
            };
            return meanwhile(read, super::show::progress::EVERY, tell).await;
        }
        let bar = indicatif::ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        tokio::pin!(read);
        let mut tick = tokio::time::interval(Duration::from_millis(120));
        let result = loop {
            tokio::select! {
                result = &mut read => break result,
                _ = tick.tick() => {
                    let tally = self.door.tally();
                    bar.set_message(format!("reading the organization: {} calls", tally.total()));
                }
            }
        };
        bar.finish_and_clear();
        result
    }
}

/// Waits for some work, and says something each time that so much of it has passed.
pub async fn meanwhile<T>(work: impl Future<Output = T>, every: Duration, tell: impl Fn()) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(every) => tell(),
        }
    }
}

/// Becomes true at the first Ctrl-C or SIGTERM; the second ends the process at once.
#[must_use]
pub fn interrupted() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        asked_to_stop().await;
        stop.send_replace(true);
        drop(writeln!(io::stderr(), "stopping after the call in flight; once more ends at once"));
        asked_to_stop().await;
        std::process::exit(130);
    });
    stopped
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}
#[cfg(not(unix))]
async fn asked_to_stop() {
    drop(tokio::signal::ctrl_c().await);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An OU's name that steers the terminal stands in no warning, and neither in an error.
    #[test]
    fn a_hostile_name_in_a_warning_paints_over_nothing() {
        let terminal = Terminal { out_colour: false, err_colour: false };
        let hostile = "the tags of OU `\u{1b}[2J\r\nerror: all is well`";
        assert_eq!(terminal.warning(hostile), "warning: the tags of OU `\\u{1b}[2J\\r\\nerror: all is well`");
        let failure = super::super::failure::Failure::new(format!("no\n  {}", plain(hostile)), hostile).to_string();
        assert!(!failure.contains('\u{1b}') && !failure.contains('\r') && failure.lines().count() == 3, "{failure}");
    }
}
