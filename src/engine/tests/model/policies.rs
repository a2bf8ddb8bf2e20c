//! What is asked for in a world: each policy says one thing or another, as its operator changes his mind.

use std::{collections::BTreeSet, time::Duration};

use super::world::{NAMES, REGIONS};
use crate::policy::{Choose, Copies, Deadlines, Late, Policy};

/// How many policies there are.
pub(super) const POLICIES: usize = 4;

const DEADLINES: Deadlines =
    Deadlines { queued: Some(Duration::from_secs(6 * 3600)), pinning: Some(Duration::from_secs(12 * 3600)) };

fn plain(name: &str, copies: (u16, u16), need: u16) -> Policy {
    let copies = Copies { min: copies.0, max: copies.1 };
    Policy::plain(name, copies, need, NAMES.map(str::to_owned).to_vec())
}

/// One of the policies, in its first words or its second.
pub(super) fn policy(n: usize, second: bool) -> Policy {
    match (n, second) {
        (0, false) => plain("one", (1, 1), 1),
        (0, true) => {
            let mut turned = plain("one", (1, 2), 1);
            turned.providers.reverse();
            turned
        }
        (1, false) => {
            let hashed = Policy { choose: Choose::Hash, late: Late::Remove, ..plain("two", (2, 2), 1) };
            Policy { deadlines: DEADLINES, ..hashed }
        }
        (1, true) => {
            let mut fewer = plain("two", (2, 2), 2);
            fewer.providers.pop();
            fewer
        }
        (2, false) => Policy { choose: Choose::LeastLoaded, ..plain("more", (2, 3), 2) },
        (2, true) => Policy { deadlines: DEADLINES, ..plain("more", (1, 2), 1) },
        (_, second) => {
            let choose = if second { Choose::Hash } else { Choose::Weighted };
            Policy { spread_by: Some("region".into()), choose, ..plain("apart", (2, 2), 1) }
        }
    }
}

/// How many copies a policy counts, of those at these providers. One that it does not name helps where others are missing.
pub(super) fn counted(policy: &Policy, places: impl Iterator<Item = usize>) -> usize {
    match policy.spread_by {
        Some(_) => places.map(|n| REGIONS[n]).collect::<BTreeSet<_>>().len(),
        None => places.count(),
    }
}

pub(super) fn names(policy: &Policy, n: usize) -> bool {
    policy.providers.iter().any(|name| name == NAMES[n])
}
