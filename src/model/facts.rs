//! What an operator declares of a provider, for placement to weigh.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Codec, Content, Weight};

/// All of it is optional: a provider of which nothing is declared is like any other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Its share of the copies, where a policy weighs.
    pub weight: Weight,
    /// Such as `region: eu`; what two providers have in common, one accident may take from both.
    pub tags: BTreeMap<String, String>,
    /// For comparison with others only.
    pub cost: Option<Cost>,
    /// The most copies that are placed there.
    pub max_pins: Option<u64>,
    /// The only ones that it takes.
    pub codecs: Option<Vec<Codec>>,
    /// Its pins end after this.
    pub retention: Option<Duration>,
    /// How long it may be down, or out of the config, before its copies are given up.
    pub declare_dead_after: Option<Duration>,
    /// How what it has is compared with what is on record; `None`: each copy is looked at now and then.
    pub audit: Option<Audit>,
    /// How often it has to show that it serves what it says is pinned; `None`: it has no gateway to ask.
    pub proof: Option<Sampling>,
}

impl Facts {
    /// As where neither the provider's entry nor the engine's section says otherwise.
    pub const DIES_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

    /// How long it may be down, or out of the config, before its copies are given up.
    pub fn dies_after(&self) -> Duration {
        self.declare_dead_after.unwrap_or(Self::DIES_AFTER)
    }

    /// Whether its list is swept so often that confirmed copies need no looks of their own.
    pub fn is_swept(&self) -> bool {
        self.audit.is_some_and(|audit| audit.by != AuditBy::Look)
    }

    /// Whether it ever keeps a pin to its end, or for ever where it has none: one with an end comes nearer to it.
    pub fn keeps(&self, has_end: bool) -> bool {
        has_end || self.retention.is_none()
    }

    pub fn takes(&self, content: &Content) -> bool {
        self.codecs.as_ref().is_none_or(|codecs| codecs.contains(&content.codec()))
    }
}

/// How often a provider is audited by itself, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    pub every: Duration,
    pub by: AuditBy,
}

/// How often copies are asked for at a provider's gateway, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    pub every: Duration,
    pub sample: u32,
}

/// How a provider is audited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditBy {
    /// By its list, unless looking at each copy is cheaper.
    #[default]
    Auto,
    Sweep,
    /// Each copy is looked at.
    Look,
}

/// A price in units of the operator's own, to a millionth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cost(u64);

impl Cost {
    /// `None` for what is no price: negative, not finite, or beyond a billion.
    pub fn new(cost: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, and rounded")]
        (0.0..=1e9).contains(&cost).then(|| Self((cost * 1e6).round() as u64))
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PinCid;

    #[test]
    fn costs_are_kept_and_shown_to_a_millionth() {
        let shown = |cost| Cost::new(cost).map(|cost| cost.to_string());
        assert_eq!(shown(0.15).as_deref(), Some("0.15"));
        assert_eq!(shown(20.0).as_deref(), Some("20"));
        assert_eq!(shown(0.000_001).as_deref(), Some("0.000001"));
        assert_eq!([shown(-0.1), shown(f64::NAN), shown(f64::INFINITY)], [None, None, None]);
    }

    #[test]
    fn facts_of_a_newer_or_older_pinfold_are_read() {
        let facts: Facts = serde_json::from_str(r#"{ "weight": 3, "unheard_of": true }"#).unwrap();
        assert_eq!(facts, Facts { weight: Weight::new(3).unwrap(), ..Facts::default() });
    }

    #[test]
    fn codecs_that_are_listed_are_the_only_ones_taken() {
        let raw = PinCid::parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy").unwrap();
        assert!(Facts::default().takes(raw.content()));
        assert!(Facts { codecs: Some(vec![Codec::new(0x55)]), ..Facts::default() }.takes(raw.content()));
        assert!(!Facts { codecs: Some(vec![Codec::new(0x70)]), ..Facts::default() }.takes(raw.content()));
    }
}
