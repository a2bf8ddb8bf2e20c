//! Where traces go, if anywhere: a receiver of OpenTelemetry's protocol over HTTP.

use std::fmt::{self, Write};

use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::ExposeSecret;

use super::effective::{list, quoted};
use super::reader::{Field, Keys, Reader, Section, Wrong};
use super::secret::{self, Given, Sources};
use super::settings::TraceSettings;
use super::upstream::Upstream;
use super::value::{self, boolean, one_of};
use crate::providers::SecretKind;
use crate::telemetry::traces::{Accept, Settings};

/// Those that a variable may override.
pub(super) const KEYS: &[&str] = &["endpoint", "sample", "propagate", "accept"];

const ALL: &[&str] = &["endpoint", "headers", "sample", "propagate", "accept"];
/// Added to the endpoint, as OpenTelemetry has it.
const PATH: &str = "/v1/traces";
const ENDPOINT_HELP: &str = "write the receiver's base address, such as http://127.0.0.1:4318";
const HEADERS_HELP: &str = "write a list such as [ { name: authorization, value_env: OTLP_AUTHORIZATION } ]";
const MOST_HEADERS: usize = 16;
const SAMPLE: f64 = 0.1;

const VALUE: Sources =
    Sources { value: "value", file: "value_file", env: "value_env", hash: None, kind: SecretKind::Password };

/// The section `traces`; without an endpoint there are none.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    upstream: &Upstream,
) -> Option<TraceSettings> {
    let section = reader.section(root, "traces", Keys { known: ALL, later: &[] });
    let headers = headers(reader, &section);
    let sample = reader.setting(&section, "sample");
    let sample = reader.parse_or(sample, SAMPLE, share);
    let propagate = reader.setting(&section, "propagate");
    let propagate = reader.parse_or(propagate, false, boolean);
    let accept = reader.setting(&section, "accept");
    let accept = reader.parse_or(accept, Accept::default(), accepted);
    let Some(text) = reader.setting(&section, "endpoint") else {
        if section.keys().next().is_some() {
            let what = "`endpoint` is missing: nothing would be sent anywhere";
            reader.wrong(&section.path, section.spot.clone(), what, ENDPOINT_HELP);
        }
        return None;
    };
    let base = reader.parse(&text, endpoint)?;
    let http = upstream.to(reader, &section, &base);
    // Holds: it was read as an address, and the path is one.
    let endpoint = format!("{base}{PATH}").parse().expect("an address with a path is one");
    Some(TraceSettings { base, http, traces: Settings { endpoint, headers, sample, propagate, accept } })
}

fn endpoint(text: &str) -> Result<String, Wrong> {
    let base = value::endpoint(text).map_err(|wrong| Wrong::new(wrong.what, ENDPOINT_HELP))?;
    if base.ends_with(PATH) {
        return Err(Wrong::new(
            format!("ends in {PATH}, which is added to it"),
            format!("remove the {PATH}"),
        ));
    }
    Ok(base)
}

fn share(text: &str) -> Result<f64, Wrong> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| Wrong::new("not a share", "write a number from 0 (none) to 1 (all), such as 0.1"))
}

fn accepted(text: &str) -> Result<Accept, Wrong> {
    let found = Accept::ALL.into_iter().find(|accept| accept.as_str() == text);
    found.ok_or_else(|| one_of("no such choice", text, Accept::ALL.into_iter().map(Accept::as_str)))
}

fn headers(reader: &mut Reader<'_>, section: &Section<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in reader.list(section, "headers", HEADERS_HELP) {
        let (path, spot) = (field.path.clone(), field.spot.clone());
        let Some((name, value)) = header(reader, field) else { continue };
        let what = match &name {
            name if headers.contains_key(name) => "is there twice",
            _ if headers.len() >= MOST_HEADERS => "is one too many",
            _ => {
                headers.insert(name, value);
                continue;
            }
        };
        reader.wrong(path, spot, what, "remove it");
    }
    headers
}

fn header(reader: &mut Reader<'_>, field: Field<'_>) -> Option<(HeaderName, HeaderValue)> {
    let entry = reader.open(field, Keys { known: &["name", "value", "value_file", "value_env"], later: &[] });
    let name = reader.required(&entry, "name", HEADERS_HELP);
    let name = name.and_then(|text| reader.parse(&text, header_name));
    let Given::Secret(value) = secret::read(reader, &entry, VALUE)? else { return None };
    let Ok(mut value) = HeaderValue::from_str(value.current().expose_secret()) else {
        let what = "the value cannot stand in a header";
        reader.wrong(&entry.path, entry.spot.clone(), what, "write printable ASCII");
        return None;
    };
    value.set_sensitive(true);
    Some((name?, value))
}

/// Any that says nothing of the connection or the body.
fn header_name(text: &str) -> Result<HeaderName, Wrong> {
    let ours = ["connection", "content-length", "content-type", "host", "transfer-encoding", "te", "upgrade"];
    let name = text.parse::<HeaderName>().ok().filter(|name| !ours.contains(&name.as_str()));
    name.ok_or_else(|| Wrong::new("not a header that can be set", "write one such as authorization"))
}

pub(super) fn write(out: &mut String, traces: Option<&TraceSettings>) -> fmt::Result {
    let Some(TraceSettings { base, traces, .. }) = traces else { return Ok(()) };
    let Settings { headers, sample, propagate, accept, .. } = traces;
    let headers = headers.keys().map(|name| format!("{{ name: {}, value: \"***\" }}", quoted(name)));
    writeln!(out, "traces:\n  endpoint: {}\n  headers: {}", quoted(base), list(headers))?;
    writeln!(out, "  sample: {sample}\n  propagate: {propagate}\n  accept: {}", accept.as_str())
}
