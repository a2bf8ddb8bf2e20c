//! What a client asks for with one pin: CID, name, meta and origins, each within its bounds.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{PinCid, delegates};

/// A checked pin request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinSpec {
    pub cid: PinCid,
    /// At most [`MAX_CHARS`](super::name::MAX_CHARS) characters.
    pub name: Option<String>,
    pub meta: Option<Meta>,
    pub origins: Origins,
}

impl PinSpec {
    pub fn meta_value(&self, key: &str) -> Option<&str> {
        self.meta.as_ref()?.get(key)
    }

    /// A pin of a CID and nothing else.
    pub fn bare(cid: PinCid) -> Self {
        Self { cid, name: None, meta: None, origins: Origins::default() }
    }
}

/// A pin's meta: strings by string keys, bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meta(BTreeMap<String, String>);

/// Why a meta object cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetaError {
    #[error("meta has {0} entries: send at most 1000")]
    TooMany(usize),
    #[error("a meta key is empty or longer than 255 bytes: send shorter keys")]
    Key,
    #[error("the meta value of {0:?} is longer than 8192 bytes: send a shorter one, or a CID of it")]
    Value(String),
}

impl Meta {
    pub const MAX_ENTRIES: usize = 1000;
    pub const MAX_KEY_BYTES: usize = 255;
    pub const MAX_VALUE_BYTES: usize = 8192;

    pub fn try_new(entries: BTreeMap<String, String>) -> Result<Self, MetaError> {
        if entries.len() > Self::MAX_ENTRIES {
            return Err(MetaError::TooMany(entries.len()));
        }
        for (key, value) in &entries {
            if key.is_empty() || key.len() > Self::MAX_KEY_BYTES {
                return Err(MetaError::Key);
            }
            if value.len() > Self::MAX_VALUE_BYTES {
                return Err(MetaError::Value(key.clone()));
            }
        }
        Ok(Self(entries))
    }

    /// What can be kept of a meta object that was made elsewhere, and how many entries were dropped.
    pub fn keep_usable(entries: impl IntoIterator<Item = (String, String)>) -> (Self, usize) {
        let (mut kept, mut dropped) = (BTreeMap::new(), 0);
        for (key, value) in entries {
            let fits =
                !key.is_empty() && key.len() <= Self::MAX_KEY_BYTES && value.len() <= Self::MAX_VALUE_BYTES;
            if fits && kept.len() < Self::MAX_ENTRIES && !key.contains('\0') && !value.contains('\0') {
                kept.insert(key, value);
            } else {
                dropped += 1;
            }
        }
        (Self(kept), dropped)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The JSON object that the store keeps and the API sends on.
    pub fn to_json(&self) -> String {
        // Holds: a map of strings always serialises.
        serde_json::to_string(&self.0).expect("strings serialise")
    }

    /// Takes what [`to_json`](Self::to_json) gave.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }
}

/// Addresses that may serve the data: at most 20, publicly dialable ones first. Whatever else a client sends
/// (unknown protocols, LAN addresses, hundreds of them) is no reason to refuse it: Kubo sends all it has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    pub const MAX: usize = 20;
    pub const MAX_ADDRESS_BYTES: usize = 1024;

    /// Keeps what can be used, drops the rest silently.
    pub fn keep_usable(addresses: impl IntoIterator<Item = String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for address in addresses {
            let usable = address.len() <= Self::MAX_ADDRESS_BYTES && delegates::parses(&address);
            if usable && !kept.contains(&address) {
                kept.push(address);
            }
            if kept.len() == 10 * Self::MAX {
                break;
            }
        }
        kept.sort_by_key(|address| !delegates::is_public(address));
        kept.truncate(Self::MAX);
        Self(kept)
    }

    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that a provider on the public internet can dial.
    pub fn public(&self) -> Vec<String> {
        self.0.iter().filter(|address| delegates::is_public(address)).cloned().collect()
    }

    pub fn to_json(&self) -> Option<String> {
        // Holds: strings always serialise.
        (!self.0.is_empty()).then(|| serde_json::to_string(&self.0).expect("strings serialise"))
    }

    /// Takes what [`to_json`](Self::to_json) gave.
    pub fn from_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(entries: usize, key: usize, value: usize) -> Result<Meta, MetaError> {
        Meta::try_new((0..entries).map(|n| (format!("{n:0>key$}"), "v".repeat(value))).collect())
    }

    #[test]
    fn meta_is_bounded_in_entries_keys_and_values() {
        assert!(meta(1000, 255, 1).is_ok());
        assert!(meta(1, 1, 8192).is_ok());
        assert_eq!(meta(1001, 4, 1), Err(MetaError::TooMany(1001)));
        assert_eq!(meta(1, 256, 1), Err(MetaError::Key));
        assert_eq!(meta(1, 1, 8193), Err(MetaError::Value("0".into())));
    }

    #[test]
    fn meta_from_elsewhere_keeps_what_fits() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let (kept, dropped) = Meta::keep_usable([
            pair("a", "1"),
            pair("", "2"),
            pair(&"k".repeat(256), "3"),
            pair("b", &"v".repeat(8193)),
            pair("c", "\0"),
        ]);
        assert_eq!((kept.to_json().as_str(), dropped), (r#"{"a":"1"}"#, 4));
        let many = (0..1002).map(|n| pair(&n.to_string(), ""));
        assert_eq!(Meta::keep_usable(many).1, 2);
    }

    #[test]
    fn meta_survives_the_store() {
        let kept = meta(3, 2, 5).unwrap();
        assert_eq!(Meta::from_json(&kept.to_json()), Some(kept));
    }

    #[test]
    fn origins_keep_public_addresses_first_and_drop_what_is_no_address() {
        let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let lan = format!("/ip4/192.168.1.5/tcp/4001/p2p/{peer}");
        let public = format!("/ip4/203.0.114.7/udp/4001/quic-v1/p2p/{peer}");
        let origins = Origins::keep_usable([
            lan.clone(),
            "not an address".into(),
            "/ip4/1.2.3.4/unknownproto/7".into(),
            public.clone(),
            public.clone(),
        ]);
        assert_eq!(origins.as_slice(), [public.clone(), lan]);
        assert_eq!(origins.public(), [public]);
        let many = Origins::keep_usable((0..500).map(|n| format!("/ip4/8.8.8.8/tcp/{n}")));
        assert_eq!(many.as_slice().len(), Origins::MAX);
    }
}
