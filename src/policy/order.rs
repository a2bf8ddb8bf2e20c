//! In which order a policy's providers are asked to take a content. A function of its arguments: the same ones give the
//! same order, and a provider more or less changes no order among the others, but where it is one of load or of tags.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ProviderView;
use crate::model::Content;

/// How a policy orders its providers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// As the policy lists them.
    #[default]
    Ordered,
    /// Each gets as large a part of all contents as it weighs (weighted rendezvous hashing).
    Weighted,
    /// The next is the one that has the fewest tags in common with those before it.
    Spread,
    /// Those with the fewest copies for their weight first.
    LeastLoaded,
    /// Each gets an equal part of all contents (rendezvous hashing).
    Hash,
    /// Those that cost least first; those of which no cost is declared last.
    Cheapest,
}

impl Choose {
    pub const ALL: [Self; 6] =
        [Self::Ordered, Self::Weighted, Self::Spread, Self::LeastLoaded, Self::Hash, Self::Cheapest];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Weighted => "weighted",
            Self::Spread => "spread",
            Self::LeastLoaded => "least_loaded",
            Self::Hash => "hash",
            Self::Cheapest => "cheapest",
        }
    }

    /// Orders `views`, which are given as the policy lists them; ties stay so.
    pub(super) fn order(self, views: &mut [&ProviderView], content: &Content) {
        match self {
            Self::Ordered => {}
            Self::Weighted => views.sort_by(|a, b| share(b, content).total_cmp(&share(a, content))),
            Self::Spread => spread(views),
            Self::LeastLoaded => views.sort_by(|a, b| load(a, b)),
            Self::Hash => views.sort_by_key(|view| std::cmp::Reverse(digest(view, content))),
            Self::Cheapest => views.sort_by_key(|view| (view.facts.cost.is_none(), view.facts.cost)),
        }
    }
}

/// A number of this provider and content alone.
fn digest(view: &ProviderView, content: &Content) -> u64 {
    let hash =
        Sha256::new().chain_update(view.id.0.to_be_bytes()).chain_update(content.as_bytes()).finalize();
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The higher, the better: the highest of all falls to each provider as often as it weighs.
fn share(view: &ProviderView, content: &Content) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits are kept")]
    let uniform = ((digest(view, content) >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -f64::from(view.facts.weight.get()) / uniform.ln()
}

/// Copies for each unit of weight, without a division.
fn load(a: &ProviderView, b: &ProviderView) -> Ordering {
    let of = |one: &ProviderView, other: &ProviderView| {
        u128::from(one.copies) * u128::from(other.facts.weight.get())
    };
    of(a, b).cmp(&of(b, a))
}

fn spread(views: &mut [&ProviderView]) {
    for next in 1..views.len() {
        let (before, rest) = views.split_at_mut(next);
        let fewest = rest.iter().enumerate().min_by_key(|(_, view)| in_common(view, before));
        if let Some((at, _)) = fewest {
            rest[..=at].rotate_right(1);
        }
    }
}

/// How many tags it shares with each of the others, summed.
fn in_common(view: &ProviderView, others: &[&ProviderView]) -> usize {
    let shared = |other: &&ProviderView| {
        view.facts.tags.iter().filter(|(tag, value)| other.facts.tags.get(*tag) == Some(value)).count()
    };
    others.iter().map(shared).sum()
}

#[cfg(test)]
mod tests;
