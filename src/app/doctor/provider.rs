//! One provider: the way there, and whether it takes the credential. A call or a few, by its own limits, as `pinfold
//! provider probe` makes them; none that changes anything.

use std::{sync::Arc, time::Duration};

use ::http::Uri;

use super::{Finding, Health, clock};
use crate::{
    app::{Tuning, parts},
    config::{ProviderSettings, Settings},
    http::{self, Error, Way},
    model::{Clock, Timestamp},
    providers::probe::{self, Line, Sleeps, Verdict},
    telemetry::Metrics,
};

/// A certificate that ends so soon is told of.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// Every bad line ends with how to look again.
pub(super) async fn look(
    settings: &Settings,
    entry: &ProviderSettings,
    clock: &Arc<dyn Clock>,
) -> Vec<Finding> {
    let mut found = findings(settings, entry, clock).await;
    for bad in found.iter_mut().filter(|finding| finding.health == Health::Bad) {
        let again = format!("then run: pinfold doctor {}", entry.name);
        bad.advice = Some(bad.advice.take().map_or(again.clone(), |advice| format!("{advice}; {again}")));
    }
    found
}

async fn findings(settings: &Settings, entry: &ProviderSettings, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    let what = |check: &str| format!("{}: {check}", entry.name);
    let Ok(uri) = entry.endpoint.parse::<Uri>() else {
        return vec![Finding::bad(what("endpoint"), "it is no URL", "correct the entry's endpoint")];
    };
    let mut found = match http::examine(&uri, &entry.way.http).await {
        Ok(way) => on_the_way(&way, clock.now(), &what),
        // What cannot be reached is not asked.
        Err(error) => return vec![stuck(&error, &uri, &entry.name)],
    };
    let connection = match parts::provider(entry, &settings.store, &Tuning::default()) {
        Ok(connection) => connection,
        Err(error) => {
            found.push(Finding::bad(what("entry"), format!("{error:#}"), "correct the entry"));
            return found;
        }
    };
    let client = http::Client::new(&entry.way.http);
    let metrics = Metrics::new().provider(&entry.name);
    let report = probe::look(connection, client, clock.clone(), metrics, Arc::new(Sleeps)).await;
    found.extend(report.lines.iter().map(|line| told(line, &entry.name)));
    found.extend(report.ahead.map(|ahead| clock::against_a_provider(what("clock"), ahead)));
    found
}

pub(super) fn on_the_way(way: &Way, now: Timestamp, what: &impl Fn(&str) -> String) -> Vec<Finding> {
    let Some(address) = way.connected else {
        return vec![Finding::ok(what("way"), "through a proxy: nothing of it can be seen from here")];
    };
    let mut found = vec![
        Finding::ok(what("dns"), dns(way.addresses.len())),
        Finding::ok(what("connection"), format!("to {address}")),
    ];
    if let Some(ends) = way.certificate_ends {
        let ends = Timestamp::from_millis(ends.saturating_mul(1000));
        let seen = format!("the certificate is good until {ends}");
        found.push(match ends.since(now) < SOON {
            true => Finding::warn(what("tls"), seen, "ask the provider when it is renewed"),
            false => Finding::ok(what("tls"), seen),
        });
    }
    found
}

fn dns(addresses: usize) -> String {
    format!("{addresses} {}", if addresses == 1 { "address" } else { "addresses" })
}

/// The step that failed, and what to do about it.
fn stuck(error: &Error, uri: &Uri, name: &str) -> Finding {
    let host = uri.host().unwrap_or_default();
    let resolve = format!(
        "see that the endpoint's host is written right, and that names are resolved here: getent hosts {host}"
    );
    let (step, advice) = match error {
        Error::Dns(_) => ("dns", resolve.as_str()),
        Error::NotTls => (
            "tls",
            "write http:// in the entry's endpoint if it is to be without TLS, else the port where the service speaks TLS",
        ),
        Error::Tls(_) => (
            "tls",
            "if its certificate has ended ask the provider, or see this machine's clock; if an authority of your own signed it name that under ca_file",
        ),
        _ => (
            "connection",
            "see that the service runs, that the endpoint's port is right, and that no firewall is between",
        ),
    };
    Finding::bad(format!("{name}: {step}"), error.to_string(), advice)
}

fn told(line: &Line, name: &str) -> Finding {
    let what = format!("{name}: {}", line.check);
    match (line.verdict, &line.advice) {
        (verdict, advice) if verdict.is_bad() => {
            let advice = advice.as_deref().unwrap_or("see what the service says of itself");
            Finding::bad(what, &line.seen, advice)
        }
        (Verdict::Untold, _) => Finding::warn(what, &line.seen, "try again"),
        _ => Finding::ok(what, &line.seen),
    }
}
