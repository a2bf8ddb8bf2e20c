//! Who may do what at the operators' listener. The method says what a request needs, so that no route can forget to.
//!
//! A write needs a token with `admin:write` wherever it comes from; thereby no web page can make a browser write, as
//! it has no token to send. A read needs `admin:read`, except where this machine alone can ask: at a loopback
//! address, under a name of this machine. The name matters because a page elsewhere can let its own name point here
//! (DNS rebinding) and would then read what its visitor's machine may read. A client's certificate does for a token
//! where the config names it, and only there: what was taken out of the config would else be let in as one that was
//! never in it.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{Method, header::HOST, request::Parts};

use super::Failure;
use crate::{
    auth::{Gate, Operator, Scope, Unauthorized},
    limits::{Class, Limits},
    model::Peer,
    telemetry::{HttpMetrics, LimitKind, LimitOutcome, Metrics, RequestClass},
};

/// Who can reach the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// This machine.
    Loopback,
    /// Others, too.
    Network,
}

/// What every guarded route asks.
#[derive(Clone)]
pub struct Authority {
    gate: Gate,
    exposure: Exposure,
    limits: Limits,
    metrics: HttpMetrics,
}

impl Authority {
    /// `limits`: those of the pinning API, so that both listeners together see a network's failed log-ins.
    pub fn new(gate: Gate, exposure: Exposure, limits: Limits, metrics: &Metrics) -> Self {
        Self { gate, exposure, limits, metrics: metrics.http().clone() }
    }

    /// Who sent the request; `None`: nobody has to say, as it is.
    fn sender(&self, head: &Parts, needed: Scope) -> Result<Option<Arc<Operator>>, Failure> {
        match self.gate.operator(&head.headers, head.extensions.get()) {
            Ok(operator) => Ok(Some(operator)),
            Err(Unauthorized::Missing) if needed == Scope::AdminRead && self.is_trusted(head) => Ok(None),
            Err(why) => Err(self.turn_away(why, head, needed)),
        }
    }

    /// Whether the sender may read without a token.
    fn is_trusted(&self, head: &Parts) -> bool {
        self.exposure == Exposure::Loopback && is_addressed_here(head)
    }

    /// Nobody is behind the request: 401, or 429 where that was said too often to its network.
    fn turn_away(&self, why: Unauthorized, head: &Parts, needed: Scope) -> Failure {
        let (class, label) = match needed {
            Scope::AdminRead => (Class::Read, RequestClass::Read),
            _ => (Class::Write, RequestClass::Write),
        };
        let peer = head.extensions.get::<Peer>();
        let from = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address);
        let admission = self.limits.failed_login(from, class);
        let refusal = admission.refusal();
        if admission.over.is_some() {
            let outcome = if refusal.is_some() { LimitOutcome::Refused } else { LimitOutcome::Shadowed };
            self.metrics.over_limit(LimitKind::Login, label, outcome);
        }
        refusal.map_or_else(|| self.unauthorized(why, head, needed), |over| Failure::too_many_logins(&over))
    }

    fn unauthorized(&self, why: Unauthorized, head: &Parts, needed: Scope) -> Failure {
        let foreign = self.exposure == Exposure::Loopback && !is_addressed_here(head);
        match why {
            Unauthorized::Missing if needed == Scope::AdminRead && foreign => Failure::unauthorized(
                "without a token this is answered under localhost, 127.0.0.1 or [::1] only: ask there, or send the \
                 header Authorization: Bearer TOKEN with a token that has the scope admin:read",
            ),
            Unauthorized::Missing => Failure::unauthorized(&format!(
                "this needs a token with the scope {needed}: send the header Authorization: Bearer TOKEN; the first \
                 one is in the file ending in .admin-token beside the store"
            )),
            why => {
                tracing::info!(%why, "a request to the admin API was refused");
                Failure::unauthorized("the token is not valid: it is unknown, has expired or was revoked")
            }
        }
    }
}

/// What a request needs, whatever it asks for.
fn scope(method: &Method) -> Scope {
    if matches!(*method, Method::GET | Method::HEAD) { Scope::AdminRead } else { Scope::AdminWrite }
}

/// Whether every name by which the listener is called is this machine's; HTTP/1.0 may call it by none.
fn is_addressed_here(head: &Parts) -> bool {
    let in_headers = head.headers.get_all(HOST).iter().map(|host| host.to_str().unwrap_or("?"));
    let in_address = head.uri.authority().map(http::uri::Authority::as_str);
    in_headers.chain(in_address).all(is_this_machine)
}

fn is_this_machine(authority: &str) -> bool {
    let Ok(authority) = authority.parse::<http::uri::Authority>() else { return false };
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The layer around guarded routes. Handlers find the [`Operator`] among the request's extensions, where one was named,
/// and who tells of the request among its answer's, also where that is a refusal.
pub(super) async fn guard(State(authority): State<Authority>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let needed = scope(&head.method);
    let operator = match authority.sender(&head, needed) {
        Ok(Some(operator)) => operator,
        Ok(None) => return next.run(Request::from_parts(head, body)).await,
        Err(failure) => return failure.into_response(),
    };
    let mut response = if operator.scopes.allow(needed) {
        head.extensions.insert(operator.clone());
        next.run(Request::from_parts(head, body)).await
    } else {
        Failure::lacks(needed).into_response()
    };
    response.extensions_mut().insert(operator);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_believed() {
        for here in ["localhost", "LOCALHOST:5081", "127.0.0.1", "127.1.2.3:80", "[::1]:5081", "[::1]"] {
            assert!(is_this_machine(here), "{here}");
        }
        for foreign in ["evil.example", "localhost.evil.example:5081", "10.0.0.1", "", "?", "a b", "0.0.0.0"]
        {
            assert!(!is_this_machine(foreign), "{foreign}");
        }
    }

    #[test]
    fn whatever_is_no_read_is_a_write() {
        for method in ["GET", "HEAD"] {
            assert_eq!(scope(&method.parse().unwrap()), Scope::AdminRead);
        }
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] {
            assert_eq!(scope(&method.parse().unwrap()), Scope::AdminWrite, "{method}");
        }
    }
}
