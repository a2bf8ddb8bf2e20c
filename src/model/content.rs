//! What a CID names: CIDv1 bytes, equal whatever the version or multibase it was written in.

use std::{fmt, str::FromStr};

use cid::{CidGeneric, Version, multibase::Base};
use thiserror::Error;

use super::Codec;

/// Room for identity CIDs, whose digest is the content itself.
type AnyCid = CidGeneric<128>;

/// Multicodec codes that Pinfold speaks of.
const DAG_PB: u64 = 0x70;
const IDENTITY: u64 = 0x00;

/// The CIDv1 bytes (codec and multihash) that a CID stands for. v0 equals v1 dag-pb; raw and dag-pb of one
/// multihash are two contents.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Content(Box<[u8]>);

impl Content {
    /// The longest CID that is taken, in bytes of its binary form.
    pub const MAX_BYTES: usize = 128;

    fn of(cid: &AnyCid) -> Self {
        let v1 = match cid.version() {
            Version::V0 => AnyCid::new_v1(DAG_PB, *cid.hash()),
            Version::V1 => *cid,
        };
        Self(v1.to_bytes().into())
    }

    /// Takes bytes that [`as_bytes`](Self::as_bytes) gave.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CidError> {
        AnyCid::try_from(bytes).map(|cid| Self::of(&cid)).map_err(|_| CidError::Syntax)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn cid(&self) -> AnyCid {
        // Holds: every constructor encodes a parsed CID.
        AnyCid::try_from(&*self.0).expect("a content holds the bytes of a valid CID")
    }

    pub fn codec(&self) -> Codec {
        Codec::new(self.cid().codec())
    }

    /// The canonical text: CIDv1 in base32.
    pub fn canonical(&self) -> String {
        self.cid().to_string_of_base(Base::Base32Lower).unwrap_or_default()
    }

    /// The text of the CIDv0, where there is one: some take it and the v1 for two.
    pub fn v0(&self) -> Option<String> {
        let hash = *self.cid().hash();
        AnyCid::new(Version::V0, self.cid().codec(), hash).ok().map(|v0| v0.to_string())
    }

    /// The code of its hash function, and the digest.
    pub(super) fn hash(&self) -> (u64, Vec<u8>) {
        let cid = self.cid();
        (cid.hash().code(), cid.hash().digest().to_vec())
    }

    /// Whether the digest is the content itself, so that there is nothing to fetch or keep.
    pub fn is_identity(&self) -> bool {
        self.cid().hash().code() == IDENTITY
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content({})", self.canonical())
    }
}

/// A CID as a client wrote it, with the content that it names. The text is echoed byte for byte (I6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinCid {
    sent: String,
    content: Content,
}

/// Why a text is not a CID that can be pinned; the words say what to send instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CidError {
    #[error(
        "the CID is empty: send a CID such as bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
    )]
    Empty,
    #[error("this is a path or URL, not a CID: send the bare CID, without /ipfs/ or ipfs://")]
    Path,
    #[error("this is not a CID: send a CIDv0 (Qm...) or a CIDv1 in any multibase (bafy...)")]
    Syntax,
    #[error("the CID is longer than 128 bytes: use a shorter hash function, such as sha2-256")]
    TooLong,
}

impl PinCid {
    /// No multibase writes 128 bytes in more characters than base2 does.
    const MAX_TEXT: usize = Content::MAX_BYTES * 8 + 1;

    pub fn parse(text: &str) -> Result<Self, CidError> {
        if text.is_empty() {
            return Err(CidError::Empty);
        }
        if text.contains("/ipfs/") || text.contains("://") || text.starts_with('/') {
            return Err(CidError::Path);
        }
        if text.len() > Self::MAX_TEXT {
            return Err(CidError::TooLong);
        }
        let cid = AnyCid::from_str(text).map_err(|_| CidError::Syntax)?;
        let content = Content::of(&cid);
        if content.0.len() > Content::MAX_BYTES {
            return Err(CidError::TooLong);
        }
        Ok(Self { sent: text.to_owned(), content })
    }

    /// The CID of a content in its canonical text, for pins stored without one of their own.
    pub fn canonical(content: Content) -> Self {
        Self { sent: content.canonical(), content }
    }

    /// The text as the client sent it.
    pub fn as_str(&self) -> &str {
        &self.sent
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The text to store: `None` where it is the canonical one, which the content gives.
    pub fn text_unless_canonical(&self) -> Option<&str> {
        (self.sent != self.content.canonical()).then_some(self.sent.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
    const V1_OF_V0: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";

    #[test]
    fn v0_equals_v1_dag_pb_and_multibase_does_not_matter() {
        let v0 = PinCid::parse(V0).unwrap();
        let v1 = PinCid::parse(V1_OF_V0).unwrap();
        let base58 = AnyCid::from_str(V1_OF_V0).unwrap().to_string_of_base(Base::Base58Btc).unwrap();
        assert_eq!(v0.content(), v1.content());
        assert_eq!(PinCid::parse(&base58).unwrap().content(), v1.content());
        assert_eq!(v0.as_str(), V0);
        assert_eq!(v0.text_unless_canonical(), Some(V0));
        assert_eq!(v1.text_unless_canonical(), None);
    }

    #[test]
    fn only_dag_pb_of_sha2_256_has_a_v0() {
        let of = |cid: &str| PinCid::parse(cid).unwrap().content().v0();
        assert_eq!(of(V1_OF_V0).as_deref(), Some(V0));
        assert_eq!(of("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"), None);
    }

    #[test]
    fn raw_and_dag_pb_of_one_multihash_are_two_contents() {
        let pb = AnyCid::from_str(V1_OF_V0).unwrap();
        let raw = AnyCid::new_v1(0x55, *pb.hash());
        assert_ne!(Content::of(&raw), Content::of(&pb));
    }

    #[test]
    fn inline_cids_are_identity() {
        assert!(PinCid::parse("bafkqaaa").unwrap().content().is_identity());
        assert!(!PinCid::parse(V0).unwrap().content().is_identity());
    }

    #[test]
    fn bad_texts_are_told_apart() {
        assert_eq!(PinCid::parse(""), Err(CidError::Empty));
        assert_eq!(PinCid::parse(&format!("/ipfs/{V0}")), Err(CidError::Path));
        assert_eq!(PinCid::parse(&format!("ipfs://{V0}")), Err(CidError::Path));
        assert_eq!(PinCid::parse("QmCIDToBePinned"), Err(CidError::Syntax));
        assert_eq!(PinCid::parse("b\0afk"), Err(CidError::Syntax));
        let long = multihash::Multihash::<128>::wrap(IDENTITY, &[7; 127]).unwrap();
        let long = AnyCid::new_v1(0x55, long).to_string();
        assert_eq!(PinCid::parse(&long), Err(CidError::TooLong));
    }

    #[test]
    fn bytes_round_trip() {
        let content = PinCid::parse(V0).unwrap().content().clone();
        assert_eq!(Content::from_bytes(content.as_bytes()).unwrap(), content);
        assert_eq!(content.canonical(), V1_OF_V0);
        assert_eq!(PinCid::canonical(content).as_str(), V1_OF_V0);
    }
}
