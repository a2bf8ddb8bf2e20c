//! What a sample of a provider's copies makes of it.

use crate::model::{ProofState, Sampled};

/// Fewer copies that are not served may be chance.
const LEAST: u32 = 3;

/// What a provider is after another sample. One that failed makes it suspect, the next one unproven: at least three copies,
/// and most of those of which anything was learned. A gateway that cannot be asked changes nothing.
pub fn judge(before: ProofState, sampled: &Sampled) -> ProofState {
    let Sampled { served, failed, .. } = *sampled;
    let mostly = failed > served;
    match before {
        _ if sampled.judged() == 0 => before,
        _ if failed < LEAST && served > failed => ProofState::Proven,
        ProofState::Suspect | ProofState::Unproven if failed >= LEAST && mostly => ProofState::Unproven,
        ProofState::Unproven => ProofState::Unproven,
        _ => ProofState::Suspect,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use ProofState::{Proven, Suspect, Unknown, Unproven};

    fn sample(served: u32, failed: u32) -> Sampled {
        Sampled { served, failed, ..Sampled::default() }
    }

    #[test]
    fn one_bad_sample_makes_suspect_and_the_second_unproven() {
        assert_eq!(judge(Proven, &sample(0, 20)), Suspect);
        assert_eq!(judge(Suspect, &sample(9, 11)), Unproven);
        assert_eq!(judge(Unproven, &sample(9, 11)), Unproven);
        assert_eq!(judge(Unproven, &sample(20, 0)), Proven);
    }

    #[test]
    fn less_than_three_or_less_than_most_is_no_more_than_suspect() {
        assert_eq!(judge(Suspect, &sample(0, 2)), Suspect);
        assert_eq!(judge(Suspect, &sample(10, 10)), Suspect);
        assert_eq!(judge(Proven, &sample(18, 2)), Proven, "chance");
        assert_eq!(judge(Unproven, &sample(10, 10)), Unproven, "it has to serve more than that");
    }

    proptest! {
        #[test]
        fn what_was_not_reached_or_cannot_be_checked_counts_neither_way(
            state in prop::sample::select(ProofState::ALL), served in 0..50_u32, failed in 0..50_u32,
            unreached in 0..50_u32, uncheckable in 0..50_u32,
        ) {
            let alone = judge(state, &sample(served, failed));
            prop_assert_eq!(judge(state, &Sampled { unreached, uncheckable, ..sample(served, failed) }), alone);
        }

        #[test]
        fn nobody_is_unproven_but_by_two_samples_that_mostly_failed(
            samples in prop::collection::vec((0..30_u32, 0..30_u32), 0..20),
        ) {
            let mut state = Unknown;
            let mut before = (0, 0);
            for (served, failed) in samples {
                let after = judge(state, &sample(served, failed));
                if after == Unproven && state != Unproven {
                    prop_assert!(failed >= 3 && failed > served, "{served} {failed}");
                    prop_assert!(before.1 > 0, "the one before it was fine");
                }
                if served + failed > 0 {
                    before = (served, failed);
                }
                state = after;
            }
        }
    }
}
