//! What clients may say of a pin's treatment in its meta, where their account's `meta_controls` let them.

use thiserror::Error;

use crate::model::{Meta, Timestamp};

/// The name of the policy that is to place the pin.
pub const POLICY: &str = "policy";
/// When the pin is to go away: RFC 3339.
pub const EXPIRES_AT: &str = "expires_at";

/// Why a pin cannot go away when its client wants it to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BadEnd {
    #[error("meta.expires_at is not a time: send one as in RFC 3339, such as 2027-01-31T12:00:00Z")]
    NotATime,
    #[error(
        "meta.expires_at is not in the future: it is {now} here now; send a later time, or no expires_at for a pin that stays"
    )]
    Past { now: Timestamp },
}

/// When a client wants its pin to go away; a part of a millisecond is given up.
///
/// # Errors
/// Where that is no time, or is not to come.
pub fn asked_end(meta: Option<&Meta>, now: Timestamp) -> Result<Option<Timestamp>, BadEnd> {
    let Some(text) = meta.and_then(|meta| meta.get(EXPIRES_AT)) else { return Ok(None) };
    let end = Timestamp::parse_rounding_down(text).ok_or(BadEnd::NotATime)?;
    if end <= now { Err(BadEnd::Past { now }) } else { Ok(Some(end)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn asked(text: &str) -> Result<Option<Timestamp>, BadEnd> {
        let meta = Meta::try_new([(EXPIRES_AT.to_owned(), text.to_owned())].into()).unwrap();
        asked_end(Some(&meta), NOW)
    }

    #[test]
    fn an_end_is_a_time_to_come_in_any_offset() {
        let at = Ok(Some(Timestamp::from_millis(1_801_353_600_000)));
        assert_eq!(asked("2027-01-31T00:00:00Z"), at);
        assert_eq!(asked("2027-01-31T02:00:00.000999+02:00"), at);
        assert_eq!(asked_end(None, NOW), Ok(None));
        assert_eq!(asked_end(Some(&Meta::default()), NOW), Ok(None));
    }

    #[test]
    fn what_is_no_time_or_has_been_is_refused() {
        for text in ["", "tomorrow", "2027-01-31", "2027-01-31T00:00:00", "90d"] {
            assert_eq!(asked(text), Err(BadEnd::NotATime), "{text}");
        }
        for text in ["2020-01-01T00:00:00Z", "2027-01-15T08:00:00Z"] {
            assert_eq!(asked(text), Err(BadEnd::Past { now: NOW }), "{text}");
        }
    }
}
