//! One structured line for each request that was answered.

use std::time::Duration;

use ::http::{Method, StatusCode};

use super::labels::{Label, Route};

/// The target of the lines, so that a filter can keep or drop them: `info,pinfold::request=off`.
pub const TARGET: &str = "pinfold::request";

/// What is told of an answered request. Names only: no path, no CID, no secret.
#[derive(Clone, Copy, Debug)]
pub struct RequestLine<'a> {
    pub request_id: &'a str,
    pub method: &'a Method,
    pub route: Route,
    pub code: StatusCode,
    pub elapsed: Duration,
    /// Names in the config of who asked, once that is known.
    pub account: Option<&'a str>,
    pub token: Option<&'a str>,
}

impl RequestLine<'_> {
    /// Logs it.
    pub fn log(&self) {
        tracing::info!(
            target: TARGET,
            request_id = self.request_id,
            method = super::labels::Method::of(self.method).as_str(),
            route = self.route.as_str(),
            code = self.code.as_u16(),
            ms = self.elapsed.as_secs_f64() * 1000.0,
            account = self.account,
            token = self.token,
            "answered"
        );
    }
}
