//! Who is asking: bearer tokens, kept as SHA-256 hashes only, to the account and device that they stand for.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::model::{AccountId, Peer};

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub account: AccountId,
    pub account_name: Arc<str>,
    /// The token's name in the config, never its secret: one per device.
    pub token_name: Arc<str>,
}

/// The SHA-256 of a token's secret. Comparison takes constant time; `Debug` tells nothing.
#[derive(Clone, Copy)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub fn of(secret: &str) -> Self {
        Self::of_bytes(secret.as_bytes())
    }

    fn of_bytes(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
}

impl From<[u8; 32]> for TokenHash {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for TokenHash {}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(***)")
    }
}

/// Writes 64 lower-case hexadecimal digits, the form that `tokens[].sha256` takes in the config.
impl fmt::LowerHex for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads 64 hexadecimal digits of either case.
impl FromStr for TokenHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(NotAHash);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = hex_digit(pair[0])? << 4 | hex_digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, NotAHash> {
    let value = char::from(digit).to_digit(16).ok_or(NotAHash)?;
    u8::try_from(value).map_err(|_| NotAHash)
}

/// A text that is not a SHA-256 in hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not 64 hexadecimal digits")]
pub struct NotAHash;

/// A token of an account that the store knows.
#[derive(Clone, Debug)]
pub struct TokenDecl {
    pub account: AccountId,
    pub account_name: Arc<str>,
    pub name: Arc<str>,
    pub sha256: TokenHash,
}

/// Why a request is not let in. Clients are told the same in every case; the log may tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unauthorized {
    #[error("no authorization header")]
    Missing,
    #[error("the authorization header is not one bearer token")]
    Malformed,
    #[error("unknown token")]
    Unknown,
}

/// All tokens that let anybody in.
#[derive(Default)]
pub struct Tokens {
    known: HashMap<[u8; 32], Known>,
}

struct Known {
    hash: TokenHash,
    principal: Arc<Principal>,
}

impl Tokens {
    /// Of two tokens with one hash the later counts; the config refuses such a pair.
    pub fn new(tokens: impl IntoIterator<Item = TokenDecl>) -> Self {
        let known = tokens.into_iter().map(|token| {
            let TokenDecl { account, account_name, name, sha256 } = token;
            let principal = Principal { account, account_name, token_name: name };
            (sha256.0, Known { hash: sha256, principal: principal.into() })
        });
        Self { known: known.collect() }
    }

    /// The sender of a request, by its one `Authorization: Bearer TOKEN` header.
    ///
    /// # Errors
    /// Where there is no such header, or its token is not known.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Principal>, Unauthorized> {
        self.find(bearer(headers)?)
    }

    /// The map sees a hash, which tells a guesser nothing of the secret by its timing; the last word is the
    /// constant-time comparison's.
    fn find(&self, secret: &[u8]) -> Result<Arc<Principal>, Unauthorized> {
        let hash = TokenHash::of_bytes(secret);
        let known = self.known.get(&hash.0).filter(|known| known.hash == hash);
        known.map(|known| known.principal.clone()).ok_or(Unauthorized::Unknown)
    }
}

/// The way in, shared by all who serve; what it knows can be changed while it is used.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    declared: Arc<ArcSwap<Tokens>>,
}

impl Gate {
    pub fn new(declared: Tokens) -> Self {
        Self { declared: Arc::new(ArcSwap::from_pointee(declared)) }
    }

    /// From now on these are the tokens of the config.
    pub fn declare(&self, tokens: Tokens) {
        self.declared.store(Arc::new(tokens));
    }

    /// The sender of a request.
    ///
    /// # Errors
    /// Where nothing that it brings lets it in.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        _peer: Option<&Peer>,
    ) -> Result<Arc<Principal>, Unauthorized> {
        self.declared.load().authenticate(headers)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("known", &self.known.len()).finish()
    }
}

/// The token in the one authorization header; the scheme's case and surplus spaces do not matter.
fn bearer(headers: &HeaderMap) -> Result<&[u8], Unauthorized> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Unauthorized::Missing)?.as_bytes();
    if values.next().is_some() {
        return Err(Unauthorized::Malformed);
    }
    let (scheme, rest) = value.split_at_checked("Bearer".len()).ok_or(Unauthorized::Malformed)?;
    let token = rest.trim_ascii();
    let well_formed = scheme.eq_ignore_ascii_case(b"Bearer")
        && rest.starts_with(b" ")
        && !token.is_empty()
        && token.iter().all(u8::is_ascii_graphic);
    well_formed.then_some(token).ok_or(Unauthorized::Malformed)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn decl(account: i64, name: &str, secret: &str) -> TokenDecl {
        TokenDecl {
            account: AccountId(account),
            account_name: format!("account-{account}").into(),
            name: name.into(),
            sha256: TokenHash::of(secret),
        }
    }

    fn tokens() -> Tokens {
        Tokens::new([decl(1, "laptop", "one"), decl(1, "phone", "two"), decl(2, "ci", "three")])
    }

    fn ask(header: &[u8]) -> Result<String, Unauthorized> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_bytes(header).expect("a header value"));
        let tokens = tokens();
        let principal = tokens.authenticate(&headers)?;
        Ok(format!("{}/{}", principal.account_name, principal.token_name))
    }

    #[test]
    fn each_token_stands_for_its_account_and_device() {
        assert_eq!(ask(b"Bearer one").as_deref(), Ok("account-1/laptop"));
        assert_eq!(ask(b"Bearer two").as_deref(), Ok("account-1/phone"));
        assert_eq!(ask(b"Bearer three").as_deref(), Ok("account-2/ci"));
    }

    #[test]
    fn the_scheme_may_be_in_any_case_and_followed_by_several_spaces() {
        for header in ["bearer one", "BEARER one", "Bearer   one", "Bearer one "] {
            assert_eq!(ask(header.as_bytes()).as_deref(), Ok("account-1/laptop"), "{header}");
        }
    }

    #[test]
    fn refusals_are_told_apart_inside() {
        assert_eq!(tokens().authenticate(&HeaderMap::new()), Err(Unauthorized::Missing));
        assert_eq!(ask(b"Bearer four"), Err(Unauthorized::Unknown));
        assert_eq!(ask(b"Bearer One"), Err(Unauthorized::Unknown));
        for header in
            [&b"Basic one"[..], b"Bearer", b"Bearer ", b"Bearerone", b"one", b"", b"Bearer one two", b"\xff"]
        {
            assert_eq!(ask(header), Err(Unauthorized::Malformed), "{header:?}");
        }
    }

    #[test]
    fn two_authorization_headers_are_refused_even_if_one_is_right() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer one"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer two"));
        assert_eq!(tokens().authenticate(&headers), Err(Unauthorized::Malformed));
    }

    #[test]
    fn a_hash_prints_and_parses_back_in_either_case() {
        let hash = TokenHash::of("one");
        let text = format!("{hash:x}");
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(text.to_uppercase().parse(), Ok(hash));
        for wrong in ["", "ab", &"g".repeat(64), &"a".repeat(65), &"é".repeat(32)] {
            assert_eq!(wrong.parse::<TokenHash>(), Err(NotAHash));
        }
    }

    #[test]
    fn debug_shows_neither_secret_nor_hash() {
        let decl = decl(1, "laptop", "one");
        let hash = format!("{:x}", decl.sha256);
        for text in [format!("{decl:?}"), format!("{:?}", Tokens::new([decl.clone()]))] {
            assert!(!text.contains(&hash) && !text.contains("one"), "{text}");
        }
    }
}
