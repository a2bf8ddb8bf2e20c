//! Makes one short plain text of whatever a provider answers an error with (I11, I12).

use serde_json::Value;

use super::secrets::Secrets;

/// The longest text that is passed on, in characters.
const MAX_CHARS: usize = 300;

/// No more of a body than this is looked at.
const MAX_BYTES: usize = 64 << 10;

/// A provider's own words: its reason (a code, where it sends one) and what it says beside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) reason: String,
    pub(super) details: String,
    /// The body is a web page, and so no word of a pinning service.
    pub(super) page: bool,
}

impl Words {
    pub(super) fn of(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(MAX_BYTES)]);
        let text = text.trim();
        if text.starts_with('<') {
            return Self { details: page(text), page: true, ..Self::default() };
        }
        match serde_json::from_str::<Value>(text) {
            Ok(value) => Self::of_json(&value),
            Err(_) => Self { details: text.to_owned(), ..Self::default() },
        }
    }

    /// Both shapes that are met: `{"error": {"reason", "details"}}` and `{"error": "...", "message": "..."}`.
    fn of_json(value: &Value) -> Self {
        let inner = value.get("error").filter(|error| error.is_object()).unwrap_or(value);
        let first = |keys: &[&str]| keys.iter().find_map(|key| inner.get(*key).map(flat)).unwrap_or_default();
        if !inner.is_object() {
            return Self { details: flat(inner), ..Self::default() };
        }
        let reason = first(&["reason", "code", "error"]);
        let details = first(&["details", "detail", "message", "title", "msg"]);
        Self { reason, details, page: false }
    }

    /// Whether any of these words is in it; give them in lower case.
    pub(super) fn speak_of(&self, any: &[&str]) -> bool {
        let all = format!("{} {}", self.reason, self.details).to_lowercase();
        any.iter().any(|word| all.contains(word))
    }

    /// One line after what we say ourselves.
    pub(super) fn after(&self, ours: &str, secrets: &Secrets) -> String {
        let parts = [ours, &self.reason, &self.details];
        let said: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        plain(&said.join(": "), secrets)
    }
}

/// A JSON value as words: lists joined, texts bare.
fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join("; "),
        Value::Object(entries) => ["message", "details", "msg"]
            .iter()
            .find_map(|key| entries.get(*key).map(flat))
            .unwrap_or_else(|| serde_json::to_string(value).unwrap_or_default()),
        other => other.to_string(),
    }
}

/// What a web page calls itself.
fn page(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let title = lower.find("<title>").map(|at| at + "<title>".len());
    let title =
        title.and_then(|from| lower[from..].find("</title>").map(|len| text[from..from + len].trim()));
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("a web page ({title}) instead of a pinning service's answer"),
        None => "a web page instead of a pinning service's answer".to_owned(),
    }
}

/// Short, on one line, and without secrets.
pub(super) fn plain(text: &str, secrets: &Secrets) -> String {
    // Looking for parts of secrets takes its time, and white space may go.
    let one_line: String =
        text.chars().take(4 * MAX_CHARS).map(|c| if is_hidden(c) { ' ' } else { c }).collect();
    let redacted = secrets.redact(&one_line);
    let mut words = redacted.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = words.char_indices().nth(MAX_CHARS) {
        words.truncate(cut);
    }
    words
}

/// Characters that change how the text around them is shown, or are not shown at all.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> String {
        let secrets = Secrets::default();
        secrets.add("t0k3n-of-alpha".into());
        Words::of(body.as_bytes()).after("400", &secrets)
    }

    #[test]
    fn every_shape_of_error_becomes_one_line() {
        assert_eq!(said(r#"{"error":{"reason":"BAD","details":"no such"}}"#), "400: BAD: no such");
        assert_eq!(said(r#"{"error":{"details":["one",{"message":"two"}]}}"#), "400: one; two");
        assert_eq!(
            said(r#"{"error":"unauthorized","message":"who are you"}"#),
            "400: unauthorized: who are you"
        );
        assert_eq!(said(r#""document not found""#), "400: document not found");
        assert_eq!(said(""), "400");
        assert_eq!(said("null"), "400");
        assert_eq!(said("plain\r\n\u{202e}words\u{7}"), "400: plain words");
        assert_eq!(
            said("<!doctype html><html><head><title>404 Not Found</title>"),
            "400: a web page (404 Not Found) instead of a pinning service's answer"
        );
    }

    #[test]
    fn an_echoed_token_is_replaced_also_where_it_was_cut_short() {
        assert_eq!(said("bad token t0k3n-of-alpha!"), "400: bad token [token]!");
        assert_eq!(said("bad token t0k3n-of-al..."), "400: bad token [token]...");
        let long = format!("{}t0k3n-of-alpha", "x ".repeat(147));
        assert!(!said(&long).contains("t0k"));
    }

    #[test]
    fn texts_are_bounded() {
        assert_eq!(said(&"ü".repeat(100_000)).chars().count(), MAX_CHARS);
    }
}
