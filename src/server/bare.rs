//! Gives hyper's own refusals a body. A request that cannot be parsed never reaches the router: hyper answers it with
//! a bare head, but clients of the API are promised a Failure on every error, and pages of other
//! origins may read it.

/// The refusal with a body in its place, where `head` is one of hyper's bare refusals.
pub(super) fn with_body(head: &[u8]) -> Option<Vec<u8>> {
    let code = code(head)?;
    let (reason, details) = match code {
        b"400" => ("BAD_REQUEST", "the request is not valid HTTP"),
        b"414" => ("URI_TOO_LONG", "the request's URI is too long: ask for fewer CIDs or a shorter filter"),
        b"431" => ("HEADERS_TOO_LARGE", "the request's head is too large: send fewer or shorter headers"),
        _ => return None,
    };
    let text = std::str::from_utf8(head.strip_suffix(b"\r\n\r\n")?).ok()?;
    let (kept, lengths): (Vec<&str>, Vec<&str>) =
        text.split("\r\n").partition(|line| !line.to_ascii_lowercase().starts_with("content-length:"));
    if lengths.iter().any(|line| !line.ends_with(" 0")) || kept.iter().any(|line| line.is_empty()) {
        return None;
    }
    let body = format!(r#"{{"error":{{"reason":"{reason}","details":"{details}"}}}}"#);
    let kept = kept.join("\r\n");
    let length = body.len();
    Some(
        format!(
            "{kept}\r\naccess-control-allow-origin: *\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// The status of an HTTP/1 refusal's head; cheap for everything else.
fn code(head: &[u8]) -> Option<&[u8]> {
    let rest = head.strip_prefix(b"HTTP/1.").filter(|rest| rest.get(1..3) == Some(b" 4"))?;
    rest.get(2..5).filter(|_| head.len() <= 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_refusal_gets_a_failure_and_keeps_its_other_headers() {
        let bare =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let full = String::from_utf8(with_body(bare).unwrap()).unwrap();
        let (head, body) = full.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 431 ") && head.contains("connection: close"));
        assert!(head.contains("\r\naccess-control-allow-origin: *\r\n"));
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["reason"], "HEADERS_TOO_LARGE");
    }

    #[test]
    fn whatever_has_a_body_or_is_no_refusal_is_left_alone() {
        for head in [
            &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 12\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n{}\r\n\r\n",
            b"{}",
            b"",
        ] {
            assert_eq!(with_body(head), None);
        }
    }
}
