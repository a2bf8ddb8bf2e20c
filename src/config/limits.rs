//! How much clients may ask, and accounts may have.

use std::fmt::{self, Write};

use super::reader::{Keys, Reader, Section, Text, Wrong};
use super::value::{boolean, bytes, number};
use crate::limits::{Caps, Class, Limit};
use crate::model::{Quota, Rate};

pub(super) const GENERAL: &[&str] = &["read", "write", "burst", "failed_logins", "shadow"];
const OWN: Keys = Keys { known: &["read", "write", "burst"], later: &[] };
const QUOTA: Keys = Keys { known: &["pins", "pins_per_day", "meta_bytes"], later: &[] };
const MOST: u64 = i64::MAX as u64;

/// What is written of the limits of a token or an account. What can be held here can be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits {
    pub read: Option<Ceiling>,
    pub write: Option<Ceiling>,
    /// How many may come at once; left out: as many as the rate has calls.
    pub burst: Option<u32>,
}

/// A rate, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ceiling {
    None,
    Rate(Rate),
}

/// The limits that hold where no others are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Count, do not refuse.
    pub shadow: bool,
    /// Of each token without limits of its own.
    pub each_token: OwnLimits,
    /// Requests from one network without a good token.
    pub failed_logins: Ceiling,
}

/// What holds for one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    pub account: String,
    /// Of all its tokens together.
    pub limits: OwnLimits,
    pub quota: Quota,
    /// Whether clients may choose policy and end of a pin by its meta.
    pub meta_controls: bool,
}

impl OwnLimits {
    /// The limits in force, where what is not written is as in `others`.
    pub fn over(self, others: Caps) -> Caps {
        Caps { read: self.one(self.read, others.read), write: self.one(self.write, others.write) }
    }

    fn one(self, written: Option<Ceiling>, other: Option<Limit>) -> Option<Limit> {
        let (rate, usual) = match written {
            Some(Ceiling::None) => return None,
            Some(Ceiling::Rate(rate)) => (rate, rate.calls),
            None => other.map(|other| (other.rate(), other.burst()))?,
        };
        // Holds: `read_own` refuses what makes no limit.
        Some(Limit::new(rate, self.burst.unwrap_or(usual)).expect("a limit that was checked"))
    }
}

impl LimitSettings {
    pub fn failed_logins(&self) -> Option<Limit> {
        match self.failed_logins {
            Ceiling::None => None,
            // Holds: it was checked where it was read.
            Ceiling::Rate(rate) => Some(Limit::of(rate).expect("a limit that was checked")),
        }
    }
}

impl Default for LimitSettings {
    fn default() -> Self {
        let rate = |limit: Limit| Ceiling::Rate(limit.rate());
        let each_token =
            OwnLimits { read: Some(rate(Limit::READ)), write: Some(rate(Limit::WRITE)), burst: None };
        Self { shadow: false, each_token, failed_logins: rate(Limit::FAILED_LOGINS) }
    }
}

pub(super) fn general(reader: &mut Reader<'_>, root: &Section<'_>) -> LimitSettings {
    let section = reader.section(root, "limits", Keys { known: GENERAL, later: &[] });
    let default = LimitSettings::default();
    let written = read_own(reader, &section, default.each_token.over(Caps::default()), Reader::setting);
    let failed_logins = reader.setting(&section, "failed_logins");
    let shadow = reader.setting(&section, "shadow");
    LimitSettings {
        shadow: reader.parse_or(shadow, default.shadow, boolean),
        each_token: OwnLimits {
            read: written.read.or(default.each_token.read),
            write: written.write.or(default.each_token.write),
            burst: written.burst,
        },
        failed_logins: reader.parse_or(failed_logins, default.failed_logins, |text| {
            let ceiling = ceiling(text)?;
            check(ceiling, None).map(|()| ceiling)
        }),
    }
}

/// The `limits` of a token or an account; what it does not write is as in `others`.
pub(super) fn own(reader: &mut Reader<'_>, owner: &Section<'_>, others: Caps) -> OwnLimits {
    let section = reader.section(owner, "limits", OWN);
    read_own(reader, &section, others, Reader::optional)
}

fn read_own<'a>(
    reader: &mut Reader<'a>,
    section: &Section<'_>,
    others: Caps,
    text: fn(&mut Reader<'a>, &Section<'_>, &str) -> Option<Text>,
) -> OwnLimits {
    let burst = text(reader, section, "burst");
    let place = burst.clone();
    let burst = burst.and_then(|text| reader.parse(&text, number(1, 1_000_000)));
    let mut rate = |key: &str| {
        let text = text(reader, section, key)?;
        reader.parse(&text, |text| {
            let ceiling = ceiling(text)?;
            check(ceiling, burst).map(|()| ceiling)
        })
    };
    let (read, write) = (rate("read"), rate("write"));
    // A burst of its own may be too much for a rate that stands elsewhere.
    for (class, written) in [(Class::Read, read), (Class::Write, write)] {
        let inherited = others.get(class).filter(|_| written.is_none());
        if let (Some(place), Some(limit)) = (&place, inherited) {
            reader.parse(place, |_| check(Ceiling::Rate(limit.rate()), burst));
        }
    }
    OwnLimits { read, write, burst }
}

fn ceiling(text: &str) -> Result<Ceiling, Wrong> {
    if text == "none" {
        return Ok(Ceiling::None);
    }
    let rate = text.parse().map(Ceiling::Rate);
    rate.map_err(|_: String| {
        Wrong::new("not a rate", "write calls and a time, such as 50/s or 10/min, or none")
    })
}

fn check(ceiling: Ceiling, burst: Option<u32>) -> Result<(), Wrong> {
    let Ceiling::Rate(rate) = ceiling else { return Ok(()) };
    let limit = Limit::new(rate, burst.unwrap_or(rate.calls));
    limit.map(drop).map_err(|error| {
        Wrong::new(
            format!("no limit that can be kept: {error}"),
            "write a rate such as 50/s or 10/min, or none",
        )
    })
}

/// The `quota` of an account.
pub(super) fn quota(reader: &mut Reader<'_>, account: &Section<'_>) -> Quota {
    let section = reader.section(account, "quota", QUOTA);
    let mut read = |key: &str, parse: fn(&str) -> Result<u64, Wrong>| {
        let text = reader.optional(&section, key)?;
        reader.parse(&text, parse)
    };
    Quota {
        pins: read("pins", |text| number(0, MOST)(text)),
        pins_per_day: read("pins_per_day", |text| number(0, MOST)(text)),
        meta_bytes: read("meta_bytes", bytes),
    }
}

impl fmt::Display for Ceiling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Rate(rate) => rate.fmt(f),
        }
    }
}

/// As a map in braces, of what is written.
impl fmt::Display for OwnLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { read, write, burst } = self;
        let read = read.map(|read| format!("read: {read}"));
        let write = write.map(|write| format!("write: {write}"));
        let burst = burst.map(|burst| format!("burst: {burst}"));
        let parts: Vec<_> = [read, write, burst].into_iter().flatten().collect();
        write!(f, "{{ {} }}", parts.join(", "))
    }
}

pub(super) fn write_general(out: &mut String, limits: &LimitSettings) -> fmt::Result {
    let LimitSettings { shadow, each_token: OwnLimits { read, write, burst }, failed_logins } = limits;
    out.write_str("limits:\n")?;
    for (key, ceiling) in [("read", read), ("write", write)] {
        if let Some(ceiling) = ceiling {
            writeln!(out, "  {key}: {ceiling}")?;
        }
    }
    if let Some(burst) = burst {
        writeln!(out, "  burst: {burst}")?;
    }
    writeln!(out, "  failed_logins: {failed_logins}\n  shadow: {shadow}")
}

/// What is written of an account's limits and quota.
pub(super) fn write_terms(out: &mut String, terms: &AccountTerms) -> fmt::Result {
    if terms.limits != OwnLimits::default() {
        writeln!(out, "    limits: {}", terms.limits)?;
    }
    let Quota { pins, pins_per_day, meta_bytes } = terms.quota;
    let written = [("pins", pins), ("pins_per_day", pins_per_day), ("meta_bytes", meta_bytes)];
    let written: Vec<_> =
        written.into_iter().filter_map(|(key, most)| Some(format!("{key}: {}", most?))).collect();
    if written.is_empty() { Ok(()) } else { writeln!(out, "    quota: {{ {} }}", written.join(", ")) }
}
