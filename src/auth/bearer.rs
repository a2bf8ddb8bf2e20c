//! The token that a request brings.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::Unauthorized;

/// The token in the one authorization header; the scheme's case and surplus spaces do not matter.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&[u8], Unauthorized> {
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
