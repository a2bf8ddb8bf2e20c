//! The route classes of the API: what calls are counted by and faults aimed at.

use std::{fmt, str::FromStr};

use http::Method;

use crate::model::span::serde_as_text;

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
}

impl Route {
    pub const ALL: [Self; 5] = [Self::List, Self::Add, Self::Get, Self::Replace, Self::Remove];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Add => "add",
            Self::Get => "get",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
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
        let read = matches!(route, Route::List | Route::Get);
        match self {
            Self::Any => true,
            Self::Reads => read,
            Self::Writes => !read,
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
                        "{text:?} is no route: write any, reads, writes, list, add, get, replace or remove"
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
    pub(super) fn of(method: &Method, path: &str) -> Self {
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
        Self::Call { route, id: id.unwrap_or_default().to_owned() }
    }
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
