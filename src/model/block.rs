//! Whether bytes are the block that a CID names.

use sha2::{Digest, Sha256, Sha512};

use super::Content;

/// Multihash codes of the functions that can be computed here.
const SHA2_256: u64 = 0x12;
const SHA2_512: u64 = 0x13;

/// The largest block that IPFS hands on, in bytes: what bitswap carries.
pub const BLOCK_MAX: usize = 2 << 20;

impl Content {
    /// Whether its hash can be computed here: a whole digest of sha2-256 or sha2-512.
    pub fn is_checkable(&self) -> bool {
        let (code, digest) = self.hash();
        matches!((code, digest.len()), (SHA2_256, 32) | (SHA2_512, 64))
    }

    /// Whether these bytes are its root block. `None`: nobody can tell here.
    pub fn is_block(&self, bytes: &[u8]) -> Option<bool> {
        let (code, digest) = self.hash();
        // A digest that is cut short would fit many blocks, an empty one all.
        self.is_checkable().then(|| match code {
            SHA2_256 => Sha256::digest(bytes)[..] == digest[..],
            _ => Sha512::digest(bytes)[..] == digest[..],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::PinCid;

    fn of(code: u8, digest: &[u8]) -> Content {
        let varint = [1, 0x55, code, u8::try_from(digest.len()).unwrap()];
        Content::from_bytes(&[&varint[..], digest].concat()).unwrap()
    }

    proptest! {
        #[test]
        fn a_block_is_known_by_its_hash_and_one_with_a_bit_turned_is_not(
            bytes in prop::collection::vec(any::<u8>(), 1..5000),
            (at, bit) in (any::<prop::sample::Index>(), 0..8_u8),
        ) {
            let mut corrupt = bytes.clone();
            corrupt[at.index(bytes.len())] ^= 1 << bit;
            for content in [of(0x12, &Sha256::digest(&bytes)), of(0x13, &Sha512::digest(&bytes))] {
                prop_assert_eq!(content.is_block(&bytes), Some(true));
                prop_assert_eq!(content.is_block(&corrupt), Some(false));
                prop_assert_eq!(content.is_block(&bytes[1..]), Some(false));
            }
        }
    }

    #[test]
    fn a_real_block_is_known() {
        let block = PinCid::parse("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e").unwrap();
        assert_eq!(block.content().is_block(b"hello world"), Some(true));
        assert_eq!(block.content().is_block(b"hello world\n"), Some(false));
    }

    #[test]
    fn what_cannot_be_hashed_here_is_not_judged() {
        let blake3 = of(0x1e, &[7; 32]);
        let cut_short = of(0x12, &Sha256::digest(b"x")[..20]);
        let nothing = of(0x12, &[]);
        let identity = PinCid::parse("bafkqaaa").unwrap().content().clone();
        for content in [blake3, cut_short, nothing, identity] {
            assert_eq!((content.is_checkable(), content.is_block(b"x")), (false, None), "{content:?}");
        }
    }
}
