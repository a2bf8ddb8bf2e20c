//! The secrets of one provider, so that none of them is passed on in a text (I11).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

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
        let mut secrets: Vec<&str> = known.iter().map(ExposeSecret::expose_secret).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let whole = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "[token]"));
        let parts = secrets.iter().fold(whole, |text, secret| without_parts(&text, secret));
        without_jwts(&parts)
    }
}

fn of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~+/=".contains(c)
}

fn without_parts(text: &str, secret: &str) -> String {
    let mut runs: Vec<&str> = text
        .split(|c| !of_token(c))
        .map(|run| run.trim_matches(['.', '=']))
        .filter(|run| run.len() >= RUN && secret.contains(run))
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
    runs.into_iter().fold(text.to_owned(), |text, run| text.replace(run, "[token]"))
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
        (0..100).for_each(|n| secrets.add(format!("secret-{n:03}!").into()));
        assert_eq!(secrets.redact("secret-099! secret-000!"), "[token] secret-000!");
        assert_eq!(secrets.0.lock().unwrap().len(), MOST);
    }
}
