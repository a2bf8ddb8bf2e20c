//! A polite compliance check of one live provider: what it does, compared with what its preset says.
//!
//! It pins contents that it made up, looks at them in every way, and removes them at the end, whatever happens. Every
//! call takes a permit of the provider's budget (I9), and there are no more than [`MOST_CALLS`].

mod caller;
mod checks;
mod clean;
mod content;
mod findings;
mod judge;
mod kubo;
mod lab;
mod pace;
mod seen;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Settings, stack::Parts};
use crate::{
    http,
    model::{Clock, Rates},
    presets::Protocol,
    telemetry::ProviderMetrics,
};
use lab::Lab;

/// The most calls of one probe, its cleaning up included.
pub const MOST_CALLS: usize = 56;

/// The most of them that look and try; the others are kept for cleaning up.
const MOST_TRIES: usize = 44;

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    List,
    Get,
    Add,
    Replace,
    Remove,
}

impl Route {
    pub const ALL: [Self; 5] = [Self::List, Self::Get, Self::Add, Self::Replace, Self::Remove];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Get => "get",
            Self::Add => "add",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// How a probe lets time pass between calls. Its own clock must go on meanwhile.
#[async_trait]
pub trait Waits: Send + Sync + 'static {
    async fn wait(&self, span: Duration);
}

/// Waits as long as it says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sleeps;

#[async_trait]
impl Waits for Sleeps {
    async fn wait(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

/// What became of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As the preset, or the specification, says.
    Ok,
    /// Of no consequence for Pinfold, whatever it is.
    Noted,
    /// The preset did not say.
    Learned,
    /// It could not be told this time.
    Untold,
    /// The preset says otherwise.
    Differs,
    /// It does not work.
    Failed,
}

impl Verdict {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Noted => "noted",
            Self::Learned => "learned",
            Self::Untold => "not told",
            Self::Differs => "differs",
            Self::Failed => "failed",
        }
    }

    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Differs | Self::Failed)
    }
}

/// One check, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub check: &'static str,
    /// What the preset says, in the words of a presets file.
    pub says: Option<String>,
    pub seen: String,
    pub verdict: Verdict,
    /// What to do about a bad one.
    pub advice: Option<String>,
}

/// How long one kind of call took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    pub route: Route,
    pub calls: usize,
    pub median: Duration,
}

/// What a probe found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub lines: Vec<Line>,
    pub latencies: Vec<Latency>,
    /// Headers that speak of limits, with their last values.
    pub limits: Vec<(String, String)>,
    pub calls: usize,
    /// It was told to stop before it was through.
    pub stopped: bool,
    /// What could not be removed, in words.
    pub left: Vec<String>,
    /// What differed or was unknown, with the keys of a presets file.
    pub learned: Map<String, Value>,
    /// How far its clock is ahead of ours, by the last answer that told its time; in seconds.
    pub ahead: Option<i64>,
}

impl Report {
    /// Everything is as the preset says, and nothing was left behind.
    pub fn is_good(&self) -> bool {
        !self.stopped && self.left.is_empty() && !self.lines.iter().any(|line| line.verdict.is_bad())
    }
}

/// What is said before a probe: the names of its test pins begin with this.
pub const NAME: &str = "Pinfold-Probe-";

/// How long a probe of a service with such limits takes at least, for the room that it leaves between calls.
pub fn takes(rates: &Rates) -> Duration {
    let mut pace = pace::Pace::new(*rates);
    let mut now = crate::model::Timestamp::ZERO;
    // About what a probe does when all goes well.
    let usual = [(Route::Add, 8), (Route::List, 17), (Route::Get, 4), (Route::Remove, 10)];
    for (route, times) in usual {
        for _ in 0..times {
            now = now.plus(pace.wait(route, now));
            pace.began(route, now);
        }
    }
    now.since(crate::model::Timestamp::ZERO)
}

/// Probes one provider. Once `stop` is ready no further checks are made; the cleaning up is.
pub async fn probe(
    settings: Settings,
    client: http::Client,
    clock: Arc<dyn Clock>,
    metrics: ProviderMetrics,
    waits: Arc<dyn Waits>,
    stop: impl Future<Output = ()>,
) -> Report {
    let protocol = settings.preset.protocol;
    let mut lab = lab(settings, client, clock, metrics, waits);
    let stopped = {
        let checks = async {
            match protocol {
                Protocol::Psa => checks::run(&mut lab).await,
                Protocol::Kubo => kubo::run(&mut lab).await,
            }
        };
        tokio::select! {
            () = checks => false,
            () = stop => true,
        }
    };
    clean::up(&mut lab).await;
    lab.report(stopped)
}

/// Looks whether a provider answers and takes the credential, by a call or a few that change nothing.
pub async fn look(
    settings: Settings,
    client: http::Client,
    clock: Arc<dyn Clock>,
    metrics: ProviderMetrics,
    waits: Arc<dyn Waits>,
) -> Report {
    let protocol = settings.preset.protocol;
    let mut lab = lab(settings, client, clock, metrics, waits);
    match protocol {
        Protocol::Psa => checks::look(&mut lab).await,
        Protocol::Kubo => kubo::run(&mut lab).await,
    }
    lab.report(false)
}

/// It keeps the limits by even steps.
fn lab(
    settings: Settings,
    client: http::Client,
    clock: Arc<dyn Clock>,
    metrics: ProviderMetrics,
    waits: Arc<dyn Waits>,
) -> Lab {
    let rates = settings.budget.rates;
    Lab::new(Parts::new(settings.uncounted(), client, clock, metrics), rates, waits)
}

#[cfg(test)]
mod tests;
