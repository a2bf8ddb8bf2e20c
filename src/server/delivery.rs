//! Answers on their way to clients, who have a time in which to take them, else their connection is given up.
//!
//! An answer counts until the transport has let go of its last byte, also where HTTP/2 keeps it back because the client
//! opens no window. The guard travels in the data itself.

use std::{
    io::IoSlice,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};

use super::room::Held;

/// Whoever takes fewer bytes a second than this, after the time that everybody has, is given up.
pub(super) const SLOWEST: u64 = 4096;

/// How far back it counts how fast a client takes.
const OF_LATE: Duration = Duration::from_secs(10);
/// What a client is taken for having taken, so that one who just began is not slow.
const HEAD_START: u64 = 64 * 1024;

/// How long so many bytes may take to be taken, where everybody has `base`.
pub(super) fn patience(base: Duration, bytes: u64) -> Duration {
    base + Duration::from_millis(bytes.saturating_mul(1000) / SLOWEST)
}

/// The answers of one connection that are on their way, and what has been taken since there were any.
///
/// They are judged together: a client may take one whole answer before the first byte of the next.
#[derive(Debug, Default)]
pub(super) struct Due(Mutex<Option<Waiting>>);

#[derive(Debug)]
struct Waiting {
    answers: usize,
    since: Instant,
    taken: u64,
    pace: Pace,
}

/// What was taken since when. The past fades: of what lies further back than a while, half is forgotten.
#[derive(Debug)]
struct Pace {
    since: Instant,
    taken: u64,
}

impl Pace {
    fn note(&mut self, bytes: u64) {
        if self.since.elapsed() > OF_LATE {
            *self = Self { since: Instant::now() - OF_LATE / 2, taken: self.taken / 2 };
        }
        self.taken += bytes;
    }

    /// In nanoseconds.
    fn time_to_take(&self, bytes: usize) -> u128 {
        self.since.elapsed().as_nanos().max(1) * bytes as u128 / u128::from(self.taken + HEAD_START)
    }
}

impl Waiting {
    fn since_now() -> Self {
        let since = Instant::now();
        Self { answers: 0, since, taken: 0, pace: Pace { since, taken: 0 } }
    }
}

impl Due {
    pub(super) fn add(&self) {
        self.lock().get_or_insert_with(Waiting::since_now).answers += 1;
    }

    pub(super) fn take(&self, bytes: usize) {
        if let Some(waiting) = self.lock().as_mut() {
            waiting.taken += bytes as u64;
            waiting.pace.note(bytes as u64);
        }
    }

    /// How long so many bytes would take the client at its pace; only good for comparing.
    pub(super) fn time_to_take(&self, bytes: usize) -> u128 {
        let at_start = bytes as u128 / u128::from(HEAD_START);
        self.lock().as_ref().map_or(at_start, |waiting| waiting.pace.time_to_take(bytes))
    }

    pub(super) fn remove(&self) {
        let mut held = self.lock();
        if let Some(waiting) = held.as_mut() {
            waiting.answers -= 1;
        }
        held.take_if(|waiting| waiting.answers == 0);
    }

    /// When more must have been taken, if any answer is on its way; everybody has `base`.
    pub(super) fn by(&self, base: Duration) -> Option<Instant> {
        self.lock().as_ref().map(|waiting| waiting.since + patience(base, waiting.taken))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        // Nothing in here panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer on its way, and the turn of its request, which lasts as long.
struct Delivery {
    held: Held,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let pulse = self.held.pulse();
        pulse.answers.remove();
        pulse.touch();
    }
}

/// A body whose data tell when they are gone.
pub(super) struct Delivered<B> {
    body: B,
    delivery: Option<Arc<Delivery>>,
}

/// The bytes of a body, as far as they are known.
pub(super) fn bytes<B: Body>(body: &B) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

impl<B: Body> Delivered<B> {
    /// Not watched: of HTTP/1's answers there is one at a time, whose socket tells whether it is taken.
    pub(super) fn plain(body: B) -> Self {
        Self { body, delivery: None }
    }

    pub(super) fn watched(body: B, held: Held, turn: Option<OwnedSemaphorePermit>) -> Self {
        if body.is_end_stream() {
            return Self::plain(body);
        }
        held.pulse().answers.add();
        Self { body, delivery: Some(Arc::new(Delivery { held, _turn: turn })) }
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
        let carry = |data| Carried { data, delivery: self.delivery.clone() };
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
    delivery: Option<Arc<Delivery>>,
}

impl<D> Carried<D> {
    fn taken(&self, bytes: usize) {
        if let Some(delivery) = &self.delivery {
            delivery.held.pulse().answers.take(bytes);
        }
    }
}

impl<D: Buf> Buf for Carried<D> {
    fn remaining(&self) -> usize {
        self.data.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.data.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.taken(count);
        self.data.advance(count);
    }

    fn chunks_vectored<'a>(&'a self, into: &mut [IoSlice<'a>]) -> usize {
        self.data.chunks_vectored(into)
    }

    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        self.taken(length);
        self.data.copy_to_bytes(length)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use tokio::time::advance;

    use super::{
        super::{
            pulse::{Limits, Pulse},
            room::Room,
        },
        *,
    };
    use crate::telemetry::{Listener, Metrics};

    const LIMITS: Limits = Limits {
        head: Duration::from_secs(15),
        idle: Duration::from_secs(120),
        write: Duration::from_secs(30),
    };

    fn watched(bytes: Vec<u8>, pulse: &Arc<Pulse>) -> Delivered<Full<Bytes>> {
        let room = Room::new(1 << 30, Listener::Public, Metrics::new().http());
        let body = Full::new(Bytes::from(bytes));
        let held = room.hold(pulse, super::bytes(&body));
        Delivered::watched(body, held, None)
    }

    fn due(pulse: &Arc<Pulse>) -> Option<Duration> {
        pulse.answers.by(LIMITS.write).map(|by| by.duration_since(Instant::now()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_counts_until_its_last_byte_is_let_go_of() {
        let pulse = Pulse::start(LIMITS);
        let mut body = watched(vec![0; 8192], &pulse);
        assert_eq!(due(&pulse), Some(LIMITS.write));
        let data = body.frame().await.unwrap().unwrap().into_data().ok().unwrap();
        drop(body);
        assert_eq!(due(&pulse), Some(LIMITS.write));
        drop(data);
        assert_eq!(due(&pulse), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_gains_time_by_what_is_taken_of_it_and_not_by_its_size() {
        let pulse = Pulse::start(LIMITS);
        let mut large = watched(vec![0; 1 << 20], &pulse);
        let other = watched(b"other".to_vec(), &pulse);
        advance(Duration::from_secs(10)).await;
        assert_eq!(due(&pulse), Some(LIMITS.write - Duration::from_secs(10)));
        let mut data = large.frame().await.unwrap().unwrap().into_data().ok().unwrap();
        data.advance(usize::try_from(SLOWEST).unwrap() * 5);
        data.copy_to_bytes(usize::try_from(SLOWEST).unwrap());
        assert_eq!(due(&pulse), Some(LIMITS.write - Duration::from_secs(4)));
        drop((large, data));
        assert_eq!(
            due(&pulse),
            Some(LIMITS.write - Duration::from_secs(4)),
            "the other has its time from it"
        );
        drop(other);
        assert_eq!(due(&pulse), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_answer_is_gone_at_once() {
        let pulse = Pulse::start(LIMITS);
        let _body = watched(Vec::new(), &pulse);
        assert_eq!(due(&pulse), None);
    }
}
