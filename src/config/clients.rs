//! `server.timeouts`, `server.max_unread` and `server.proxies`: how patient the listener is with its clients, what it keeps
//! for them, and whom it believes.

use std::time::Duration;

use super::reader::{Keys, Reader, Section, Wrong};
use super::settings::Timeouts;
use super::value::{boolean, bytes, one_of, show_span, span};
use crate::server::{Network, NetworkError, Proxies};

const TIMEOUTS: Keys = Keys { known: &["head", "idle", "body", "write"], later: &[] };
const PROXIES: Keys = Keys { known: &["trusted", "protocol", "forwarded_for"], later: &[] };

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn timeouts(reader: &mut Reader<'_>, server: &Section<'_>) -> Timeouts {
    let section = reader.section(server, "timeouts", TIMEOUTS);
    let mut read = |key: &str, default: u64, least: Duration| {
        let text = reader.optional(&section, key);
        reader.parse_or(text, Duration::from_secs(default), between(least, HOUR))
    };
    Timeouts {
        head: read("head", 15, SECOND),
        // Clients send into connections that close sooner than they expect.
        idle: read("idle", 120, 5 * SECOND),
        body: read("body", 30, SECOND),
        write: read("write", 30, SECOND),
    }
}

fn between(least: Duration, most: Duration) -> impl Fn(&str) -> Result<Duration, Wrong> {
    move |text| {
        let value = span(most)(text)?;
        if value < least {
            return Err(Wrong::new("too short a span", format!("write at least {}", show_span(least))));
        }
        Ok(value)
    }
}

pub(super) fn unread(text: &str) -> Result<u64, Wrong> {
    // Less than one page of a list would be.
    let few = || Wrong::new("too few bytes", "write at least 4MiB");
    bytes(text).and_then(|value| if value < 4 << 20 { Err(few()) } else { Ok(value) })
}

pub(super) fn proxies(reader: &mut Reader<'_>, server: &Section<'_>) -> Proxies {
    const HELP: &str = "write a list of addresses and networks, such as [10.0.0.0/8, \"::1\"]";
    let section = reader.section(server, "proxies", PROXIES);
    let trusted = reader.words(&section, "trusted", HELP).unwrap_or_default();
    let trusted: Vec<_> = trusted.iter().filter_map(|text| reader.parse(text, network)).collect();
    let protocol = reader.optional(&section, "protocol");
    let forwarded = reader.optional(&section, "forwarded_for");
    let proxies = Proxies {
        trusted,
        protocol_v2: reader.parse_or(protocol, false, is_v2),
        forwarded_for: reader.parse_or(forwarded, true, boolean),
    };
    if proxies.protocol_v2 && section.get("trusted").is_none_or(|trusted| trusted.value.is_empty()) {
        let help = "add trusted: [ADDRESS], with the addresses that your proxies connect from";
        reader.wrong(
            section.path_of("protocol"),
            section.spot.clone(),
            "no proxy is trusted to speak it",
            help,
        );
    }
    proxies
}

fn is_v2(text: &str) -> Result<bool, Wrong> {
    match text {
        "v2" => Ok(true),
        "none" => Ok(false),
        _ => Err(one_of("no such protocol", text, ["none", "v2"].into_iter())),
    }
}

fn network(text: &str) -> Result<Network, Wrong> {
    text.parse().map_err(|error: NetworkError| {
        let help = match error {
            NetworkError::Host => "write the network's own address, such as 10.0.0.0/8 for that of 10.1.2.3",
            _ => "write an address or a network, such as 10.0.0.7, 10.0.0.0/8 or \"::1\"",
        };
        Wrong::new(error.to_string(), help)
    })
}
