//! Answers on their way to clients: each has a time in which it must be taken, else its connection is given up.
//!
//! An answer counts until the transport has let go of its last byte, also where HTTP/2 keeps it back because the client
//! opens no window. The guard travels in the data itself.

use std::{
    collections::BTreeSet,
    io::IoSlice,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use super::pulse::Pulse;

/// Whoever takes fewer bytes a second than this, after the time that everybody has, is given up.
pub(super) const SLOWEST: u64 = 4096;

/// How long so many bytes may take to be taken, where everybody has `base`.
pub(super) fn patience(base: Duration, bytes: u64) -> Duration {
    base + Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST)
}

/// When each answer of one connection must be gone.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<(u64, BTreeSet<(Instant, u64)>)>);

impl Due {
    fn add(&self, by: Instant) -> (Instant, u64) {
        let mut held = self.lock();
        held.0 += 1;
        let key = (by, held.0);
        held.1.insert(key);
        key
    }

    fn remove(&self, key: (Instant, u64)) {
        self.lock().1.remove(&key);
    }

    /// The soonest, if any answer is on its way.
    pub(super) fn first(&self) -> Option<Instant> {
        self.lock().1.first().map(|(by, _)| *by)
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeSet<(Instant, u64)>)> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer on its way.
#[derive(Debug)]
struct Delivery {
    pulse: Arc<Pulse>,
    key: (Instant, u64),
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.pulse.answers.remove(self.key);
        self.pulse.touch();
    }
}

/// A body whose data tell when they are gone.
pub(super) struct Delivered<B> {
    body: B,
    delivery: Option<Arc<Delivery>>,
}

impl<B: Body> Delivered<B> {
    /// Not watched: HTTP/1 has one answer at a time, whose socket tells whether it is taken.
    pub(super) fn plain(body: B) -> Self {
        Self { body, delivery: None }
    }

    pub(super) fn watched(body: B, pulse: &Arc<Pulse>) -> Self {
        if body.is_end_stream() {
            return Self::plain(body);
        }
        let by = Instant::now() + patience(pulse.write_timeout, body.size_hint().lower());
        let key = pulse.answers.add(by);
        Self { body, delivery: Some(Arc::new(Delivery { pulse: Arc::clone(pulse), key })) }
    }
}

impl<B: Body + Unpin> Body for Delivered<B> {
    type Data = Carried<B::Data>;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let carry = |data| Carried { data, _delivery: self.delivery.clone() };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(carry))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer.
pub(super) struct Carried<D> {
    data: D,
    _delivery: Option<Arc<Delivery>>,
}

impl<D: Buf> Buf for Carried<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.data.advance(count);
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(into)
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.data.copy_to_bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::{super::pulse::Limits, *};

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(15),
        idle: Duration::from_secs(120),
        write: Duration::from_secs(30),
    };

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_until_its_last_byte_is_let_go_of() {
        let pulse = Pulse::start(LIMITS);
        let mut body = Delivered::watched(Full::new(Bytes::from(vec![0; 8192])), &pulse);
        let by = Instant::now() + LIMITS.write + Duration::from_secs(2);
        assert_eq!(pulse.answers.first(), Some(by));
        let data = body.frame().await.unwrap().unwrap().into_data().ok().unwrap();
        drop(body);
        assert_eq!(pulse.answers.first(), Some(by));
        drop(data);
        assert_eq!(pulse.answers.first(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_answer_is_gone_at_once() {
        let pulse = Pulse::start(LIMITS);
        let _body = Delivered::watched(Full::new(Bytes::new()), &pulse);
        assert_eq!(pulse.answers.first(), None);
    }
}
