//! The values that labels may take: closed sets, so that nobody outside can make new series.

use crate::model::{
    BudgetClass, ErrorClass, Health, JobKind, JobState, Op, Operation, Proved, QuotaKind, ReplicaState,
    Status,
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

mod doors;

pub use doors::*;

model_labels!(BudgetClass, Health, JobKind, JobState, Operation, Proved, QuotaKind, ReplicaState, Status);

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
    /// What became of a span.
    SpanOutcome {
        Sent = "sent",
        /// There was no room for it.
        Dropped = "dropped",
        /// The receiver did not take it.
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
