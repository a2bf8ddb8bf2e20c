//! What presets know of single services, each handled in one small place.

use super::super::{Submit, UpstreamPin};
use crate::{
    model::{Content, Status, Timestamp},
    presets::{NameRule, Preset},
};

/// Why a service will not take a content, where that is known without asking it.
pub(super) fn refuses(preset: &Preset, content: &Content) -> Option<String> {
    let taken = preset.codecs.as_ref()?;
    let codec = content.codec().to_string();
    if taken.contains(&codec) {
        return None;
    }
    Some(format!("it takes no CIDs of codec {codec}, only {}", taken.join(", ")))
}

/// Where a name is demanded, a pin without one is named by its CID.
pub(super) fn with_name(preset: &Preset, submit: Submit) -> Submit {
    let demanded = preset.names == Some(NameRule::Required);
    let name = submit.name.clone().or_else(|| demanded.then(|| submit.content.canonical()));
    Submit { name, ..submit }
}

/// Some leave a pin queued for ever, such as one of what is pinned already: from an age on that counts as failed, so
/// that it is removed and made anew.
pub(super) fn unstuck(preset: &Preset, mut pin: UpstreamPin, now: Timestamp) -> UpstreamPin {
    let age = pin.created.map(|created| now.since(created));
    let is_stuck = preset.stuck_after.is_some_and(|limit| age.is_some_and(|age| age >= limit.0));
    if is_stuck && pin.status == Status::Queued {
        pin.status = Status::Failed;
        pin.why = Some("it stayed queued for too long".to_owned());
    }
    pin
}

/// Whether a refusal is about origins, so that the same without them may do: `INVALID_ORIGINS` and its kin.
pub(super) fn is_about_origins(words: &str) -> bool {
    words.to_ascii_lowercase().contains("origin")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        model::{PinCid, UpstreamId},
        presets::Presets,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn content(cid: &str) -> Content {
        PinCid::parse(cid).unwrap().content().clone()
    }

    #[test]
    fn codecs_that_a_service_is_known_to_refuse_are_not_sent() {
        let (web3, generic) = (Presets::known("web3.storage"), Presets::known("generic"));
        let pb = content("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
        let key = content("bafzaajaiaejca4syrpdu6gdx4wsdnokxkprgzxf4wrstuc34gxw5k5jrag2so5gk");
        assert_eq!(refuses(&web3, &pb), None);
        let why = refuses(&web3, &key).unwrap();
        assert!(why.contains("libp2p-key") && why.contains("dag-cbor"), "{why}");
        assert_eq!(refuses(&generic, &key), None);
    }

    #[test]
    fn a_pin_that_stays_queued_counts_as_failed_where_such_are_known_to_be_stuck() {
        let pin = |status, age| UpstreamPin {
            id: UpstreamId::new("a").unwrap(),
            content: content("bafkqaaa"),
            status,
            created: Some(NOW.minus(Duration::from_secs(age))),
            name: None,
            delegates: Vec::new(),
            tag: None,
            why: None,
            asked: None,
        };
        let after =
            |preset: &str, status, age| unstuck(&Presets::known(preset), pin(status, age), NOW).status;
        assert_eq!(after("helia", Status::Queued, 3600), Status::Failed);
        assert_eq!(after("helia", Status::Queued, 60), Status::Queued);
        assert_eq!(after("helia", Status::Pinning, 3600), Status::Pinning);
        assert_eq!(after("generic", Status::Queued, 10_000_000), Status::Queued);
    }

    #[test]
    fn a_name_is_made_up_only_where_one_is_demanded() {
        let bare =
            || Submit { content: content("bafkqaaa"), name: None, origins: Vec::new(), tag: String::new() };
        let demanding = Preset { names: Some(NameRule::Required), ..Preset::default() };
        assert_eq!(with_name(&demanding, bare()).name, Some(bare().content.canonical()));
        assert_eq!(with_name(&Preset::default(), bare()).name, None);
    }
}
