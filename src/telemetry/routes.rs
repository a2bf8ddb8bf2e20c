//! How many pins each route placed. Routes come and go with the config; those beyond a bound share one series.

use dashmap::DashMap;
use prometheus::{IntCounter, IntCounterVec};

use super::family::Registrar;

/// The most routes with series of their own, as many as a config may have.
pub(super) const MAX: usize = 200;
/// What the others are called.
const OTHER: &str = "other";

/// The family, and the handles given out.
pub(super) struct Routes {
    placed: IntCounterVec,
    known: DashMap<String, RouteMetrics>,
}

/// The series of one route. Clones share it.
#[derive(Clone, Debug)]
pub struct RouteMetrics(IntCounter);

impl Routes {
    pub(super) fn new(registrar: &Registrar<'_>) -> Self {
        let help = "Pins whose policy a route chose, replaces included.";
        Self { placed: registrar.counters("route_pins_total", help, &["route"]), known: DashMap::new() }
    }

    pub(super) fn get(&self, name: &str) -> RouteMetrics {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let series = |label: &str| RouteMetrics(self.placed.with_label_values(&[label]));
        if self.known.len() >= MAX {
            return series(OTHER);
        }
        self.known.entry(name.to_owned()).or_insert_with(|| series(name)).clone()
    }

    /// Forgets all but these, and drops their series.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.known.retain(|name, _| {
            let stays = is_kept(name);
            if !stays && name != OTHER {
                // An error says that the series is not there, which is what is wanted.
                let _absent = self.placed.remove_label_values(&[name]);
            }
            stays
        });
    }
}

impl RouteMetrics {
    /// Counts a pin that is on disk.
    pub fn placed(&self) {
        self.0.inc();
    }
}
