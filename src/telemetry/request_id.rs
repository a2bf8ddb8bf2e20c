//! A name for each request, in its response and its log line: the client's own where it is a sane one.

use ::http::{HeaderMap, HeaderName, HeaderValue};

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_BYTES: usize = 128;

tokio::task_local! {
    /// Of the request that is being answered here.
    static CURRENT: HeaderValue;
}

/// Answers a request under its id, so that a panic can tell whose it was.
pub async fn within<T>(id: HeaderValue, answering: impl Future<Output = T>) -> T {
    CURRENT.scope(id, answering).await
}

/// The id of the request that is being answered here, if one is.
pub(super) fn current() -> Option<String> {
    CURRENT.try_with(|id| id.to_str().unwrap_or_default().to_owned()).ok()
}

/// The client's id, or a new one.
pub fn of(headers: &HeaderMap) -> HeaderValue {
    match headers.get(HEADER) {
        Some(id) if is_sane(id.as_bytes()) => id.clone(),
        _ => mint(),
    }
}

fn is_sane(id: &[u8]) -> bool {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    (1..=MAX_BYTES).contains(&id.len()) && id.iter().all(harmless)
}

fn mint() -> HeaderValue {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let random: u64 = rand::random();
    let digits: [u8; 16] = std::array::from_fn(|n| HEX[(random >> (60 - 4 * n)) as usize & 15]);
    // Holds: hexadecimal digits are header text.
    HeaderValue::from_bytes(&digits).expect("hexadecimal digits are header text")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_text(text: &str) -> HeaderValue {
        of(&HeaderMap::from_iter([(HEADER, HeaderValue::from_str(text).unwrap())]))
    }

    #[test]
    fn a_sane_id_is_kept_and_any_other_is_replaced() {
        assert_eq!(of_text("0af7651916cd43dd-8448"), "0af7651916cd43dd-8448");
        for odd in ["", "a b", "a\"b", &"x".repeat(129)] {
            let minted = of_text(odd);
            assert_ne!(minted, odd);
            assert_eq!(minted.len(), 16);
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
