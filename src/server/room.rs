//! Room for what connections have us keep for them: answers that are made and not taken, requests that wait their turn.
//!
//! Nobody waits for room, so nothing can be held up by it: where it runs out, the connection that would need longest
//! to take what it has, at the pace that it takes anything at, is given up.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::pulse::Pulse;
use crate::telemetry::{HttpMetrics, Listener};

/// What each of them takes beside its bytes: a stream, a task.
const OVERHEAD: usize = 4096;

/// All connections of a listener share it, and so do clones.
#[derive(Clone)]
pub(super) struct Room {
    most: usize,
    holders: Arc<Mutex<Holders>>,
    door: Listener,
    metrics: HttpMetrics,
}

#[derive(Default)]
struct Holders {
    used: usize,
    /// By the address of their pulse.
    by: HashMap<usize, Holder>,
}

struct Holder {
    bytes: usize,
    pulse: Arc<Pulse>,
}

/// Some bytes that are kept for a connection, for as long as this is.
pub(super) struct Held {
    room: Room,
    pulse: Arc<Pulse>,
    /// 0: the connection was given up before.
    bytes: usize,
}

impl Room {
    /// `most`: in bytes.
    pub(super) fn new(most: usize, door: Listener, metrics: &HttpMetrics) -> Self {
        Self { most, holders: Arc::default(), door, metrics: metrics.clone() }
    }

    pub(super) fn hold(&self, pulse: &Arc<Pulse>, bytes: usize) -> Held {
        let mut holders = self.lock();
        let bytes = if pulse.is_given_up() { 0 } else { bytes.saturating_add(OVERHEAD) };
        if bytes > 0 {
            holders.add(pulse, bytes);
            // One alone is let be: who else should have the room?
            while holders.used > self.most && holders.by.len() > 1 {
                holders.give_up_the_slowest();
                self.metrics.given_up(self.door);
            }
            self.metrics.unread(self.door, holders.used);
        }
        drop(holders);
        Held { room: self.clone(), pulse: Arc::clone(pulse), bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        // Nothing in here panics half-way.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    fn add(&mut self, pulse: &Arc<Pulse>, bytes: usize) {
        self.used = self.used.saturating_add(bytes);
        let new = || Holder { bytes: 0, pulse: Arc::clone(pulse) };
        self.by.entry(key(pulse)).or_insert_with(new).bytes += bytes;
    }

    /// Nothing where the connection was given up meanwhile: all that it had went with it.
    fn remove(&mut self, pulse: &Arc<Pulse>, bytes: usize) {
        let Some(holder) = self.by.get_mut(&key(pulse)) else { return };
        holder.bytes -= bytes;
        self.used -= bytes;
        if holder.bytes == 0 {
            self.by.remove(&key(pulse));
        }
    }

    fn give_up_the_slowest(&mut self) {
        let slowest = self.by.values().max_by_key(|holder| holder.pulse.answers.time_to_take(holder.bytes));
        let Some(slowest) = slowest.map(|holder| key(&holder.pulse)) else { return };
        if let Some(Holder { bytes, pulse }) = self.by.remove(&slowest) {
            self.used -= bytes;
            pulse.give_up();
        }
    }
}

fn key(pulse: &Arc<Pulse>) -> usize {
    Arc::as_ptr(pulse).addr()
}

impl Held {
    pub(super) fn pulse(&self) -> &Pulse {
        &self.pulse
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.bytes > 0 {
            let mut holders = self.room.lock();
            holders.remove(&self.pulse, self.bytes);
            self.room.metrics.unread(self.room.door, holders.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;
    use tokio::time::advance;

    use super::{super::pulse::Limits, *};
    use crate::telemetry::Metrics;

    const MIB: usize = 1 << 20;

    fn room(most: usize) -> Room {
        Room::new(most, Listener::Public, Metrics::new().http())
    }

    fn pulse() -> Arc<Pulse> {
        let second = Duration::from_secs(1);
        let pulse = Pulse::start(Limits { head: second, idle: second, write: second });
        pulse.answers.add();
        pulse
    }

    fn given_up<'a>(pulses: impl IntoIterator<Item = &'a Arc<Pulse>>) -> Vec<bool> {
        pulses.into_iter().map(|pulse| pulse.is_given_up()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_is_held_than_there_is_room_for_however_many_come() {
        let room = room(10 * MIB);
        let mut all = Vec::new();
        for _ in 0..500 {
            let pulse = pulse();
            advance(Duration::from_millis(1)).await;
            all.push((room.hold(&pulse, MIB), pulse));
            assert!(room.lock().used <= 10 * MIB);
        }
        let kept = all.iter().filter(|(_, pulse)| !pulse.is_given_up()).count();
        assert_eq!(kept, 9, "those who came last");
        drop(all);
        let holders = room.lock();
        assert_eq!((holders.used, holders.by.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_given_up_before_who_takes_slowly_and_who_has_just_come() {
        let room = room(3 * MIB);
        let [shut, slow] = [pulse(), pulse()];
        let _kept = [room.hold(&shut, MIB), room.hold(&slow, MIB)];
        for _ in 0..30 {
            advance(Duration::from_secs(1)).await;
            slow.answers.take(20 * 1024);
        }
        let new = pulse();
        let _last = room.hold(&new, MIB);
        assert_eq!(given_up([&shut, &slow, &new]), [true, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_hoards_and_takes_a_little_is_given_up_before_who_has_little_and_takes_that() {
        let room = room(100 * MIB);
        let (hoarder, good) = (pulse(), pulse());
        let _kept = [room.hold(&hoarder, 99 * MIB), room.hold(&good, MIB / 2)];
        for _ in 0..10 {
            advance(Duration::from_secs(1)).await;
            hoarder.answers.take(8192);
            good.answers.take(50_000);
        }
        let _more = room.hold(&good, MIB);
        assert_eq!(given_up([&hoarder, &good]), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_took_much_long_ago_is_judged_by_what_it_takes_now() {
        let room = room(2 * MIB);
        let (stopped, good) = (pulse(), pulse());
        for _ in 0..1000 {
            advance(Duration::from_secs(1)).await;
            stopped.answers.take(MIB);
        }
        let _kept = room.hold(&stopped, MIB);
        good.answers.remove();
        advance(Duration::from_secs(100)).await;
        stopped.answers.take(1);
        good.answers.add();
        let _more = room.hold(&good, MIB);
        assert_eq!(given_up([&stopped, &good]), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_alone_may_have_an_answer_beyond_all_room_and_gives_way_to_the_next() {
        let room = room(MIB);
        let (large, small) = (pulse(), pulse());
        let _kept = room.hold(&large, 9 * MIB);
        assert!(!large.is_given_up());
        let _small = room.hold(&small, 100);
        assert_eq!(given_up([&large, &small]), [true, false]);
        assert!(large.cut().now_or_never().is_some(), "its connection learns of it");
        assert_eq!(room.hold(&large, 100).bytes, 0, "what comes late takes no room");
    }
}
