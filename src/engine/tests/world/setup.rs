//! What a test asks of its world before it starts.

use std::time::Duration;

use super::{PASSWORD, REFRESH, USER, World};
use crate::{
    model::*,
    policy::Policy,
    presets::{GENERIC, Presets},
    providers,
    sim::{self, Sim},
};

impl World {
    pub(in crate::engine::tests) fn of(sims: usize) -> Builder {
        let (copies, try_timeout) = (1, Duration::from_secs(30));
        let (preset, quirks): (_, fn(usize, sim::Builder) -> sim::Builder) = (GENERIC, |_, sim| sim);
        let holds = Holds::Tokens;
        let (exclusive, need) = (false, 1);
        Builder {
            sims,
            copies,
            need,
            exclusive,
            preset,
            holds,
            try_timeout,
            budget: |_, _| {},
            quirks,
            policy: |_| {},
            facts: |_, _| {},
            played: false,
            audit: None,
            gateways: false,
        }
    }
}

/// What all providers are called with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Tokens,
    /// Tokens in files.
    Files,
    /// Logins, whose tokens can be renewed at a URL or not.
    Logins {
        refresh: bool,
    },
}

#[must_use]
pub(in crate::engine::tests) struct Builder {
    pub(super) sims: usize,
    pub(super) copies: u16,
    pub(super) need: u16,
    pub(super) exclusive: bool,
    pub(super) preset: &'static str,
    pub(super) holds: Holds,
    pub(super) try_timeout: Duration,
    pub(super) budget: fn(usize, &mut providers::Settings),
    pub(super) quirks: fn(usize, sim::Builder) -> sim::Builder,
    pub(super) policy: fn(&mut Policy),
    pub(super) facts: fn(usize, &mut Facts),
    /// The simulators play the preset, its limits too.
    pub(super) played: bool,
    pub(super) audit: Option<Audit>,
    pub(super) gateways: bool,
}

impl Builder {
    /// Their gateways are asked for three copies or more, every hour.
    pub(in crate::engine::tests) fn gateways(mut self) -> Self {
        self.gateways = true;
        self
    }

    /// This many copies, of which `need` make a pin pinned.
    pub(in crate::engine::tests) fn copies(mut self, copies: u16, need: u16) -> Self {
        (self.copies, self.need) = (copies, need);
        self
    }

    /// The credentials are used by Pinfold alone.
    pub(in crate::engine::tests) fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// What the config says of the kind of all providers.
    pub(in crate::engine::tests) fn preset(mut self, name: &'static str) -> Self {
        self.preset = name;
        self
    }

    /// The tokens are in files.
    pub(in crate::engine::tests) fn token_files(mut self) -> Self {
        self.holds = Holds::Files;
        self
    }

    /// One logs in at all of them.
    pub(in crate::engine::tests) fn logins(mut self, refresh: bool) -> Self {
        self.holds = Holds::Logins { refresh };
        self
    }

    /// Gives up soon, in real time, on an answer that never comes.
    pub(in crate::engine::tests) fn impatient(mut self) -> Self {
        self.try_timeout = Duration::from_millis(300);
        self
    }

    /// The providers are of the preset's kind, and keep its limits.
    pub(in crate::engine::tests) fn played(mut self) -> Self {
        self.played = true;
        self
    }

    /// They are audited by themselves.
    pub(in crate::engine::tests) fn audited(mut self, every: Duration) -> Self {
        self.audit = Some(Audit { every, by: AuditBy::Auto });
        self
    }

    /// How a provider, by its number, is called other than its preset says.
    pub(in crate::engine::tests) fn budget(mut self, budget: fn(usize, &mut providers::Settings)) -> Self {
        self.budget = budget;
        self
    }

    /// What a provider, by its number, does other than a correct one.
    pub(in crate::engine::tests) fn quirks(
        mut self,
        quirks: fn(usize, sim::Builder) -> sim::Builder,
    ) -> Self {
        self.quirks = quirks;
        self
    }

    /// What the policy says besides.
    pub(in crate::engine::tests) fn policy(mut self, policy: fn(&mut Policy)) -> Self {
        self.policy = policy;
        self
    }

    /// What is declared of a provider, by its number.
    pub(in crate::engine::tests) fn facts(mut self, facts: fn(usize, &mut Facts)) -> Self {
        self.facts = facts;
        self
    }

    pub(super) fn sim(&self, name: &str) -> sim::Builder {
        match self.holds {
            Holds::Tokens | Holds::Files if self.played => Sim::playing(&Presets::known(self.preset), name),
            Holds::Tokens | Holds::Files => Sim::builder(name),
            Holds::Logins { refresh } => {
                let sim = Sim::playing(&Presets::known(self.preset), name).user(USER, PASSWORD);
                if refresh { sim.refreshes_at(REFRESH) } else { sim }
            }
        }
    }
}
