//! The way to providers: through which proxy, and whose certificates are good beside those that the machine trusts.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Uri;

use super::reader::{Keys, Reader, Section, Seen, Text, Wrong};
use super::settings::{UpstreamSettings, Way};
use super::value::span;
use crate::http::{Proxy, ProxyError, ProxyRules, Roots, Settings};

pub(super) const KEYS: &[&str] = &["proxy", "ca_file", "connect_timeout"];

const PROXY_HELP: &str = "write http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT";
const NONE: &str = "none";

/// What holds for all providers.
pub(super) struct Upstream {
    pub(super) settings: UpstreamSettings,
    /// The way that this file says, else the environment, by destination.
    rules: ProxyRules,
    roots: Roots,
}

/// The section `upstream`, and what the environment says of proxies, as it does to other programs.
pub(super) fn read(reader: &mut Reader<'_>, root: &Section<'_>) -> Upstream {
    let section = reader.section(root, "upstream", Keys { known: KEYS, later: &[] });
    let timeout = reader.setting(&section, "connect_timeout");
    let proxy = reader.setting(&section, "proxy");
    let given = proxy.as_ref().and_then(|text| reader.parse(text, own_proxy));
    let ca_file = reader.setting(&section, "ca_file");
    let (ca_file, roots) = roots(reader, ca_file);
    let rules = match (&given, proxy) {
        (Some(given), Some(proxy)) => {
            let rule = given.as_ref().map(|_| proxy.text);
            ProxyRules {
                http: rule.clone(),
                https: rule,
                except: of_machine(reader, "NO_PROXY").unwrap_or_default(),
            }
        }
        _ => machines(reader),
    };
    let connect_timeout = reader.parse_or(timeout, Settings::default().connect_timeout, at_least_100ms);
    let settings = UpstreamSettings { proxy: given.map(shown), ca_file, connect_timeout };
    Upstream { settings, rules, roots }
}

impl Upstream {
    /// The way to one provider: what its entry says goes before all else.
    pub(super) fn way(&self, reader: &mut Reader<'_>, entry: &Section<'_>, endpoint: Option<&str>) -> Way {
        let own = reader.optional(entry, "proxy");
        let own = own.and_then(|text| reader.parse(&text, own_proxy));
        let ca_file = reader.optional(entry, "ca_file");
        let (ca_file, roots) = roots(reader, ca_file);
        let proxy = match &own {
            Some(own) => own.clone(),
            None => endpoint.and_then(|endpoint| self.general(reader, entry, endpoint)),
        };
        let connect_timeout = self.settings.connect_timeout;
        let http = Settings { proxy, roots: self.roots.and(&roots), connect_timeout, ..Settings::default() };
        Way { http, proxy: own.map(shown), ca_file }
    }

    /// The way to another address of the same provider.
    pub(super) fn elsewhere(
        &self,
        reader: &mut Reader<'_>,
        entry: &Section<'_>,
        way: &Way,
        to: &str,
    ) -> Settings {
        if way.proxy.is_some() {
            return way.http.clone();
        }
        Settings { proxy: self.general(reader, entry, to), ..way.http.clone() }
    }

    /// The way to an address that is no provider's.
    pub(super) fn to(&self, reader: &mut Reader<'_>, section: &Section<'_>, to: &str) -> Settings {
        Settings {
            proxy: self.general(reader, section, to),
            roots: self.roots.clone(),
            connect_timeout: self.settings.connect_timeout,
            ..Settings::default()
        }
    }

    fn general(&self, reader: &mut Reader<'_>, entry: &Section<'_>, endpoint: &str) -> Option<Proxy> {
        let destination: Uri = endpoint.parse().ok()?;
        self.rules.to(&destination).unwrap_or_else(|error| {
            let what = format!("the proxy that the environment names for it is {error}");
            let help = "name an http:// proxy there, or its host in NO_PROXY, or write proxy: none";
            reader.wrong(&entry.path, entry.spot.clone(), what, help);
            None
        })
    }
}

/// A proxy or `none`, as an entry says it.
fn own_proxy(text: &str) -> Result<Option<Proxy>, Wrong> {
    if text == NONE {
        return Ok(None);
    }
    Proxy::parse(text).map(Some).map_err(|error: ProxyError| Wrong::new(error.to_string(), PROXY_HELP))
}

fn shown(proxy: Option<Proxy>) -> String {
    proxy.map_or(NONE.to_owned(), |proxy| proxy.to_string())
}

/// The rules that other programs go by, too; in either spelling, as they do.
fn machines(reader: &Reader<'_>) -> ProxyRules {
    let or_all = |name: &str| of_machine(reader, name).or_else(|| of_machine(reader, "ALL_PROXY"));
    ProxyRules {
        http: or_all("HTTP_PROXY"),
        https: or_all("HTTPS_PROXY"),
        except: of_machine(reader, "NO_PROXY").unwrap_or_default(),
    }
}

fn of_machine(reader: &Reader<'_>, name: &str) -> Option<String> {
    let found = reader.variable(&name.to_ascii_lowercase()).or_else(|| reader.variable(name))?;
    Some(found.text).filter(|text| !text.is_empty())
}

fn roots(reader: &mut Reader<'_>, file: Option<Text>) -> (Option<PathBuf>, Roots) {
    let Some(text) = file else { return (None, Roots::default()) };
    let path = reader.folder.join(&text.text);
    reader.files.push(Seen::now(&path));
    match of_file(&path) {
        Ok(roots) => (Some(path), roots),
        Err(what) => {
            let help = "name a file of root certificates in PEM form, relative to this file's folder";
            reader.wrong(&text.path, text.spot, what, help);
            (None, Roots::default())
        }
    }
}

fn of_file(path: &Path) -> Result<Roots, String> {
    let pem = fs::read(path).map_err(|error| format!("the file cannot be read ({})", error.kind()))?;
    Roots::parse(&pem).map_err(|error| format!("the file {error}"))
}

fn at_least_100ms(text: &str) -> Result<Duration, Wrong> {
    let value = span(Duration::from_secs(300))(text)?;
    let short = value < Duration::from_millis(100);
    if short { Err(Wrong::new("too short a span", "write at least 100ms")) } else { Ok(value) }
}
