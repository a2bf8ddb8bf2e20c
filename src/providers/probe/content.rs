//! Contents that nobody has: made up on the spot.

use cid::{CidGeneric, multibase::Base};
use sha2::{Digest, Sha256};

use crate::model::{Content, PinCid};

const RAW: u64 = 0x55;
const DAG_PB: u64 = 0x70;
const SHA2_256: u64 = 0x12;
const IDENTITY: u64 = 0x00;

type Hash = multihash::Multihash<128>;

/// The hash of nothing that exists.
fn digest() -> [u8; 32] {
    Sha256::digest(rand::random::<[u8; 32]>()).into()
}

fn hashed(code: u64, digest: &[u8]) -> Hash {
    // Holds: no digest here is longer than 128 bytes.
    Hash::wrap(code, digest).expect("the digest has room")
}

fn parsed(text: &str) -> PinCid {
    // Holds: the text was printed from a CID.
    PinCid::parse(text).expect("a CID prints as a CID")
}

/// A raw block that nobody has.
pub(super) fn block() -> PinCid {
    parsed(&CidGeneric::<128>::new_v1(RAW, hashed(SHA2_256, &digest())).to_string())
}

/// A node that nobody has, in the new and the old spelling of its CID.
pub(super) fn node() -> [PinCid; 2] {
    let hash = hashed(SHA2_256, &digest());
    let old = cid::multibase::encode(Base::Base58Btc, hash.to_bytes()).split_off(1);
    [parsed(&CidGeneric::<128>::new_v1(DAG_PB, hash).to_string()), parsed(&old)]
}

/// A few bytes that stand in the CID itself, so that there is nothing to fetch: they can be pinned at once.
pub(super) fn inline(run: &str) -> PinCid {
    let text = format!("pinfold probe {run}");
    parsed(&CidGeneric::<128>::new_v1(RAW, hashed(IDENTITY, text.as_bytes())).to_string())
}

/// A name for one run.
pub(super) fn run() -> String {
    format!("{:08x}", rand::random::<u32>())
}

/// Whether a text that a provider sent names this content.
pub(super) fn is(text: &str, content: &Content) -> bool {
    PinCid::parse(text.trim()).is_ok_and(|cid| cid.content() == content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_are_new_each_time_and_both_spellings_are_one() {
        assert_ne!(block().content(), block().content());
        let [new, old] = node();
        assert_eq!(new.content(), old.content());
        assert!(old.as_str().starts_with("Qm") && new.as_str().starts_with("bafy"));
        assert!(inline("0a1b2c3d").content().is_identity());
    }
}
