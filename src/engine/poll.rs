//! Asks for the states of many pins in few calls: one by its id, some by lists of contents, very many by sweeping
//! the provider's list.

use std::collections::HashMap;

use futures::future::join_all;

use super::{
    dispatch::{Caller, erred},
    introduce::introduce,
};
use crate::{
    model::{Operation, ReplicaState, Timestamp, UpstreamId},
    policy::replica::Work,
    providers::{Known, Traits, UpstreamPin},
    store::{Claim, Word},
};

/// From this many on a sweep of the list may be cheaper than lists of contents.
pub(super) const SWEEP: usize = 100;

/// Works a group of claims that only ask.
pub(super) async fn run(caller: &Caller, claims: Vec<Claim>, began: Timestamp) {
    let mut waiting: Vec<(&Claim, &UpstreamId)> =
        claims.iter().filter_map(|claim| Some((claim, seen_by(claim)?))).collect();
    let Traits { lists_tell, sweeps, introduces, batch, .. } = *caller.provider.traits();
    if introduces {
        introduce(caller, &claims).await;
    }
    if waiting.len() >= SWEEP && sweeps {
        waiting = sweep(caller, waiting, began).await;
    }
    let batch = if lists_tell { batch.max(1) } else { 1 };
    join_all(waiting.chunks(batch).map(|chunk| ask(caller, chunk, began))).await;
}

fn seen_by(claim: &Claim) -> Option<&UpstreamId> {
    match &claim.work {
        Work::See(upstream) => Some(upstream),
        _ => None,
    }
}

/// Pages through the provider's list, newest first, for at most half of the calls that lists of contents would
/// take; returns those that it did not meet.
async fn sweep<'a>(
    caller: &Caller,
    waiting: Vec<(&'a Claim, &'a UpstreamId)>,
    began: Timestamp,
) -> Vec<(&'a Claim, &'a UpstreamId)> {
    let batch = caller.provider.traits().batch.max(1);
    let mut pages = waiting.len() / batch / 2;
    let mut missing: HashMap<&UpstreamId, &Claim> =
        waiting.into_iter().map(|(claim, id)| (id, claim)).collect();
    let mut before = None;
    while pages > 0 && missing.len() > batch {
        pages -= 1;
        let Ok(page) = caller.call(Operation::List, caller.provider.list(before)).await else { break };
        let met: Vec<_> =
            page.pins.into_iter().filter_map(|pin| Some((missing.remove(&pin.id)?, seen(pin)))).collect();
        caller.record(met, began).await;
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    missing.into_iter().map(|(id, claim)| (claim, id)).collect()
}

fn seen(pin: UpstreamPin) -> Word {
    Word::Seen { status: pin.status, delegates: pin.delegates, why: pin.why }
}

/// Asks for up to a batch of pins in one call; what the answer lacks is asked for by its id before it counts as
/// gone.
async fn ask(caller: &Caller, claims: &[(&Claim, &UpstreamId)], began: Timestamp) {
    let found = match claims {
        [_] => Vec::new(),
        _ => {
            let contents: Vec<_> = claims.iter().map(|(claim, _)| claim.content.clone()).collect();
            let asked = claims.iter().map(|(claim, _)| *claim);
            match caller.call_for(asked, Operation::Look, caller.provider.look_up(&contents)).await {
                Ok(found) => found,
                Err(error) => {
                    let words: Vec<_> = claims.iter().map(|(claim, _)| (*claim, erred(&error))).collect();
                    return caller.record(words, began).await;
                }
            }
        }
    };
    let (mut words, mut missing) = (Vec::new(), Vec::new());
    for (claim, id) in claims {
        match found.iter().find(|pin| pin.id == **id) {
            Some(pin) => words.push((*claim, seen(pin.clone()))),
            None => missing.push((*claim, *id)),
        }
    }
    let confirm = join_all(missing.into_iter().map(|(claim, id)| confirm(caller, claim, id, began)));
    futures::future::join(caller.record(words, began), confirm).await;
}

/// A claim's pin as it is on record.
pub(super) fn known<'a>(claim: &'a Claim, id: &'a UpstreamId) -> Known<'a> {
    Known {
        id,
        content: &claim.content,
        unfinished: !matches!(claim.state, ReplicaState::Pinned),
        name: claim.name.as_deref(),
        origins: &claim.origins,
    }
}

/// Asks for one pin by its id.
async fn confirm(caller: &Caller, claim: &Claim, id: &UpstreamId, began: Timestamp) {
    let known = known(claim, id);
    let word = match caller.call_for([claim], Operation::Look, caller.provider.see(known)).await {
        Ok(Some(pin)) => seen(pin),
        Ok(None) => Word::Gone,
        Err(error) => erred(&error),
    };
    caller.record(vec![(claim, word)], began).await;
}
