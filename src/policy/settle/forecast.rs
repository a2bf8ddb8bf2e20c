//! What becomes of a pin in the end, if providers do all that is asked of them: the same settling, until nothing follows
//! from it any more.

use super::{PinView, Sight, settle, sights, weigh};
use crate::{
    model::{ProviderId, ReplicaId, ReplicaState, Timestamp},
    policy::{CopyView, Placement, Reason},
};

/// How a pin ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Where it asks for a further copy.
    pub came: Vec<ProviderId>,
    /// Copies that it lets go.
    pub gone: Vec<ReplicaId>,
    /// Where it still has copies that are to be moved elsewhere.
    pub stuck: Vec<ProviderId>,
    /// Where it has copies that are confirmed and may stay.
    pub safe: Vec<ProviderId>,
    /// How many of these its policy asks for at least.
    pub least: usize,
    /// Whether its copies are those that its policy asks for.
    pub whole: bool,
    /// Its policy's providers, and why none of them gets a further copy, or why the one that is there does not count;
    /// `None`: it does not answer now.
    pub others: Vec<(ProviderId, Option<Reason>)>,
}

impl Forecast {
    /// Whether it has fewer copies than its policy asks for at least.
    pub fn is_short(&self) -> bool {
        self.safe.len() < self.least
    }
}

/// Follows a pin to its end. `copies` are its own ones; `there` gives the one that it gets at a provider, which may be
/// there already, for other pins.
pub fn forecast(
    pin: &PinView,
    mut copies: Vec<CopyView>,
    placement: &Placement<'_>,
    now: Timestamp,
    there: impl Fn(ProviderId) -> CopyView,
) -> Forecast {
    let mut forecast = Forecast::default();
    // Each provider is asked once, and each copy arrives and goes once.
    for _ in 0..=2 * (placement.views.len() + copies.len()) {
        let verdict = settle(pin, &copies, placement, now);
        forecast.whole = verdict.trimmed;
        if !verdict.link.is_empty() {
            copies.extend(verdict.link.iter().map(|provider| there(*provider)));
            forecast.came.extend(verdict.link);
        } else if !arrive(&mut copies, placement, now) {
            if verdict.unlink.is_empty() {
                break;
            }
            copies.retain(|copy| !verdict.unlink.contains(&copy.replica));
            forecast.gone.extend(verdict.unlink);
        }
    }
    let sights = sights(&copies, placement, now);
    forecast.stuck = sights.iter().filter(|sight| sight.leaves()).map(|sight| sight.copy.provider).collect();
    let safe = sights.iter().filter(|sight| sight.is_safe());
    forecast.safe = safe.map(|sight| sight.copy.provider).collect();
    forecast.least = placement.policy.copies.min.min(pin.want).into();
    let own: Vec<_> = sights.iter().map(Sight::own).collect();
    let idle = |provider| own.iter().find(|own| own.provider == provider).and_then(|own| own.idle.clone());
    let others = placement.consider(usize::MAX, &own).into_iter();
    forecast.others =
        others.map(|other| (other.provider, idle(other.provider).or(other.passed_over))).collect();
    forecast
}

/// What counts, and is on its way, is pinned and seen; whether anything was.
fn arrive(copies: &mut [CopyView], placement: &Placement<'_>, now: Timestamp) -> bool {
    let counts = weigh(copies, placement, now);
    let mut arrived = false;
    for (copy, _) in copies.iter_mut().zip(counts).filter(|(_, own)| own.counts) {
        arrived |= !copy.confirmed;
        *copy = CopyView { state: ReplicaState::Pinned, confirmed: true, untouched: false, ..*copy };
    }
    arrived
}

#[cfg(test)]
mod tests;
