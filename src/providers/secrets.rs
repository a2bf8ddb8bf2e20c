//! The secrets of one provider, so that none of them is passed on in a text (I11).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

/// The newest that are remembered: tokens that are renewed push older ones out.
const MOST: usize = 16;

/// Shorter runs of a secret's characters tell nothing of it.
const RUN: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Secrets(Mutex<VecDeque<SecretString>>);

impl Secrets {
    /// Remembers one; the oldest is forgotten where there are too many.
    pub(super) fn add(&self, secret: SecretString) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|other| other.expose_secret() != secret.expose_secret());
        if !secret.expose_secret().is_empty() {
            known.push_back(secret);
        }
        if known.len() > MOST {
            known.pop_front();
        }
    }

    /// Replaces every secret, any longer part of one (some echo it cut short), and whatever looks like a JWT; also where
    /// it is percent-encoded, as in an address.
    pub(super) fn redact(&self, text: &str) -> String {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        let hidden = self.hide(&decoded);
        if hidden == decoded { self.hide(text) } else { hidden }
    }

    fn hide(&self, text: &str) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Longest first: a shorter one may be a part of it.
        let mut secrets: Vec<SecretString> =
            known.iter().flat_map(|secret| in_json(secret).into_iter().chain([secret.clone()])).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose_secret().len()));
        let all = || secrets.iter().map(ExposeSecret::expose_secret);
        let whole = all().fold(text.to_owned(), |text, secret| text.replace(secret, "[token]"));
        let parts = all().fold(whole, |text, secret| without_parts(&text, secret));
        without_jwts(&parts)
    }
}

/// As a quoted body has it, where that is spelled otherwise.
fn in_json(secret: &SecretString) -> Option<SecretString> {
    let quoted = Value::from(secret.expose_secret()).to_string();
    let bare = quoted.strip_prefix('"')?.strip_suffix('"')?;
    (bare != secret.expose_secret()).then(|| bare.into())
}

fn of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

fn without_parts(text: &str, secret: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(first) = rest.chars().next() {
        let part = part_at_start(rest, secret);
        out.push_str(if part == 0 { &rest[..first.len_utf8()] } else { "[token]" });
        rest = &rest[part.max(first.len_utf8())..];
    }
    out
}

/// How much of a text's beginning is a part of the secret that tells of it.
fn part_at_start(text: &str, secret: &str) -> usize {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).skip_while(|end| *end < RUN);
    ends.take_while(|end| secret.contains(&text[..*end])).last().unwrap_or(0)
}

/// A JWT begins with the base64 of `{"`; whose it is does not matter, it may let somebody in.
fn without_jwts(text: &str) -> String {
    const START: &str = "eyJ";
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(START) {
        let (before, from) = rest.split_at(at);
        let end = from.find(|c| !of_token(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        out.push_str(before);
        out.push_str(if run.len() >= 2 * RUN { "[token]" } else { run });
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Secrets {
        let secrets = Secrets::default();
        all.iter().for_each(|secret| secrets.add((*secret).into()));
        secrets
    }

    #[test]
    fn every_secret_is_replaced_the_longest_first() {
        let secrets = secrets(&["hunter2", "hunter2-long", "a password, spaced"]);
        let text = secrets.redact("hunter2-long hunter2 and a password, spaced");
        assert_eq!(text, "[token] [token] and [token]");
    }

    #[test]
    fn a_secret_is_found_where_it_is_percent_encoded_and_cut_short() {
        let secrets = secrets(&["S0me/base64+secret=="]);
        for echoed in ["S0me%2Fbase64%2Bsecret%3D%3D", "Bearer%20S0me%2Fbase64%2B", "Bearer%20S0me/base"] {
            let text = secrets.redact(&format!("moved to https://x.example/?token={echoed}&a=1"));
            assert!(!text.contains("S0me") && !text.contains("base") && text.contains("[token]"), "{text}");
        }
        assert_eq!(secrets.redact("100% of a%20b"), "100% of a%20b");
    }

    #[test]
    fn whatever_looks_like_a_jwt_is_replaced() {
        let text = secrets(&[]).redact("session:eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.sig, eyJ is short");
        assert_eq!(text, "session:[token], eyJ is short");
    }

    #[test]
    fn only_so_many_are_remembered_the_newest_ones() {
        let secrets = Secrets::default();
        (0..100).for_each(|n| secrets.add(format!("s-{n:03}!").into()));
        assert_eq!(secrets.redact("s-099! s-000!"), "[token] s-000!");
        assert_eq!(secrets.0.lock().unwrap().len(), MOST);
    }

    #[test]
    fn a_part_of_a_secret_is_replaced_whatever_stands_beside_it() {
        let secrets = secrets(&["0123456789abcdef"]);
        for (text, clean) in [
            ("?token=0123456789abc", "?token=[token]"),
            ("ü0123456789abcü", "ü[token]ü"),
            ("a/456789abcdefgh", "a/[token]gh"),
            ("0123456 and 9abcdef", "0123456 and 9abcdef"),
        ] {
            assert_eq!(secrets.redact(text), clean);
        }
    }

    #[test]
    fn a_secret_is_found_as_json_writes_it() {
        let text = secrets(&[r#"it"is\so"#]).redact(r#"cannot read {"password":"it\"is\\so"}"#);
        assert_eq!(text, r#"cannot read {"password":"[token]"}"#);
    }
}
