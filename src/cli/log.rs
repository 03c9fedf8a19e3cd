//! The log of a command, and of the controller, whose filter can be set while it runs.

use std::io::{self, IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// Without more, the warnings of bylaw's own rooms are told as the command line tells its own. `BYLAW_LOG` (as `RUST_LOG`
/// is written) turns on the whole log on standard error; `BYLAW_LOG_FORMAT=json` makes it JSON.
pub fn of_a_command() {
    let Ok(filter) = EnvFilter::try_from_env("BYLAW_LOG") else {
        let warning = || {
            let mut err = io::stderr();
            drop(err.write_all(b"warning: "));
            err
        };
        let plain = tracing_subscriber::fmt().with_env_filter("bylaw=warn").with_writer(warning).with_ansi(false);
        drop(plain.without_time().with_level(false).with_target(false).try_init());
        return;
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let builder = builder.with_ansi(io::stderr().is_terminal());
    // A second call in one process keeps the first log.
    if std::env::var("BYLAW_LOG_FORMAT").is_ok_and(|form| form == "json") {
        drop(builder.json().try_init());
    } else {
        drop(builder.try_init());
    }
}

/// The controller's log: `info` and more unless `BYLAW_LOG` says otherwise, JSON unless a person reads it or
/// `BYLAW_LOG_FORMAT=text`.
///
/// The second is to be ended with the process.
#[cfg(feature = "controller")]
#[must_use]
pub fn of_the_controller() -> (crate::process::Filter, Ending, Form) {
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;
    use tracing_subscriber::{Layer, fmt, registry, reload};

    let filter = EnvFilter::try_from_env("BYLAW_LOG").unwrap_or_else(|_| EnvFilter::new("warn,bylaw=info"));
    let (filter, handle) = reload::Layer::new(filter);
    let format = std::env::var("BYLAW_LOG_FORMAT").ok();
    let text = format.as_deref().map_or_else(|| io::stderr().is_terminal(), |format| format == "text");
    let form = if text { Form::Text } else { Form::Json };
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let lines = if text { lines.boxed() } else { lines.json().flatten_event(true).boxed() };
    // The filter is that of the lines: traces, which the environment turns on, are of spans that it need not let through.
    let lines = registry().with(lines.with_filter(filter));
    #[cfg(feature = "otel")]
    let ending = {
        let traces = crate::process::traces::Traces::from_environment();
        drop(lines.with(traces.as_ref().ok().and_then(Option::as_ref).map(|traces| traces.layer())).try_init());
        match &traces {
            Ok(None) => {}
            Ok(Some(traces)) => tracing::info!("traces are sent to `{}`", traces.endpoint()),
            Err(why) => tracing::warn!("no traces are sent: {why}"),
        }
        Ending(traces.ok().flatten())
    };
    #[cfg(not(feature = "otel"))]
    let ending = {
        drop(lines.try_init());
        Ending
    };
    let set = move |asked: Option<&str>| {
        if let Some(asked) = asked {
            let filter =
                EnvFilter::try_new(asked).map_err(|error| format!("`{asked}` is not a log filter: {error}"))?;
            handle.reload(filter).map_err(|error| format!("the log filter could not be set: {error}"))?;
        }
        handle.with_current(ToString::to_string).map_err(|error| format!("the log filter is not known: {error}"))
    };
    (Box::new(set), ending, form)
}

/// How the lines of a log are written.
#[cfg(feature = "controller")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is still to be sent when the process ends.
#[cfg(feature = "otel")]
pub struct Ending(Option<crate::process::traces::Traces>);
/// Nothing is to be sent.
#[cfg(all(feature = "controller", not(feature = "otel")))]
pub struct Ending;

#[cfg(feature = "controller")]
impl Ending {
    /// Sends it, within a few seconds.
    #[cfg_attr(not(feature = "otel"), allow(clippy::unused_async, reason = "the same with traces and without"))]
    pub async fn send(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.0 {
            traces.end().await;
        }
    }
}
