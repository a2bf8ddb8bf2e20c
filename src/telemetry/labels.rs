//! The values that labels may take: closed sets, so that nobody outside can make new series.

use ::http::{Method as HttpMethod, StatusCode};

use crate::model::{
    BudgetClass, ErrorClass, Health, JobKind, JobState, Op, Operation, Proved, QuotaKind, ReplicaState, Status,
};

/// A closed set of label values, numbered from 0 without gaps.
pub trait Label: Copy + 'static {
    const ALL: &'static [Self];

    fn index(self) -> usize;

    fn as_str(self) -> &'static str;
}

macro_rules! labels {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];

            fn index(self) -> usize {
                self as usize
            }

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

macro_rules! model_labels {
    ($($name:ty),+) => {$(
        impl Label for $name {
            const ALL: &'static [Self] = &<$name>::ALL;

            fn index(self) -> usize {
                // Holds: the store's codes count from 0 without gaps; a test says so.
                self.code() as usize
            }

            fn as_str(self) -> &'static str {
                <$name>::as_str(self)
            }
        }
    )+};
}

model_labels!(BudgetClass, Health, JobKind, JobState, Operation, Proved, QuotaKind, ReplicaState, Status);

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
    pub(super) const fn methods(self) -> &'static [Method] {
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
    pub(super) const USUAL: [Self; 6] =
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
    /// What an audit came upon.
    Audited {
        /// On the provider's list, as it should be.
        Listed = "listed",
        /// Not on the list, or not as pinned.
        Suspect = "suspect",
        /// Suspected, and pinned there after all.
        Found = "found",
        /// Suspected, and not pinned there.
        Lost = "lost",
    }
}

labels! {
    /// How a provider's copies differ from what is on record, by its last audit.
    Drift {
        /// On record, and confirmed not to be there.
        Missing = "missing",
        /// On record, not on its list, and not looked at before an operator says so.
        Suspect = "suspect",
        /// There, and nobody knows them here.
        Unexpected = "unexpected",
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

labels! {
    /// What a client asked to be changed.
    PinRequest {
        Add = "add",
        Replace = "replace",
        Delete = "delete",
    }
}

labels! {
    /// How a pin settled.
    Settled {
        Pinned = "pinned",
        Failed = "failed",
    }
}

labels! {
    /// How a call to a provider ended: `ok`, or why not.
    CallOutcome {
        Ok = "ok",
        Transient = "transient",
        Throttled = "throttled",
        Rejected = "rejected",
        Auth = "auth",
        Funds = "funds",
        Unknown = "unknown",
    }
}

impl From<Result<(), ErrorClass>> for CallOutcome {
    fn from(result: Result<(), ErrorClass>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(ErrorClass::Transient) => Self::Transient,
            Err(ErrorClass::Throttled) => Self::Throttled,
            Err(ErrorClass::Rejected) => Self::Rejected,
            Err(ErrorClass::Auth) => Self::Auth,
            Err(ErrorClass::Funds) => Self::Funds,
            Err(ErrorClass::Unknown) => Self::Unknown,
        }
    }
}

labels! {
    /// Whether a provider's breaker lets calls through.
    BreakerState {
        Closed = "closed",
        Open = "open",
        /// One call tries whether it is well again.
        HalfOpen = "half-open",
    }
}

labels! {
    /// What the engine does.
    TaskKind {
        Submit = "submit",
        Poll = "poll",
        Remove = "remove",
        Verify = "verify",
        Remerge = "remerge",
    }
}

impl From<Op> for TaskKind {
    fn from(op: Op) -> Self {
        match op {
            Op::Submit => Self::Submit,
            Op::Poll => Self::Poll,
            Op::Remove => Self::Remove,
            Op::Verify => Self::Verify,
        }
    }
}

labels! {
    /// How a task of the engine ended.
    TaskOutcome {
        Ok = "ok",
        Retry = "retry",
        Failed = "failed",
        LeaseLost = "lease_lost",
    }
}

labels! {
    /// Kinds of work that the store does.
    StoreClass {
        Read = "read",
        Write = "write",
        Claim = "claim",
    }
}

labels! {
    /// Whether a connection of the store is at work.
    ConnectionState {
        Idle = "idle",
        Used = "used",
    }
}

labels! {
    /// What went wrong in the store.
    StoreErrorKind {
        Busy = "busy",
        Timeout = "timeout",
        Connection = "connection",
        Constraint = "constraint",
        Corrupt = "corrupt",
        Full = "full",
    }
}

labels! {
    /// Levels of messages that somebody should look at.
    LogLevel {
        Warn = "warn",
        Error = "error",
    }
}
