//! Which policy places a pin: the one that its client asks for, else that of the first route that fits, else the
//! token's first, else the account's.
//!
//! A token's list of policies holds whoever chooses: no route leads its pins to a policy that is not on it.

mod words;

use thiserror::Error;

use super::{Glob, controls};
use crate::model::{Codec, Meta, PinSpec};

/// The routes of the config; the first that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<Route>);

/// A way from what a pin is to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub name: String,
    pub when: When,
    pub policy: String,
}

/// What a route asks of a pin: every condition, and of each any one value. One without values is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    pub accounts: Vec<String>,
    /// By their names, or those of certificates.
    pub tokens: Vec<String>,
    pub names: Vec<Glob>,
    /// By key: every key must be there, with a value that fits.
    pub meta: Vec<(String, Vec<Glob>)>,
    pub codecs: Vec<Codec>,
    /// Whether there must be origins, or must be none.
    pub origins: Option<bool>,
}

impl When {
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }
}

/// Who sends a pin.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    pub account: &'a str,
    /// The account's own policy.
    pub policy: &'a str,
    /// Whether its clients may choose by meta.
    pub meta_controls: bool,
    /// The name of the token or certificate, where that is said.
    pub token: Option<&'a str>,
    /// Those that the token may use, the first by default; none: it has no list.
    pub policies: &'a [String],
}

impl<'a> Sender<'a> {
    /// The policies that it may ask for: those of its token's list, or the account's own.
    fn choices(&self) -> impl Iterator<Item = &'a str> {
        let own = self.policies.is_empty().then_some(self.policy);
        self.policies.iter().map(String::as_str).chain(own)
    }

    /// Whether a route may lead its pins to a policy.
    fn may_be_led_to(&self, policy: &str) -> bool {
        self.policies.is_empty() || self.policies.iter().any(|known| known == policy)
    }
}

/// One thing that a route may ask of a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Account,
    Token,
    Name,
    Meta,
    Codec,
    Origins,
    /// No route asks for it, but every token may: that its list has the policy.
    Allowed,
}

impl Condition {
    const ALL: [Self; 7] =
        [Self::Account, Self::Token, Self::Origins, Self::Codec, Self::Name, Self::Meta, Self::Allowed];
}

/// The policy of a pin, and who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    pub policy: &'a str,
    pub by: Chooser,
}

/// Who chose a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// By `meta.policy`.
    Client,
    /// The route of this number, from 0.
    Route(usize),
    /// The first on its list.
    Token,
    Account,
}

/// A client asked for a policy that there is not, or not for it; it is not told which of these it is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "meta.policy asks for {asked:?}, by which this token may not place pins: send one of {}, or no policy for the usual one",
    .allowed.join(", ")
)]
pub struct NotAllowed {
    pub asked: String,
    pub allowed: Vec<String>,
}

/// A route that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried<'a> {
    pub route: &'a Route,
    /// Why it does not fit; nothing where it does.
    pub because: Vec<String>,
}

impl Routes {
    /// The most that there may be: all are tried for each pin, and each has a series in the metrics.
    pub const MAX: usize = 200;

    /// `None` where there are too many.
    pub fn new(routes: Vec<Route>) -> Option<Self> {
        (routes.len() <= Self::MAX).then_some(Self(routes))
    }

    pub fn as_slice(&self) -> &[Route] {
        &self.0
    }

    /// The policy that places a pin.
    ///
    /// # Errors
    /// Where the client asks for one that it may not use.
    pub fn choose<'a>(&'a self, sender: &Sender<'a>, pin: &'a PinSpec) -> Result<Choice<'a>, NotAllowed> {
        if let Some(asked) = asked(sender, pin.meta.as_ref()) {
            return sender.checked(asked).map(|policy| Choice { policy, by: Chooser::Client });
        }
        let fits = |route: &Route| route.misses(sender, pin).next().is_none();
        if let Some(at) = self.0.iter().position(fits) {
            return Ok(Choice { policy: &self.0[at].policy, by: Chooser::Route(at) });
        }
        Ok(match sender.policies.first() {
            Some(policy) => Choice { policy, by: Chooser::Token },
            None => Choice { policy: sender.policy, by: Chooser::Account },
        })
    }

    /// The routes as [`choose`](Self::choose) tries them, up to the one that fits: none where the client chose.
    pub fn tried(&self, sender: &Sender<'_>, pin: &PinSpec) -> Vec<Tried<'_>> {
        let mut tried = Vec::new();
        if asked(sender, pin.meta.as_ref()).is_some() {
            return tried;
        }
        for route in &self.0 {
            let because: Vec<_> =
                route.misses(sender, pin).map(|miss| words::why(route, miss, sender, pin)).collect();
            let fits = because.is_empty();
            tried.push(Tried { route, because });
            if fits {
                break;
            }
        }
        tried
    }
}

impl<'a> Sender<'a> {
    fn checked(&self, asked: &'a str) -> Result<&'a str, NotAllowed> {
        if self.choices().any(|policy| policy == asked) {
            return Ok(asked);
        }
        let asked = asked.chars().take(64).collect();
        Err(NotAllowed { asked, allowed: self.choices().map(str::to_owned).collect() })
    }
}

/// The policy that a client asks for, where it may.
fn asked<'a>(sender: &Sender<'_>, meta: Option<&'a Meta>) -> Option<&'a str> {
    meta.filter(|_| sender.meta_controls)?.get(controls::POLICY)
}

impl Route {
    /// The conditions that a pin does not meet.
    fn misses(&self, sender: &Sender<'_>, pin: &PinSpec) -> impl Iterator<Item = Condition> {
        Condition::ALL.into_iter().filter(|condition| !self.meets(*condition, sender, pin))
    }

    fn meets(&self, condition: Condition, sender: &Sender<'_>, pin: &PinSpec) -> bool {
        let When { accounts, tokens, names, meta, codecs, origins } = &self.when;
        let is_one = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|one| one == value))
        };
        match condition {
            Condition::Account => is_one(accounts, Some(sender.account)),
            Condition::Token => is_one(tokens, sender.token),
            Condition::Name => names.is_empty() || any_fits(names, pin.name.as_deref()),
            Condition::Meta => meta.iter().all(|(key, globs)| any_fits(globs, pin.meta_value(key))),
            Condition::Codec => codecs.is_empty() || codecs.contains(&pin.cid.content().codec()),
            Condition::Origins => origins.is_none_or(|wanted| wanted != pin.origins.is_empty()),
            Condition::Allowed => sender.may_be_led_to(&self.policy),
        }
    }
}

fn any_fits(globs: &[Glob], text: Option<&str>) -> bool {
    text.is_some_and(|text| globs.iter().any(|glob| glob.fits(text)))
}

#[cfg(test)]
mod tests;
