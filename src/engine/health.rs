//! What is observed of a provider: from the outcomes of its calls to one health word.

use std::time::Duration;

use crate::{
    model::{ErrorClass, Health, Operation, Timestamp},
    providers::ProviderError,
};

use super::Settings;

/// A 401 may be passing, as where a provider's own database is down: so many, with pauses between, are believed.
const AUTH_ERRORS: u32 = 3;
/// One that wants money is tried with a new copy after this, if none was refused meanwhile.
const UNTIL_FUNDS: Duration = Duration::from_secs(6 * 3600);

/// The running judgement of one provider.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    health: Health,
    auth_errors: u32,
    failing_since: Option<Timestamp>,
    probes: u32,
    /// While auth or funds fail: when to try the next call.
    probe_at: Option<Timestamp>,
    /// The last refusal, of those since the start.
    refused_at: Option<Timestamp>,
    /// The last outcome of any call.
    heard_at: Option<Timestamp>,
}

impl Observed {
    pub(super) fn new(health: Health) -> Self {
        Self {
            health,
            auth_errors: 0,
            failing_since: None,
            probes: 0,
            probe_at: None,
            refused_at: None,
            heard_at: None,
        }
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// No call is to leave before this: the credential or the funds have to be mended first.
    pub(super) fn wait_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.probe_at.filter(|at| now < *at)
    }

    /// The clock was turned: whatever was planned by it is for now.
    pub(super) fn probe_now(&mut self) {
        self.probe_at = None;
        self.failing_since = None;
        self.refused_at = None;
        self.heard_at = None;
    }

    /// When something was last heard of it; who never was is taken to have been heard of now.
    pub(super) fn heard_at(&mut self, now: Timestamp) -> Timestamp {
        *self.heard_at.get_or_insert(now)
    }

    /// Without funds only a submit tells whether there are some again. Where none was refused for so long, because none
    /// waits to be sent, the next one is let in: when that is.
    pub(super) fn funds_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        let refused = self.health == Health::NoFunds;
        refused.then(|| self.refused_at.get_or_insert(now).plus(UNTIL_FUNDS))
    }

    /// Takes it for one that may take copies again.
    pub(super) fn forgive(&mut self) -> Health {
        *self = Self::new(Health::Degraded);
        self.health
    }

    /// Whether only a single call may leave now, to see if things are mended.
    pub(super) fn is_probing(&self) -> bool {
        self.auth_errors > 0 || matches!(self.health, Health::AuthFailed | Health::NoFunds)
    }

    /// Takes one call's outcome; returns the health if it changed. What our own breaker or budget kept here says nothing.
    pub(super) fn note(
        &mut self,
        operation: Operation,
        outcome: Result<(), &ProviderError>,
        now: Timestamp,
        settings: &Settings,
    ) -> Option<Health> {
        if outcome.is_err_and(|error| !error.was_called) {
            return None;
        }
        let before = self.health;
        match outcome.map_err(|error| error.class) {
            // Whatever else is answered says nothing of funds; only a submit does.
            Ok(()) | Err(ErrorClass::Rejected)
                if self.health == Health::NoFunds && operation != Operation::Submit => {}
            Ok(()) | Err(ErrorClass::Rejected) => *self = Self::new(Health::Healthy),
            Err(ErrorClass::Throttled) => {}
            Err(ErrorClass::Auth) => self.refuse(Health::AuthFailed, now, settings),
            Err(ErrorClass::Funds) => self.refuse(Health::NoFunds, now, settings),
            Err(ErrorClass::Transient | ErrorClass::Unknown) => self.fail(now, settings.down_after),
        }
        self.heard_at = Some(now);
        (self.health != before).then_some(self.health)
    }

    /// Believes that the credential does not reach our copies, whatever single calls say.
    pub(super) fn distrust(&mut self, now: Timestamp, settings: &Settings) -> Option<Health> {
        let before = self.health;
        (self.auth_errors, self.probe_at) = (AUTH_ERRORS, None);
        self.refuse(Health::AuthFailed, now, settings);
        (self.health != before).then_some(self.health)
    }

    fn fail(&mut self, now: Timestamp, down_after: Duration) {
        let since = *self.failing_since.get_or_insert(now);
        let lasting = now.since(since) >= down_after;
        self.health = match self.health {
            Health::Healthy if !lasting => Health::Degraded,
            Health::Healthy | Health::Degraded if lasting => Health::Down,
            other => other,
        };
    }

    fn refuse(&mut self, health: Health, now: Timestamp, settings: &Settings) {
        self.refused_at = Some(now);
        // Calls that left together are refused together: that is one refusal.
        if self.wait_until(now).is_some() {
            return;
        }
        self.auth_errors += u32::from(health == Health::AuthFailed);
        if health == Health::AuthFailed && self.auth_errors < AUTH_ERRORS {
            self.probe_at = Some(now.plus(settings.auth_pause));
            return;
        }
        self.health = health;
        let wait = settings.probe_base.saturating_mul(1 << self.probes.min(10)).min(settings.probe_max);
        self.probes += 1;
        self.probe_at = Some(now.plus(wait));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn note(observed: &mut Observed, outcome: Result<(), ErrorClass>, now: Timestamp) -> Option<Health> {
        note_of(observed, Operation::Submit, outcome, now)
    }

    fn note_of(
        observed: &mut Observed,
        operation: Operation,
        outcome: Result<(), ErrorClass>,
        now: Timestamp,
    ) -> Option<Health> {
        let outcome = outcome.map_err(|class| error(class, true));
        observed.note(operation, outcome.as_ref().copied(), now, &Settings::default())
    }

    fn error(class: ErrorClass, was_called: bool) -> ProviderError {
        ProviderError {
            provider: "alpha".into(),
            operation: Operation::Submit,
            class,
            text: String::new(),
            was_called,
            maybe_done: false,
            answered: false,
            retry_at: None,
        }
    }

    /// The breaker's own refusals had declared a provider down that was back.
    #[test]
    fn what_never_left_says_nothing_of_a_provider() {
        let mut observed = Observed::new(Health::Healthy);
        note(&mut observed, Err(ErrorClass::Transient), NOW);
        let later = NOW.plus(2 * Settings::default().down_after);
        let kept = error(ErrorClass::Transient, false);
        let noted = observed.note(Operation::Submit, Err(&kept), later, &Settings::default());
        assert_eq!((noted, observed.health()), (None, Health::Degraded));
        assert_eq!(observed.heard_at(later), NOW, "nothing was heard of it");
    }

    #[test]
    fn a_provider_that_fails_is_degraded_and_after_a_while_down() {
        let mut observed = Observed::new(Health::Healthy);
        assert_eq!(note(&mut observed, Err(ErrorClass::Transient), NOW), Some(Health::Degraded));
        let later = NOW.plus(Settings::default().down_after);
        assert_eq!(note(&mut observed, Err(ErrorClass::Transient), later), Some(Health::Down));
        assert_eq!(note(&mut observed, Ok(()), later), Some(Health::Healthy));
    }

    #[test]
    fn a_passing_401_is_not_believed_but_three_with_pauses_are() {
        let mut observed = Observed::new(Health::Healthy);
        // Ten calls that left together.
        for _ in 0..10 {
            assert_eq!(note(&mut observed, Err(ErrorClass::Auth), NOW), None);
        }
        assert!(observed.is_probing());
        assert_eq!(note(&mut observed, Ok(()), NOW), None);
        assert!(!observed.is_probing() && observed.wait_until(NOW).is_none());
        let mut now = NOW;
        for _ in 0..2 {
            assert_eq!(note(&mut observed, Err(ErrorClass::Auth), now), None);
            now = observed.wait_until(now).unwrap();
        }
        assert_eq!(note(&mut observed, Err(ErrorClass::Auth), now), Some(Health::AuthFailed));
        assert!(observed.wait_until(now).is_some() && observed.is_probing());
    }

    #[test]
    fn probes_come_ever_more_slowly_up_to_a_bound() {
        let settings = Settings::default();
        let mut observed = Observed::new(Health::Healthy);
        let mut now = NOW;
        let mut waits = Vec::new();
        for _ in 0..12 {
            note(&mut observed, Err(ErrorClass::Funds), now);
            let until = observed.wait_until(now).unwrap();
            waits.push(until.since(now));
            now = until;
        }
        assert!(waits.is_sorted());
        assert_eq!((waits[0], waits[11]), (settings.probe_base, settings.probe_max));
    }

    #[test]
    fn only_a_submit_that_works_shows_that_there_are_funds_again() {
        let mut observed = Observed::new(Health::Healthy);
        note(&mut observed, Err(ErrorClass::Funds), NOW);
        let looked = note_of(&mut observed, Operation::Look, Ok(()), NOW);
        assert_eq!((looked, observed.health()), (None, Health::NoFunds));
        let refused = note_of(&mut observed, Operation::Remove, Err(ErrorClass::Rejected), NOW);
        assert_eq!((refused, observed.health()), (None, Health::NoFunds));
        assert_eq!(note(&mut observed, Ok(()), NOW), Some(Health::Healthy));
    }
}
