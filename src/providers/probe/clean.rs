//! Removes every test pin, also those whose ids were never told: it looks for their CIDs until there are none.

use std::time::Duration;

use super::{
    lab::{Lab, STATUSES},
    seen::Page,
};

/// How often it removes what it knows and looks for what it does not.
const ROUNDS: usize = 3;

pub(super) async fn up(lab: &mut Lab) {
    lab.caller.clean();
    if lab.ledger.asked.is_empty() {
        return;
    }
    if let Some(since) = lab.ledger.unanswered {
        // Only what can no longer take effect can be looked for to the end.
        let settled = since.plus(lab.caller.parts().settings.settle);
        lab.caller.wait(settled.since(lab.caller.now())).await;
    }
    let mut clean = Err(String::new());
    for round in 0..ROUNDS {
        if round > 0 {
            lab.caller.wait(Duration::from_secs(1)).await;
        }
        remove_all(lab).await;
        clean = look(lab).await;
        if clean.is_ok() && lab.ledger.live.is_empty() {
            return;
        }
    }
    lab.left.extend(lab.ledger.live.iter().map(|id| format!("the pin {}", lab.caller.plain(id))));
    if let Err(why) = clean
        && lab.ledger.doubt
    {
        let cids: Vec<&str> = lab.ledger.asked.iter().map(|cid| cid.as_str()).collect();
        let what = format!("perhaps pins of {}: they could not be looked for ({why})", cids.join(", "));
        lab.left.push(what);
    }
}

async fn remove_all(lab: &mut Lab) {
    for id in lab.ledger.live.clone() {
        // One that fails stays on record, and is tried again in the next round.
        if let Err(miss) = lab.remove(&id).await {
            tracing::debug!(why = miss.why, "a test pin could not be removed");
        }
    }
}

/// Puts every pin of this run that is still there on record; `Err` where that cannot be told.
async fn look(lab: &mut Lab) -> Result<(), String> {
    let mut cids: Vec<String> = lab.ledger.asked.iter().map(|cid| cid.as_str().to_owned()).collect();
    cids.sort_unstable();
    cids.dedup();
    for some in cids.chunks(lab.preset().batch()) {
        let page = list(lab, &format!("status={STATUSES}&limit=1000&cid={}", some.join(","))).await;
        // Who takes no such question may take a plainer one: the newest pins are the probe's.
        let page = match page {
            Err(_) => list(lab, &format!("status={STATUSES}&limit=100")).await?,
            Ok(page) => page,
        };
        let found: Vec<String> =
            page.rows.iter().filter(|row| lab.is_own(row)).map(|row| row.id.clone()).collect();
        let new: Vec<String> = found.into_iter().filter(|id| !lab.ledger.live.contains(id)).collect();
        lab.ledger.live.extend(new);
    }
    Ok(())
}

async fn list(lab: &mut Lab, query: &str) -> Result<Page, String> {
    let (reply, page) = lab.list(query).await.map_err(|miss| miss.why)?;
    page.ok_or_else(|| lab.caller.say(&reply))
}
