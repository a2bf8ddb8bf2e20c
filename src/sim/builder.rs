//! How a simulated provider is put together, in code.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::SecretString;

use crate::{
    model::{Clock, PinCid, Span, SystemClock},
    presets::{Codes, Count, DefaultStatus, Delegates, Duplicates, MetaRule, Protocol},
};

use super::{
    Settings, Sim,
    asked::Asked,
    behaviour::Behaviour,
    dialect::Nulls,
    errors::Errors,
    fate::{FailRule, PinAfter, Predicate},
    faults::{FaultRule, RateLimit},
};

/// Builds a [`Sim`]: a correct provider on a free port of the loopback, but for what is said here.
#[must_use]
pub struct Builder {
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl Builder {
    pub(super) fn new(settings: Settings) -> Self {
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

    /// What it speaks.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.settings.protocol = protocol;
        self
    }

    /// Where `created`, the pace and rate limits take the time from. Latency and slowness are real time.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Who may log in, or send Basic authentication, where the service that is played has such a thing.
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.settings.user = Some((name.to_owned(), SecretString::from(password)));
        self
    }

    /// Renews tokens at this path, which no documentation tells of.
    pub fn refreshes_at(self, path: &str) -> Self {
        self.behaviour(|is| {
            if let Some(login) = &mut is.login {
                login.refresh_url = Some(path.to_owned());
            }
        })
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
        self.behaviour(|is| is.duplicates = Duplicates::Same)
    }

    pub fn lie_about_count(self, mode: Count) -> Self {
        self.behaviour(|is| is.count = mode)
    }

    pub fn html_errors(self) -> Self {
        self.behaviour(|is| is.dialect.errors = Errors::Html)
    }

    pub fn drop_meta(self) -> Self {
        self.behaviour(|is| is.meta = MetaRule::Dropped)
    }

    pub fn ignore_cid_filter(self) -> Self {
        self.behaviour(|is| is.filters.cid = Some(false))
    }

    /// `null` in place of what is empty or absent; delegates in the answer to a POST only.
    pub fn null_arrays(self) -> Self {
        self.behaviour(|is| {
            is.dialect.nulls = Nulls::All;
            is.delegates_rule = Delegates::PostOnly;
        })
    }

    pub fn camel_case_ids(self) -> Self {
        self.behaviour(|is| is.dialect.camel_case_ids = true)
    }

    pub fn success_codes(self, codes: Codes) -> Self {
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
