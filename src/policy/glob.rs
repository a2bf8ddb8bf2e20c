//! Patterns of names and values: `*` stands for anything, `?` for one character, all else for itself.

use std::fmt;

use wildmatch::WildMatch;

/// A pattern that a whole text fits or not.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob(WildMatch);

// The matcher is not `Eq` by itself only because nobody asked: it holds characters and a flag.
impl Eq for Glob {}

impl Glob {
    /// The longest pattern, in characters: what a match costs is bounded by it and the text.
    pub const MAX_CHARS: usize = 255;

    /// `None` where the pattern is too long.
    pub fn new(pattern: &str) -> Option<Self> {
        (pattern.chars().count() <= Self::MAX_CHARS).then(|| Self(WildMatch::new(pattern)))
    }

    pub fn fits(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// Writes what [`new`](Self::new) takes; stars that stood side by side are one.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        Glob::new(pattern).unwrap().fits(text)
    }

    #[test]
    fn a_star_is_anything_and_a_question_mark_one_character() {
        assert!(fits("backup-*", "backup-2026") && fits("backup-*", "backup-"));
        assert!(fits("*", "") && fits("a**b", "ab") && fits("*/*.jpg", "one/two/three.jpg"));
        assert!(fits("gr?n", "grün") && fits("*ü*", "grün"));
        assert!(!fits("backup-*", "a backup-2026") && !fits("?", "") && !fits("", "a"));
        assert!(fits("[draft] {a,b}", "[draft] {a,b}"), "no other character is special");
    }

    #[test]
    fn patterns_are_bounded_in_characters() {
        assert!(Glob::new(&"ü".repeat(255)).is_some());
        assert!(Glob::new(&"ü".repeat(256)).is_none());
        assert_eq!(Glob::new("a*?b").unwrap().to_string(), "a*?b");
    }
}
