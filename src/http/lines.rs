//! Reads a body line by line while it comes: some answer for hours, a line at a time.

use std::fmt;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{Error, body, connect};

/// A body under way. Dropping it closes its connection, by which the other side learns that nobody listens.
pub struct Lines {
    body: Incoming,
    /// Read, but not handed out yet.
    ahead: BytesMut,
    trailers: HeaderMap,
    limit: usize,
    ended: bool,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("ended", &self.ended).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn new(body: Incoming, limit: usize) -> Self {
        Self { body, ahead: BytesMut::new(), trailers: HeaderMap::new(), limit, ended: false }
    }

    /// The next line without its end, as soon as it is there whole; `None` after the last. Waits for as long as it
    /// takes: the caller bounds that. Giving the wait up loses nothing.
    ///
    /// # Errors
    /// Where the connection breaks, or a line is longer than the bound.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(end) = self.ahead.iter().position(|byte| *byte == b'\n') {
                let line = self.ahead.split_to(end + 1).freeze();
                return Ok(Some(line.slice(..end)));
            }
            if self.ahead.len() > self.limit {
                return Err(Error::TooLarge { limit: self.limit });
            }
            if self.ended {
                let rest = self.ahead.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        let Some(frame) = self.body.frame().await else {
            self.ended = true;
            return Ok(());
        };
        match frame.map_err(|error| Error::Broken(connect::words(&error)))?.into_data() {
            Ok(data) => self.ahead.extend_from_slice(&data),
            Err(frame) => self.trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
        Ok(())
    }

    /// A header that came after the last line.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        self.trailers.get(name)?.to_str().ok()
    }

    /// The whole body at once, at most `limit` bytes; of one that nothing was read of yet.
    pub async fn whole(self, limit: usize) -> Result<Bytes, Error> {
        body::collect(self.body, limit).await
    }
}
