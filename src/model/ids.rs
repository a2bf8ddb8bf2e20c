//! A newtype for every id, so that no two can be confused.

use std::fmt;

use uuid::Uuid;

use super::Timestamp;

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

row_id!(
    /// An account's row in the store.
    AccountId
);
row_id!(
    /// A content's row in the store.
    ContentId
);
row_id!(
    /// An event's number: rises by one from each to the next, and is never given out again.
    EventId
);
row_id!(
    /// A job's number; never reused.
    JobId
);
row_id!(
    /// A pin's row in the store; rises with `created` inside an account. Never shown to clients.
    PinId
);
row_id!(
    /// One revision of a policy, as the store keeps it.
    PolicyId
);
row_id!(
    /// A provider's row in the store: its durable identity.
    ProviderId
);
row_id!(
    /// A replica's row in the store; never reused.
    ReplicaId
);

/// The id that a client knows a pin by: a UUIDv7 minted here, never reused (I2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

impl RequestId {
    /// Mints a new id whose leading bits are `now`, so that ids sort roughly by age.
    pub fn mint(now: Timestamp) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let random: [u8; 10] = rand::random();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// Reads the hyphenated form that [`Display`](fmt::Display) writes; anything else is no id of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 {
            return None;
        }
        Uuid::try_parse(text).ok().map(Self)
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// The id of one Pinfold database, minted when it is created; tags the pins that it makes upstream (I13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstanceId(pub Uuid);

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

/// A provider's own id of a pin: opaque, never shown to clients.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UpstreamId(String);

impl UpstreamId {
    /// The longest id that is taken from a provider, in bytes.
    pub const MAX_BYTES: usize = 512;

    /// `None` where the id is empty or longer than [`MAX_BYTES`](Self::MAX_BYTES).
    pub fn new(id: impl Into<String>) -> Option<Self> {
        let id = id.into();
        (!id.is_empty() && id.len() <= Self::MAX_BYTES).then_some(Self(id))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of a stored token: the first letters and digits of its secret, so that one that is found somewhere can be
/// told. What follows them is what is secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenId([u8; Self::LENGTH]);

impl TokenId {
    pub const LENGTH: usize = 8;

    /// `None` where the text is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; Self::LENGTH] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        // Holds: the bytes are letters and digits of ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requestid_prints_and_parses_back() {
        let id = RequestId::mint(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(RequestId::parse(&id.to_string()), Some(id));
        assert_eq!(RequestId::from_bytes(*id.as_bytes()), id);
    }

    #[test]
    fn requestids_sort_by_the_time_they_were_minted_at() {
        let early = RequestId::mint(Timestamp::from_millis(1_700_000_000_000));
        let late = RequestId::mint(Timestamp::from_millis(1_700_000_000_001));
        assert!(early < late);
    }

    #[test]
    fn other_spellings_of_a_uuid_are_not_our_ids() {
        let id = RequestId::mint(Timestamp::from_millis(0)).to_string();
        assert_eq!(RequestId::parse(&id.replace('-', "")), None);
        assert_eq!(RequestId::parse(&format!("{{{id}}}")), None);
        assert_eq!(RequestId::parse(""), None);
    }

    #[test]
    fn upstream_ids_are_bounded() {
        assert_eq!(UpstreamId::new(""), None);
        assert_eq!(UpstreamId::new("x".repeat(UpstreamId::MAX_BYTES + 1)), None);
        assert!(UpstreamId::new("gid://filebase/Asset/1").is_some());
    }
}
