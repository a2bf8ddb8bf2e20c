//! The names that there are, for whoever wrote another one.

/// So many are named.
const MOST: usize = 10;

/// Such as `there are alpha, beta and 3 more`.
pub fn known<S: AsRef<str>>(names: &[S]) -> String {
    let named: Vec<&str> = names.iter().take(MOST).map(AsRef::as_ref).collect();
    let named = named.join(", ");
    match names.len() {
        0 => "there is none".to_owned(),
        1 => format!("there is {named}"),
        2..=MOST => format!("there are {named}"),
        all => format!("there are {named} and {} more", all - MOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_are_named_and_the_others_counted() {
        let all: Vec<String> = (1..=12).map(|n| format!("p{n}")).collect();
        assert_eq!(known::<&str>(&[]), "there is none");
        assert_eq!(known(&all[..1]), "there is p1");
        assert_eq!(known(&all[..2]), "there are p1, p2");
        assert!(known(&all[..10]).ends_with(", p9, p10"));
        assert!(known(&all).ends_with(", p9, p10 and 2 more"));
    }
}
