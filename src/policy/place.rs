//! Which providers get a pin's copies, and why the others do not.

use std::{fmt, sync::Arc, time::Duration};

use super::{Policy, Proof};
use crate::model::{
    Codec, Content, Facts, Health, Mode, ProofState, ProviderId, ProviderRecord, Timestamp, span::show_span,
};

/// What may be asked of a provider now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Footing {
    Usable,
    /// Not answering, or throttling us for longer than a moment.
    Waiting,
    /// Keeps what it has, gets nothing new.
    Readonly,
    /// The config does not name it any more.
    Absent,
    /// Its copies are being moved elsewhere.
    Leaving,
    /// It did not serve what it says is pinned.
    Distrusted,
    /// Declared gone for good.
    Dead,
}

impl Footing {
    /// Whether new copies may be placed there, now or in a while.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Usable | Self::Waiting)
    }

    /// Whether what is pinned there is one of a pin's copies, if only until another one has taken its place.
    pub const fn is_had(self) -> bool {
        self.counts() || matches!(self, Self::Leaving)
    }

    /// Whether what is pinned there counts towards what the policy asks for, so that no other copy is wanted for it.
    pub const fn counts(self) -> bool {
        matches!(self, Self::Usable | Self::Waiting | Self::Readonly | Self::Absent)
    }
}

/// What placement needs to know of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderView {
    pub id: ProviderId,
    pub footing: Footing,
    /// Whether it is in good health, or nearly.
    pub answers: bool,
    /// Whether the policy names it.
    pub listed: bool,
    pub facts: Arc<Facts>,
    /// On record there; 0 where nothing depends on it.
    pub copies: u64,
    /// Whether this content is one of them, so that it takes no further place; said only where a place matters.
    pub has_it: bool,
    /// Whether its copies are being moved elsewhere, however it is.
    pub leaving: bool,
    /// Whether it may leave a pin with fewer copies than its policy asks.
    pub allow_fewer: bool,
}

impl ProviderView {
    /// A Retry-After up to this long, in milliseconds, is waited for; a longer one spills over.
    const PATIENCE_MS: i64 = 60_000;

    fn new(provider: &ProviderRecord, policy: &Policy, listed: bool, now: Timestamp) -> Self {
        Self {
            id: provider.id,
            footing: Self::footing(provider, policy.proof, now),
            answers: provider.health.is_usable(),
            listed,
            facts: provider.facts.clone(),
            copies: 0,
            has_it: false,
            leaving: provider.mode == Mode::Draining,
            allow_fewer: provider.allow_fewer,
        }
    }

    /// Whether it has no place for this content.
    pub fn is_full(&self) -> bool {
        self.facts.max_pins.is_some_and(|most| self.copies >= most && !self.has_it)
    }

    /// Whether one that wants to be left alone until then is waited for.
    pub fn waits(until: Timestamp, now: Timestamp) -> bool {
        until.as_millis() - now.as_millis() <= Self::PATIENCE_MS
    }

    fn footing(provider: &ProviderRecord, proof: Proof, now: Timestamp) -> Footing {
        let throttled = provider.blocked_until.is_some_and(|until| !Self::waits(until, now));
        match (provider.health, provider.mode) {
            (Health::Dead, _) => Footing::Dead,
            _ if provider.proof.state == ProofState::Unproven && proof == Proof::Required => {
                Footing::Distrusted
            }
            (_, Mode::Draining) => Footing::Leaving,
            _ if provider.absent_since.is_some() => Footing::Absent,
            (_, Mode::Readonly) => Footing::Readonly,
            (health, Mode::Active) if !health.is_usable() || throttled => Footing::Waiting,
            _ => Footing::Usable,
        }
    }

    /// Whether placement looks at how many copies are there.
    pub fn needs_load(&self, policy: &Policy) -> bool {
        self.listed && (policy.choose == super::Choose::LeastLoaded || self.facts.max_pins.is_some())
    }
}

impl Policy {
    /// All providers: this policy's first, most preferred first; names that nobody has are passed over.
    pub fn views(&self, providers: &[ProviderRecord], now: Timestamp) -> Vec<ProviderView> {
        let by_name = |name: &String| providers.iter().find(|provider| provider.name == *name);
        let listed = self.providers.iter().filter_map(by_name);
        let others = providers.iter().filter(|provider| !self.providers.contains(&provider.name));
        let listed = listed.map(|provider| ProviderView::new(provider, self, true, now));
        listed.chain(others.map(|provider| ProviderView::new(provider, self, false, now))).collect()
    }
}

/// Why a provider gets no copy of a pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has one already.
    Holds,
    Footing(Footing),
    Codec(Codec),
    /// Its pins end before this one does.
    Retention(Duration),
    Full(u64),
    /// It has this tag in common with one that has a copy, or gets one.
    Shares {
        tag: String,
        value: String,
        with: ProviderId,
    },
    /// It lacks the tag that copies are spread by.
    Untagged(String),
    /// Those before it are as many as are wanted.
    Enough,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Holds => f.write_str("has a copy already"),
            Self::Footing(Footing::Usable | Footing::Waiting) => {
                f.write_str("is of no use now: `pinfold provider ls` tells why")
            }
            Self::Footing(Footing::Readonly) => f.write_str("is set to get nothing new"),
            Self::Footing(Footing::Absent) => f.write_str("is not in the config any more"),
            Self::Footing(Footing::Leaving) => f.write_str("is being drained"),
            Self::Footing(Footing::Distrusted) => f.write_str("did not serve what it says is pinned"),
            Self::Footing(Footing::Dead) => f.write_str("is declared dead"),
            Self::Codec(codec) => write!(f, "takes no CIDs of codec {codec}"),
            Self::Retention(span) => write!(f, "its pins end after {}", show_span(*span)),
            Self::Full(most) => write!(f, "has as many copies as it may have: {most}"),
            Self::Shares { tag, value, .. } => write!(f, "shares {tag}={value} with one that has a copy"),
            Self::Untagged(tag) => write!(f, "has no tag {tag} to spread copies by"),
            Self::Enough => f.write_str("those before it are enough"),
        }
    }
}

/// What becomes of one provider of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    pub provider: ProviderId,
    pub footing: Footing,
    /// `None`: it is to get a copy.
    pub passed_over: Option<Reason>,
}

/// One pin to be placed.
#[derive(Clone, Copy, Debug)]
pub struct Placement<'a> {
    pub policy: &'a Policy,
    pub content: &'a Content,
    /// How long the pin is to live, where it ends.
    pub lives: Option<Duration>,
    /// All providers, as [`Policy::views`] gives them.
    pub views: &'a [ProviderView],
}

/// A copy that is there, or on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Own {
    pub provider: ProviderId,
    /// Whether the pin has it: pinned, where that is believed and where it does not share what one accident can take with
    /// another one that the pin has. What users and gauges are told of, and what I8 goes by.
    pub had: bool,
    /// Whether it counts towards what the policy asks for: had, or on its way in time, and to stay. For one that is had and
    /// does not count another one is made, as while its provider is drained.
    pub counts: bool,
    /// Why it is neither, where that is not its own state.
    pub idle: Option<Reason>,
}

impl Placement<'_> {
    /// The policy's providers in the order in which they are asked, those that answer before those that do not, with
    /// what becomes of each where `more` copies are wanted beside `own`.
    pub fn consider(&self, more: usize, own: &[Own]) -> Vec<Considered> {
        let mut listed: Vec<&ProviderView> = self.views.iter().filter(|view| view.listed).collect();
        self.policy.choose.order(&mut listed, self.content);
        listed.sort_by_key(|view| view.footing != Footing::Usable);
        let mut with: Vec<ProviderId> = own.iter().filter(|own| own.counts).map(|own| own.provider).collect();
        let mut wanted = more;
        let consider = |view: &&ProviderView| {
            let reason = self.unfit(view, own).or_else(|| self.shares(view, &with));
            let passed_over = reason.or_else(|| (wanted == 0).then_some(Reason::Enough));
            if passed_over.is_none() {
                with.push(view.id);
                wanted -= 1;
            }
            Considered { provider: view.id, footing: view.footing, passed_over }
        };
        listed.iter().map(consider).collect()
    }

    /// As [`consider`](Self::consider), those only that are to get a copy.
    pub fn choose(&self, more: usize, own: &[Own]) -> impl Iterator<Item = Considered> {
        self.consider(more, own).into_iter().filter(|considered| considered.passed_over.is_none())
    }

    /// How many of the policy's providers take such a content at all, however they are now.
    pub fn takers(&self) -> usize {
        let has_end = self.lives.is_some();
        let may =
            |view: &&ProviderView| view.listed && view.facts.takes(self.content) && view.facts.keeps(has_end);
        self.views.iter().filter(may).count()
    }

    fn unfit(&self, view: &ProviderView, own: &[Own]) -> Option<Reason> {
        if own.iter().any(|own| own.provider == view.id) {
            return Some(Reason::Holds);
        }
        if !view.footing.is_open() {
            return Some(Reason::Footing(view.footing));
        }
        if !view.facts.takes(self.content) {
            return Some(Reason::Codec(self.content.codec()));
        }
        let too_short = |span: &Duration| self.lives.is_none_or(|lives| lives > *span);
        if let Some(span) = view.facts.retention.filter(too_short) {
            return Some(Reason::Retention(span));
        }
        view.facts.max_pins.filter(|_| view.is_full()).map(Reason::Full)
    }

    fn shares(&self, view: &ProviderView, with: &[ProviderId]) -> Option<Reason> {
        let tag = self.policy.spread_by.as_ref()?;
        let Some(value) = view.facts.tags.get(tag) else { return Some(Reason::Untagged(tag.clone())) };
        let same = |other: &&ProviderView| other.facts.tags.get(tag) == Some(value);
        let mut others = self.views.iter().filter(|other| with.contains(&other.id));
        let sharing = others.find(same)?;
        Some(Reason::Shares { tag: tag.clone(), value: value.clone(), with: sharing.id })
    }
}

#[cfg(test)]
mod tests;
