//! Labels of what comes in at our doors.

use ::http::{Method as HttpMethod, StatusCode};

use super::Label;

labels! {
    /// A request's method; those that the API does not use are one.
    Method {
        Get = "GET",
        Head = "HEAD",
        Post = "POST",
        Put = "PUT",
        Delete = "DELETE",
        Options = "OPTIONS",
        Other = "other",
    }
}

impl Method {
    pub fn of(method: &HttpMethod) -> Self {
        match *method {
            HttpMethod::GET => Self::Get,
            HttpMethod::HEAD => Self::Head,
            HttpMethod::POST => Self::Post,
            HttpMethod::PUT => Self::Put,
            HttpMethod::DELETE => Self::Delete,
            HttpMethod::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

labels! {
    /// Which template of the API a request's path fits.
    Route {
        Pins = "/pins",
        Pin = "/pins/{requestid}",
        Other = "other",
    }
}

impl Route {
    /// The methods that the API has there.
    pub(in crate::telemetry) const fn methods(self) -> &'static [Method] {
        match self {
            Self::Pins => &[Method::Get, Method::Post, Method::Options],
            Self::Pin => &[Method::Get, Method::Post, Method::Delete, Method::Options],
            Self::Other => &[Method::Get],
        }
    }
}

labels! {
    /// A response's status; those that the API does not use are one.
    Code {
        Ok = "200",
        Accepted = "202",
        NoContent = "204",
        BadRequest = "400",
        Unauthorized = "401",
        Forbidden = "403",
        NotFound = "404",
        MethodNotAllowed = "405",
        RequestTimeout = "408",
        Conflict = "409",
        TooLarge = "413",
        UriTooLong = "414",
        UnsupportedMedia = "415",
        TooManyRequests = "429",
        HeadersTooLarge = "431",
        Internal = "500",
        Unavailable = "503",
        InsufficientStorage = "507",
        Other = "other",
    }
}

impl Code {
    /// Those that every account's clients meet sooner or later.
    pub(in crate::telemetry) const USUAL: [Self; 6] =
        [Self::Ok, Self::Accepted, Self::BadRequest, Self::NotFound, Self::TooManyRequests, Self::Internal];

    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200 => Self::Ok,
            202 => Self::Accepted,
            204 => Self::NoContent,
            400 => Self::BadRequest,
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 => Self::RequestTimeout,
            409 => Self::Conflict,
            413 => Self::TooLarge,
            414 => Self::UriTooLong,
            415 => Self::UnsupportedMedia,
            429 => Self::TooManyRequests,
            431 => Self::HeadersTooLarge,
            500 => Self::Internal,
            503 => Self::Unavailable,
            507 => Self::InsufficientStorage,
            _ => Self::Other,
        }
    }
}

labels! {
    /// Which of our two doors.
    Listener {
        Public = "public",
        Admin = "admin",
    }
}

labels! {
    /// Why a TLS handshake with a client failed.
    HandshakeFailure {
        /// Not done in time.
        Timeout = "timeout",
        PlainHttp = "plain_http",
        NotTls = "not_tls",
        /// No version or cipher in common.
        Incompatible = "incompatible",
        NoCertificate = "no_certificate",
        BadCertificate = "bad_certificate",
        /// As clients do that do not trust our certificate.
        RefusedByClient = "refused_by_client",
        /// The client broke the rules.
        Protocol = "protocol",
        Closed = "closed",
    }
}

labels! {
    /// Why a request was refused before it came to the store.
    Rejection {
        Unauthorized = "unauthorized",
        Forbidden = "forbidden",
        RateLimit = "rate_limit",
        Quota = "quota",
        TooLarge = "too_large",
        Overload = "overload",
    }
}

labels! {
    /// Whose limit a request was over.
    LimitKind {
        Token = "token",
        Account = "account",
        Login = "login",
    }
}

labels! {
    /// What kind of requests a limit is for.
    RequestClass {
        Read = "read",
        Write = "write",
    }
}

labels! {
    /// What became of a request that was over a limit.
    LimitOutcome {
        Refused = "refused",
        Shadowed = "shadowed",
    }
}

labels! {
    /// Why a connection was closed before its first request.
    Turned {
        /// Its address has as many as it may have.
        Address = "address",
        /// A proxy did not say whom it speaks for.
        ProxyProtocol = "proxy_protocol",
    }
}
