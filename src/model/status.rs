//! The four states of a pin that the API knows, and sets of them.

/// A pin's state as clients see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    Queued = 0,
    Pinning = 1,
    Pinned = 2,
    Failed = 3,
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Queued, Self::Pinning, Self::Pinned, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Pinning => "pinning",
            Self::Pinned => "pinned",
            Self::Failed => "failed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The number that the store keeps.
    pub const fn code(self) -> i64 {
        self as i64
    }

    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// A set of states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusSet(u8);

impl StatusSet {
    pub const EMPTY: Self = Self(0);
    pub const ALL: Self = Self(0b1111);

    pub const fn with(self, status: Status) -> Self {
        Self(self.0 | 1 << status as u8)
    }

    pub const fn contains(self, status: Status) -> bool {
        self.0 & (1 << status as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Status> {
        Status::ALL.into_iter().filter(move |status| self.contains(*status))
    }
}

impl FromIterator<Status> for StatusSet {
    fn from_iter<I: IntoIterator<Item = Status>>(statuses: I) -> Self {
        statuses.into_iter().fold(Self::EMPTY, Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_round_trip() {
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
        assert_eq!(Status::parse("PINNED"), None);
        assert_eq!(Status::from_code(4), None);
    }

    #[test]
    fn sets_hold_what_was_put_in() {
        let set: StatusSet = [Status::Queued, Status::Failed].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [Status::Queued, Status::Failed]);
        assert_eq!(Status::ALL.into_iter().collect::<StatusSet>(), StatusSet::ALL);
    }
}
