//! Lines of JSON as pins to be: read some at a time, each judged on its own.

use std::io::{self, BufRead, Read};

use serde_json::{Map, Value};

use crate::model::{Content, PinCid};

/// The longest line, in bytes: more than the largest pin takes.
const LONGEST: u64 = 16 << 20;
/// Lines that are worked on together, and about how many bytes of them.
const LINES: usize = 64;
const BYTES: u64 = 1 << 20;

/// What is asked of the gateway; other keys of a line tell people where it comes from.
const ASKED: [&str; 4] = ["cid", "name", "meta", "origins"];

/// One line, and the pin that it asks for or why it asks for none.
pub(super) struct Line {
    /// Counts from 1.
    pub(super) number: u64,
    pub(super) wish: Result<Wish, String>,
}

/// A pin to be.
pub(super) struct Wish {
    cid: PinCid,
    body: Value,
}

pub(super) struct Lines {
    input: Box<dyn BufRead>,
    number: u64,
}

impl Lines {
    pub(super) fn new(input: Box<dyn BufRead>) -> Self {
        Self { input, number: 0 }
    }

    /// The next ones; none at the end. Empty lines are passed over.
    pub(super) fn chunk(&mut self) -> io::Result<Vec<Line>> {
        let (mut chunk, mut bytes) = (Vec::new(), 0);
        while chunk.len() < LINES && bytes < BYTES {
            let mut text = Vec::new();
            let read = self.input.by_ref().take(LONGEST).read_until(b'\n', &mut text)? as u64;
            if read == 0 {
                break;
            }
            self.number += 1;
            if read == LONGEST && !text.ends_with(b"\n") {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("line {} is longer than {LONGEST} bytes", self.number),
                ));
            }
            // Empty ones do not count: a chunk of none is the end.
            if !text.trim_ascii().is_empty() {
                bytes += read;
                chunk.push(Line { number: self.number, wish: Wish::parse(&text) });
            }
        }
        Ok(chunk)
    }
}

impl Wish {
    fn parse(text: &[u8]) -> Result<Self, String> {
        let mut keys: Map<String, Value> =
            serde_json::from_slice(text).map_err(|error| format!("no JSON object: {error}"))?;
        keys.retain(|key, value| ASKED.contains(&key.as_str()) && !value.is_null());
        let cid = keys.get("cid").and_then(Value::as_str).ok_or("it has no cid")?;
        let cid = PinCid::parse(cid).map_err(|error| error.to_string())?;
        Ok(Self { cid, body: Value::Object(keys) })
    }

    /// What two lines have in common that are one pin.
    pub(super) fn key(&self) -> (Content, String) {
        (self.cid.content().clone(), self.name().to_owned())
    }

    pub(super) fn cid(&self) -> &str {
        self.cid.as_str()
    }

    /// Empty where it has none.
    pub(super) fn name(&self) -> &str {
        self.body["name"].as_str().unwrap_or_default()
    }

    pub(super) fn body(&self) -> &Value {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    fn lines(text: &str) -> Lines {
        Lines::new(Box::new(io::Cursor::new(text.to_owned())))
    }

    #[test]
    fn a_line_asks_for_what_the_api_takes_and_nothing_else() {
        let text = format!("{{\"cid\":\"{CID}\",\"name\":\"n\",\"status\":\"pinned\",\"meta\":null}}\n");
        let chunk = lines(&text).chunk().unwrap();
        let wish = chunk[0].wish.as_ref().ok().unwrap();
        assert_eq!(*wish.body(), serde_json::json!({ "cid": CID, "name": "n" }));
        assert_eq!((wish.name(), wish.cid()), ("n", CID));
    }

    #[test]
    fn lines_that_ask_for_nothing_are_told_by_their_numbers() {
        let text = format!("\n{{\"cid\":\"{CID}\"}}\r\nhello\n{{}}\n[]\n{{\"cid\":\"x\"}}");
        let mut lines = lines(&text);
        let told: Vec<_> =
            lines.chunk().unwrap().into_iter().map(|line| (line.number, line.wish.is_ok())).collect();
        assert_eq!(told, [(2, true), (3, false), (4, false), (5, false), (6, false)]);
        assert!(lines.chunk().unwrap().is_empty());
    }

    #[test]
    fn empty_lines_are_no_end_however_many() {
        let text = format!("{}{{\"cid\":\"{CID}\"}}\n", " \n".repeat(BYTES as usize));
        let chunk = lines(&text).chunk().unwrap();
        assert_eq!(chunk.iter().map(|line| line.number).collect::<Vec<_>>(), [BYTES + 1]);
    }

    #[test]
    fn a_chunk_is_bounded() {
        let text = format!("{{\"cid\":\"{CID}\"}}\n").repeat(LINES + 1);
        let mut lines = lines(&text);
        assert_eq!((lines.chunk().unwrap().len(), lines.chunk().unwrap().len()), (LINES, 1));
    }
}
