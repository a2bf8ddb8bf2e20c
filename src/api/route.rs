//! Which resource a path names: the last segments decide, whatever prefix or doubled slashes stand before them.

use percent_encoding::percent_decode_str;

use crate::{model::RequestId, telemetry};

/// A resource of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/pins`
    Pins,
    /// `/pins/{requestid}`; `None` where the text is no id of ours, so that no pin can have it.
    Pin(Option<RequestId>),
    Unknown,
}

impl Route {
    /// Reads a path. `//pins`, `/pins/` and `/api/v1/pins` are all `/pins`: clients join endpoints carelessly, and a
    /// redirect would turn their POST into a GET.
    pub fn of(path: &str) -> Self {
        let mut segments = path.rsplit('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next()) {
            (Some("pins"), _) => Self::Pins,
            (Some(id), Some("pins")) => Self::Pin(decode_id(id)),
            _ => Self::Unknown,
        }
    }

    /// The template, as metrics and logs name it.
    pub const fn label(self) -> telemetry::Route {
        match self {
            Self::Pins => telemetry::Route::Pins,
            Self::Pin(_) => telemetry::Route::Pin,
            Self::Unknown => telemetry::Route::Other,
        }
    }

    /// The `Allow` header of a resource.
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Pins => "GET, HEAD, POST, OPTIONS",
            Self::Pin(_) => "GET, HEAD, POST, DELETE, OPTIONS",
            Self::Unknown => "OPTIONS",
        }
    }
}

fn decode_id(text: &str) -> Option<RequestId> {
    if text.contains('%') {
        return RequestId::parse(&percent_decode_str(text).decode_utf8().ok()?);
    }
    RequestId::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01941f29-7c00-7aaa-8aaa-aaaaaaaaaaaa";

    #[test]
    fn slashes_and_prefixes_do_not_matter() {
        for path in ["/pins", "//pins", "/pins/", "//pins//", "/api/v1/pins", "/api//v1//pins/"] {
            assert_eq!(Route::of(path), Route::Pins, "{path}");
        }
        let id = RequestId::parse(ID);
        for prefix in ["", "/", "/api/v1", "/pins"] {
            for tail in ["", "/", "//"] {
                let path = format!("{prefix}/pins//{ID}{tail}");
                assert_eq!(Route::of(&path), Route::Pin(id), "{path}");
            }
        }
    }

    #[test]
    fn ids_are_percent_decoded() {
        let escaped = ID.replace('-', "%2d").replacen('0', "%30", 1);
        assert_eq!(Route::of(&format!("/pins/{escaped}")), Route::Pin(RequestId::parse(ID)));
        for odd in ["x", "%", "%zz", "%ff%fe", "0194", "..", "%2e%2e"] {
            assert_eq!(Route::of(&format!("/pins/{odd}")), Route::Pin(None), "{odd}");
        }
    }

    #[test]
    fn everything_else_is_unknown() {
        for path in ["", "/", "*", "/pin", "/pinsx", "/Pins", "/pins/a/b", "/metrics"] {
            assert_eq!(Route::of(path), Route::Unknown, "{path}");
        }
    }
}
