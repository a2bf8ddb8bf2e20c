//! The form of the secrets that are made here: `pinfold_`, 40 random letters and digits (238 bits), and 6 more by
//! which scanners can tell a real one: the CRC-32 of the 40 in base 62, as in GitHub's tokens.

use std::fmt;

use rand::{Rng, distr::Alphanumeric};
use secrecy::{ExposeSecret, SecretString};

use crate::model::{TokenHash, TokenId};

/// What every secret that was made here begins with.
pub const PREFIX: &str = "pinfold_";

const RANDOM: usize = 40;
const CHECK: usize = 6;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret of this form. Of its 40 characters the first 8 are shown as its id; 190 bits stay secret.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Makes one up, by a generator that is made for secrets.
    pub fn mint() -> Self {
        let random: String = rand::rng().sample_iter(Alphanumeric).take(RANDOM).map(char::from).collect();
        Self(SecretString::from(format!("{PREFIX}{random}{}", checksum(&random))))
    }

    /// Reads one; `None` where the text is none that was made here.
    pub fn parse(text: &str) -> Option<Self> {
        let (random, check) = text.strip_prefix(PREFIX)?.split_at_checked(RANDOM)?;
        let whole = random.bytes().all(|byte| byte.is_ascii_alphanumeric()) && check == checksum(random);
        whole.then(|| Self(SecretString::from(text)))
    }

    pub fn id(&self) -> TokenId {
        let body = &self.0.expose_secret()[PREFIX.len()..];
        // Holds: 40 letters and digits follow the prefix.
        TokenId::parse(&body[..TokenId::LENGTH])
            .unwrap_or_else(|| unreachable!("a secret begins with its id"))
    }

    pub fn hash(&self) -> TokenHash {
        TokenHash::of(self.0.expose_secret())
    }
}

impl ExposeSecret<str> for Secret {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({PREFIX}{}***)", self.id())
    }
}

fn checksum(random: &str) -> String {
    let mut rest = crc32(random.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(rest % 62) as usize];
        rest /= 62;
    }
    digits.map(char::from).iter().collect()
}

/// CRC-32 as in zip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_common_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(checksum(""), "000000");
    }

    #[test]
    fn secrets_are_read_back_and_differ() {
        let (one, two) = (Secret::mint(), Secret::mint());
        assert_ne!(one.expose_secret(), two.expose_secret());
        assert_eq!(one.expose_secret().len(), 54);
        let again = Secret::parse(one.expose_secret()).unwrap();
        assert_eq!((again.id(), again.hash()), (one.id(), one.hash()));
        assert!(one.expose_secret().starts_with(&format!("{PREFIX}{}", one.id())));
    }

    #[test]
    fn a_slip_of_one_letter_is_noticed() {
        let secret = Secret::mint();
        let text = secret.expose_secret();
        for at in 0..text.len() {
            let other = if text.as_bytes()[at] == b'x' { 'y' } else { 'x' };
            let slip = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(Secret::parse(&slip).is_none(), "{at}");
        }
        for wrong in ["", "pinfold_", &text[..53], &format!("{text}0"), &"é".repeat(27)] {
            assert!(Secret::parse(wrong).is_none());
        }
    }

    #[test]
    fn debug_shows_the_id_and_no_more() {
        let secret = Secret::mint();
        let text = secret.expose_secret();
        assert!(!format!("{secret:?}").contains(&text[PREFIX.len() + TokenId::LENGTH..]));
    }
}
