//! Logs to standard error: text for people at a terminal, JSON for collectors. What is logged can be changed meanwhile.

use std::{
    io::IsTerminal,
    panic,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use thiserror::Error;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    fmt::MakeWriter,
    layer::{Context, SubscriberExt},
    registry, reload,
    util::SubscriberInitExt,
};

use super::{LogMetrics, labels::LogLevel, request_id};

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

/// Why logging could not be set up, or changed.
#[derive(Debug, Error)]
pub enum LoggingError {
    #[error("the log filter {filter:?} is not valid: write something like \"info,pinfold::engine=debug\"")]
    Filter { filter: String, source: tracing_subscriber::filter::ParseError },
    #[error(
        "the log filter has {word:?}, which is no level: write one of off, error, warn, info, debug and trace, or a level for one part, such as \"info,pinfold::engine=debug\""
    )]
    Word { word: String },
    #[error("the log filter is empty: write a level, such as \"info\", or off")]
    Empty,
    #[error(
        "the log filter is longer than {MAX_FILTER} bytes: write something like \"info,pinfold::engine=debug\""
    )]
    Long,
    #[error("logging is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
    #[error("the log filter cannot be changed any more")]
    Gone(#[source] reload::Error),
}

/// The longest filter, in bytes.
const MAX_FILTER: usize = 1000;

/// Whether a filter's grammar is right.
pub fn check_filter(filter: &str) -> Result<(), LoggingError> {
    parse_filter(filter).map(drop)
}

fn parse_filter(filter: &str) -> Result<EnvFilter, LoggingError> {
    if filter.len() > MAX_FILTER {
        return Err(LoggingError::Long);
    }
    if let Some(word) = filter.split(',').map(str::trim).find(|word| is_slip(word)) {
        return Err(LoggingError::Word { word: word.to_owned() });
    }
    let parsed = EnvFilter::builder().parse(filter);
    parsed.map_err(|source| LoggingError::Filter { filter: filter.to_owned(), source })
}

/// A bare word names a part of the program, all of whose messages are then kept, and nothing else: `warning` would
/// silence everything.
fn is_slip(word: &str) -> bool {
    let is_bare = word.chars().all(|char| char.is_alphanumeric() || char == '-' || char == '_');
    is_bare
        && !word.is_empty()
        && word != "pinfold"
        && word.parse::<tracing::metadata::LevelFilter>().is_err()
}

/// What is logged, which can be changed at any time. Clones share it.
#[derive(Clone)]
pub struct Filter(Arc<Inner>);

struct Inner {
    configured: String,
    handle: reload::Handle<EnvFilter, Registry>,
    /// Locked while another one is taken up: one at a time.
    current: Mutex<String>,
}

impl Filter {
    /// As the start found it.
    pub fn configured(&self) -> &str {
        &self.0.configured
    }

    /// As it is now.
    pub fn current(&self) -> String {
        self.lock().clone()
    }

    /// Keeps other messages from now on, until it is set again or the process ends. Returns what it was.
    ///
    /// # Errors
    /// Where the filter cannot be used; then it is as it was.
    pub fn set(&self, filter: &str) -> Result<String, LoggingError> {
        if filter.trim().is_empty() {
            return Err(LoggingError::Empty);
        }
        let parsed = parse_filter(filter)?;
        let mut current = self.lock();
        self.0.handle.reload(parsed).map_err(LoggingError::Gone)?;
        Ok(std::mem::replace(&mut current, filter.to_owned()))
    }

    fn lock(&self) -> MutexGuard<'_, String> {
        // The words are whole at any moment.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends all messages of this process to standard error, panics among them, and counts warnings and errors. Call it
/// once.
pub fn init(settings: &Settings, metrics: &LogMetrics) -> Result<Filter, LoggingError> {
    let terminal = std::io::stderr().is_terminal();
    let (subscriber, filter) = subscriber(settings, metrics, terminal, std::io::stderr)?;
    subscriber.try_init().map_err(LoggingError::Twice)?;
    panic::set_hook(Box::new(tell_panic));
    Ok(filter)
}

/// As any other failure: a collector of JSON has no use for Rust's own words.
fn tell_panic(panic: &panic::PanicHookInfo<'_>) {
    let words = panic.payload_as_str().unwrap_or("without words");
    let at = panic.location().map(ToString::to_string);
    let (request_id, thread) = (request_id::current(), thread::current());
    tracing::error!(
        panic = words,
        at,
        request_id,
        thread = thread.name(),
        "something panicked: this is a bug"
    );
}

fn subscriber<W>(
    settings: &Settings,
    metrics: &LogMetrics,
    terminal: bool,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync + use<W>, Filter), LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(parse_filter(&settings.filter)?);
    let lines =
        tracing_subscriber::fmt::layer().with_ansi(terminal && !settings.no_color).with_writer(writer);
    let lines = if settings.format.is_json(terminal) {
        lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
    } else {
        lines.boxed()
    };
    let configured = settings.filter.clone();
    let inner = Inner { current: Mutex::new(configured.clone()), configured, handle };
    let subscriber = registry().with(filter).with(CountMessages(metrics.clone())).with(lines);
    Ok((subscriber, Filter(Arc::new(inner))))
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
pub(crate) mod tests;
