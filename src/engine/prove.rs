//! Proves a credential that is new to a provider by copies on record, before anything is sent with it: another
//! account's token must not make all copies again elsewhere.

use super::dispatch::Caller;
use crate::{
    model::{Operation, Timestamp},
    store::StoreError,
};

/// Copies that are looked up.
const SAMPLE: usize = 5;

/// What is known of a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// It reaches our copies, or there are none.
    Proven,
    /// The provider did not answer.
    Unknown,
    /// None of our copies is there.
    Wrong,
}

/// Looks a few known copies up. `Proven` is kept for this credential.
pub(super) async fn prove(
    caller: &Caller,
    credential: [u8; 32],
    now: Timestamp,
) -> Result<Proof, StoreError> {
    let dice = std::iter::repeat_with(rand::random).take(SAMPLE).collect();
    let sample = caller.shared.store.sample_copies(caller.id, dice).await?;
    let proof = match sample.is_empty() {
        true => Proof::Proven,
        false => reaches(caller, &sample).await,
    };
    match proof {
        Proof::Proven => caller.shared.store.prove_credential(caller.id, credential).await?,
        Proof::Wrong => {
            let provider = caller.provider.name();
            tracing::error!(
                provider,
                "the new credential reaches none of the copies on record, so nothing is sent there: if it belongs \
                 to another account run `pinfold provider rebind {provider} --new-account`, else put the old one back"
            );
            let changed = caller.observed().distrust(now, &caller.shared.settings);
            if changed.is_some() {
                caller.note(None, now).await;
            }
        }
        Proof::Unknown => {}
    }
    Ok(proof)
}

async fn reaches(caller: &Caller, sample: &[(crate::model::Content, crate::model::UpstreamId)]) -> Proof {
    for (content, upstream) in sample {
        let contents = std::slice::from_ref(content);
        match caller.provider.look_up(contents).await {
            Ok(found) if found.iter().any(|pin| pin.id == *upstream) => return Proof::Proven,
            // That it is answered is no sign of health: pins would be placed there until the last look is through.
            Ok(_) => {}
            Err(error) => {
                // Told all the same: it may be refused, or down. The error comes back as it is.
                let _told = caller.call(Operation::Look, std::future::ready(Err::<(), _>(error))).await;
                return Proof::Unknown;
            }
        }
    }
    Proof::Wrong
}
