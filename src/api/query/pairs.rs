//! Splits a query string into decoded keys and values, strictly: what cannot be decoded is an error, never a guess.

use std::borrow::Cow;

use super::QueryError;

type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The pairs in their order. A key without `=` has an empty value; empty pairs (`&&`) are skipped.
pub fn decode(query: &str) -> impl Iterator<Item = Result<Pair<'_>, QueryError>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        Ok((text(key)?, text(value)?))
    })
}

fn text(encoded: &str) -> Result<Cow<'_, str>, QueryError> {
    let plain = !encoded.bytes().any(|byte| matches!(byte, b'%' | b'+' | 0));
    if plain {
        return Ok(Cow::Borrowed(encoded));
    }
    let decoded = String::from_utf8(bytes(encoded.as_bytes())?).map_err(|_| QueryError::Encoding)?;
    if decoded.contains('\0') { Err(QueryError::Encoding) } else { Ok(Cow::Owned(decoded)) }
}

fn bytes(encoded: &[u8]) -> Result<Vec<u8>, QueryError> {
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match first {
            b'+' => b' ',
            b'%' => {
                let (&[high, low], tail) = rest.split_first_chunk().ok_or(QueryError::Encoding)?;
                rest = tail;
                nibble(high)? << 4 | nibble(low)?
            }
            other => other,
        });
    }
    Ok(decoded)
}

fn nibble(digit: u8) -> Result<u8, QueryError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        _ => Err(QueryError::Encoding),
    }
}
