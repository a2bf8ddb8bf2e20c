//! Writes answers by hand into one buffer: no nulls, absent fields left out, stored JSON passed through as it is.

mod info;
#[cfg(test)]
mod tests;
mod time;

use std::io::Write;

use http::HeaderValue;

use crate::{
    model::{Timestamp, delegates},
    store::{PinPage, PinRecord},
};

pub const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/json");

/// How much `info` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// In lists: the sum only.
    Summary,
    /// Of a single pin: each copy too.
    Copies,
}

/// About what one PinStatus takes, with some meta.
const PIN_BYTES: usize = 640;

/// One PinStatus at a time. `fallback` stands in where the pin has no delegates of its own.
pub fn pin_status(pin: &PinRecord, fallback: &[String], now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(PIN_BYTES);
    write_pin(&mut out, pin, (Detail::Copies, now), fallback);
    out
}

/// One PinResults.
pub fn pin_results(page: &PinPage, fallback: &[String], now: Timestamp) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + page.pins.len() * PIN_BYTES);
    // The spec says int32: no account has more.
    text(&mut out, format_args!("{{\"count\":{},\"results\":[", page.count.min(i32::MAX as u64)));
    for (n, pin) in page.pins.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_pin(&mut out, pin, (Detail::Summary, now), fallback);
    }
    out.extend_from_slice(b"]}");
    // It may lie there until a slow client has taken it.
    out.shrink_to_fit();
    out
}

/// As [`pin_results`], with `next`: the last one's `created`, where more match than are on the page; else null.
pub fn pin_page(page: &PinPage, fallback: &[String], now: Timestamp) -> Vec<u8> {
    let mut out = pin_results(page, fallback, now);
    out.pop();
    let more = page.count > page.pins.len() as u64;
    match page.pins.last().filter(|_| more) {
        Some(last) => text(&mut out, format_args!(",\"next\":\"{}\"}}", last.created)),
        None => out.extend_from_slice(b",\"next\":null}"),
    }
    out
}

/// One Failure.
pub fn failure(reason: &str, details: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + details.len());
    out.extend_from_slice(b"{\"error\":{\"reason\":");
    string(&mut out, reason);
    out.extend_from_slice(b",\"details\":");
    string(&mut out, details);
    out.extend_from_slice(b"}}");
    out
}

fn write_pin(out: &mut Vec<u8>, pin: &PinRecord, told: (Detail, Timestamp), fallback: &[String]) {
    text(out, format_args!("{{\"requestid\":\"{}\",\"status\":\"", pin.requestid));
    out.extend_from_slice(pin.status.as_str().as_bytes());
    out.extend_from_slice(b"\",\"created\":\"");
    time::write(out, pin.created);
    out.extend_from_slice(b"\",\"pin\":{\"cid\":");
    string(out, &pin.cid);
    if let Some(name) = &pin.name {
        out.extend_from_slice(b",\"name\":");
        string(out, name);
    }
    stored(out, "origins", pin.origins.as_deref());
    stored(out, "meta", pin.meta.as_deref());
    out.extend_from_slice(b"},\"delegates\":");
    let known: &[String] = if pin.delegates.is_empty() { fallback } else { &pin.delegates };
    array(out, &known[..known.len().min(delegates::MAX)]);
    info::write(out, pin, told);
    out.push(b'}');
}

/// A member whose value was JSON when it was stored.
fn stored(out: &mut Vec<u8>, key: &str, json: Option<&str>) {
    if let Some(json) = json {
        text(out, format_args!(",\"{key}\":{json}"));
    }
}

fn array(out: &mut Vec<u8>, items: &[String]) {
    out.push(b'[');
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        string(out, item);
    }
    out.push(b']');
}

/// A JSON string; most need no escape.
fn string(out: &mut Vec<u8>, value: &str) {
    if value.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        // Holds: a string always serialises, and a Vec takes all that is written.
        serde_json::to_writer(out, value).expect("a string is written to memory");
    } else {
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
    }
}

fn text(out: &mut Vec<u8>, args: std::fmt::Arguments<'_>) {
    // Holds: a Vec takes all that is written, and nothing here fails to format.
    out.write_fmt(args).expect("text is written to memory");
}
