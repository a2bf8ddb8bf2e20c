//! When a connection is to be given up: its request's head takes too long, or nothing happens on it.
//!
//! hyper's own head timeout also runs between requests, so it cannot cut slow heads sooner than it closes idle
//! keep-alive connections. This one tells them apart, and costs no timer reset per request.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// What happens on one connection, noted by its socket and its service. A hint for timeouts: relaxed order suffices.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    head_timeout: Duration,
    idle_timeout: Duration,
    /// Milliseconds after `start`: when the head began while one is read, else when something last happened.
    since: AtomicU64,
    reading_head: AtomicBool,
    multiplexed: AtomicBool,
    requests: AtomicUsize,
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lapse {
    SlowHead,
    Idle,
}

impl Pulse {
    /// A new connection owes its first head.
    pub(super) fn start(head_timeout: Duration, idle_timeout: Duration) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            head_timeout,
            idle_timeout,
            since: AtomicU64::new(0),
            reading_head: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
        })
    }

    pub(super) fn read(&self) {
        let between_requests = self.requests.load(Relaxed) == 0 && !self.multiplexed.load(Relaxed);
        if between_requests && self.reading_head.swap(true, Relaxed) {
            return;
        }
        self.touch();
    }

    pub(super) fn wrote(&self) {
        if !self.reading_head.load(Relaxed) {
            self.touch();
        }
    }

    /// A request's head is complete. `multiplexed`: others may come meanwhile, and reads need not be of a head.
    pub(super) fn enter(self: &Arc<Self>, multiplexed: bool) -> Request {
        self.requests.fetch_add(1, Relaxed);
        self.reading_head.store(false, Relaxed);
        if multiplexed {
            self.multiplexed.store(true, Relaxed);
        }
        Request(Arc::clone(self))
    }

    /// Whether a request is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    /// Ends when the connection is to be given up.
    pub(super) fn lapse(self: &Arc<Self>) -> Lapsing {
        let (due, _) = self.due();
        Lapsing { pulse: Arc::clone(self), sleep: Box::pin(sleep_until(due)) }
    }

    fn touch(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.since.store(since, Relaxed);
    }

    fn due(&self) -> (Instant, Lapse) {
        if self.requests.load(Relaxed) > 0 {
            return (Instant::now() + self.idle_timeout, Lapse::Idle);
        }
        let since = self.start + Duration::from_millis(self.since.load(Relaxed));
        if self.reading_head.load(Relaxed) {
            (since + self.head_timeout, Lapse::SlowHead)
        } else {
            (since + self.idle_timeout, Lapse::Idle)
        }
    }
}

/// A request that is being answered.
pub(super) struct Request(Arc<Pulse>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.touch();
        self.0.requests.fetch_sub(1, Relaxed);
    }
}

/// See [`Pulse::lapse`]. Poll it after the connection, in the same task.
pub(super) struct Lapsing {
    pulse: Arc<Pulse>,
    sleep: Pin<Box<Sleep>>,
}

impl Future for Lapsing {
    type Output = Lapse;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Lapse> {
        let (due, _) = self.pulse.due();
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let (due, lapse) = self.pulse.due();
            if due <= Instant::now() {
                return Poll::Ready(lapse);
            }
            self.sleep.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const HEAD: Duration = Duration::from_secs(15);
    const IDLE: Duration = Duration::from_secs(120);

    fn is_near(pulse: &Arc<Pulse>, expected: Duration, lapse: Lapse) -> bool {
        let (due, found) = pulse.due();
        found == lapse && due.duration_since(Instant::now()).abs_diff(expected) <= Duration::from_millis(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_owes_a_head_and_dribbling_does_not_gain_time() {
        let pulse = Pulse::start(HEAD, IDLE);
        advance(Duration::from_secs(10)).await;
        pulse.read();
        assert!(is_near(&pulse, Duration::from_secs(5), Lapse::SlowHead));
        assert_eq!(pulse.lapse().await, Lapse::SlowHead);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_the_idle_time_runs_until_a_byte_of_the_next_head() {
        let pulse = Pulse::start(HEAD, IDLE);
        drop(pulse.enter(false));
        assert!(is_near(&pulse, IDLE, Lapse::Idle));
        advance(Duration::from_secs(100)).await;
        pulse.read();
        assert!(is_near(&pulse, HEAD, Lapse::SlowHead));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_never_lapses() {
        let pulse = Pulse::start(HEAD, IDLE);
        let request = pulse.enter(false);
        let long = tokio::time::timeout(IDLE * 10, pulse.lapse()).await;
        assert!(long.is_err());
        drop(request);
        assert_eq!(pulse.lapse().await, Lapse::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_a_multiplexed_connection_are_no_heads() {
        let pulse = Pulse::start(HEAD, IDLE);
        drop(pulse.enter(true));
        advance(Duration::from_secs(60)).await;
        pulse.read();
        assert!(is_near(&pulse, IDLE, Lapse::Idle));
    }
}
