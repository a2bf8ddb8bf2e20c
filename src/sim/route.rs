//! The route classes of the API: what calls are counted by and faults aimed at.

use std::{fmt, str::FromStr};

use http::Method;
use percent_encoding::percent_decode_str;

use crate::model::span::serde_as_text;

use super::{behaviour::Behaviour, playing};

/// One operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Route {
    /// `GET /pins`
    List,
    /// `POST /pins`
    Add,
    /// `GET /pins/{requestid}`
    Get,
    /// `POST /pins/{requestid}`
    Replace,
    /// `DELETE /pins/{requestid}`
    Remove,
    /// What gets a token for a user.
    Login,
    /// What gets a new token for an old one.
    Refresh,
    /// What has a code sent to a user by mail.
    Mail,
}

impl Route {
    pub const ALL: [Self; 8] = [
        Self::List,
        Self::Add,
        Self::Get,
        Self::Replace,
        Self::Remove,
        Self::Login,
        Self::Refresh,
        Self::Mail,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Add => "add",
            Self::Get => "get",
            Self::Replace => "replace",
            Self::Remove => "remove",
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::Mail => "mail",
        }
    }

    /// Whether it is on the way to a token, and so needs none.
    pub(super) const fn is_entrance(self) -> bool {
        matches!(self, Self::Login | Self::Refresh | Self::Mail)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which routes a fault or a rate limit is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routes {
    /// Log-ins too.
    #[default]
    Any,
    /// List and get.
    Reads,
    /// Add, replace and remove.
    Writes,
    Only(Route),
}

impl Routes {
    pub fn contain(self, route: Route) -> bool {
        match self {
            Self::Any => true,
            Self::Reads => matches!(route, Route::List | Route::Get),
            Self::Writes => matches!(route, Route::Add | Route::Replace | Route::Remove),
            Self::Only(only) => only == route,
        }
    }
}

impl From<Route> for Routes {
    fn from(route: Route) -> Self {
        Self::Only(route)
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Only(route) => route.as_str(),
        })
    }
}

impl FromStr for Routes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "any" => Ok(Self::Any),
            "reads" => Ok(Self::Reads),
            "writes" => Ok(Self::Writes),
            _ => {
                Route::ALL.into_iter().find(|route| route.as_str() == text).map(Self::Only).ok_or_else(|| {
                    format!(
                        "{text:?} is no route: write any, reads, writes, list, add, get, replace, remove, login, \
                         refresh or mail"
                    )
                })
            }
        }
    }
}

serde_as_text!(Routes);

/// What a request of the API is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    Call { route: Route, id: String },
    WrongMethod,
    Unknown,
}

impl Target {
    /// The API is at the root and under the base path of the service that is played.
    pub(super) fn of(method: &Method, path: &str, behaviour: &Behaviour) -> Self {
        let inner = path.strip_prefix(behaviour.base.as_str()).filter(|rest| rest.starts_with('/'));
        let inner = inner.unwrap_or(path);
        Self::entrance(method, path, inner, behaviour).unwrap_or_else(|| Self::of_the_api(method, inner))
    }

    fn entrance(method: &Method, path: &str, inner: &str, behaviour: &Behaviour) -> Option<Self> {
        let login = behaviour.login.as_ref()?;
        let (route, wanted, id) = if is_at(&login.url, path, inner) {
            (Route::Login, Method::POST, "")
        } else if login.refresh_url.as_ref().is_some_and(|url| is_at(url, path, inner)) {
            (Route::Refresh, Method::POST, "")
        } else {
            let code_url = login.code_url.as_deref()?;
            (Route::Mail, Method::GET, path.strip_prefix(code_url).or_else(|| inner.strip_prefix(code_url))?)
        };
        let call = || Self::Call { route, id: decoded(id) };
        Some(if *method == wanted { call() } else { Self::WrongMethod })
    }

    fn of_the_api(method: &Method, path: &str) -> Self {
        let id = match path.strip_prefix("/pins") {
            Some("" | "/") => None,
            Some(rest) => match rest.strip_prefix('/') {
                Some(id) if !id.contains('/') => Some(id),
                _ => return Self::Unknown,
            },
            None => return Self::Unknown,
        };
        let route = match (method.as_str(), id) {
            ("GET", None) => Route::List,
            ("POST", None) => Route::Add,
            ("GET", Some(_)) => Route::Get,
            ("POST", Some(_)) => Route::Replace,
            ("DELETE", Some(_)) => Route::Remove,
            _ => return Self::WrongMethod,
        };
        Self::Call { route, id: decoded(id.unwrap_or_default()) }
    }
}

/// Whether a preset's URL is meant: absolute, from the host's root, or from the endpoint.
fn is_at(url: &str, path: &str, inner: &str) -> bool {
    if url.contains("://") {
        return playing::path(url) == path;
    }
    if url.starts_with('/') { url == path } else { inner.strip_prefix('/') == Some(url) }
}

fn decoded(id: &str) -> String {
    percent_decode_str(id).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_print_and_parse_back() {
        for routes in
            [Routes::Any, Routes::Reads, Routes::Writes].into_iter().chain(Route::ALL.map(Routes::Only))
        {
            assert_eq!(routes.to_string().parse(), Ok(routes));
        }
    }
}
