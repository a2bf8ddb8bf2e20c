//! The header that says which trace a request is a part of: W3C Trace Context, level 1.

use ::http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

pub(super) const HEADER: HeaderName = HeaderName::from_static("traceparent");

/// The part that a client's request is of; `None` where it says nothing sane. Its `tracestate` is not taken up: it is
/// for whoever wrote it.
pub(super) fn of(headers: &HeaderMap) -> Option<SpanContext> {
    let mut all = headers.get_all(HEADER).iter();
    let (only, None) = (all.next()?, all.next()) else { return None };
    parse(only.to_str().ok()?)
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace) = (hex(parts.next()?, 2)?, hex(parts.next()?, 32)?);
    let (span, flags) = (hex(parts.next()?, 16)?, hex(parts.next()?, 2)?);
    // Later versions may say more; this one may not, and ff is none.
    if version == "ff" || version == "00" && parts.next().is_some() {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE)).filter(SpanContext::is_valid)
}

/// So many digits, small ones only.
fn hex(text: &str, digits: usize) -> Option<&str> {
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == digits && text.bytes().all(is_hex)).then_some(text)
}

/// What the next one is told.
pub(super) fn header(of: &SpanContext) -> Option<HeaderValue> {
    let flags = (of.trace_flags() & TraceFlags::SAMPLED).to_u8();
    HeaderValue::try_from(format!("00-{}-{}-{flags:02x}", of.trace_id(), of.span_id())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_sane_is_read_and_written_the_same() {
        let read = parse(GOOD).unwrap();
        assert!(read.is_sampled() && read.is_remote());
        assert_eq!(header(&read).unwrap(), GOOD);
        assert!(!parse(&GOOD.replace("-01", "-00")).unwrap().is_sampled());
        let later = GOOD.replacen("00-", "cc-", 1) + "-what-comes-later";
        assert_eq!(parse(&later).unwrap().trace_id(), read.trace_id());
    }

    #[test]
    fn what_is_not_sane_is_passed_over() {
        let zeros = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let no_span = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16));
        let upper = GOOD.to_uppercase();
        let (more, unknown) = (format!("{GOOD}-00"), GOOD.replacen("00-", "ff-", 1));
        for odd in ["", "00", "00-x-y-z", &GOOD[1..], &zeros, &no_span, &upper, &more, &unknown] {
            assert!(parse(odd).is_none(), "{odd}");
        }
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_static(GOOD));
        assert!(of(&headers).is_some());
        headers.append(HEADER, HeaderValue::from_static(GOOD));
        assert!(of(&headers).is_none(), "which of two is meant nobody knows");
    }
}
