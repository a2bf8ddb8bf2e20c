//! How a simulated provider is put together, in code.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::model::{Clock, PinCid, Span, SystemClock};

use super::{
    Settings, Sim,
    behaviour::{Behaviour, CountMode, DefaultStatus, FailRule, PinAfter, Predicate, SuccessCodes},
    faults::{FaultRule, RateLimit},
    pins::Asked,
};

/// Builds a [`Sim`]: a correct provider on a free port of the loopback, but for what is said here.
#[must_use]
pub struct Builder {
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl Builder {
    pub(super) fn new(token: &str) -> Self {
        let settings = Settings::new(token);
        Self { settings, clock: Arc::new(SystemClock) }
    }

    /// # Panics
    /// Where the address cannot be listened on: use [`Sim::start`] where that may happen.
    pub async fn start(self) -> Sim {
        let started = Sim::start_with(self.settings, self.clock).await;
        // Holds: port 0 of the loopback is there wherever a process may open sockets.
        started.expect("the simulated provider has an address to listen on")
    }

    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.settings.listen = address;
        self
    }

    /// Where `created`, the pace and rate limits take the time from. Latency and slowness are real time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What the dice of chances are seeded with.
    pub fn seed(mut self, seed: u64) -> Self {
        self.settings.seed = seed;
        self
    }

    pub fn behaviour(mut self, change: impl FnOnce(&mut Behaviour)) -> Self {
        change(&mut self.settings.behaviour);
        self
    }

    /// Queued for the first half of this time, then pinning, then pinned.
    pub fn pin_after(self, span: Duration) -> Self {
        self.behaviour(|is| is.pin_after = PinAfter::Time(span))
    }

    /// Queued for ever.
    pub fn never_pins(self) -> Self {
        self.behaviour(|is| is.pin_after = PinAfter::Never)
    }

    pub fn latency(self, span: Duration) -> Self {
        self.behaviour(|is| is.latency = Span(span))
    }

    pub fn delegates<S: Into<String>>(self, delegates: impl IntoIterator<Item = S>) -> Self {
        self.behaviour(|is| is.delegates = delegates.into_iter().map(Into::into).collect())
    }

    pub fn fail_cid(self, cid: PinCid) -> Self {
        self.behaviour(|is| is.fail.push(FailRule::Cid(cid)))
    }

    pub fn fail_name(self, prefix: &str) -> Self {
        self.behaviour(|is| is.fail.push(FailRule::NamePrefix(prefix.to_owned())))
    }

    /// This share of new pins fails, 0 to 1.
    pub fn fail_rate(self, rate: f64) -> Self {
        self.behaviour(|is| is.fail.push(FailRule::Rate(rate.clamp(0.0, 1.0))))
    }

    pub fn fail_if(self, predicate: impl Fn(&Asked) -> bool + Send + Sync + 'static) -> Self {
        self.behaviour(|is| is.fail_if.push(Predicate(Arc::new(predicate))))
    }

    pub fn collapse_duplicates(self) -> Self {
        self.behaviour(|is| is.collapse_duplicates = true)
    }

    pub fn lie_about_count(self, mode: CountMode) -> Self {
        self.behaviour(|is| is.count = mode)
    }

    pub fn html_errors(self) -> Self {
        self.behaviour(|is| is.html_errors = true)
    }

    pub fn drop_meta(self) -> Self {
        self.behaviour(|is| is.drop_meta = true)
    }

    pub fn ignore_cid_filter(self) -> Self {
        self.behaviour(|is| is.ignore_cid_filter = true)
    }

    pub fn null_arrays(self) -> Self {
        self.behaviour(|is| is.null_arrays = true)
    }

    pub fn camel_case_ids(self) -> Self {
        self.behaviour(|is| is.camel_case_ids = true)
    }

    pub fn success_codes(self, codes: SuccessCodes) -> Self {
        self.behaviour(|is| is.codes = codes)
    }

    pub fn default_status(self, default: DefaultStatus) -> Self {
        self.behaviour(|is| is.default_status = default)
    }

    pub fn max_queued(self, max: usize) -> Self {
        self.behaviour(|is| is.max_queued = Some(max))
    }

    pub fn rate_limit(mut self, limit: RateLimit) -> Self {
        self.settings.rate_limits.push(limit);
        self
    }

    pub fn fault(mut self, rule: FaultRule) -> Self {
        self.settings.faults.push(rule);
        self
    }
}
