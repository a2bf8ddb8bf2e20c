//! Reads what a token says of itself, where it is a JWT. Nothing is verified: only its issuer could.

use multibase::Base;
use serde_json::Value;

use crate::model::Timestamp;

/// The claims that matter to us.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    pub expires: Option<Timestamp>,
    pub issued: Option<Timestamp>,
    /// Whose it is.
    pub subject: Option<String>,
}

/// The claims of a token; `None` where it is no JWT.
pub fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !object(header)?.is_object() {
        return None;
    }
    let payload = object(payload)?;
    Some(Claims {
        expires: time(&payload, "exp"),
        issued: time(&payload, "iat"),
        subject: payload.get("sub").and_then(text).filter(|sub| !sub.is_empty()),
    })
}

fn object(part: &str) -> Option<Value> {
    let bytes = Base::Base64Url.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

/// Seconds since 1970, with or without a fraction.
fn time(payload: &Value, claim: &str) -> Option<Timestamp> {
    let seconds = payload.get(claim)?.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
    Some(Timestamp::from_millis((seconds * 1000.0) as i64))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A token with these claims, signed by nobody.
#[cfg(test)]
pub(crate) fn unsigned(claims: &Value) -> String {
    let part = |value: &Value| Base::Base64Url.encode(value.to_string());
    format!("{}.{}.c2ln", part(&serde_json::json!({"alg": "HS256"})), part(claims))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_claims_of_a_jwt_are_read_and_nothing_else_is_one() {
        let token = unsigned(&json!({"sub": "ada@example.com", "exp": 1_700_000_060, "iat": 1.7e9}));
        let read = claims(&token).unwrap();
        assert_eq!(read.subject.as_deref(), Some("ada@example.com"));
        assert_eq!(read.expires, Some(Timestamp::from_millis(1_700_000_060_000)));
        assert_eq!(read.issued, Some(Timestamp::from_millis(1_700_000_000_000)));
        assert_eq!(claims(&unsigned(&json!({"exp": "soon", "sub": ""}))), Some(Claims::default()));
        for other in ["", "t0k3n", "a.b.c", "e30.e30", "e30.e30.x.y", "MQ.e30.x"] {
            assert_eq!(claims(other), None, "{other}");
        }
    }
}
