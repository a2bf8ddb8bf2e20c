//! Through whom requests leave: an HTTP proxy that opens a tunnel to each host (CONNECT), for plain HTTP too.

use std::fmt;

use http::{HeaderValue, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use thiserror::Error;

/// A proxy. Its user and password are secret: nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    uri: Uri,
    auth: Option<HeaderValue>,
}

/// Why a text names no proxy; never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProxyError {
    #[error("not a proxy's address")]
    NoAddress,
    #[error("not an HTTP proxy: it is spoken to in plain HTTP")]
    OtherScheme,
}

/// A destination that any rule matches.
const ANY: &str = "https://destination.invalid";

impl Proxy {
    /// `http://[USER:PASSWORD@]HOST:PORT`; a scheme that is left out is http.
    ///
    /// # Errors
    /// Where it is no address, or one of another scheme.
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        Self::matched(&Matcher::builder().all(text).build(), &Uri::from_static(ANY))?
            .ok_or(ProxyError::NoAddress)
    }

    fn matched(matcher: &Matcher, to: &Uri) -> Result<Option<Self>, ProxyError> {
        let Some(found) = matcher.intercept(to) else { return Ok(None) };
        let uri = found.uri().clone();
        if uri.scheme_str() != Some("http") {
            return Err(ProxyError::OtherScheme);
        }
        if uri.authority().is_none_or(|authority| authority.host().is_empty()) {
            return Err(ProxyError::NoAddress);
        }
        let auth = found.basic_auth().cloned().map(|mut auth| {
            auth.set_sensitive(true);
            auth
        });
        Ok(Some(Self { uri, auth }))
    }

    pub(super) fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(super) fn auth(&self) -> Option<&HeaderValue> {
        self.auth.as_ref()
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = if self.auth.is_some() { "***@" } else { "" };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let address = authority.rsplit('@').next().unwrap_or_default();
        write!(f, "http://{hidden}{address}")
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// The rules by which a machine's environment names proxies, as other programs read them.
#[derive(Clone, Default)]
pub struct ProxyRules {
    /// For `http` and for `https` destinations.
    pub http: Option<String>,
    pub https: Option<String>,
    /// Hosts that are reached directly: names with all below them, addresses, networks, or `*`; with commas between.
    pub except: String,
}

impl fmt::Debug for ProxyRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyRules").field("except", &self.except).finish_non_exhaustive()
    }
}

impl ProxyRules {
    /// The proxy on the way to a host. This machine itself is always reached directly.
    ///
    /// # Errors
    /// Where the rule for it names none that can be used.
    pub fn to(&self, destination: &Uri) -> Result<Option<Proxy>, ProxyError> {
        if destination.host().is_some_and(is_here) {
            return Ok(None);
        }
        let rule = match destination.scheme_str() {
            Some("http") => &self.http,
            _ => &self.https,
        };
        let Some(rule) = rule.as_ref().filter(|rule| !rule.is_empty()) else { return Ok(None) };
        let proxy = Proxy::parse(rule)?;
        let is_excepted = Matcher::builder().all(rule.as_str()).no(self.except.as_str()).build();
        Ok(is_excepted.intercept(destination).map(|_| proxy))
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_an_http_address_whose_password_nothing_prints() {
        let proxy = Proxy::parse("http://ada:s3cr%40t@proxy.example.com:3128").unwrap();
        assert_eq!(proxy.uri(), "http://proxy.example.com:3128/");
        // "ada:s3cr@t", in Base64.
        assert_eq!(proxy.auth().unwrap(), "Basic YWRhOnMzY3JAdA==");
        assert_eq!(proxy.to_string(), "http://***@proxy.example.com:3128");
        assert!(!format!("{proxy:?}").contains("s3cr") && !format!("{:?}", proxy.auth()).contains("YWRh"));
        assert_eq!(Proxy::parse("proxy:3128").unwrap().to_string(), "http://proxy:3128");
        assert_eq!(Proxy::parse("https://proxy:3128"), Err(ProxyError::OtherScheme));
        assert_eq!(Proxy::parse("socks5://proxy:1080"), Err(ProxyError::OtherScheme));
        for text in ["", " ", "http://", "http://:3128", "http://a b"] {
            assert!(Proxy::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_environments_rules_go_by_scheme_and_host_and_never_for_this_machine() {
        let rules = ProxyRules {
            http: Some("http://plain:3128".into()),
            https: Some("http://ada:pw@safe:3128".into()),
            except: "example.org,10.0.0.0/8, .internal".into(),
        };
        let way = |to: &str| rules.to(&to.parse().unwrap()).unwrap().map(|proxy| proxy.to_string());
        assert_eq!(way("https://api.example.com/psa").as_deref(), Some("http://***@safe:3128"));
        assert_eq!(way("http://api.example.com").as_deref(), Some("http://plain:3128"));
        for direct in [
            "https://example.org",
            "https://psa.example.org",
            "https://10.1.2.3:8443",
            "https://psa.internal",
            "http://127.0.0.1:5001",
            "http://[::1]:5001",
            "http://localhost:5001",
        ] {
            assert_eq!(way(direct), None, "{direct}");
        }
        assert!(!format!("{rules:?}").contains("pw"));
        let wrong = ProxyRules { https: Some("socks5://x:1".into()), ..ProxyRules::default() };
        assert!(wrong.to(&"https://example.com".parse().unwrap()).is_err());
    }
}
