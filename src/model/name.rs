//! Names of pins: their bound, and the case folding that `iexact` and `ipartial` compare by.

use icu_casemap::CaseMapper;

/// The longest name, in Unicode characters (the spec's `maxLength`).
pub const MAX_CHARS: usize = 255;

/// Whether a name is short enough to keep.
pub fn fits(name: &str) -> bool {
    name.len() <= MAX_CHARS || name.chars().count() <= MAX_CHARS
}

/// The name that can be kept of one that was given elsewhere, and whether that is less than it was.
pub fn cut(name: &str) -> (String, bool) {
    let kept: String = name.chars().filter(|char| *char != '\0').take(MAX_CHARS).collect();
    let is_less = kept.len() < name.len();
    (kept, is_less)
}

/// The full Unicode case folding of a name: equal for names that differ in case only.
pub fn fold(name: &str) -> String {
    CaseMapper::new().fold_string(name).into_owned()
}

/// The folding to store beside a name: `None` where the name is its own folding.
pub fn folded_unless_same(name: &str) -> Option<String> {
    let folded = fold(name);
    (folded != name).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_ignores_case_beyond_ascii() {
        assert_eq!(fold("PreciousData.PDF"), "preciousdata.pdf");
        assert_eq!(fold("STRASSE"), fold("straße"));
        assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
        assert_eq!(folded_unless_same("plain.txt"), None);
        assert_eq!(folded_unless_same("Plain.txt").as_deref(), Some("plain.txt"));
    }

    #[test]
    fn a_name_from_elsewhere_is_cut_to_what_fits() {
        assert_eq!(cut("a\0b"), ("ab".to_owned(), true));
        assert_eq!(cut(&"ü".repeat(256)), ("ü".repeat(255), true));
        assert_eq!(cut("as it is"), ("as it is".to_owned(), false));
    }

    #[test]
    fn the_bound_counts_characters_not_bytes() {
        assert!(fits(&"ü".repeat(255)));
        assert!(!fits(&"ü".repeat(256)));
        assert!(!fits(&"a".repeat(256)));
    }
}
