//! The sections of single settings, each of which a `PINFOLD_*` variable may override.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use super::accounts::Ways;
use super::clients;
use super::reader::{Keys, Reader, Section, Text, Wrong, nearest, variable};
use super::settings::{AdminSettings, ApiSettings, LogFormat, LogSettings, ServerSettings, StoreUrl};
use super::value::{self, address, admin_address, delegate, lasting, log_format, number, span, status};
use super::{tls, traces, upstream};
use crate::model::{Facts, Status, StatusSet, delegates};
use crate::policy::Timing;
use crate::telemetry::logging;

const SERVER: &[&str] =
    &["listen", "max_connections", "max_connections_per_address", "max_unread", "shutdown_grace"];
const ADMIN: &[&str] = &["listen"];
const STORE: &[&str] = &["url", "lock_wait"];
const API: &[&str] = &["accept_wait", "default_status", "fallback_delegates"];
const ENGINE: &[&str] = &["retry_max", "poll_min", "poll_max", "verify_every", "declare_dead_after"];
const LOG: &[&str] = &["filter", "format"];

/// Variables that are read, but mirror no key: the log's short names, and those of the command line.
const OTHERS: [&str; 6] = [
    LOG_FILTER,
    "PINFOLD_LOG_FORMAT",
    "PINFOLD_CONFIG",
    "PINFOLD_ADMIN_URL",
    "PINFOLD_ADMIN_TOKEN",
    "PINFOLD_LOG_FILTER",
];
const LOG_FILTER: &str = "PINFOLD_LOG";

/// Where the admin listener is, unless it is said otherwise.
pub(super) const ADMIN_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5081);

const MINUTE: Duration = Duration::from_secs(60);
const MIB: u64 = 1 << 20;
const DAY: Duration = Duration::from_secs(86_400);

const fn keys(known: &'static [&'static str]) -> Keys {
    Keys { known, later: &[] }
}

pub(super) fn server(reader: &mut Reader<'_>, root: &Section<'_>) -> ServerSettings {
    let known = &[
        "listen",
        "max_connections",
        "max_connections_per_address",
        "max_unread",
        "timeouts",
        "proxies",
        "shutdown_grace",
        "tls",
    ];
    let section = reader.section(root, "server", keys(known));
    let listen = reader.setting(&section, "listen");
    let connections = reader.setting(&section, "max_connections");
    let per_address = reader.setting(&section, "max_connections_per_address");
    let unread = reader.setting(&section, "max_unread");
    let grace = reader.setting(&section, "shutdown_grace");
    ServerSettings {
        listen: reader.parse_or(listen, SocketAddr::from((Ipv4Addr::LOCALHOST, 5080)), address),
        max_connections: reader.parse_or(connections, 10_000, number(1, 1_000_000)),
        max_connections_per_address: reader.parse_or(per_address, 1024, number(1, 1_000_000)),
        max_unread: reader.parse_or(unread, 128 * MIB, clients::unread),
        timeouts: clients::timeouts(reader, &section),
        proxies: clients::proxies(reader, &section),
        shutdown_grace: reader.parse_or(grace, Duration::from_secs(20), span(10 * MINUTE)),
        tls: tls::read(reader, &section),
    }
}

/// Operators are known by tokens or certificates of theirs; what an account has for the admin API does not count: it
/// may vanish with the account.
pub(super) fn admin(reader: &mut Reader<'_>, root: &Section<'_>, ways: &mut Ways<'_>) -> AdminSettings {
    let section = reader.section(root, "admin", keys(&["listen", "tokens", "certificates", "tls"]));
    let has_tokens = ways.tokens.read_admin(reader, &section);
    let has_certificates = ways.certificates.read_admin(reader, &section);
    let tls = tls::read(reader, &section);
    let certified = has_certificates && tls.as_ref().is_some_and(|tls| tls.clients.is_some());
    let knows_operators = has_tokens || certified;
    let listen = reader.setting(&section, "listen");
    AdminSettings {
        listen: reader.parse_or(listen, ADMIN_LISTEN, admin_address(knows_operators)),
        knows_operators,
        tls,
    }
}

/// A relative path is relative to the config's folder.
pub(super) fn store(reader: &mut Reader<'_>, root: &Section<'_>) -> (StoreUrl, Duration) {
    let section = section(reader, root, "store", STORE);
    let wait = reader.setting(&section, "lock_wait");
    let wait = reader.parse_or(wait, Duration::ZERO, span(10 * MINUTE));
    let url = reader.setting(&section, "url");
    let StoreUrl::Sqlite(path) = reader.parse_or(url, StoreUrl::Sqlite("pinfold.db".into()), value::store);
    (StoreUrl::Sqlite(beside(reader.folder, &path)), wait)
}

fn beside(folder: &Path, path: &Path) -> std::path::PathBuf {
    if folder.as_os_str().is_empty() { path.to_owned() } else { folder.join(path) }
}

pub(super) fn api(reader: &mut Reader<'_>, root: &Section<'_>) -> ApiSettings {
    let section = section(reader, root, "api", API);
    let wait = reader.setting(&section, "accept_wait");
    ApiSettings {
        accept_wait: reader.parse_or(wait, Duration::from_secs(1), span(MINUTE)),
        default_status: default_status(reader, &section),
        fallback_delegates: fallback_delegates(reader, &section),
    }
}

fn default_status(reader: &mut Reader<'_>, section: &Section<'_>) -> StatusSet {
    const HELP: &str = "write pinned, all, or a list such as [queued, pinning, pinned]";
    let pinned = StatusSet::EMPTY.with(Status::Pinned);
    let Some(words) = reader.settings(section, "default_status", HELP) else { return pinned };
    if words.is_empty() {
        reader.wrong(section.path_of("default_status"), section.spot.clone(), "names no status", HELP);
    }
    let set = |reader: &mut Reader<'_>, word: Text| match word.text.as_str() {
        "all" => StatusSet::ALL,
        _ => reader.parse(&word, status).map_or(StatusSet::EMPTY, |status| StatusSet::EMPTY.with(status)),
    };
    words.into_iter().flat_map(|word| set(reader, word).iter().collect::<Vec<_>>()).collect()
}

fn fallback_delegates(reader: &mut Reader<'_>, section: &Section<'_>) -> Vec<String> {
    let texts =
        reader.settings(section, "fallback_delegates", "write a list of multiaddrs").unwrap_or_default();
    if let Some(surplus) = texts.get(delegates::MAX) {
        let help = format!("keep at most {}", delegates::MAX);
        reader.wrong(&surplus.path, surplus.spot.clone(), "too many delegates", help);
    }
    texts.iter().filter_map(|text| reader.parse(text, delegate)).collect()
}

/// The schedule, and after which time a provider that says nothing else is dead.
pub(super) fn engine(reader: &mut Reader<'_>, root: &Section<'_>) -> (Timing, Duration) {
    let section = section(reader, root, "engine", ENGINE);
    let default = Timing::default();
    let mut read = |key: &str, default: Duration| {
        let text = reader.setting(&section, key);
        reader.parse_or(text, default, at_least_10ms)
    };
    let timing = Timing {
        retry_max: read("retry_max", default.retry_max),
        poll_min: read("poll_min", default.poll_min),
        poll_max: read("poll_max", default.poll_max),
        verify_every: read("verify_every", default.verify_every),
        ..default
    };
    if timing.poll_min > timing.poll_max {
        let help = "write a poll_max that is at least poll_min";
        reader.wrong(section.path_of("poll_max"), section.spot.clone(), "is less than poll_min", help);
    }
    let dead = reader.setting(&section, "declare_dead_after");
    let dead = reader.parse_or(dead, Facts::DIES_AFTER, lasting(36_500 * DAY));
    (Timing { retry_base: timing.retry_base.min(timing.retry_max), ..timing }, dead)
}

fn at_least_10ms(text: &str) -> Result<Duration, Wrong> {
    let value = span(365 * DAY)(text)?;
    if value < Duration::from_millis(10) {
        return Err(Wrong::new("too short a span", "write at least 10ms"));
    }
    Ok(value)
}

pub(super) fn log(reader: &mut Reader<'_>, root: &Section<'_>) -> LogSettings {
    let section = section(reader, root, "log", LOG);
    let filter = reader.variable(LOG_FILTER).or_else(|| reader.setting(&section, "filter"));
    let format = reader.setting(&section, "format");
    LogSettings {
        filter: reader.parse_or(filter, "info".to_owned(), log_filter),
        format: reader.parse_or(format, LogFormat::Auto, log_format),
    }
}

fn log_filter(text: &str) -> Result<String, Wrong> {
    let checked = logging::check_filter(text).map_err(|error| Wrong::new(error.to_string(), ""));
    checked.map(|()| text.to_owned())
}

fn section<'a>(
    reader: &mut Reader<'_>,
    root: &Section<'a>,
    name: &str,
    known: &'static [&'static str],
) -> Section<'a> {
    reader.section(root, name, keys(known))
}

/// Warns of variables that look like ours and are read by nothing; call it after everything else was read.
pub(super) fn stray_variables(reader: &mut Reader<'_>) {
    let sections = [
        ("server", SERVER),
        ("admin", ADMIN),
        ("store", STORE),
        ("api", API),
        ("engine", ENGINE),
        ("upstream", upstream::KEYS),
        ("traces", traces::KEYS),
        ("limits", super::limits::GENERAL),
    ];
    let mirrored =
        sections.into_iter().flat_map(|(section, keys)| keys.iter().map(move |key| variable(section, key)));
    let known: Vec<String> = mirrored.chain(OTHERS.map(str::to_owned)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let environment = reader.environment;
    for name in environment.ours() {
        if known.contains(&name) || reader.named.contains(name) {
            continue;
        }
        let help = match nearest(name, &known) {
            Some(near) => format!("did you mean {near}?"),
            None => "unset it".to_owned(),
        };
        let what = "no setting has this variable, and no key of the file names it";
        reader.warnings.push(super::problem::Problem::new(name, None, what).help(help));
    }
}
