//! Where the config comes from, and when it is read again: told by SIGHUP or the admin API, or after its files changed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::{
    signal::unix::Signal,
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};

use super::{
    live::Live,
    manager::{self, Manager},
};
use crate::{
    admin::{Config, ConfigReport, Refused},
    config::{self, Change, Environment, Loaded, Problem, Seen},
    lifecycle::Shutdown,
    model::{EventKind, NewEvent, Stamp, Timestamp},
    telemetry::logging,
};

/// Between looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Changes that are logged one by one.
const TOLD: usize = 50;
/// Of an event's words, in characters.
const NOTED: usize = 1000;

/// A config as it was read, and how to read it again.
#[derive(Clone, Debug)]
pub struct Source {
    pub file: PathBuf,
    pub environment: Environment,
    pub loaded: Loaded,
}

/// What a gateway that follows its config listens to, and whom it tells.
pub(super) struct Follow {
    pub(super) source: Source,
    pub(super) hangup: Signal,
    /// Of this process's log; `None`: it is not ours to change.
    pub(super) log: Option<logging::Filter>,
    pub(super) manager: Manager,
}

/// Reads the config again, and has it taken up.
pub(super) struct Reloader {
    file: PathBuf,
    environment: Environment,
    manager: Manager,
    live: Arc<Live>,
    state: Mutex<State>,
}

/// What is known of the last readings.
struct State {
    /// The files of the last reading, as they were then.
    watched: Vec<Seen>,
    loaded_at: Timestamp,
    changes: Vec<Change>,
    warnings: Vec<Problem>,
    refused: Option<Refused>,
}

impl Reloader {
    pub(super) fn new(source: &Source, manager: Manager, live: Arc<Live>) -> Self {
        let state = State {
            watched: source.loaded.files.clone(),
            loaded_at: live.clock.now(),
            changes: Vec::new(),
            warnings: source.loaded.warnings.clone(),
            refused: None,
        };
        let (file, environment) = (source.file.clone(), source.environment.clone());
        Self { file, environment, manager, live, state: state.into() }
    }

    /// Reads the config again whenever told by `hangup`, or when a file that it was read from has changed and stays
    /// as it is; until stopping begins.
    pub(super) async fn watch(self: Arc<Self>, mut hangup: Signal, shutdown: Shutdown) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut before = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = hangup.recv() => tracing::info!("SIGHUP: reading the config again"),
                _ = looks.tick() => {
                    if !self.is_changed(&mut before).await {
                        continue;
                    }
                    tracing::info!("a file of the config has changed: reading it again");
                }
            }
            self.read_again(None).await;
        }
    }

    /// Whether the files are not as they were read any more, and are as at the look `before`: one that changes still
    /// is about to be written.
    async fn is_changed(&self, before: &mut Vec<Option<Stamp>>) -> bool {
        let watched = self.state.lock().await.watched.clone();
        let now: Vec<_> = watched.iter().map(|seen| Stamp::at(&seen.file)).collect();
        let differs = watched.iter().zip(&now).any(|(seen, now)| seen.stamp != *now);
        let settled = *before == now;
        *before = now;
        differs && settled
    }

    /// `by`: the operator who asked for it.
    async fn read_again(&self, by: Option<&str>) {
        let mut state = self.state.lock().await;
        self.manager.reloading();
        let now = self.live.clock.now();
        let became = match self.try_again(&mut state).await {
            Ok(()) => {
                (state.loaded_at, state.refused) = (now, None);
                self.live.metrics.config().taken_up(now);
                tell(&state.changes);
                let words = state.changes.iter().map(ToString::to_string).collect();
                self.note("taken_up", words, by, now).await;
                manager::Config::InForce
            }
            Err(problems) => {
                self.live.metrics.config().refused();
                for problem in &problems {
                    tracing::error!(%problem, "the config cannot be used; the one in force stays");
                }
                self.note("refused", problems.clone(), by, now).await;
                state.refused = Some(Refused { at: now, problems });
                manager::Config::Refused
            }
        };
        self.manager.ready(became);
    }

    /// Keeps what became of it. What was taken up is in force, whether that can be kept or not.
    async fn note(&self, outcome: &str, words: Vec<String>, by: Option<&str>, now: Timestamp) {
        if words.is_empty() {
            return;
        }
        let count = words.len().to_string();
        let words: String = words.join("; ").chars().take(NOTED).collect();
        let event = NewEvent::new(EventKind::Reload, "config").with("outcome", outcome);
        let event = event.with("count", count).with("words", words);
        let event = match by {
            Some(by) => event.with("by", by),
            None => event,
        };
        if let Err(error) = self.live.store.note_event(event, now).await {
            tracing::error!(%error, "a reload of the config was not noted among the events");
        }
    }

    async fn try_again(&self, state: &mut State) -> Result<(), Vec<String>> {
        let (file, environment) = (self.file.clone(), self.environment.clone());
        // Files may be on a disk that hangs.
        let read = tokio::task::spawn_blocking(move || config::load(&file, &environment));
        let read = read.await.map_err(|panic| vec![format!("reading it failed: {panic}")])?;
        let Loaded { settings, warnings, files, .. } = read.map_err(|problems| {
            state.watched.clone_from(&problems.files);
            problems.to_string().lines().map(str::to_owned).collect::<Vec<_>>()
        })?;
        state.watched = files;
        let taken_up = self.live.take_up(settings).await;
        state.changes = taken_up.map_err(|error| vec![format!("{error:#}")])?;
        state.warnings = warnings;
        Ok(())
    }
}

fn tell(changes: &[Change]) {
    if changes.is_empty() {
        tracing::info!("the config says what it said before");
    }
    for change in changes.iter().take(TOLD) {
        match change.needs_restart() {
            false => tracing::info!(%change, "config taken up"),
            true => tracing::warn!(%change, "this part of the config takes a restart; it stays as it was"),
        }
    }
    if let Some(more) = changes.len().checked_sub(TOLD + 1) {
        tracing::info!("{} more changes of the config were taken up", more + 1);
    }
}

#[async_trait]
impl Config for Reloader {
    async fn report(&self) -> ConfigReport {
        let effective = self.live.settings.lock().await.effective();
        let state = self.state.lock().await;
        let (waiting, done): (Vec<_>, Vec<_>) =
            state.changes.iter().partition(|change| change.needs_restart());
        let words = |changes: Vec<&Change>| changes.iter().map(ToString::to_string).collect();
        let file = self.file.display().to_string();
        ConfigReport {
            effective,
            loaded_at: state.loaded_at,
            changes: words(done),
            needs_restart: words(waiting),
            warnings: state.warnings.iter().map(|warning| warning.line(&file)).collect(),
            refused: state.refused.clone(),
            file,
        }
    }

    async fn reload(&self, by: Option<&str>) -> ConfigReport {
        self.read_again(by).await;
        self.report().await
    }
}

#[cfg(test)]
mod tests;
