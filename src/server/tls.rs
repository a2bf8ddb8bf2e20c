//! TLS at a listener: the certificate that it shows now, taken anew from its files whenever they change.
//!
//! Connections keep what they began with; a pair of files that cannot be used changes nothing. What a client shows is
//! checked against the listener's authorities, and what it says of itself goes along with each request.

mod handshake;
mod identity;
mod material;
mod plain;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    lifecycle::Shutdown,
    model::{Clock, Stamp},
    telemetry::{Listener, Metrics, TlsMetrics, labels::Label},
};
pub(super) use handshake::Secured;
pub use material::{Clients, Material, Part, Settings, UnusableTls, Version, Why};

/// Between looks at the files.
const LOOK_EVERY: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The TLS of one listener. Clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    door: Listener,
    clock: Arc<dyn Clock>,
    metrics: TlsMetrics,
    current: ArcSwap<ServerConfig>,
    state: Mutex<State>,
}

/// Where the current material is from, and what was seen and said of it since.
struct State {
    material: Material,
    /// The files as they were when they were last read.
    known: Vec<Option<Stamp>>,
    /// The files at the last look.
    seen: Vec<Option<Stamp>>,
    told: Nearness,
}

/// How near a certificate's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    Far,
    TwoWeeks,
    OneDay,
    Over,
}

impl Tls {
    pub fn new(door: Listener, material: Material, clock: Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let metrics = metrics.tls(door);
        let current = ArcSwap::new(material.config());
        let (known, told) = (material.stamps().to_vec(), Nearness::Far);
        let state = State { seen: known.clone(), known, material, told };
        let tls = Self(Arc::new(Inner { door, clock, metrics, current, state: state.into() }));
        tls.note(&mut tls.state());
        tls
    }

    /// From now on new connections get this, unless it is what they get already.
    pub fn take_up(&self, material: Material) {
        let mut state = self.state();
        if !material.is_same(&state.material) {
            self.install(&mut state, material);
        }
    }

    /// Looks at the files every few seconds until stopping begins.
    pub async fn watch(self, shutdown: Shutdown) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = shutdown.begun() => return,
                _ = looks.tick() => {}
            }
            let tls = self.clone();
            // Files may be on a disk that hangs. A panic tells of itself, and the next look is another try.
            let _ = tokio::task::spawn_blocking(move || tls.look()).await;
        }
    }

    /// Reads files that have changed, and stay as they are since the look before: one that changes still is about to
    /// be written.
    fn look(&self) {
        let mut state = self.state();
        let settings = state.material.settings().clone();
        let stamps = settings.stamps();
        let before = std::mem::replace(&mut state.seen, stamps.clone());
        if stamps != state.known && stamps == before {
            state.known = stamps;
            match Material::read(settings) {
                Ok(material) => self.install(&mut state, material),
                Err(error) => {
                    self.0.metrics.refused();
                    let listener = self.0.door.as_str();
                    tracing::error!(listener, %error, "new files of TLS cannot be used; what was in use stays");
                }
            }
        }
        self.tell_of_the_end(&mut state);
    }

    fn install(&self, state: &mut State, material: Material) {
        self.0.current.store(material.config());
        state.known = material.stamps().to_vec();
        state.seen.clone_from(&state.known);
        let is_other = material.not_after() != state.material.not_after();
        state.material = material;
        if is_other {
            state.told = Nearness::Far;
        }
        tracing::info!(listener = self.0.door.as_str(), not_after = %state.material.not_after(), "TLS taken up anew");
        self.note(state);
    }

    fn note(&self, state: &mut State) {
        self.0.metrics.taken_up(state.material.not_after());
        self.tell_of_the_end(state);
    }

    /// Says each time once that the certificate's end has come nearer.
    fn tell_of_the_end(&self, state: &mut State) {
        let not_after = state.material.not_after();
        let nearness = Nearness::of(not_after.since(self.0.clock.now()));
        if nearness <= state.told {
            return;
        }
        state.told = nearness;
        let listener = self.0.door.as_str();
        match nearness {
            Nearness::Over => {
                tracing::error!(listener, %not_after, "the certificate has expired: clients refuse it; renew it");
            }
            _ => {
                tracing::warn!(listener, %not_after, "the certificate expires soon; is its renewal running?")
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nearness {
    fn of(left: Duration) -> Self {
        match left {
            Duration::ZERO => Self::Over,
            left if left <= DAY => Self::OneDay,
            left if left <= 14 * DAY => Self::TwoWeeks,
            _ => Self::Far,
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("door", &self.0.door).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
