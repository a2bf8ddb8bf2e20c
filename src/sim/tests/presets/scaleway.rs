//! Scaleway.

use super::*;

#[tokio::test]
async fn the_cid_filter_is_ignored_and_names_work() {
    let played = Played::new("scaleway").await;
    played.add_named(1, "alpha").await;
    played.add_named(2, "beta").await;
    assert_eq!(played.caller.list(&format!("cid={}&{ALL}", cid(1).as_str())).await.cids().len(), 2);
    assert_eq!(played.caller.list(&format!("name=alpha&{ALL}")).await.cids(), [cid(1).as_str()]);
}
