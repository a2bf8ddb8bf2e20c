//! What happened in the gateway, for operators to read afterwards or to follow.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::{AccountId, EventId, Timestamp, provider::codes};

codes! {
    /// What an event tells of. Polls and other routine are none.
    EventKind {
        /// A pin's merged status changed.
        PinStatus = 0 "pin_status",
        /// What was observed of a provider changed.
        ProviderHealth = 1 "provider_health",
        /// What the operator wants of a provider changed.
        ProviderMode = 2 "provider_mode",
        /// A job began, ended, or was told to do something else.
        Job = 3 "job",
        /// An operator did something through the admin API.
        Admin = 4 "admin",
        /// The config was read again.
        Reload = 5 "reload",
        /// A pin went away, because its time was over.
        PinExpired = 6 "pin_expired",
        /// A provider showed, or did not show, that it serves what it says is pinned.
        ProviderProof = 7 "provider_proof",
    }
}

impl FromStr for EventKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("{text:?} is no kind of event: write some of {}", all.join(", "))
        })
    }
}

/// What else there is to say of an event: few words, never a secret.
pub type EventBody = BTreeMap<String, String>;

/// Something that is to be remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    pub kind: EventKind,
    /// Whose pins it is about; `None`: the gateway's.
    pub account: Option<AccountId>,
    /// The requestid, the provider's name, the job's or the token's id.
    pub subject: String,
    pub body: EventBody,
}

impl NewEvent {
    /// One about the gateway itself.
    pub fn new(kind: EventKind, subject: impl Into<String>) -> Self {
        Self { kind, account: None, subject: subject.into(), body: EventBody::new() }
    }

    /// What an operator did: `by` is the name of their token or certificate, where they showed one.
    pub fn act(act: &str, subject: impl Into<String>, by: Option<&str>) -> Self {
        let event = Self::new(EventKind::Admin, subject).with("act", act);
        match by {
            Some(by) => event.with("by", by),
            None => event,
        }
    }

    /// Something that went from one word to another.
    pub fn change(kind: EventKind, subject: impl Into<String>, from: &str, to: &str) -> Self {
        Self::new(kind, subject).with("from", from).with("to", to)
    }

    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.body.insert(key.to_owned(), value.into());
        self
    }

    #[must_use]
    pub fn of(self, account: Option<AccountId>) -> Self {
        Self { account, ..self }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Rises, and is never given out again.
    pub id: EventId,
    /// Wall clock: it may go back from one event to the next.
    pub at: Timestamp,
    pub kind: EventKind,
    /// The account's name.
    pub account: Option<String>,
    pub subject: String,
    pub body: EventBody,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_word() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        assert!("poll".parse::<EventKind>().unwrap_err().contains("pin_status, provider_health"));
    }
}
