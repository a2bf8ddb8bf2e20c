//! Logs to standard error: text for people at a terminal, JSON for collectors.

use std::io::IsTerminal;

use thiserror::Error;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    registry,
    util::SubscriberInitExt,
};

use super::{LogMetrics, labels::LogLevel};

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text at a terminal, else JSON.
    #[default]
    Auto,
    Text,
    Json,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }

    fn is_json(self, terminal: bool) -> bool {
        match self {
            Self::Auto => !terminal,
            Self::Text => false,
            Self::Json => true,
        }
    }
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    pub format: Format,
    /// Which messages are kept, such as `info,pinfold::engine=debug`.
    pub filter: String,
    /// Never colour, also at a terminal (the user's NO_COLOR).
    pub no_color: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { format: Format::Auto, filter: "info".to_owned(), no_color: false }
    }
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum LoggingError {
    #[error("the log filter {filter:?} is not valid: write something like \"info,pinfold::engine=debug\"")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error("logging is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Whether a filter's grammar is right.
pub fn check_filter(filter: &str) -> Result<(), LoggingError> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, LoggingError> {
    let parsed = EnvFilter::builder().parse(filter);
    parsed.map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })
}

/// Sends all messages of this process to standard error, and counts warnings and errors. Call it once.
pub fn init(settings: &Settings, metrics: &LogMetrics) -> Result<(), LoggingError> {
    let terminal = std::io::stderr().is_terminal();
    subscriber(settings, metrics, terminal, std::io::stderr)?.try_init().map_err(LoggingError::Twice)
}

fn subscriber<W>(
    settings: &Settings,
    metrics: &LogMetrics,
    terminal: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = parse_filter(&settings.filter)?;
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(terminal && !settings.no_color).with_writer(writer);
    let lines = if settings.format.is_json(terminal) {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.boxed()
    };
    Ok(registry().with(filter).with(CountMessages(metrics.clone())).with(lines))
}

/// Counts what operators should look at.
struct CountMessages(LogMetrics);

impl<S: Subscriber> Layer<S> for CountMessages {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        match *event.metadata().level() {
            Level::WARN => self.0.logged(LogLevel::Warn),
            Level::ERROR => self.0.logged(LogLevel::Error),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
