//! The single values of the configuration: addresses, spans, names, endpoints, paths.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::reader::{Wrong, nearest};
use super::settings::{LogFormat, StoreUrl};
use crate::admin;
pub(super) use crate::model::span::show_span;
use crate::model::{Status, expiry::parse_days};
use crate::presets::{Preset, Presets};

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| {
        Wrong::new("not an address to listen at", "write IP:PORT, such as 127.0.0.1:5080 or [::]:5080")
    })
}

/// An address of the admin listener: one that others can reach needs a way to know operators by.
pub(super) fn admin_address(knows_operators: bool) -> impl Fn(&str) -> Result<SocketAddr, Wrong> {
    move |text| {
        let address = address(text)?;
        admin::check_address(address, knows_operators).map(|_| address).map_err(|_| {
            let port = address.port();
            let help = format!(
                "write a loopback address, such as 127.0.0.1:{port}, or admin.tokens: [ {{ name: ops, scopes: [admin:write], secret_file: ops-token }} ], or admin.certificates with admin.tls.client_ca"
            );
            Wrong::new("the admin listener would be open to others, without a token or certificate to know operators by", help)
        })
    }
}

/// A span of at most `max`, such as `1s`, `200ms`, `1h 30m` or `7d`.
pub(super) fn span(max: Duration) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| {
        let parsed = if text == "0" { Some(Duration::ZERO) } else { parse_days(text) };
        let span = parsed.ok_or_else(|| {
            Wrong::new("not a span of time", "write a number and its unit, such as 200ms, 1s, 5m or 2h")
        })?;
        if span > max {
            return Err(Wrong::new("too long a span", format!("write at most {}", show_span(max))));
        }
        Ok(span)
    }
}

/// As [`span`], of one that is not nothing.
pub(super) fn lasting(max: Duration) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| match span(max)(text)? {
        Duration::ZERO => Err(Wrong::new("would be over at once", "write a longer one, or remove the key")),
        span => Ok(span),
    }
}

/// A whole number from `min` to `max`.
pub(super) fn number<T>(min: T, max: T) -> impl Fn(&str) -> Result<T, Wrong>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display + Copy,
{
    move |text| {
        let number = text.parse().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| {
            Wrong::new("not a number that can be used", format!("write a whole number from {min} to {max}"))
        })
    }
}

/// A number of bytes, such as `500MB` or `1GiB`.
pub(super) fn bytes(text: &str) -> Result<u64, Wrong> {
    const UNITS: [(&str, u64); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("", 1),
    ];
    let wrong = || {
        Wrong::new(
            "not a number of bytes",
            "write a whole number, with KB, MB, GB, KiB, MiB or GiB if you like",
        )
    };
    let (digits, unit) = UNITS
        .iter()
        .find_map(|(name, unit)| Some((text.strip_suffix(name)?.trim_end(), *unit)))
        .ok_or_else(wrong)?;
    let most = i64::MAX.unsigned_abs();
    digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).filter(|n| *n <= most).ok_or_else(wrong)
}

pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new("neither true nor false", "write true or false")),
    }
}

/// A name of ours, fit for labels and file names.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new("not a name that can be used", "write 1 to 64 of a-z, 0-9, `.`, `_` and `-`"))
}

pub(super) fn preset(presets: &Presets) -> impl Fn(&str) -> Result<Arc<Preset>, Wrong> {
    move |text| {
        let found = presets.find(text).cloned();
        found.ok_or_else(|| one_of("no such preset", text, presets.names()))
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, Wrong> {
    let found = LogFormat::ALL.into_iter().find(|format| format.as_str() == text);
    found.ok_or_else(|| one_of("no such format", text, LogFormat::ALL.into_iter().map(LogFormat::as_str)))
}

pub(super) fn status(text: &str) -> Result<Status, Wrong> {
    let words = Status::ALL.into_iter().map(Status::as_str).chain(["all"]);
    Status::parse(text).ok_or_else(|| one_of("no such status", text, words))
}

pub(super) fn one_of<'w>(what: &str, text: &str, words: impl Iterator<Item = &'w str>) -> Wrong {
    let words: Vec<_> = words.collect();
    let help = match nearest(text, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write one of {}", words.join(", ")),
    };
    Wrong::new(what, help)
}

/// `sqlite:PATH`; the path is taken as it stands.
pub(super) fn store(text: &str) -> Result<StoreUrl, Wrong> {
    const HELP: &str = "write sqlite:FILE, such as sqlite:pinfold.db or sqlite:/var/lib/pinfold/pinfold.db";
    if text.starts_with("postgres:") || text.starts_with("postgresql:") {
        return Err(Wrong::new("PostgreSQL is not supported by this version yet", HELP));
    }
    let path = text.strip_prefix("sqlite:").ok_or_else(|| Wrong::new("not a store's address", HELP))?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(['?', '\0']) || path == ":memory:" {
        return Err(Wrong::new("names no file", HELP));
    }
    Ok(StoreUrl::Sqlite(PathBuf::from(path)))
}

/// The base address of a pinning service, normalised: lower-case scheme and host, no trailing slash.
pub(super) fn endpoint(text: &str) -> Result<String, Wrong> {
    const HELP: &str = "write the service's base address, such as https://psa.example.com/v1";
    let wrong = |what: &str, help: &str| Err(Wrong::new(what, help));
    let Ok(uri) = text.parse::<Uri>() else { return wrong("not an address", HELP) };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return wrong("not a whole address", HELP);
    };
    if !matches!(scheme, "http" | "https") || authority.host().is_empty() {
        return wrong("not an http or https address", HELP);
    }
    if authority.as_str().contains('@') {
        return wrong(
            "holds a user or password",
            "remove it; the credential goes into token_file or token_env",
        );
    }
    if uri.query().is_some() || text.contains('#') {
        return wrong("has a query or fragment", "remove everything from the `?` or `#` on");
    }
    let path = uri.path().trim_end_matches('/');
    if path == "/pins" || path.ends_with("/pins") {
        return wrong("ends in /pins, which is added to it", "remove the /pins");
    }
    Ok(format!("{scheme}://{}{path}", authority.as_str().to_ascii_lowercase()))
}

/// An address that clients can dial to hand content over.
pub(super) fn delegate(text: &str) -> Result<String, Wrong> {
    if crate::model::delegates::names_a_peer(text) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(
        "not an address of a peer",
        "write a multiaddr that ends in its peer, such as /dns4/node.example.com/tcp/4001/p2p/PEER_ID",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_normalised_and_their_slips_told() {
        let good = |text: &str| endpoint(text).map_err(|wrong| wrong.what).expect(text);
        assert_eq!(good("https://PSA.Example.com/v1/"), "https://psa.example.com/v1");
        assert_eq!(good("http://127.0.0.1:3101"), "http://127.0.0.1:3101");
        assert_eq!(good("http://[::1]:3101//"), "http://[::1]:3101");
        for bad in [
            "",
            "psa.example.com",
            "ftp://psa.example.com",
            "https://user:hunter2@psa.example.com",
            "https://psa.example.com/?x=1",
            "https://psa.example.com/#x",
            "https://psa.example.com/pins/",
            "https://",
            "https://psa example.com",
            "/v1",
        ] {
            let wrong = endpoint(bad).err().unwrap_or_else(|| panic!("{bad} is taken"));
            assert!(!wrong.what.contains("hunter2") && !wrong.help.contains("hunter2"));
        }
    }

    #[test]
    fn spans_print_and_parse_back() {
        let read = span(Duration::from_secs(86_400));
        for text in ["0", "200ms", "1s", "90s", "5m", "1h 30m", "1h30m", "1d"] {
            let value = read(text).map_err(|wrong| wrong.what).expect(text);
            assert_eq!(read(&show_span(value)).map_err(|wrong| wrong.what), Ok(value), "{text}");
        }
        for text in ["", "1", "-1s", "1 fortnight", "25h", "s"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "alpha-2_b.c", &"x".repeat(64)] {
            assert!(name(good).is_ok());
        }
        for bad in ["", "Alpha", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_store_is_a_file() {
        for (text, path) in
            [("sqlite:a.db", "a.db"), ("sqlite:///var/a.db", "/var/a.db"), ("sqlite:/a.db", "/a.db")]
        {
            assert_eq!(store(text).map_err(|wrong| wrong.what), Ok(StoreUrl::Sqlite(path.into())));
        }
        for bad in ["", "a.db", "sqlite:", "sqlite::memory:", "postgres://x", "sqlite:a?mode=ro"] {
            assert!(store(bad).is_err(), "{bad}");
        }
    }
}
