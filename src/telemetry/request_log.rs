//! One structured line for each request that was answered.

use std::time::Duration;

use ::http::{Method, StatusCode};

use super::labels::{self, Label, Listener};

/// The target of the lines, so that a filter can keep or drop them: `info,pinfold::request=off`.
pub const TARGET: &str = "pinfold::request";

/// What is told of an answered request. Names only: no path, no CID, no secret.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    pub listener: Listener,
    pub request_id: &'a str,
    pub method: &'a Method,
    /// The template that its path fits, never the path.
    pub route: &'a str,
    pub code: StatusCode,
    pub elapsed: Duration,
    /// Names in the config of who asked, once that is known.
    pub account: Option<&'a str>,
    pub token: Option<&'a str>,
    /// Asked for over and over by machines, such as a probe: of interest only to whoever looks for it.
    pub is_routine: bool,
}

impl RequestLine<'_> {
    /// Logs it.
    pub fn log(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: TARGET,
                    listener = self.listener.as_str(),
                    request_id = self.request_id,
                    method = labels::Method::of(self.method).as_str(),
                    route = self.route,
                    code = self.code.as_u16(),
                    ms = millis(self.elapsed),
                    account = self.account,
                    token = self.token,
                    "answered"
                )
            };
        }
        if self.is_routine { line!(debug) } else { line!(info) }
    }
}

/// In whole microseconds: what is beyond is noise, and would be shown with sixteen digits.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 microseconds are 142 years")]
fn millis(elapsed: Duration) -> f64 {
    elapsed.as_micros() as f64 / 1000.0
}
