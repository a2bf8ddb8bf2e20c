//! The gateway of a simulated provider.

use super::*;
use crate::sim::{Fault, Mood, Routes};

#[tokio::test]
async fn a_block_is_handed_out_while_it_is_pinned_and_as_the_mood_has_it() {
    let (sim, caller) = correct().await;
    let cid = sim.stock("a block").unwrap();
    let path = format!("/ipfs/{}?format=raw", cid.as_str());
    assert_eq!(caller.get(&path).await.code, 404, "nobody pinned it");
    caller.post("/pins", json!({ "cid": cid.as_str() })).await;
    // The pinning API's trouble is not the gateway's.
    sim.faults().always(Routes::Any, Fault::status(503));
    let served = caller.get(&path).await;
    assert_eq!((served.code, served.text.as_str()), (200, "a block"));
    assert_eq!(served.headers["content-type"], "application/vnd.ipld.raw");
    assert_eq!(caller.get(&format!("/ipfs/{}", cid.as_str())).await.code, 406, "as a block or not at all");
    sim.set(|is| is.gateway = Mood::NotFound);
    assert_eq!(caller.get(&path).await.code, 404);
    sim.set(|is| is.gateway = Mood::WrongBytes);
    let wrong = caller.get(&path).await;
    assert_eq!((wrong.code, cid.content().is_block(wrong.text.as_bytes())), (200, Some(false)));
}
