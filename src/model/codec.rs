//! How the content behind a CID is encoded: codes of the multicodec table, by their names there.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A multicodec code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Codec(u64);

/// Those that CIDs are met with.
const NAMES: &[(&str, u64)] = &[
    ("raw", 0x55),
    ("dag-pb", 0x70),
    ("dag-cbor", 0x71),
    ("dag-json", 0x0129),
    ("dag-jose", 0x85),
    ("cbor", 0x51),
    ("json", 0x0200),
    ("libp2p-key", 0x72),
    ("git-raw", 0x78),
    ("car", 0x0202),
];

impl Codec {
    pub const fn new(code: u64) -> Self {
        Self(code)
    }

    /// The names that are known here; any other code is written as a number.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

/// Its name, or its number in hexadecimal digits.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(_, code)| *code == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// A text that is neither a known name nor a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACodec;

/// Reads a name, or a number in decimal or (after `0x`) hexadecimal digits.
impl FromStr for Codec {
    type Err = NotACodec;

    fn from_str(text: &str) -> Result<Self, NotACodec> {
        if let Some((_, code)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(Self(*code));
        }
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        number.map(Self).map_err(|_| NotACodec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_print_and_parse_back() {
        for (name, code) in NAMES {
            assert_eq!(name.parse(), Ok(Codec(*code)));
            assert_eq!(Codec(*code).to_string(), *name);
        }
        assert_eq!("112".parse(), "dag-pb".parse::<Codec>());
        assert_eq!("0xb201".parse(), Ok(Codec(0xb201)));
        assert_eq!(Codec(0xb201).to_string(), "0xb201");
        for wrong in ["", "dagpb", "-1", "0x", "0xg"] {
            assert_eq!(wrong.parse::<Codec>(), Err(NotACodec), "{wrong}");
        }
    }
}
