//! What is known of kinds of pinning services, as data.

use std::time::Duration;

/// A kind of pinning service, and what a provider entry of that kind starts from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// The word in the config's `preset` key.
    pub name: &'static str,
    /// The most contents in one look-up.
    pub batch: usize,
    /// The most calls at once, unless the entry's budget says otherwise.
    pub concurrency: usize,
    /// The longest that one call takes, retries included.
    pub deadline: Duration,
    /// How long after a call's deadline it may still take effect.
    pub settle: Duration,
}

/// Any server of the Pinning Services API, of which nothing more is known.
pub const GENERIC: Preset = Preset {
    name: "generic",
    batch: 10,
    concurrency: 4,
    deadline: Duration::from_secs(90),
    settle: Duration::from_secs(60),
};

/// Every preset there is.
pub const ALL: &[Preset] = &[GENERIC];

/// The preset of that name.
pub fn find(name: &str) -> Option<&'static Preset> {
    ALL.iter().find(|preset| preset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_found_by_its_own_name() {
        for preset in ALL {
            assert_eq!(find(preset.name), Some(preset));
        }
        assert_eq!(find("Generic"), None);
    }
}
