//! What a token allows.

use std::{fmt, str::FromStr};

/// One kind of thing that a token may allow. Who may write may also read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    PinsRead,
    PinsWrite,
    AdminRead,
    AdminWrite,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::PinsRead, Self::PinsWrite, Self::AdminRead, Self::AdminWrite];

    /// The word that users write.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PinsRead => "pins:read",
            Self::PinsWrite => "pins:write",
            Self::AdminRead => "admin:read",
            Self::AdminWrite => "admin:write",
        }
    }

    /// Whether it is about an account's pins, and not about the gateway.
    pub const fn is_of_pins(self) -> bool {
        matches!(self, Self::PinsRead | Self::PinsWrite)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Itself and what comes with it.
    const fn bits(self) -> u8 {
        match self {
            Self::PinsWrite => self.bit() | Self::PinsRead.bit(),
            Self::AdminWrite => self.bit() | Self::AdminRead.bit(),
            Self::PinsRead | Self::AdminRead => self.bit(),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            format!("{text:?} is no scope: write some of {known}")
        })
    }
}

/// A set of scopes that is closed: with a write it holds the read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bits())
    }

    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it holds any that is about pins.
    pub const fn reach_pins(self) -> bool {
        self.allow(Scope::PinsRead)
    }

    /// Those that say it all: no read that comes with its write.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        let implied = move |scope: Scope| {
            let mut others = Scope::ALL.into_iter().filter(|other| *other != scope && self.allow(*other));
            others.any(|other| other.bits() & scope.bit() != 0)
        };
        Scope::ALL.into_iter().filter(move |scope| self.allow(*scope) && !implied(*scope))
    }

    /// The number that a store keeps.
    pub const fn code(self) -> i64 {
        self.0 as i64
    }

    /// `None` where no set has this number.
    pub fn from_code(code: i64) -> Option<Self> {
        let bits = u8::try_from(code).ok()?;
        let set: Self = Scope::ALL.into_iter().filter(|scope| bits & scope.bit() != 0).collect();
        (set.0 == bits).then_some(set)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_write_may_read_and_nothing_else_follows() {
        let allowed = |scope: Scope| -> Vec<_> {
            Scope::ALL.into_iter().filter(|asked| Scopes::NONE.with(scope).allow(*asked)).collect()
        };
        assert_eq!(allowed(Scope::PinsRead), [Scope::PinsRead]);
        assert_eq!(allowed(Scope::PinsWrite), [Scope::PinsRead, Scope::PinsWrite]);
        assert_eq!(allowed(Scope::AdminRead), [Scope::AdminRead]);
        assert_eq!(allowed(Scope::AdminWrite), [Scope::AdminRead, Scope::AdminWrite]);
        assert!(Scopes::NONE.is_empty() && !Scopes::NONE.allow(Scope::PinsRead));
    }

    #[test]
    fn sets_print_without_what_is_implied_and_keep_their_number() {
        let set: Scopes = [Scope::AdminRead, Scope::PinsWrite].into_iter().collect();
        assert_eq!(set.to_string(), "pins:write,admin:read");
        for code in 0..=16 {
            if let Some(set) = Scopes::from_code(code) {
                assert_eq!(set.code(), code);
                assert_eq!(set.iter().collect::<Scopes>(), set);
            }
        }
        for wrong in [-1, 2, 8, 16, 256] {
            assert_eq!(Scopes::from_code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn scopes_print_and_parse_back() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        assert!("pins".parse::<Scope>().unwrap_err().contains("admin:write"));
    }
}
