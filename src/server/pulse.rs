//! When a connection is to be given up: its request's head takes too long, its answers are not taken, or nothing happens
//! on it.
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

use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep_until},
};

use super::delivery::{Due, patience};

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) head: Duration,
    pub(super) idle: Duration,
    pub(super) write: Duration,
}

/// What happens on one connection, noted by its socket and its service. A hint for timeouts: relaxed order suffices.
#[derive(Debug)]
pub(super) struct Pulse {
    start: Instant,
    head_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
    /// Answers on their way: those of HTTP/2, and large ones.
    pub(super) answers: Due,
    /// One more than the milliseconds after `start` when the socket first took no more; 0: it takes what it is given.
    blocked_since: AtomicU64,
    /// Bytes that it took since.
    taken: AtomicU64,
    given_up: AtomicBool,
    cut: Notify,
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
    SlowReader,
    Idle,
}

impl Pulse {
    /// A new connection owes its first head.
    pub(super) fn start(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            head_timeout: limits.head,
            idle_timeout: limits.idle,
            write_timeout: limits.write,
            answers: Due::default(),
            blocked_since: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            given_up: AtomicBool::new(false),
            cut: Notify::new(),
            since: AtomicU64::new(0),
            reading_head: AtomicBool::new(true),
            multiplexed: AtomicBool::new(false),
            requests: AtomicUsize::new(0),
        })
    }

    /// On a multiplexed connection only requests and answers are signs of life, so that no PINGs keep it for ever.
    pub(super) fn read(&self) {
        if self.multiplexed.load(Relaxed) {
            return;
        }
        let between_requests = self.requests.load(Relaxed) == 0;
        if between_requests && self.reading_head.swap(true, Relaxed) {
            return;
        }
        self.touch();
    }

    pub(super) fn wrote(&self, bytes: usize) {
        if self.blocked_since.load(Relaxed) > 0 {
            self.taken.fetch_add(bytes as u64, Relaxed);
        }
        if !self.reading_head.load(Relaxed) && !self.multiplexed.load(Relaxed) {
            self.touch();
        }
    }

    /// The socket takes no more for now. Who takes a byte now and then does not gain time by that.
    pub(super) fn blocked(&self) {
        if self.blocked_since.load(Relaxed) == 0 {
            self.taken.store(0, Relaxed);
            self.blocked_since.store(self.elapsed() + 1, Relaxed);
        }
    }

    /// All that was written has been taken.
    pub(super) fn flushed(&self) {
        self.blocked_since.store(0, Relaxed);
    }

    /// Whether the client did not take its answers.
    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Relaxed)
    }

    /// Has the connection end now, for others to have its room.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
        self.cut.notify_one();
    }

    /// Ends when that was said.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
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

    pub(super) fn touch(&self) {
        self.since.store(self.elapsed(), Relaxed);
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn due(&self) -> (Instant, Lapse) {
        let otherwise = self.due_without_answers();
        match self.slow_reader() {
            Some(by) if by < otherwise.0 || self.requests.load(Relaxed) == 0 => (by, Lapse::SlowReader),
            _ => otherwise,
        }
    }

    /// When what is being written must have been taken.
    fn slow_reader(&self) -> Option<Instant> {
        let since = self.blocked_since.load(Relaxed).checked_sub(1);
        let socket = since.map(|since| {
            let patience = patience(self.write_timeout, self.taken.load(Relaxed));
            self.start + Duration::from_millis(since) + patience
        });
        [socket, self.answers.by(self.write_timeout)].into_iter().flatten().min()
    }

    fn due_without_answers(&self) -> (Instant, Lapse) {
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
                self.pulse.given_up.store(lapse == Lapse::SlowReader, Relaxed);
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
    const WRITE: Duration = Duration::from_secs(30);
    const LIMITS: Limits = Limits { head: HEAD, idle: IDLE, write: WRITE };

    fn is_near(pulse: &Arc<Pulse>, expected: Duration, lapse: Lapse) -> bool {
        let (due, found) = pulse.due();
        found == lapse && due.duration_since(Instant::now()).abs_diff(expected) <= Duration::from_millis(1)
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_owes_a_head_and_dribbling_does_not_gain_time() {
        let pulse = Pulse::start(LIMITS);
        advance(Duration::from_secs(10)).await;
        pulse.read();
        assert!(is_near(&pulse, Duration::from_secs(5), Lapse::SlowHead));
        assert_eq!(pulse.lapse().await, Lapse::SlowHead);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_the_idle_time_runs_until_a_byte_of_the_next_head() {
        let pulse = Pulse::start(LIMITS);
        drop(pulse.enter(false));
        assert!(is_near(&pulse, IDLE, Lapse::Idle));
        advance(Duration::from_secs(100)).await;
        pulse.read();
        assert!(is_near(&pulse, HEAD, Lapse::SlowHead));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_under_way_never_lapses() {
        let pulse = Pulse::start(LIMITS);
        let request = pulse.enter(false);
        let long = tokio::time::timeout(IDLE * 10, pulse.lapse()).await;
        assert!(long.is_err());
        drop(request);
        assert_eq!(pulse.lapse().await, Lapse::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_a_multiplexed_connection_are_no_heads_and_keep_it_from_nothing() {
        let pulse = Pulse::start(LIMITS);
        drop(pulse.enter(true));
        advance(Duration::from_secs(60)).await;
        pulse.read();
        pulse.wrote(17);
        assert!(is_near(&pulse, IDLE - Duration::from_secs(60), Lapse::Idle));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_ends_its_connection() {
        let pulse = Pulse::start(LIMITS);
        let request = pulse.enter(false);
        pulse.blocked();
        assert!(is_near(&pulse, WRITE, Lapse::SlowReader));
        drop(request);
        assert_eq!(pulse.lapse().await, Lapse::SlowReader);
        assert!(pulse.is_given_up());
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_a_byte_now_and_then_gains_no_time_and_who_takes_all_is_free() {
        let pulse = Pulse::start(LIMITS);
        drop(pulse.enter(false));
        pulse.blocked();
        for _ in 0..29 {
            advance(Duration::from_secs(1)).await;
            pulse.wrote(1);
            pulse.blocked();
        }
        assert!(is_near(&pulse, Duration::from_millis(1007), Lapse::SlowReader));
        pulse.wrote(4096 * 60);
        assert!(is_near(&pulse, Duration::from_millis(61_007), Lapse::SlowReader));
        pulse.flushed();
        assert!(is_near(&pulse, IDLE, Lapse::Idle));
    }
}
